#!/usr/bin/env python3
"""Prints on one line where the processors of a virtual machine are, three times: where.py MONITOR

MONITOR is the socket of QEMU's monitor. Addresses of the kernel's own code are in /proc/kallsyms of any machine
that run.sh boots with the same kernel.
"""

import re
import socket
import sys
import time

LOOKS = 3
PAUSE_SECONDS = 1


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.answer()

    def answer(self):
        """Everything up to the next prompt."""
        said = b""
        while not said.rstrip().endswith(b"(qemu)"):
            part = self.socket.recv(65536)
            if not part:
                raise SystemExit("QEMU has ended")
            said += part
        return said.decode(errors="replace")

    def ask(self, question):
        self.socket.sendall(question.encode() + b"\n")
        # The question comes back first, followed by a prompt only when all is said.
        return self.answer()


def main():
    monitor = Monitor(sys.argv[1])
    looks = []
    for look in range(LOOKS):
        time.sleep(PAUSE_SECONDS if look else 0)
        said = monitor.ask("info registers -a")
        looks.append(" ".join(re.findall(r"RIP=([0-9a-f]+)", said)))
    print("its processors were at " + ", ".join(looks))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        print(f"nobody says where its processors were: {error}")
