#!/usr/bin/env python3
"""Every attack, outside any agent, under a policy that denies what it is after, and under one that allows everything.

    bypass.py [ATTACK…]     names of attacks, or how they begin; all of them by default

Runs as root on a kernel that can enforce; run.sh boots one. Outside any agent an attack must succeed, else it proves
nothing. Denied, it must be refused and the audit must name the object. Allowed, it must succeed again.
"""

import concurrent.futures
import fnmatch
import os
import pathlib
import platform
import pwd
import shlex
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import catalogue  # noqa: E402
import ground  # noqa: E402
import peer  # noqa: E402
from stack import Failed, Stack, in_scope, say, wait_until  # noqa: E402

PROGRAMS = ROOT / "target/bypass"
USER = "tyr-agent"
PHASES = ("free", "denied", "allowed")
DONE, DENIED = 0, 1
READY_SECONDS = 20
FIRST_PORT = 20000
PREEMPT = pathlib.Path("/sys/kernel/debug/sched/preempt")


class Run:
    """One attack of one user in one phase."""

    def __init__(self, attack, who, phase, owner, port=0):
        self.attack = attack
        self.port = port
        self.directory = ground.BASE / f"{who}-{phase}" / attack.folder
        self.token = ground.prepare(self.directory, attack, owner, port)
        self.before = None
        self.status = None

    def result(self):
        """(`done` or the name of the error, the last lines it printed)."""
        output = ground.said(self.directory).decode(errors="replace")
        lines = output.strip().splitlines()
        last = next((line for line in reversed(lines) if line.startswith(("DONE", "DENIED", "BROKEN"))), "")
        if self.status == DONE and last.startswith("DONE"):
            return "done", last
        if self.status == DENIED and last.startswith("DENIED"):
            return last.split()[1], last
        return f"status {self.status}", last or " / ".join(lines[-3:])

    def got(self):
        return ground.evidence(self.directory, self.attack, self.token, self.before)


def as_user(who, *command):
    if who == "root":
        return list(command)
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--", *command]


def start_outside(runs, who):
    """The attackers' friends outside any agent."""
    friends = []
    for run in runs:
        command = as_user(
            who, str(ground.BIN / run.attack.program), str(run.directory), f"outside-{run.attack.variant}"
        )
        with open(f"{run.directory}.outside", "wb") as out:
            friends.append(
                subprocess.Popen(in_scope(*command), cwd=run.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            )
    end = time.monotonic() + READY_SECONDS
    for run, friend in zip(runs, friends):
        while not (run.directory / "free/ready").exists():
            if time.monotonic() > end or friend.poll() is not None:
                raise Failed(f"{run.attack.name} outside: {pathlib.Path(f'{run.directory}.outside').read_text()}")
            time.sleep(0.02)
    return friends


def run_session(runs, who, phase, before=""):
    """One session; governed unless the phase is `free`."""
    program = ground.BIN / ("session" if phase == "free" else ".local/bin/goose")
    with tempfile.TemporaryDirectory(dir=ground.BASE) as scratch:
        os.chmod(scratch, 0o777)
        todo, results = pathlib.Path(scratch, "list"), pathlib.Path(scratch, "results")
        todo.write_text("".join(
            f"{run.directory}\t{ground.BIN / run.attack.program}\t{run.attack.variant}\n" for run in runs
        ))
        friends = start_outside([run for run in runs if run.attack.outside], who)
        start = f"exec {program} {todo} {results}"
        if before:
            start = f"set -e; cd {shlex.quote(str(runs[0].directory))}; {before}\n{start}"
        done = subprocess.run(
            in_scope(*as_user(who, "bash", "-c", start)), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        for friend in friends:
            friend.kill()
            friend.wait()
        statuses = results.read_text().split() if results.exists() else []
        if len(statuses) != len(runs):
            raise Failed(f"session of {who}, {phase}: status {done.returncode}, {len(statuses)} of {len(runs)} attacks "
                         f"ran: {done.stderr.decode(errors='replace')[-2000:]}")
    for run, status in zip(runs, statuses):
        run.status = int(status)


def run_phase(runs, who, phase):
    start = time.monotonic()
    for run in runs:
        run.before = ground.picture(run.directory)
    together = [run for run in runs if not run.attack.before]
    if together:
        run_session(together, who, phase)
    for run in runs:
        if run.attack.before:
            run_session([run], who, phase, run.attack.before)
    say(f"  {len(runs)} attacks by {who}, {phase}: {time.monotonic() - start:.0f} s")


def marker(stack, who):
    """Waits until the audit holds everything that happened so far: an event of now is there."""
    attack = catalogue.read(catalogue.ATTACKS / "path-plain.c")
    run = Run(next(attack), who, f"marker-{time.monotonic_ns()}", 0)
    run_session([run], "root", "denied")
    wait_until("the audit holds the last event", lambda: [
        event for event in stack.events("--verdict", "deny") if event["resource"] == str(run.directory / "guarded/secret")
    ])


def audited(events, run):
    """Whether an enforced denial names one of the objects that the attack was after."""
    for wanted in run.attack.events:
        wanted = wanted.replace("PORT", str(run.port)) if run.port else wanted
        absolute = run.port or wanted.startswith(("/", "*"))
        pattern = wanted if absolute else f"{run.directory}/{wanted}"
        for event in events:
            if run.attack.actions and event["action"] not in run.attack.actions:
                continue
            if event["enforced"] and fnmatch.fnmatchcase(event["resource"] or "", pattern.replace("[", "[[]")):
                return True
    return False


def judge(attack, runs, events):
    """What is wrong, in words; nothing when nothing is."""
    wrong = []
    free, denied, allowed = (runs[phase] for phase in PHASES)
    for run, what in ((free, "outside any agent"), (allowed, "allowed")):
        if run is allowed and not attack.allowed and not attack.open:
            if run.result()[0] not in attack.refusal:
                wrong.append(f"not refused although Tyr always refuses it: {run.result()}")
        elif run.result()[0] != "done" or run.got() is False:
            wrong.append(f"{what}: {run.result()}, evidence {run.got()}")
    result, line = denied.result()
    if attack.open:
        if result != "done" or denied.got() is False:
            wrong.append(f"said to be open, but denied: {line}")
        return wrong
    if denied.got():
        wrong.append(f"denied, and yet it got what it was after: {line}")
    if result not in attack.refusal:
        wrong.append(f"denied: {denied.result()} instead of {' or '.join(attack.refusal)}")
    if not audited(events, denied):
        near = sorted({f"{e['action']} {e['resource']}" for e in events if str(denied.directory) in (e["resource"] or "")})
        wrong.append(f"no denial of {' or '.join(attack.events)} in the audit, but of {near[-6:]}: {line}")
    return wrong


def report(attacks, results, events, kernel):
    """The table: what each attack was expected to get, and what it got."""
    passed = failed = 0
    say(f"\n{'attack':<36} {'kernel':<14} {'as':<5} {'expected':<9} {'free':<9} {'denied':<9} {'allowed':<9}")
    for attack in attacks:
        for who in attack.who:
            runs = results[who][attack.name]
            wrong = judge(attack, runs, events)
            expected = "open" if attack.open else "/".join(attack.refusal)
            seen = [runs[phase].result()[0] for phase in PHASES]
            mark = "FAILED" if wrong else "ok"
            say(f"{attack.name:<36} {kernel:<14} {who:<5} {expected:<9} {seen[0]:<9} {seen[1]:<9} {seen[2]:<9} {mark}")
            for line in wrong:
                say(f"    {line}")
            passed, failed = passed + (not wrong), failed + bool(wrong)
    return passed, failed


def kernel_name():
    """The kernel, and whether it preempts itself, which must be as it was asked for."""
    name = ".".join(platform.release().split(".")[:2])
    wanted = "preempt=full" in pathlib.Path("/proc/cmdline").read_text().split()
    if not wanted:
        return name
    if not PREEMPT.exists():
        subprocess.run(["mount", "-t", "debugfs", "debugfs", "/sys/kernel/debug"], check=True)
    if "(full)" not in PREEMPT.read_text():
        raise Failed(f"preempt=full was asked for; the kernel runs {PREEMPT.read_text().strip()}")
    return f"{name} preempt"


def main():
    attacks = catalogue.catalogue(sys.argv[1:])
    if not attacks:
        raise Failed(f"no attack is called {' or '.join(sys.argv[1:])}")
    kernel = kernel_name()
    names = {attack.program for attack in attacks} | {"path-plain"}
    ground.make([
        *((PROGRAMS / name if (PROGRAMS / name).exists() else catalogue.ATTACKS / name, name) for name in names),
        (PROGRAMS / "session", "session"), (PROGRAMS / "victim", "victim"),
        (PROGRAMS / "victim-alone", "victim-alone"), (HERE / "attack.py", "attack.py"),
    ])
    owners = {"root": 0, "user": pwd.getpwnam(USER).pw_uid}
    say(f"Linux {platform.release()}: preparing {len(attacks)} attacks")
    networked = [(who, attack) for attack in attacks if attack.target == "connect" for who in attack.who]
    ports = {asked: FIRST_PORT + number for number, asked in enumerate(networked)}
    peer.Peer(ports.values())
    results = {
        who: {
            attack.name: {phase: Run(attack, who, phase, owner, ports.get((who, attack), 0)) for phase in PHASES}
            for attack in attacks if who in attack.who
        }
        for who, owner in owners.items()
    }

    def phase(name):
        # Both users at once: each has a session of its own.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            work = [
                pool.submit(run_phase, [runs[name] for runs in of_user.values()], who, name)
                for who, of_user in results.items() if of_user
            ]
            for done in work:
                done.result()

    with tempfile.TemporaryDirectory(prefix="tyr-bypass.") as scratch:
        os.chmod(scratch, 0o755)
        with Stack(pathlib.Path(scratch) / "tyr") as stack:
            stack.apply(HERE / "deny-policy.yaml", "bypass-deny")
            phase("free")
            phase("denied")
            marker(stack, "root")
            events = stack.events("--verdict", "deny")
            stack.unassign("bypass-deny")
            stack.apply(HERE / "allow-policy.yaml", "bypass-allow")
            phase("allowed")
    passed, failed = report(attacks, results, events, kernel)
    say(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
