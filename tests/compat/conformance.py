#!/usr/bin/env python3
"""Suites of system calls with and without Tyr end the same, test by test. Runs in the test machine, as root.

    conformance.py [NAME ...]      stressors of stress-ng and modules of Python's tests; all by default

stress-ng runs with --verify: it checks what each call gave. Debian packages neither LTP nor the kernel's self-tests.
"""

import os
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from run import DECOY, Place, decoys, denied_beside, prepare_machine  # noqa: E402
from stack import Checks, Stack, say, wait_until  # noqa: E402

POLICY = "fifty-rules"
# The audit is asked about denials. Stressors make millions of calls that no rule is about, faster than they are sent.
CONFIG = "events:\n  unmatched: false\n"
SECONDS = 900
# Some tests are about moments, and fail now and then where the emulated machine is slow. What a denial makes fail fails
# every time, and no denial is overlooked: they are looked for by themselves.
TRIES = 3
# Stressors also try what is closed to every agent: prctl(PR_SET_MM), files in /proc of the first process. One makes
# folders until no path is long enough, and one connects to families whose addresses Tyr does not know: both match
# every deny rule. The stressors end the same.
MEANT_ADDRESSES = "any address:"
MEANT_REASONS = {"Tyr protects itself", "path too long"}
# A stressor writes into a tmpfs of the machine, whichever it finds mounted, and modules of Python's tests look names up;
# where the test machine has a tmpfs on /var/log and its name server in a private network, rules are about both.
MEANT_RESOURCES = re.compile(r"/var/log/tmpfs-[0-9-]+|[0-9a-f.:]+:53/(udp|tcp)")
SHOWN = 40
# Operations of each stressor: enough to go through its calls, few enough for an emulated machine.
STRESSORS = {
    "access": 20, "chdir": 50, "chmod": 20, "chown": 20, "clone": 20, "close": 50, "copy-file": 2, "daemon": 10,
    "dentry": 50, "dir": 10, "dirdeep": 20, "dnotify": 5, "dup": 50, "epoll": 20, "eventfd": 50, "exec": 10,
    "fallocate": 2, "fanotify": 5, "fcntl": 20, "fiemap": 2, "fifo": 50, "file-ioctl": 20, "filename": 10,
    "flock": 20, "fork": 20, "fstat": 20, "getdent": 20, "handle": 20, "hdd": 2, "inotify": 5, "io-uring": 20,
    "kill": 50, "lease": 10, "link": 3, "locka": 20, "memfd": 5, "mmap": 2, "mmapfork": 1, "mq": 50, "mremap": 5,
    "msg": 50, "nanosleep": 5, "open": 50, "pidfd": 20, "pipe": 50, "prctl": 5, "procfs": 2, "ptrace": 20,
    "readahead": 2, "rename": 50, "seccomp": 5, "sem": 50, "sendfile": 10, "shm": 2, "sigq": 50, "sock": 20,
    "sockfd": 20, "sockmany": 2, "sockpair": 20, "splice": 20, "symlink": 3, "tee": 20, "tmpfs": 1, "touch": 50,
    "udp": 20, "unshare": 2, "userfaultfd": 2, "utime": 20, "vfork": 20, "wait": 10, "xattr": 5, "zombie": 20,
}
MODULES = (
    "test_os", "test_posix", "test_fcntl", "test_mmap", "test_shutil", "test_tempfile", "test_pathlib", "test_fileio",
    "test_file", "test_dbm_dumb", "test_mailbox", "test_select", "test_epoll", "test_pty", "test_openpty",
    "test_fork1", "test_wait4", "test_popen", "test_import", "test_glob", "test_socketserver", "test_httplib",
    "test_asyncio.test_unix_events",
)


def ends(place, expected, name):
    """How each test of one suite ended, by name; for stress-ng, its status and what it found wrong."""
    if name in STRESSORS:
        result = place.run(
            expected, "stress-ng", f"--{name}", "1", f"--{name}-ops", str(STRESSORS[name]), "--verify", "--timeout",
            "30", "--temp-path", str(place.work), seconds=SECONDS,
        )
        wrong = [re.sub(r"\[\d+\]|\d+", "", line) for line in result.output if ": fail:" in line]
        return {f"stress-ng {name}": "; ".join([f"status {result.status}", *sorted(set(wrong))])}
    result = place.run(expected, "/usr/bin/python3", str(place.copy / "suite.py"), name, seconds=SECONDS)
    found = dict(line[2:].split(": ", 1) for line in result.output if line.startswith("::"))
    return found | {f"all of {name}": f"status {result.status}"}


def alone(checks, place, names):
    seen = {}
    for name in names:
        seen[name] = ends(place, "allowed", name)
        # What stress-ng finds wrong without Tyr too, such as statx(2) by io_uring on 6.12, must be found again.
        good = [end for end in seen[name].values() if end == "ok" or end.startswith("status 0")]
        # A suite of which nothing works without Tyr would show nothing with it.
        checks.that(f"{name} without Tyr: {len(good)} of {len(seen[name])} succeed", good, seen[name])
    return seen


def differences(place, name, before):
    """Tests of one suite that end otherwise in each of TRIES runs, a line for each; how many runs that took."""
    left = None
    for runs in range(1, TRIES + 1):
        after = ends(place, "denied", name)
        tests = (before.keys() | after.keys()) if left is None else left
        left = {test for test in tests if before.get(test) != after.get(test)}
        if not left:
            break
    return [f"{test}: {before.get(test)} became {after.get(test)}" for test in sorted(left)], runs


def governed(checks, stack, place, seen):
    stack.apply(HERE / f"{POLICY}.yaml", "compat")
    runs = 1
    for name, before in seen.items():
        lines, more = differences(place, name, before)
        runs += more
        checks.that(f"{name} governed: {len(before)} end the same", not lines, "\n".join(lines[:30]))
    # Once the last decoy is there, all that was before it is.
    place.run("denied", "true")
    wait_until("the decoy's denials are on the server", lambda: decoys(stack) >= runs)
    lost = sum(event["count"] for event in stack.events() if event["kind"] == "lost")
    checks.that("no event was lost", lost == 0, lost)
    others = {
        (action, resource, reason, *rule) for action, resource, reason, *rule in denied_beside(stack, {DECOY})
        if reason not in MEANT_REASONS and not resource.startswith(MEANT_ADDRESSES)
        and not MEANT_RESOURCES.fullmatch(resource)
    }
    checks.that("nothing else was denied", not others, sorted(others, key=str)[:SHOWN])


def main():
    checks = Checks()
    names = sys.argv[1:] or [*STRESSORS, *MODULES]
    prepare_machine()
    place = Place()
    say("\nwithout Tyr")
    seen = alone(checks, place, names)
    with tempfile.TemporaryDirectory(prefix="tyr-compat.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        os.chmod(scratch, 0o755)
        with Stack(pathlib.Path(scratch) / "tyr", config=CONFIG) as stack:
            say(f"\ngoverned: {POLICY}")
            governed(checks, stack, place, seen)
    checks.finish()


if __name__ == "__main__":
    main()
