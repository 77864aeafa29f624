"""A whole Tyr on one machine: a server with its private PostgreSQL, one enrolled daemon, the command line.

Everything listens on loopback and lives in one directory, and everything that was started is stopped.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Emulated machines are slow; a wait ends as soon as what it waits for is there.
WAIT_SECONDS = 480
GRPC = "127.0.0.1:7700"
REST = "https://127.0.0.1:7701"
# Only what runs in this control group is governed, wherever the tests run.
SCOPE = pathlib.Path("/sys/fs/cgroup/tyr-e2e")


class Failed(Exception):
    """A command or a wait that did not end as it must."""


def say(text):
    print(text, flush=True)


def wait_until(what, condition, seconds=WAIT_SECONDS):
    """The first true value of `condition`, asked twice a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.5)
    raise Failed(f"{what}: not within {seconds} s")


class Stack:
    """Start with `with Stack(directory) as stack`."""

    def __init__(self, directory, tyr=None, config=""):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        os.chmod(self.directory, 0o755)
        self.tyr = str(tyr or os.environ.get("TYR", ROOT / "target/debug/tyr"))
        self.data = self.directory / "server"
        self.state = self.directory / "daemon"
        self.config = self.directory / "daemon.yaml"
        self.config.write_text(config)
        self.environment = dict(
            os.environ, HOME=str(self.directory), XDG_CONFIG_HOME=str(self.directory / "config")
        )
        self.server = None
        self.daemon = None

    def __enter__(self):
        try:
            SCOPE.mkdir(exist_ok=True)
            self.start_server()
            self.start_daemon(self.token())
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    # Processes

    def spawn(self, name, *arguments):
        log = open(self.directory / f"{name}.log", "ab")
        return subprocess.Popen(
            [self.tyr, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
        )

    def log(self, name):
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def alive(self, name, process):
        if process.poll() is not None:
            raise Failed(f"the {name} ended with status {process.returncode}:\n{self.log(name)[-4000:]}")

    def start_server(self):
        self.server = self.spawn(
            "server", "server", "--data-dir", str(self.data), "--grpc-listen", GRPC,
            "--rest-listen", "127.0.0.1:7701",
        )

        def ready():
            self.alive("server", self.server)
            return (self.data / "admin-token").exists() and self.login()[0] == 0

        wait_until("the server answers", ready)

    def login(self):
        return self.run_tyr(
            "login", REST, "--ca-file", str(self.data / "ca.pem"), stdin=(self.data / "admin-token").read_text()
        )

    def token(self):
        return self.json("enrollment-token", "create", "--description", "end to end")["token"]

    def start_daemon(self, token=None):
        self.spawn_daemon(token)
        self.wait_enforcing()

    def spawn_daemon(self, token=None):
        enrol = ["--enroll", token] if token else []
        self.daemon = self.spawn(
            "daemon", "daemon", "--config", str(self.config), "--server", GRPC, "--state-dir", str(self.state),
            "--scope", f"cgroup:{SCOPE}", *enrol,
        )

    def starts(self):
        """How many daemons got ready so far."""
        return self.log("daemon").count("the daemon is ready")

    def wait_enforcing(self):
        def ready():
            self.alive("daemon", self.daemon)
            hosts = self.json("hosts", "list")
            # Claimed only once the self-test has been denied what it must be denied.
            return [host for host in items(hosts) if host["enforcement"] in ("lsm", "fmod_ret")]

        self.host = wait_until("the daemon has proved that it enforces, and said so", ready)[0]

    def kill_daemon(self):
        self.daemon.kill()
        self.daemon.wait()

    def stop(self):
        for process in (self.daemon, self.server):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        # What the daemon left pinned would govern whatever runs next.
        subprocess.run(
            [self.tyr, "daemon", "--release", "--state-dir", str(self.state)],
            stdin=subprocess.DEVNULL, capture_output=True, env=self.environment, check=False,
        )

    # Command line

    def run_tyr(self, *arguments, stdin=""):
        done = subprocess.run(
            [self.tyr, *arguments], input=stdin, capture_output=True, text=True,
            env=self.environment, timeout=WAIT_SECONDS, check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def must(self, *arguments):
        status, out, err = self.run_tyr(*arguments)
        if status != 0:
            raise Failed(f"tyr {' '.join(arguments)}: status {status}\n{out}{err}")
        return out + err

    def json(self, *arguments):
        status, out, err = self.run_tyr(*arguments, "--output", "json")
        if status != 0:
            raise Failed(f"tyr {' '.join(arguments)}: status {status}\n{out}{err}")
        return json.loads(out)

    # What the tests ask for

    def apply(self, file, name):
        """Applies and assigns a policy, and waits until the kernel has it. Returns what apply said."""
        said = self.must("policy", "apply", "-f", str(file))
        self.must("policy", "assign", name, "--all")
        self.wait_in_force()
        return said

    def unassign(self, name):
        self.must("policy", "unassign", name, "--all")
        self.wait_in_force()

    def wait_in_force(self):
        def in_force():
            self.alive("daemon", self.daemon)
            host = items(self.json("hosts", "list"))[0]
            problems = host.get("policy_problems")
            if problems:
                raise Failed(f"the daemon refuses the policy: {problems}")
            return host["policy_revision"] >= host["policy_revision_wanted"]

        wait_until("the policy is in force", in_force)

    def events(self, *filters):
        """Every event of the audit that the filters let through, oldest first."""
        page = self.json("audit", "search", "--limit", "100000", *filters)
        return list(reversed(page["events"]))


def items(answer):
    """The list in a listing."""
    return next(value for value in answer.values() if isinstance(value, list))


def in_scope(*command):
    """A command line that runs in the governed control group."""
    return ["sh", "-c", f'echo $$ > {SCOPE}/cgroup.procs && exec "$0" "$@"', *command]


class Checks:
    """Counts what was seen and what was not."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def that(self, what, holds, seen=""):
        if holds:
            self.passed += 1
            say(f"  ok      {what}")
        else:
            self.failed += 1
            say(f"  FAILED  {what}\n          seen: {str(seen)[:1500]}")

    def finish(self):
        say(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)
