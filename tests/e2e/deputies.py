#!/usr/bin/env python3
"""Ungoverned services act for nobody governed, whoever the agent runs as; break-glass and release, as an operator does
them.

Services of root listen at docker's socket and at an abstract name and answer whoever asks. The agent is an interpreter
that opens a framework's file, as its user and as root.
"""

import os
import pathlib
import socket
import subprocess
import tempfile
import threading

from session import USER, home, prepare_home
from stack import Checks, Stack, in_scope, say, wait_until

DOCKER = "/run/docker.sock"
DISPLAY = "\0/tmp/.X11-unix/X7"
PINS = pathlib.Path("/sys/fs/bpf/tyr")
# Exit status of a daemon that was released, so that no service manager starts it again.
RELEASED = 79
PROBE = """
import os, socket, subprocess
def outcome(what, action):
    try:
        action()
        print(what, "done", flush=True)
    except OSError as error:
        print(what, error.errno, flush=True)
def ask(address):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        client.sendall(b"run")
        assert client.recv(4) == b"done"
def write(path):
    with open(path, "a") as file:
        file.write("# left behind\\n")
outcome("docker", lambda: ask({docker!r}))
outcome("display", lambda: ask({display!r}))
outcome("new-startup-file", lambda: write(os.path.expanduser("~/.zshenv")))
outcome("ordinary-file", lambda: write(os.path.expanduser("~/notes")))
"""


def serve(address):
    """An ungoverned root that acts for whoever asks."""
    server = socket.socket(socket.AF_UNIX)
    if not address.startswith("\0"):
        pathlib.Path(address).unlink(missing_ok=True)
    server.bind(address)
    if not address.startswith("\0"):
        os.chmod(address, 0o666)
    server.listen(16)

    def answer():
        while True:
            client, _ = server.accept()
            with client:
                if client.recv(3) == b"run":
                    client.sendall(b"done")

    threading.Thread(target=answer, daemon=True).start()


class Agent:
    def __init__(self, directory):
        package = directory / "lib/site-packages/langgraph"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        self.first = f"import sys; sys.path.insert(0, {str(package.parent)!r}); import langgraph\n"
        self.script = directory / "agent.py"

    def run(self, user, text):
        self.script.write_text(self.first + text)
        (home() / ".zshenv").unlink(missing_ok=True)
        done = subprocess.run(
            in_scope(
                "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", "env", f"HOME={home()}",
                "/usr/bin/python3", "-B", str(self.script),
            ),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )
        return done.stdout + done.stderr

    def probe(self, user):
        text = self.run(user, PROBE.format(docker=DOCKER, display=DISPLAY))
        return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


REFUSED = {"docker": "1", "display": "1", "new-startup-file": "1", "ordinary-file": "done"}
FREE = dict.fromkeys(REFUSED, "done")


def refusals(checks, stack, agent):
    stack.wait_in_force()
    for user in (USER, "root"):
        seen = agent.probe(user)
        checks.that(f"an agent of {user} gets EPERM, and its ordinary work goes on", seen == REFUSED, seen)
    plain = {}
    for name, address in (("docker", DOCKER), ("display", DISPLAY)):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(address)
            client.sendall(b"run")
            plain[name] = client.recv(4)
    checks.that("both services act for others", set(plain.values()) == {b"done"}, plain)

    def rules():
        seen = {(e["policy"], e["rule"]) for e in stack.events("--verdict", "deny")}
        wanted = {("tyr-deputies", rule) for rule in ("docker-socket", "x11-abstract", "shell-zsh")}
        return wanted <= seen

    checks.that("the audit names each rule of tyr-deputies", wait_until("the denials are audited", rules))


def switches(checks, stack, agent):
    stack.must("policy", "disable", "tyr-deputies", "docker-socket", "--reason", "this host builds images")
    stack.wait_in_force()
    seen = agent.probe(USER)
    checks.that("a line that is switched off is off, and no other", seen == dict(REFUSED, docker="done"), seen)
    stack.must("policy", "enable", "tyr-deputies", "docker-socket")
    stack.wait_in_force()
    seen = agent.probe(USER)
    checks.that("it is on again", seen == REFUSED, seen)


def break_glass(checks, stack, agent):
    host = stack.host["hostname"]
    stack.must("break-glass", "start", "--host", host, "--for", "1h", "--reason", "end to end")
    stack.wait_in_force()
    seen = agent.probe(USER)
    checks.that("while the glass is broken nothing is refused", seen == FREE, seen)
    checks.that("the host says so", "deny verdicts are reported and not enforced" in stack.must("hosts", "show", host))
    stack.must("break-glass", "end", "--host", host)
    stack.wait_in_force()
    seen = agent.probe(USER)
    checks.that("afterwards it is refused again", seen == REFUSED, seen)

    def reported():
        return any(not e["enforced"] and e["rule"] == "docker-socket" for e in stack.events("--verdict", "deny"))

    checks.that("what was let through is in the audit", wait_until("it is audited", reported))


def release(checks, stack, agent):
    command = [stack.tyr, "daemon", "--release", "--state-dir", str(stack.state)]
    text = f"import subprocess\nd = subprocess.run({command!r}, capture_output=True, text=True)\nprint(d.returncode, d.stderr)\n"
    said = agent.run("root", text)
    checks.that("an agent of root cannot release", not said.startswith("0 ") and stack.daemon.poll() is None, said)
    seen = agent.probe(USER)
    checks.that("and is still refused", seen == REFUSED, seen)
    status, out, err = stack.run_tyr(*command[1:])
    checks.that("the operator releases while the daemon runs", status == 0 and "enforcement is off" in err, out + err)
    ended = stack.daemon.wait(timeout=60)
    checks.that("the daemon has ended in good order", ended == RELEASED, (ended, stack.log("daemon")[-2000:]))
    checks.that("nothing is pinned", not PINS.exists() or not any(PINS.iterdir()), list(PINS.glob("*")))
    seen = agent.probe(USER)
    checks.that("nothing is enforced", seen == FREE, seen)

    def told():
        return any("--release" in (e["detail"] or {}).get("message", "") for e in stack.events("--kind", "alarm"))

    checks.that("the audit tells of it", wait_until("the release is audited", told))
    stack.start_daemon()
    # The server still tells what the daemon before said of itself.
    again = wait_until("a daemon that starts again enforces", lambda: agent.probe(USER) == REFUSED)
    checks.that("a daemon that starts again enforces again", again)
    stack.kill_daemon()
    status, out, err = stack.run_tyr(*command[1:])
    checks.that("released without a daemon", status == 0 and "enforcement is off" in err, out + err)
    seen = agent.probe(USER)
    checks.that("nothing is enforced then", seen == FREE, seen)


def main():
    checks = Checks()
    prepare_home()
    serve(DOCKER)
    serve(DISPLAY)
    with tempfile.TemporaryDirectory(prefix="tyr-deputies.", dir=os.environ.get("TMPDIR", "/tmp")) as scratch:
        directory = pathlib.Path(scratch)
        os.chmod(directory, 0o755)
        agent = Agent(directory)
        with Stack(directory / "tyr") as stack:
            for part in (refusals, switches, break_glass, release):
                say(f"\n{part.__name__.replace('_', '-')}")
                part(checks, stack, agent)
    checks.finish()


if __name__ == "__main__":
    main()
