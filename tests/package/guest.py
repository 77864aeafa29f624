"""Runs in the machine, once each boot: the next steps of the scenario, then a reboot, after the last ones the end.

A scenario's BOOTS has the steps of each boot; a step is given a `Checks`. What it leaves for later ones it puts into
`/data/state`, on the data disk: the system's own disk is what is tested.
"""

import importlib
import json
import pathlib
import subprocess
import sys
import traceback

DATA = pathlib.Path("/data")
FILES = DATA / "files"
STATE = DATA / "state"
END = "machine: the scenario has ended"

sys.path[:0] = [str(DATA / "tests/package"), str(DATA / "tests/e2e")]

from stack import Checks, say  # noqa: E402


class Broken(Exception):
    """A command that did not end as it must."""


def run(*command, stdin="", seconds=1800):
    """Status and everything that a command said."""
    done = subprocess.run(
        command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False
    )
    return done.returncode, done.stdout


def must(*command, stdin=""):
    status, out = run(*command, stdin=stdin)
    if status != 0:
        raise Broken(f"{' '.join(command)}: status {status}\n{out[-6000:]}")
    return out


def ask(*command):
    """The answer of a command of Tyr's, as JSON."""
    return json.loads(must(*command, "--output", "json"))


def keep(name, value):
    STATE.mkdir(exist_ok=True)
    (STATE / f"{name}.json").write_text(json.dumps(value))


def kept(name, otherwise=None):
    path = STATE / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else otherwise


def boot(steps):
    """Whether every step of this boot ran to its end, whatever it found."""
    checks = Checks()
    for step in steps:
        say(f"-- {step.__doc__.splitlines()[0].rstrip('.')}")
        try:
            step(checks)
        except BaseException:  # whatever it is: the machine must say it and end
            checks.that(f"{step.__name__} ran to its end", False, traceback.format_exc()[-3000:])
            say(run("journalctl", "-b", "-n", "80", "--no-pager")[1])
            return False
    return True


def main():
    boots = importlib.import_module((DATA / "scenario").read_text()).BOOTS
    number = kept("boot", 0)
    keep("boot", number + 1)
    go_on = boot(boots[number]) and number + 1 < len(boots)
    if not go_on:
        say(END)
    subprocess.run(["systemctl", "reboot" if go_on else "poweroff"], check=False)


if __name__ == "__main__":
    main()
