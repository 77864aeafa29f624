"""README.md on an empty Debian 12: exactly its commands, in its order, as an administrator types them."""

import pathlib
import re
import time

import debian
from guest import FILES, keep, kept, must, run
from session import KEY as SECRET
from session import USER, prepare_home
from stack import say

BLOCK = re.compile(r"^<!-- run: ([a-z-]+) -->\n```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What must be in it, in this order.
WANTED = ["packages", "one-file", "one-file-back", "first-use"]
KEY = f"/home/{USER}/.ssh/id_rsa"
# A program that is known as an agent by where it lies: it opens what it is given.
AGENT = "/usr/local/bin/goose"


def blocks():
    return dict(BLOCK.findall((FILES / "README.md").read_text()))


def do(checks, name):
    """Runs a block as it stands, in the folder with what was downloaded."""
    commands = blocks()[name].strip()
    for line in commands.splitlines():
        say(f"  $ {line}")
    started = time.monotonic()
    # APT asks whether to go on.
    status, out = run("bash", "-e", "-o", "pipefail", "-c", f"cd {FILES}\n{commands}", stdin="y\n")
    checks.that(f"the commands of '{name}' succeed, in {time.monotonic() - started:.0f} s", status == 0, out[-3000:])


def complete(checks):
    """Every block that is to be run is in README.md"""
    found = list(blocks())
    checks.that("the marked blocks are " + ", ".join(WANTED), found == WANTED, found)
    must("useradd", "--create-home", "--shell", "/bin/bash", USER)
    prepare_home()
    must("cp", "/bin/cat", AGENT)
    debian.apt("update")
    checks.that("this Debian has no PostgreSQL", not pathlib.Path("/usr/lib/postgresql").exists())


def packages(checks):
    """Install from packages, and use it, as README.md says"""
    do(checks, "packages")
    running(checks)
    governed(checks)
    debian.apt("purge", *debian.PACKAGES)


def one_file(checks):
    """Install the one file, and take it back, as README.md says"""
    keep("files", debian.files())
    do(checks, "one-file")
    running(checks)
    do(checks, "one-file-back")
    left = sorted(set(debian.files()) - set(kept("files")))
    checks.that("no file is left", not left, left)
    checks.that("nothing is enforced any more", not debian.PINS.exists() and not run("pgrep", "-x", "tyr|tyrd")[1])


def running(checks):
    for unit in debian.UNITS:
        state = debian.state(unit)
        checks.that(f"{unit} runs, and will after a reboot", state == dict(ActiveState="active", UnitFileState="enabled"),
                    (state, debian.journal(unit)))


def governed(checks):
    do(checks, "first-use")
    debian.wait_enforcing()
    debian.wait_in_force()
    status, out = run("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", AGENT, KEY)
    checks.that("an agent is refused an SSH key", status != 0 and "Operation not permitted" in out, out)
    checks.that("its user is not", run("setpriv", f"--reuid={USER}", "--clear-groups", "cat", KEY) == (0, SECRET))


BOOTS = ((complete, packages, one_file),)
