"""Becomes an agent as a Python framework does, shows whether it is governed, then becomes the given program.

    governed.py allowed|denied PROGRAM [ARGUMENT...]

The folder `lib/site-packages/langgraph` beside this file stands for the framework. Where `denied` is expected,
connecting to DECOY must end in EPERM; anything else ends with status 97 before the program starts.
"""

import errno
import os
import pathlib
import socket
import sys

# Nobody listens there.
DECOY = ("127.66.0.1", 9)
NOT_AS_EXPECTED = 97


def main():
    expected, *command = sys.argv[1:]
    sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib/site-packages"))
    import langgraph  # noqa: F401  opening its file is what makes the agent

    with socket.socket() as decoy:
        error = decoy.connect_ex(DECOY)
    seen = {errno.ECONNREFUSED: "allowed", errno.EPERM: "denied"}.get(error, os.strerror(error))
    if seen != expected:
        print(f"connecting to the decoy was {seen}, not {expected}", file=sys.stderr)
        sys.exit(NOT_AS_EXPECTED)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
