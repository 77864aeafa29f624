#!/usr/bin/env python3
"""A daemon that is stopped while an agent floods the kernel's buffer: enforcement holds, and the sums agree.

Operations that the agent did = operations that arrived + records told as lost, and after it events flow again.
"""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

from session import USER, home, prepare_home
from stack import Checks, Stack, in_scope, items, say, wait_until

HERE = pathlib.Path(__file__).resolve().parent
# A record holds the path: long ones fill the buffer of 8 MiB with few operations.
COMPONENT = "d" * 250
DEPTH = 14
FLOOD = 5_000
AFTER = 100

PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
import langgraph
forbidden, base, component, depth = sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
folder = os.open(base, os.O_PATH)
for _ in range(depth):
    below = os.open(component, os.O_PATH, dir_fd=folder)
    os.close(folder)
    folder = below
denied = allowed = 0
for line in sys.stdin:
    what, count = line.split()
    for _ in range(int(count)):
        if what == "flood":
            os.close(os.open("leaf", os.O_RDONLY, dir_fd=folder))
            continue
        try:
            os.close(os.open(forbidden, os.O_RDONLY))
            allowed += 1
        except PermissionError as error:
            denied += error.errno == 1
    print(denied, allowed, flush=True)
"""


class Flooder:
    """An agent that does what it is told over a pipe."""

    def __init__(self, directory):
        package = directory / "lib/site-packages/langgraph"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (directory / "flooder.py").write_text(PROGRAM)
        base = directory / "deep"
        base.mkdir()
        self.make_deep(base)
        self.process = subprocess.Popen(
            in_scope(
                "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--", "/usr/bin/python3",
                str(directory / "flooder.py"), str(package.parent), str(home() / ".ssh/id_rsa"), str(base), COMPONENT,
                str(DEPTH),
            ),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )

    @staticmethod
    def make_deep(base):
        folder = os.open(base, os.O_PATH)
        for _ in range(DEPTH):
            os.mkdir(COMPONENT, 0o755, dir_fd=folder)
            below = os.open(COMPONENT, os.O_PATH, dir_fd=folder)
            os.close(folder)
            folder = below
        os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=folder))
        os.close(folder)

    def do(self, what, count):
        """What was denied and allowed so far."""
        self.process.stdin.write(f"{what} {count}\n")
        self.process.stdin.flush()
        return [int(word) for word in self.process.stdout.readline().split()]

    def end(self):
        self.process.stdin.close()
        return self.process.wait(timeout=60)


def sums(stack):
    """Floods that arrived, records told as lost."""
    events = stack.events()
    arrived = sum(e["count"] for e in events if (e["resource"] or "").endswith("/leaf"))
    return arrived, sum(e["count"] for e in events if e["kind"] == "lost")


def main():
    checks = Checks()
    prepare_home()
    with tempfile.TemporaryDirectory(prefix="tyr-flood.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        directory = pathlib.Path(scratch)
        os.chmod(directory, 0o755)
        # A self-test of the daemon would be among what is lost.
        with Stack(directory / "tyr", config="canary_interval_ms: 3600000\n") as stack:
            stack.apply(HERE / "agents-policy.yaml", "any-agent")
            flooder = Flooder(directory)
            flooder.do("forbidden", 1)
            wait_until("the agent is known", lambda: stack.events("--verdict", "deny"))
            say("  the daemon is stopped")
            stack.daemon.send_signal(signal.SIGSTOP)
            flooder.do("flood", FLOOD)
            denied, allowed = flooder.do("forbidden", 50)
            checks.that("enforcement holds without the daemon", (denied, allowed) == (51, 0), (denied, allowed))
            stack.daemon.send_signal(signal.SIGCONT)
            check(checks, stack, flooder)
            checks.that("the agent ends well", flooder.end() == 0)
    checks.finish()


def check(checks, stack, flooder):
    wait_until("the loss is told", lambda: sums(stack)[1] > 0)
    # Denials of a full buffer are lost records, too.
    produced = FLOOD + 51

    def settled():
        arrived, lost = sums(stack)
        denials = sum(e["count"] for e in stack.events("--verdict", "deny"))
        return (arrived, lost, denials) if arrived + lost + denials >= produced else None

    arrived, lost, denials = wait_until("all is told", settled, seconds=120)
    say(f"  {produced} operations: {arrived + denials} arrived, {lost} are told as lost")
    checks.that("the buffer was full", lost > 500, lost)
    checks.that("the sums agree", arrived + lost + denials == produced, (arrived, lost, denials))
    counters = wait_until(
        "the host tells the same", lambda: counters_if(stack, kernel_events_lost=lost), seconds=120
    )
    read = counters["records_read"] + counters["kernel_events_lost"]
    checks.that("every record of the kernel was read or lost", counters["kernel_events"] <= read, counters)
    flooder.do("flood", AFTER)
    wait_until("events flow again", lambda: sums(stack)[0] == arrived + AFTER, seconds=120)
    time.sleep(2)
    checks.that("and none is lost or doubled", sums(stack) == (arrived + AFTER, lost), sums(stack))


def counters_if(stack, **wanted):
    host = items(stack.json("hosts", "list"))[0]
    counters = stack.json("hosts", "show", host["hostname"])["counters"]
    return counters if all(counters.get(name) == value for name, value in wanted.items()) else None


if __name__ == "__main__":
    main()
