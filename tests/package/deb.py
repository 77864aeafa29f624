"""The .deb files on a Debian of their own: installed, enrolled, enforcing over a reboot, upgraded, removed, purged."""

import json
import pathlib
import shutil
import time

import debian
from guest import DATA, ask, keep, kept, must, run
from probe import Probe
from session import KEY as SECRET
from session import USER, prepare_home
from stack import SCOPE, say, wait_until

KEY = f"/home/{USER}/.ssh/id_rsa"
POLICY = "/usr/share/tyr/policies/production-ai-agents.yaml"
SETTINGS = pathlib.Path("/etc/tyr/daemon.yaml")
TOKEN = pathlib.Path("/etc/tyr/enrollment-token")
EARLY = pathlib.Path("/etc/systemd/system/early-agent.service")
EARLY_REPORT = DATA / "early.json"
FRAMEWORK = DATA / "lib/site-packages/langgraph"
# What systemd-analyze may count; the units say for each right why it is needed.
EXPOSURE_MAX = {"tyr-server.service": 1.5, "tyrd.service": 4.5}
# Pause of the probe between two opens, seconds, and how many it makes at most.
PAUSE = 0.05
STEPS = 40_000

# An agent that starts when users cannot log in yet.
EARLY_UNIT = f"""[Unit]
Description=An agent before anybody may log in
DefaultDependencies=no
RequiresMountsFor=/data
After=tyrd.service
Before=systemd-user-sessions.service

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -B {DATA}/early.py

[Install]
WantedBy=multi-user.target
"""
EARLY_PROGRAM = f"""
import json, os, sys
sys.path.insert(0, "{DATA}/lib/site-packages")
import langgraph
try:
    os.open("{KEY}", os.O_RDONLY)
    error = 0
except OSError as refused:
    error = refused.errno
with open("{EARLY_REPORT}", "w") as report:
    json.dump(dict(error=error, login=not os.path.exists("/run/nologin")), report)
"""


def install(checks):
    """Install the .deb files on an empty Debian 12, with systemd running"""
    must("useradd", "--create-home", "--shell", "/bin/bash", USER)
    prepare_home()
    SCOPE.mkdir()
    debian.apt("update")
    debian.apt("install", "--no-install-recommends", "postgresql")
    keep("system", debian.system())
    version, _ = debian.versions()
    started = time.monotonic()
    debian.apt("install", *debian.debs(version))
    say(f"  apt-get install of the three packages: {time.monotonic() - started:.0f} s")
    checks.that("three packages of one version", debian.installed() == dict.fromkeys(debian.PACKAGES, version))
    for name in ("tyr-server", "tyrd"):
        link = pathlib.Path("/usr/bin", name)
        checks.that(f"{link} is a symlink to tyr", link.is_symlink() and str(link.readlink()) == "tyr")
        status, out = run(name, "--help")
        checks.that(f"{name} --help answers", status == 0, out)
    checks.that("tyr version is the package's", must("tyr", "version").split() == ["tyr", version])
    for unit in debian.UNITS:
        state = debian.state(unit)
        checks.that(f"{unit} is enabled", state["UnitFileState"] == "enabled", state)
        checks.that(f"{unit} runs", state["ActiveState"] == "active", debian.journal(unit))
    server = debian.shown("tyr-server.service", "MainPID")["MainPID"]
    owner = must("stat", "-c", "%U", f"/proc/{server}").strip()
    checks.that("the server runs as the user tyr", owner == "tyr", owner)
    checks.that("dpkg --verify finds nothing changed", run("dpkg", "--verify", *debian.PACKAGES) == (0, ""))
    modes = must("stat", "-c", "%a %U %G", "/etc/tyr/server.yaml", "/var/lib/tyr", "/var/lib/tyr/server").split("\n")
    checks.that("settings and state have their owners", modes[:2] == ["640 root tyr", "711 root root"]
                and modes[2] == "700 tyr tyr", modes)
    # Whoever connects to a socket has to be able to write to it.
    left = {path.name: oct(path.stat().st_mode) for path in pathlib.Path("/var/lib/tyr").iterdir()
            if path.stat().st_mode & (0o022 if path.is_socket() else 0o077)}
    checks.that("nothing of the daemon's state is open to others", not left, left)


def harden(checks):
    """What systemd-analyze security says of both units"""
    for unit, most in EXPOSURE_MAX.items():
        lines = must("systemd-analyze", "security", "--no-pager", unit).splitlines()
        verdict = next(line for line in lines if "Overall exposure" in line)
        for line in [line for line in lines if line.startswith("✗")]:
            say("  " + line.rstrip())
        say("  " + verdict.strip("→ "))
        exposure = float(verdict.split(": ")[1].split()[0])
        checks.that(f"the exposure of {unit} is at most {most}", exposure <= most, exposure)


def enrol(checks):
    """Enrol the host with a token file, apply the complete example, and have an agent refused"""
    must("tyr", "login", "https://localhost:7701", "--ca-file", "/var/lib/tyr/server/ca.pem",
         stdin=pathlib.Path("/var/lib/tyr/server/admin-token").read_text())
    TOKEN.touch(mode=0o600)
    TOKEN.write_text(must("tyr", "enrollment-token", "create").split()[0])
    text = SETTINGS.read_text()
    text = text.replace("# server: tyr.example.com:7700", "server: localhost:7700")
    text = text.replace("# token_file: ", "token_file: ")
    SETTINGS.write_text(text)
    must("systemctl", "restart", "tyrd")
    host = debian.wait_enforcing()
    checks.that("the server shows the host as enforcing", host["enforcement"] == "lsm", host)
    must("tyr", "policy", "apply", "-f", POLICY)
    must("tyr", "policy", "assign", "production-ai-agents", "--all")
    debian.wait_in_force()
    FRAMEWORK.mkdir(parents=True)
    (FRAMEWORK / "__init__.py").touch()
    (DATA / "early.py").write_text(EARLY_PROGRAM)
    refused(checks, "an agent's open of an SSH key is refused")
    event = wait_until("the refusal is in the audit", told, debian.WAIT_SECONDS)
    checks.that("the audit has it, with rule and policy", event["policy"] == "production-ai-agents", event)
    checks.that("anybody else may open it", run("cat", KEY) == (0, SECRET))
    complaints = [line for line in must("journalctl", "-u", "tyrd", "--no-pager").splitlines() if "compiler" in line]
    checks.that("the unit lets the policy compiler give up its rights", not complaints, complaints)
    EARLY.write_text(EARLY_UNIT)
    must("systemctl", "enable", EARLY.name)
    EARLY_REPORT.unlink()


def told():
    """The event of the refusal, when the server has it."""
    status, out = run("tyr", "audit", "search", "--verdict", "deny", "--limit", "1000", "--output", "json")
    events = json.loads(out)["events"] if status == 0 else []
    return next((event for event in events if event["rule"] == "deny-ssh-keys" and event["resource"] == KEY), None)


def agent():
    """What an agent gets that tries to open the key."""
    EARLY_REPORT.unlink(missing_ok=True)
    must("python3", "-B", str(DATA / "early.py"))
    return json.loads(EARLY_REPORT.read_text())


def refused(checks, what):
    seen = agent()
    checks.that(what, seen["error"] == 1, seen)


def reboot(checks):
    """After a reboot, before anybody may log in"""
    seen = json.loads(EARLY_REPORT.read_text()) if EARLY_REPORT.exists() else {}
    checks.that("an agent was refused", seen.get("error") == 1, (seen, debian.journal(EARLY.name)))
    checks.that("nobody could log in yet", seen.get("login") is False, seen)
    daemon = debian.shown("tyrd.service", "ActiveEnterTimestampMonotonic", "Before")
    login = debian.shown("systemd-user-sessions.service", "InactiveExitTimestampMonotonic")
    ready, opened = int(daemon["ActiveEnterTimestampMonotonic"]), int(login["InactiveExitTimestampMonotonic"])
    say(f"  enforcement was on {ready / 1e6:.1f} s after the start, logins began {(opened - ready) / 1e6:.1f} s later")
    checks.that("tyrd's own unit has logins wait for it", 0 < ready <= opened
                and "systemd-user-sessions.service" in daemon["Before"].split(), (ready, opened, daemon))
    EARLY.unlink()
    pathlib.Path("/etc/systemd/system/multi-user.target.wants", EARLY.name).unlink()
    must("systemctl", "daemon-reload")
    debian.wait_enforcing()
    refused(checks, "an agent is refused afterwards too")


def upgrade(checks):
    """Upgrade to a higher version under an agent that opens a forbidden file without a pause"""
    before, after = debian.versions()
    SCOPE.mkdir(exist_ok=True)
    folder = DATA / "probe"
    folder.mkdir()
    daemon = debian.shown("tyrd.service", "MainPID", "NRestarts")
    builds = sorted(path.name for path in debian.PINS.iterdir())
    settings = SETTINGS.read_text()
    probe = Probe(folder, STEPS, PAUSE)
    started = time.monotonic()
    debian.apt("install", *debian.debs(after))
    took = time.monotonic() - started
    checks.that("three packages of the higher version", debian.installed() == dict.fromkeys(debian.PACKAGES, after))
    checks.that("tyr version is the higher one", must("tyr", "version").split() == ["tyr", after])
    wait_until("the server has the new daemon", lambda: debian.hosts() and debian.hosts()[0]["version"] == after,
               debian.WAIT_SECONDS)
    debian.wait_enforcing()
    seen = probe.stop()
    say(f"  {took:.0f} s of apt-get install; the probe saw {seen}")
    checks.that("0 forbidden opens were allowed", seen["opened"] == 0 and seen["other"] == 0, seen)
    checks.that("every forbidden open got EPERM", seen["denied"] == seen["steps"] > 0 and seen["status"] == 0, seen)
    checks.that("the probe outlived the upgrade", seen["steps"] < STEPS, seen)
    now = debian.shown("tyrd.service", "MainPID", "NRestarts", "ActiveState")
    checks.that("the daemon is another process", now["MainPID"] not in ("0", daemon["MainPID"]), (daemon, now))
    checks.that("and was not started by a crash", now["NRestarts"] == "0", debian.journal("tyrd.service"))
    pins = sorted(path.name for path in debian.PINS.iterdir())
    checks.that("the kernel has the new programs alone", len(pins) == 1 and pins != builds, (builds, pins))
    checks.that("the edited configuration is as it was", SETTINGS.read_text() == settings)
    checks.that("the audit says nothing of a release", "taken off" not in must("tyr", "audit", "search", "--output", "json"))
    events = ask("tyr", "audit", "search", "--limit", "100000")["events"]
    lost = [event for event in events if event["kind"] == "lost"]
    checks.that("nothing is told as lost", not lost, lost)
    shutil.rmtree(folder)


def remove(checks):
    """Remove the packages"""
    out = debian.apt("remove", *debian.PACKAGES)
    checks.that("it says that enforcement is off", "enforcement is off" in out, out)
    checks.that("no program of Tyr's is in the kernel", debian.programs() == kept("system")["programs"], debian.programs())
    checks.that("nothing is pinned", not debian.PINS.exists())
    seen = agent()
    checks.that("agents are not governed any more", seen["error"] == 0, seen)
    checks.that("no package is installed", not debian.installed(), debian.installed())
    kept_files = [SETTINGS, TOKEN, pathlib.Path("/var/lib/tyr/server"), pathlib.Path("/etc/tyr/server.yaml")]
    checks.that("configuration and state stay", all(path.exists() for path in kept_files), kept_files)
    running = run("pgrep", "-a", "tyr")[1]
    checks.that("no process of Tyr's runs", not running, running)


def purge(checks):
    """Purge the packages"""
    debian.apt("purge", *debian.PACKAGES)
    nothing_left(checks)


def nothing_left(checks):
    before, now = kept("system"), debian.system()
    left = sorted(set(now["files"]) - set(before["files"]))
    gone = sorted(set(before["files"]) - set(now["files"]))
    checks.that("no file is left, of all that the system has", not left, left)
    checks.that("no file of others is gone", not gone, gone)
    checks.that("no user and no group is left", now["accounts"] == before["accounts"], run("tail", "/etc/passwd"))
    checks.that("no program is left in the kernel", now["programs"] == before["programs"], now["programs"])
    units = run("systemctl", "list-units", "--all", "--plain", "--no-legend", "tyr*")[1]
    checks.that("no unit is left", not units.strip(), units)
    run_files = [str(path) for path in pathlib.Path("/run").glob("tyr*")]
    checks.that("nothing is left in /run and /sys/fs/bpf", not run_files and not debian.PINS.exists(), run_files)


def afterwards(checks):
    """After another reboot"""
    nothing_left(checks)
    failed = run("systemctl", "--failed", "--plain", "--no-legend")[1]
    checks.that("no unit of the system failed", not failed.strip(), failed)


# A reboot lies between them.
BOOTS = ((install, harden, enrol), (reboot, upgrade, remove, purge), (afterwards,))
