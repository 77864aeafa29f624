#!/usr/bin/env python3
"""The same work with and without Tyr gives the same results. Runs in the test machine, as root.

    run.py [ITEM ...]      items of tests/compat/work; all by default

    RUST_SYSROOT           folder of the Rust toolchain, as `rustc --print sysroot` says

Each item is done three times, as the user for agents: without Tyr, governed under a policy that allows everything and
nothing else, and governed under fifty rules that the work does not meet, with the policy that comes with Tyr. Exit
status, output and every file that is left (kind, mode, content) must be equal.
"""

import dataclasses
import difflib
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from session import USER, home  # noqa: E402
from stack import SCOPE, Checks, Stack, in_scope, say, wait_until  # noqa: E402

POLICIES = ("allow-all", "fifty-rules")
# The policy that comes with Tyr holds in addition to all but the first, which is about a policy that denies nothing.
BUILTIN = "tyr-deputies"
ALONE = "allow-all"
ITEM_SECONDS = 900
# How much of a difference is shown.
SHOWN_LINES = 30
RUST = pathlib.Path("/srv/rust")
DECOY = "127.66.0.1:9/tcp"
# Differences that are meant, and what is denied with them: bpf(2) is closed to agents, and a family whose addresses Tyr
# does not know matches the decoy's rule. A file of an overlay may be any file of its layers, also one that the rules of
# `tyr-self` keep, which hold under every policy.
MEANT = {
    "calls.sh": (
        {"-vsock: 0", "+vsock: 1", "-bpf: 22", "+bpf: 1"},
        {"any address:0/0", "any address:0/1", "bpf command 0"},
    ),
    "namespaces.sh": (
        {"-low", "-high", "-overlay: 0", "+sh: 2: cannot create top/m/f: Operation not permitted", "+overlay: 2"},
        {"/f"},
    ),
}


@dataclasses.dataclass
class Result:
    """What can be compared of one item."""

    status: int
    output: list
    tree: dict
    seconds: float

    def differences(self, other):
        """Lines that say how `other` differs; none when it does not."""
        lines = []
        if self.status != other.status:
            lines.append(f"status {self.status} became {other.status}")
        changes = difflib.unified_diff(self.output, other.output, lineterm="", n=0)
        lines += [line for line in changes if not line.startswith(("--- ", "+++ ", "@@ "))]
        for name in sorted(self.tree.keys() | other.tree.keys()):
            one, two = self.tree.get(name), other.tree.get(name)
            if one != two:
                lines.append(f"{name}: {one} became {two}")
        return lines


def tree(top):
    """Kind, mode, target and content of everything below a folder."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in folders + files:
            path = os.path.join(folder, name)
            facts = os.lstat(path)
            content = ""
            if stat.S_ISLNK(facts.st_mode):
                content = repr(os.readlink(path))
            elif stat.S_ISREG(facts.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()[:16]
            relative = os.path.relpath(path, os.fsencode(top))
            found[relative.decode(errors="backslashreplace")] = f"{stat.filemode(facts.st_mode)} {content}".strip()
    return found


class Place:
    """The account's folder for the work, with the launcher that makes an agent."""

    def __init__(self):
        self.top = home() / "compat"
        package = self.top / "lib/site-packages/langgraph"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        self.launcher = self.top / "governed.py"
        shutil.copy(HERE / "governed.py", self.launcher)
        self.copy = self.top / "items"
        shutil.copytree(HERE, self.copy)
        self.work = self.top / "work"
        subprocess.run(["chown", "-R", f"{USER}:{USER}", str(self.top)], check=True)

    def command(self, expected, *command):
        """A command line that runs `command` in the work folder, as an agent where Tyr is at work."""
        environment = [
            f"PATH={RUST}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", f"HOME={self.work}/home",
            f"TMPDIR={self.work}/tmp", f"USER={USER}", f"LOGNAME={USER}", "SHELL=/bin/bash", "LANG=C.UTF-8",
            "PYTHONDONTWRITEBYTECODE=1", f"COMPAT={self.copy}",
        ]
        return in_scope(
            "setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--", "env", "-i", *environment,
            "/usr/bin/python3", str(self.launcher), expected, *command,
        )

    def run(self, expected, *command, seconds=ITEM_SECONDS):
        """The result of a command that starts in a folder with an empty home."""
        shutil.rmtree(self.work, ignore_errors=True)
        for folder in (self.work, self.work / "home", self.work / "tmp"):
            folder.mkdir()
            shutil.chown(folder, USER, USER)
        begin = time.monotonic()
        try:
            done = subprocess.run(
                self.command(expected, *command), cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=seconds, check=False,
            )
            status, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired as error:
            status, output = 124, (error.stdout or b"") + b"\nout of time"
        return Result(status, output.decode(errors="backslashreplace").splitlines(), tree(self.work), time.monotonic() - begin)


def prepare_machine():
    """What the items need of the machine, which forgets it when it stops."""
    SCOPE.mkdir(exist_ok=True)
    # A toolchain of root's is out of the account's reach.
    RUST.mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", os.environ["RUST_SYSROOT"], str(RUST)], check=True)
    sudoers = pathlib.Path("/etc/sudoers.d/compat")
    sudoers.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    sudoers.chmod(0o440)
    # As on a machine that systemd has started.
    pathlib.Path("/dev/mqueue").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "mqueue", "mqueue", "/dev/mqueue"], check=True)
    # sudo asks whether the account has ended.
    with open("/etc/shadow", "a", encoding="utf-8") as shadow:
        shadow.write(f"{USER}:*:20000:0:99999:7:::\n")
    os.chmod("/etc/shadow", 0o640)


def alone(checks, place, items):
    """Results without Tyr. An item that fails here would show nothing later."""
    results = {}
    for item in items:
        results[item] = result = place.run("allowed", str(place.copy / "work" / item))
        checks.that(f"{item} without Tyr ({result.seconds:.0f} s)", result.status == 0, f"status {result.status}\n" + "\n".join(result.output[-SHOWN_LINES:]))
    return results


def governed(checks, stack, place, policy, results):
    """The same again under a policy."""
    before = decoys(stack)
    stack.apply(HERE / f"{policy}.yaml", "compat")
    if policy == ALONE:
        stack.unassign(BUILTIN)
    else:
        stack.must("policy", "assign", BUILTIN, "--all")
        stack.wait_in_force()
    for item, result in results.items():
        again = place.run("denied", str(place.copy / "work" / item))
        lines = result.differences(again)
        meant, _ = MEANT.get(item, (set(), ()))
        lines = [line for line in lines if line not in meant] + sorted(meant - set(lines))
        checks.that(f"{item} under {policy} ({again.seconds:.0f} s)", not lines, "\n".join(lines[:SHOWN_LINES]))
    wait_until("the decoy's denials are on the server", lambda: decoys(stack) >= before + len(results))
    expected = {DECOY}.union(*(denied for item, (_, denied) in MEANT.items() if item in results))
    others = denied_beside(stack, expected)
    checks.that(f"nothing else was denied under {policy}", not others, others[:20])


def denied_beside(stack, expected):
    """What was denied that is not one of these resources, and by which rule."""
    facts = ("action", "resource", "reason", "policy", "rule")
    denied = stack.events("--verdict", "deny")
    return [tuple(event.get(fact) for fact in facts) for event in denied if event["resource"] not in expected]


def decoys(stack):
    """How often the decoy was denied."""
    return sum(e["count"] for e in stack.events("--verdict", "deny") if e["resource"] == DECOY)


def main():
    checks = Checks()
    items = sys.argv[1:] or sorted(path.name for path in (HERE / "work").iterdir())
    prepare_machine()
    place = Place()
    say("\nthe same work, without Tyr")
    results = alone(checks, place, items)
    with tempfile.TemporaryDirectory(prefix="tyr-compat.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        os.chmod(scratch, 0o755)
        with Stack(pathlib.Path(scratch) / "tyr") as stack:
            for policy in POLICIES:
                say(f"\nthe same work, governed: {policy}")
                governed(checks, stack, place, policy, results)
    checks.finish()


if __name__ == "__main__":
    main()
