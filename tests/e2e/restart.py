#!/usr/bin/env python3
"""The daemon is killed in the middle of an agent's work: enforcement stays, and every event arrives once.

A probe under the agent's identity opens a forbidden and an allowed file many times while the daemon is killed and
started again. A copy of a shell that a signature knows stands for the agent, so that the count of its operations is
exact.
"""

import os
import pathlib
import subprocess
import tempfile

from session import USER, home, prepare_home
from stack import Checks, Stack, in_scope, say, wait_until

HERE = pathlib.Path(__file__).resolve().parent
KILLS = int(os.environ.get("KILLS", "2"))
ROUNDS = 40
# Opens a forbidden file and a numbered one, so that each operation is told from every other.
PROBE = """
import sys
for n in range(int(sys.argv[1])):
    try:
        open(sys.argv[2]).read()
        print("OPENED", flush=True)
    except PermissionError as error:
        print("EPERM" if error.errno == 1 else f"errno {error.errno}", flush=True)
    try:
        open(f"{sys.argv[3]}/file-{sys.argv[4]}-{n}")
    except FileNotFoundError:
        print("gone", flush=True)
"""


def make_agent(directory):
    """A LangGraph-like program: an interpreter that opens a framework's file becomes an agent."""
    package = directory / "lib/site-packages/langgraph"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (directory / "probe.py").write_text(
        f"import sys; sys.path.insert(0, {str(package.parent)!r}); import langgraph\n" + PROBE
    )
    files = directory / "files"
    files.mkdir()
    for number in range(KILLS + 2):
        for n in range(ROUNDS):
            (files / f"file-{number}-{n}").write_text("x")
    return directory / "probe.py", files


def probe(script, files, number):
    done = subprocess.run(
        in_scope(
            "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--", "/usr/bin/python3", str(script),
            str(ROUNDS), str(home() / ".ssh/id_rsa"), str(files), str(number),
        ),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )
    return done.stdout.split("\n")[:-1] + ([done.stderr] if done.returncode else [])


def main():
    checks = Checks()
    prepare_home()
    with tempfile.TemporaryDirectory(prefix="tyr-restart.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        directory = pathlib.Path(scratch)
        os.chmod(directory, 0o755)
        with Stack(directory / "tyr") as stack:
            stack.apply(HERE / "agents-policy.yaml", "any-agent")
            script, files = make_agent(directory)
            answers = [probe(script, files, 0)]
            for kill in range(1, KILLS + 1):
                say(f"  kill -9 of the daemon, {kill} of {KILLS}")
                stack.kill_daemon()
                answers.append(probe(script, files, kill))
                stack.start_daemon()
            answers.append(probe(script, files, KILLS + 1))
            for number, seen in enumerate(answers):
                checks.that(
                    f"probe {number}: every one of {ROUNDS} forbidden opens gets EPERM",
                    seen.count("EPERM") == ROUNDS and len(seen) == ROUNDS, seen,
                )
            expected = {str(files / f"file-{number}-{n}") for number in range(KILLS + 2) for n in range(ROUNDS)}

            def arrived():
                return [e for e in stack.events("--action", "file_read") if e["resource"] in expected] \
                    if len(seen_files(stack, expected)) == len(expected) else None

            def seen_files(stack, expected):
                return {e["resource"] for e in stack.events("--action", "file_read")} & expected

            events = wait_until("every event is on the server", arrived)
            once = [e["resource"] for e in events]
            checks.that("each event is on the server once", len(once) == len(set(once)) == len(expected), len(once))
            checks.that("each stands for one operation", all(e["count"] == 1 for e in events))
            numbers = sorted(e["sequence"] for e in stack.events())
            checks.that("sequence numbers have no gap", numbers == list(range(numbers[0], numbers[0] + len(numbers))))
            denied = sum(e["count"] for e in stack.events("--verdict", "deny") if e["rule"] == "deny-ssh-keys")
            checks.that("every denial is counted", denied == ROUNDS * (KILLS + 2), denied)
    checks.finish()


if __name__ == "__main__":
    main()
