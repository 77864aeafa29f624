#!/usr/bin/env python3
"""A root that nobody governs takes every program off its hook with one setting: the daemon claims nothing any more and
says so to `tyr doctor`, to the server and in the audit, until denials reach system calls again.
"""

import os
import pathlib
import tempfile

from probe import Probe
from session import prepare_home
from stack import Checks, Stack, items, say, wait_until

HERE = pathlib.Path(__file__).resolve().parent
# All links stay in place when this is 0.
SWITCH = pathlib.Path("/proc/sys/kernel/ftrace_enabled")
LOST = "enforcement is not proved and not claimed"
BACK = "enforcement is proved again"
PAUSE = 0.2
STEPS = 5000


def enforcement(stack):
    return items(stack.json("hosts", "list"))[0]["enforcement"]


def alarms(stack, text):
    """Alarms of the audit that say this, oldest first."""
    messages = [(e["detail"] or {}).get("message", "") for e in stack.events("--kind", "alarm")]
    return [message for message in messages if text in message]


def doctor(stack):
    status, out, err = stack.run_tyr("doctor")
    return status, [line for line in out.splitlines() if line.startswith(("proof", "canary"))] or err


def holds(checks, stack, when):
    status, said = doctor(stack)
    checks.that(f"{when}: doctor finds nothing wrong", status == 0 and "canary   denied its decoy" in said, (status, said))
    checks.that(f"{when}: the host claims enforcement", enforcement(stack) == "lsm", enforcement(stack))


def disproof(checks, stack, probe):
    refused = probe.seen()
    SWITCH.write_text("0")
    try:
        wait_until("the alarm is on the server", lambda: alarms(stack, LOST), seconds=60)
        alarm = alarms(stack, LOST)
        checks.that("one alarm tells what was not denied", len(alarm) == 1 and "open" in alarm[0], alarm)
        wait_until("the host claims no enforcement", lambda: enforcement(stack) == "observe", seconds=60)
        shown = stack.must("hosts", "show", stack.host["hostname"])
        checks.that("the server shows since when and why", "unproven since" in shown and "open" in shown, shown)
        status, said = doctor(stack)
        checks.that("doctor fails and names the canary", status == 1 and "canary   ALARM" in "\n".join(said), (status, said))
        open_now = wait_until("the probe gets through", lambda: probe.seen()["opened"], seconds=60)
        checks.that("what is said is true: forbidden opens are allowed", open_now > refused["opened"] == 0, refused)
    finally:
        SWITCH.write_text("1")
    wait_until("the daemon proves it again", lambda: alarms(stack, BACK), seconds=60)
    wait_until("the host claims enforcement", lambda: enforcement(stack) == "lsm", seconds=60)


def main():
    checks = Checks()
    prepare_home()
    with tempfile.TemporaryDirectory(prefix="tyr-canary.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        directory = pathlib.Path(scratch)
        os.chmod(directory, 0o755)
        with Stack(directory / "tyr") as stack:
            stack.apply(HERE / "agents-policy.yaml", "any-agent")
            probe = Probe(directory, STEPS, PAUSE)
            holds(checks, stack, "before")
            say(f"  {SWITCH} becomes 0")
            disproof(checks, stack, probe)
            holds(checks, stack, "afterwards")
            before = wait_until("the probe goes on", probe.seen)
            wait_until("it has tried again", lambda: probe.seen()["steps"] > before["steps"] + 20)
            seen = probe.stop()
            checks.that("afterwards every forbidden open is refused", seen["opened"] == before["opened"], (before, seen))
            checks.that("the probe ran all the time", seen["status"] == 0 and seen["other"] == 0, seen)
            numbers = (len(alarms(stack, LOST)), len(alarms(stack, BACK)))
            checks.that("each change is told once", numbers == (1, 1), alarms(stack, "proved"))
    checks.finish()


if __name__ == "__main__":
    main()
