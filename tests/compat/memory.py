#!/usr/bin/env python3
"""The daemon's memory with 1,000 rules and 100 agent sessions. Runs in the test machine, as root.

Prints what /proc says of the daemon without agents, with them at rest, and at its peak, and fails over the limit.
Also prints the peak of the policy compiler, a process that lives for as long as it compiles.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from session import USER, home  # noqa: E402
from stack import Checks, Stack, in_scope, items, say, wait_until  # noqa: E402

RULES = 1000
SESSIONS = 100
LIMIT_KIB = 30 * 1000 * 1000 // 1024
# What one agent does before it rests: files it reads and writes, programs it starts, a connection.
WORK = """
for n in 1 2 3 4 5 6 7 8; do
    read line <"$1/file$n"
    echo "$line" >"$1/made-$2-$n"
done
/bin/true "$2"
echo x 2>/dev/null >/dev/tcp/127.0.0.1/9
echo ready
read rest
"""


def policy(file):
    """A policy as a large organisation has it: most rules for files, some for programs and networks."""
    lines = ["apiVersion: tyr.dev/v1", "kind: Policy", "metadata:", "  name: large", "spec:", "  rules:"]
    for n in range(RULES):
        if n % 10 == 8:
            what = f'action: exec\n      resource_pattern: "/opt/vendor{n}/bin/*"'
        elif n % 10 == 9:
            what = f'action: net_connect\n      cidr_deny: ["10.{n // 250}.{n % 250}.0/24"]'
        else:
            action = "file_write" if n % 3 == 0 else "file_read"
            pattern = (f"/srv/team{n}/secrets/**", f"/home/*/.config/app{n}/token*", f"/var/lib/service{n}/*.key")[n % 3]
            what = f'action: {action}\n      resource_pattern: "{pattern}"'
        verdict = "alert" if n % 7 == 0 else "deny"
        lines += [f"    - name: rule-{n}", f"      {what}", f"      verdict: {verdict}"]
    file.write_text("\n".join(lines) + "\n")


def numbers(pid):
    """KiB by name, from smaps_rollup and status."""
    found = {}
    for name in ("smaps_rollup", "status"):
        for line in pathlib.Path(f"/proc/{pid}/{name}").read_text().splitlines():
            key, _, value = line.partition(":")
            if value.endswith(" kB"):
                found.setdefault(key, int(value.split()[0]))
    return found


class Compilers(threading.Thread):
    """Looks for policy compilers of a daemon, and keeps what they held at most."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_pid, self.peaks = daemon, {}

    def run(self):
        while True:
            for task in pathlib.Path(f"/proc/{self.daemon_pid}/task").glob("*/children"):
                for child in read(task).split():
                    if read(pathlib.Path(f"/proc/{child}/cmdline")).startswith("tyr-compiler\0"):
                        self.look(child)
            time.sleep(0.005)

    def look(self, child):
        for line in read(pathlib.Path(f"/proc/{child}/status")).splitlines():
            if line.startswith("VmHWM:"):
                self.peaks[child] = max(self.peaks.get(child, 0), int(line.split()[1]))


def read(file):
    try:
        return file.read_text()
    except OSError:
        return ""


def show(when, found):
    wanted = ("Rss", "Pss", "Pss_Anon", "RssAnon", "RssFile", "RssShmem", "VmHWM")
    say(f"  {when:34} " + "  ".join(f"{key} {found.get(key, 0):6}" for key in wanted) + "  KiB")


def largest(pid):
    """The mappings that hold most, for whoever has to find out what costs."""
    by_name, name = {}, ""
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        fields = line.split()
        if not fields[0].endswith(":"):
            name = fields[5] if len(fields) > 5 else "anonymous"
        elif fields[0] == "Rss:":
            by_name[name] = by_name.get(name, 0) + int(fields[1])
    for name, kib in sorted(by_name.items(), key=lambda item: -item[1])[:8]:
        say(f"    {kib:7} KiB  {name}")


def prepare():
    """A shell under a name that a signature knows, and files to work on."""
    top = home() / "memory"
    (top / "bin").mkdir(parents=True)
    agent = top / "bin/codex"
    shutil.copy("/bin/bash", agent)
    for n in range(1, 9):
        (top / f"file{n}").write_text("text\n")
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(top)], check=True)
    return top, agent


def start_sessions(top, agent):
    sessions = []
    for number in range(SESSIONS):
        sessions.append(subprocess.Popen(
            in_scope("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--",
                     str(agent), "-c", WORK, "agent", str(top), str(number)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ))
    for session in sessions:
        while session.stdout.readline().strip() != "ready":
            if session.poll() is not None:
                raise SystemExit(f"an agent ended with status {session.returncode}")
    return sessions


def main():
    checks = Checks()
    top, agent = prepare()
    with tempfile.TemporaryDirectory(prefix="tyr-memory.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        os.chmod(scratch, 0o755)
        directory = pathlib.Path(scratch)
        with Stack(directory / "tyr") as stack:
            pid = stack.daemon.pid
            show("without a policy", numbers(pid))
            compilers = Compilers(pid)
            compilers.start()
            policy(directory / "large.yaml")
            stack.apply(directory / "large.yaml", "large")
            show(f"{RULES} rules", numbers(pid))
            sessions = start_sessions(top, agent)
            busy = numbers(pid)
            show(f"{SESSIONS} sessions at work", busy)
            running = wait_until(
                "the sessions are on the server",
                lambda: [a for a in items(stack.json("agents", "list", "--limit", "1000")) if a["agent_type"] == "codex"][SESSIONS - 1:],
            )
            checks.that(f"{SESSIONS} sessions are governed", running)
            time.sleep(10)
            rest = numbers(pid)
            show("at rest", rest)
            largest(pid)
            say(f"  policy compilers, while they compile: VmHWM {sorted(compilers.peaks.values())} KiB")
            checks.that("policies were compiled in processes of their own", compilers.peaks)
            peak = rest["VmHWM"]
            checks.that(f"at rest it holds at most 30 MB ({LIMIT_KIB} KiB)", rest["Rss"] <= LIMIT_KIB, rest["Rss"])
            checks.that(f"at its peak it held at most 30 MB ({LIMIT_KIB} KiB)", peak <= LIMIT_KIB, peak)
            for session in sessions:
                session.communicate("\n")
    checks.finish()


if __name__ == "__main__":
    main()
