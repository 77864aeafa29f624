#!/usr/bin/env python3
"""Agents of other runtimes under one policy: Codex (Rust, started by Node) and LangGraph (Python).

    agents.py [AGENT ...]      default: codex langgraph
"""

import os
import pathlib
import sys
import tempfile

from session import Session, home, prepare_home
from stack import Checks, Stack, say

HERE = pathlib.Path(__file__).resolve().parent
TYPES = {"claude-code": "claude-code", "codex": "codex", "langgraph": "langgraph"}
# Codex is a native program that its Node wrapper starts.
STEPS = [
    ("its own reading of the key", {"tool": "read", "path": None}, "deny-ssh-keys"),
    ("cat of the key from the shell", {"tool": "shell", "command": "cat ~/.ssh/id_rsa"}, "deny-ssh-keys"),
    ("a binary that is not allowed", {"tool": "shell", "command": "/usr/bin/id"}, "deny-id"),
    ("a write to a protected path", {"tool": "shell", "command": "echo x >> ~/.bashrc"}, "deny-shell-startup"),
    ("a forbidden address", {"tool": "shell", "command": "bash -c 'echo x > /dev/tcp/127.66.0.1/9'"}, "deny-network"),
]


def run_agent(checks, stack, agent, directory):
    say(f"\n{agent}")
    steps = [dict(step, path=str(home() / ".ssh/id_rsa")) if step["tool"] == "read" else step for _, step, _ in STEPS]
    steps.append({"tool": "shell", "command": "echo it still works"})
    session = Session(agent, steps, directory / agent).run()
    events = stack.events("--verdict", "deny")
    for index, (what, _, rule) in enumerate(STEPS):
        checks.that(f"{agent} reports EPERM for {what}", session.refused(index), session.text(index))
        checks.that(
            f"the audit has {rule} for {agent}, enforced",
            any(e["rule"] == rule and e["agent_type"] == TYPES[agent] and e["enforced"] for e in events),
            [(e["rule"], e["agent_type"]) for e in events][-10:],
        )
    checks.that(f"the shell of {agent} works", "it still works" in session.text(len(STEPS)), session.text(len(STEPS)))


def main():
    checks = Checks()
    prepare_home()
    with tempfile.TemporaryDirectory(prefix="tyr-agents.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        directory = pathlib.Path(scratch)
        os.chmod(directory, 0o755)
        with Stack(directory / "tyr") as stack:
            stack.apply(HERE / "agents-policy.yaml", "any-agent")
            for agent in sys.argv[1:] or ["codex", "langgraph"]:
                run_agent(checks, stack, agent, directory)
    checks.finish()


if __name__ == "__main__":
    main()
