"""What every attack in Python uses, as attack.h for those in C."""

import errno
import os
import sys

DIRECTORY = sys.argv[1] if len(sys.argv) > 1 else "."
VARIANT = sys.argv[2] if len(sys.argv) > 2 else ""
SECRET = "guarded/secret"
LOCKED = "locked/file"


def leave(line, status):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    os._exit(status)


def done():
    leave("DONE", 0)


def denied(error, step):
    leave(f"DENIED {errno.errorcode.get(error, error)} {step}", 1)


def broken(why):
    leave(f"BROKEN {why}", 3)


def attack(body):
    """Runs it: an error of the system is a refusal, any other is a mistake in the attack."""
    try:
        body()
    except OSError as error:
        denied(error.errno, f"{error.strerror} {error.filename or ''}")
    except Exception as error:  # pylint: disable=broad-except
        broken(f"{type(error).__name__}: {error}")
    done()
