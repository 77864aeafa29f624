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
PROGRESS_SECONDS = 20
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


def statuses_in(results):
    """The exit status of each attack that has ended, by its directory."""
    lines = results.read_text().splitlines() if results.exists() else []
    return {directory: int(status) for directory, status in (line.split("\t") for line in lines)}


def watch(session, runs, who, phase, results):
    """Waits for a session, and says now and then how far it is."""
    while True:
        try:
            session.wait(PROGRESS_SECONDS)
            return
        except subprocess.TimeoutExpired:
            ended = len(statuses_in(results))
            at = runs[ended].attack.name if ended < len(runs) else "the end"
            say(f"    {who}, {phase}: {ended} of {len(runs)} attacks ended, at {at}")


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
        with open(f"{scratch}/errors", "wb") as errors:
            session = subprocess.Popen(
                in_scope(*as_user(who, "bash", "-c", start)), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
            )
            watch(session, runs, who, phase, results)
        for friend in friends:
            friend.kill()
            friend.wait()
        # One that has none did not end, or could not tell.
        statuses = statuses_in(results)
        for run in runs:
            run.status = statuses.get(str(run.directory))
        said = pathlib.Path(scratch, "errors").read_text(errors="replace")
        if said or len(statuses) != len(runs):
            say(f"session of {who}, {phase}: status {session.returncode}, {len(statuses)} of {len(runs)} attacks ended: "
                f"{said[:2000]}")


def run_phase(results, phase):
    """Every attack in one phase: those that need no session of their own for both users at once, then the others."""
    alone, sessions = [], []
    for who, of_user in results.items():
        runs = [of_phase[phase] for of_phase in of_user.values()]
        for run in runs:
            run.before = ground.picture(run.directory)
        alone += [(who, run) for run in runs if run.attack.before]
        sessions.append((who, [run for run in runs if not run.attack.before]))
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = [pool.submit(run_session, runs, who, phase) for who, runs in sessions if runs]
        for session in running:
            session.result()
    for who, run in alone:
        run_session([run], who, phase, run.attack.before)
    say(f"  {phase}: {time.monotonic() - start:.0f} s")


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


def record(lines, name, whole):
    """What check.py holds BYPASSES.md to. Nothing is left of a run that did not get here."""
    folder = os.environ.get("VM_OUT")
    if not folder:
        return
    text = "".join("\t".join(line) + "\n" for line in [("attacks", name, "all" if whole else "some"), *lines])
    pathlib.Path(folder, "attacks.tsv").write_text(text)


def report(attacks, results, events, kernel):
    """The table: what each attack was expected to get, and what it got. Returns its lines, and how many are wrong."""
    lines, failed = [], 0
    say(f"\n{'attack':<36} {'kernel':<14} {'as':<5} {'expected':<9} {'free':<9} {'denied':<9} {'allowed':<9}")
    for attack in attacks:
        for who in attack.who:
            runs = results[who][attack.name]
            wrong = judge(attack, runs, events)
            expected = "open" if attack.open else "/".join(attack.refusal)
            seen = [runs[phase].result()[0] for phase in PHASES]
            mark = "FAILED" if wrong else "ok"
            lines.append((attack.name, who, expected, *seen, mark))
            say(f"{attack.name:<36} {kernel:<14} {who:<5} {expected:<9} {seen[0]:<9} {seen[1]:<9} {seen[2]:<9} {mark}")
            for line in wrong:
                say(f"    {line}")
            failed += bool(wrong)
    return lines, failed


def strays(events):
    """Denials of what no attack is about: what could not be told apart, or a mistake. They fail nothing."""
    wanted = ("action", "resource", "policy", "rule", "reason", "comm")
    for event in events:
        if event["enforced"] and fnmatch.fnmatchcase(event["resource"] or "", f"{ground.BASE}/tmp*"):
            yield {name: event.get(name) for name in wanted}


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
        *((PROGRAMS / name, name) for name in ("session", "victim", "victim-alone", "victim-library")),
        (HERE / "attack.py", "attack.py"),
    ])
    owners = {"root": 0, "user": pwd.getpwnam(USER).pw_uid}
    say(f"Linux {platform.release()}: preparing {len(attacks)} attacks")
    start = time.monotonic()
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
    say(f"  made: {time.monotonic() - start:.0f} s")
    ground.setup([run for of_user in results.values() for runs in of_user.values() for run in runs.values()])
    say(f"  prepared: {time.monotonic() - start:.0f} s")

    with tempfile.TemporaryDirectory(prefix="tyr-bypass.") as scratch:
        os.chmod(scratch, 0o755)
        with Stack(pathlib.Path(scratch) / "tyr") as stack:
            say(f"  Tyr runs: {time.monotonic() - start:.0f} s")
            stack.apply(HERE / "deny-policy.yaml", "bypass-deny")
            say(f"  the policy is in force: {time.monotonic() - start:.0f} s")
            run_phase(results, "free")
            run_phase(results, "denied")
            marker(stack, "root")
            events = stack.events("--verdict", "deny")
            stack.unassign("bypass-deny")
            stack.apply(HERE / "allow-policy.yaml", "bypass-allow")
            run_phase(results, "allowed")
    lines, failed = report(attacks, results, events, kernel)
    for event in strays(events):
        say(f"denied beside the attacks: {event}")
    record(lines, kernel, not sys.argv[1:])
    passed = len(lines) - failed
    say(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
