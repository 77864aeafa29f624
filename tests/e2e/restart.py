#!/usr/bin/env python3
"""The daemon is killed again and again under an agent that never rests: nothing forbidden is opened, and every event
arrives once.

KILLS (3) is how often. Each daemon lives for a random time from a fraction of a second on, so that it is killed while
it adopts programs, puts policies in force, reads records and exports them.
"""

import os
import pathlib
import random
import tempfile
import time

from probe import Probe
from session import prepare_home
from stack import Checks, Stack, say, wait_until

HERE = pathlib.Path(__file__).resolve().parent
KILLS = int(os.environ.get("KILLS", "3"))
# How long a daemon lives, seconds; every tenth is left until it has proved that it enforces.
LIFE = (0.1, 4.0)
PAUSE = 0.04
STEPS = 500 + 400 * KILLS


def kill_often(stack, probe):
    choose = random.Random(KILLS)
    for kill in range(1, KILLS + 1):
        if kill % 10 == 1:
            before = stack.starts()
            wait_until("the daemon is ready", lambda before=before: kill == 1 or stack.starts() > before)
        else:
            time.sleep(choose.uniform(*LIFE))
        stack.kill_daemon()
        seen = probe.seen()
        if kill % 10 == 0 or kill == KILLS:
            say(f"  kill -9 of the daemon, {kill} of {KILLS}; the probe has seen {seen}")
        # Sometimes nobody is there for a while.
        time.sleep(choose.choice((0, 0, 0.5)))
        stack.spawn_daemon()


def main():
    checks = Checks()
    prepare_home()
    with tempfile.TemporaryDirectory(prefix="tyr-restart.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        directory = pathlib.Path(scratch)
        os.chmod(directory, 0o755)
        with Stack(directory / "tyr") as stack:
            stack.apply(HERE / "agents-policy.yaml", "any-agent")
            started = time.monotonic()
            probe = Probe(directory, STEPS, PAUSE)
            kill_often(stack, probe)
            before = stack.starts()
            wait_until("the last daemon is ready", lambda: stack.starts() > before)
            seen = probe.stop()
            say(f"  {KILLS} kills in {time.monotonic() - started:.0f} s")
            check(checks, stack, probe, seen)
    checks.finish()


def check(checks, stack, probe, seen):
    steps = seen["steps"]
    checks.that("the probe ran all the time", seen["status"] == 0 and steps < STEPS, seen)
    checks.that("0 forbidden opens were allowed", seen["opened"] == 0 and seen["other"] == 0, seen)
    checks.that("every forbidden open got EPERM", seen["denied"] == steps > 0, seen)
    expected = {str(probe.files / f"file-{n}") for n in range(steps)}

    def of_files():
        return [e for e in stack.events("--action", "file_read") if e["resource"] in expected]

    wait_until("every event is on the server", lambda: {e["resource"] for e in of_files()} == expected)
    events = of_files()
    checks.that("each event is on the server once", len(events) == len(expected), (len(events), len(expected)))
    checks.that("each stands for one operation", all(e["count"] == 1 for e in events))
    # Counted at the end of a batch; what is missing after that is said by the check.
    end = time.monotonic() + 60
    while denials(stack) < steps and time.monotonic() < end:
        time.sleep(1)
    checks.that("every denial is counted, and none twice", denials(stack) == steps, (denials(stack), steps))
    everything = stack.events()
    numbers = sorted(e["sequence"] for e in everything)
    checks.that("sequence numbers have no gap", numbers == list(range(1, len(numbers) + 1)), numbers[:3] + numbers[-3:])
    lost = [e for e in everything if e["kind"] == "lost"]
    checks.that("nothing is told as lost", not lost, lost)
    agents = {e["agent_id"] for e in events}
    checks.that("one agent did it all", len(agents) == 1, agents)
    started = [e for e in everything if e["kind"] == "agent_started" and e["agent_id"] in agents]
    checks.that("its start is told once", len(started) == 1, started)


def denials(stack):
    denied = stack.events("--verdict", "deny")
    return sum(e["count"] for e in denied if e["rule"] == "deny-ssh-keys")


if __name__ == "__main__":
    main()
