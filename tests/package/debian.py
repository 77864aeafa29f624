"""What the scenarios on a Debian share: its packages, its units, and everything that must be gone in the end."""

import hashlib
import json
import os
import pathlib

from guest import DATA, FILES, Broken, must, run
from stack import items, wait_until

PACKAGES = ("tyr", "tyr-server", "tyrd")
# A busy machine that is emulated takes its time, above all to attach programs.
WAIT_SECONDS = 1500
UNITS = ("tyr-server.service", "tyrd.service")
PINS = pathlib.Path("/sys/fs/bpf/tyr")
# What a system writes for itself while packages come and go.
VOLATILE = (
    "/boot", "/data", "/dev", "/proc", "/run", "/sys", "/tmp", "/var/cache", "/var/lib/apt", "/var/lib/dpkg",
    "/var/lib/postgresql", "/var/lib/systemd/random-seed", "/var/lib/systemd/timers", "/var/lib/systemd/timesync",
    "/var/log", "/var/tmp", "/root", "/home", "/etc/ld.so.cache",
)
# Files whose text must be as it was, not only their names.
ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")


def files():
    """Every path of the system, without what is volatile."""
    found = []
    for folder, folders, names in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in VOLATILE]
        found += [os.path.join(folder, name) for name in folders + names]
    return sorted(path for path in found if path not in VOLATILE)


def accounts():
    return {path: hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for path in ACCOUNTS}


def programs():
    """Names of the kernel programs that are loaded, but systemd's own, which come and go with units."""
    loaded = json.loads(must("bpftool", "--json", "prog", "show"))
    names = [program.get("name", program["type"]) for program in loaded]
    return sorted(name for name in names if not name.startswith("sd_"))


def system():
    """All that packages could leave behind."""
    return {"files": files(), "accounts": accounts(), "programs": programs()}


def apt(*words):
    return must("apt-get", "-y", "-o", "Dpkg::Use-Pty=0", *words)


def debs(version):
    """The files of the packages in this version."""
    found = sorted(str(path) for path in FILES.glob(f"*_{version}-1_amd64.deb"))
    if len(found) != len(PACKAGES):
        raise Broken(f"packages of {version}: {found}")
    return found


def versions():
    """The version under test and the higher one, without Debian's revision."""
    return (FILES / "versions").read_text().split()


def installed():
    """Versions by package, of those that are installed."""
    lines = run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\n", *PACKAGES)[1].splitlines()
    fields = [line.split() for line in lines]
    return {line[0]: line[2].removesuffix("-1") for line in fields if line[1:2] == ["installed"] and len(line) == 3}


def shown(unit, *properties):
    lines = must("systemctl", "show", unit, *(f"--property={name}" for name in properties)).splitlines()
    return dict(line.split("=", 1) for line in lines)


def state(unit):
    return shown(unit, "ActiveState", "UnitFileState")


def journal(unit):
    return run("journalctl", "-b", "-u", unit, "-n", "60", "--no-pager")[1]


def hosts():
    status, out = run("tyr", "hosts", "list", "--output", "json")
    return items(json.loads(out)) if status == 0 else []


def wait_enforcing():
    """The daemon has proved that the kernel refuses what it must, and the server knows it."""

    def enforcing():
        return [host for host in hosts() if host["enforcement"] == "lsm"]

    return wait_until("the host is shown as enforcing", enforcing, WAIT_SECONDS)[0]


def wait_in_force():
    def in_force():
        known = hosts()
        return known and not known[0]["policy_problems"] and known[0]["policy_revision"] >= known[0]["policy_revision_wanted"]

    wait_until("the policies are in force", in_force, WAIT_SECONDS)
