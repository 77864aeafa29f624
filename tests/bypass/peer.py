"""Whom attacks on the network are after: answers on addresses that a policy denies with the secret of who asks.

Each attack has ports of its own, so that the audit tells which one was refused.
"""

import pathlib
import resource
import selectors
import socket
import subprocess
import threading

V4, V6 = "127.66.0.1", "fd66::1"
ADDRESSES = ((socket.AF_INET, V4), (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, V6))
ASKED_BYTES = 4096
QUEUE = 64


class Peer:
    """Answers until it is closed."""

    def __init__(self, ports):
        resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 14, 1 << 14))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "-6", "address", "replace", f"{V6}/128", "dev", "lo"], check=True)
        self.selector = selectors.DefaultSelector()
        for port in ports:
            for family, address in ADDRESSES:
                self.listen(family, address, port)
        threading.Thread(target=self.serve, daemon=True).start()

    def listen(self, family, address, port):
        kinds = (
            (socket.SOCK_STREAM, 0, self.accept), (socket.SOCK_DGRAM, 0, self.datagram),
            (socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE, self.datagram),
        )
        for kind, protocol, act in kinds:
            listener = socket.socket(family, kind, protocol)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            if kind == socket.SOCK_STREAM:
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, QUEUE)
                listener.listen(QUEUE)
            listener.setblocking(False)
            self.selector.register(listener, selectors.EVENT_READ, act)

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                try:
                    key.data(key.fileobj)
                except OSError:
                    if key.data == self.stream:
                        self.drop(key.fileobj)

    def drop(self, connection):
        self.selector.unregister(connection)
        connection.close()

    def accept(self, listener):
        connection, _ = listener.accept()
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ, self.stream)

    def stream(self, connection):
        asked = connection.recv(ASKED_BYTES)
        if asked:
            connection.send(answer(asked))
        self.drop(connection)

    def datagram(self, listener):
        asked, sender = listener.recvfrom(ASKED_BYTES)
        listener.sendto(answer(asked), sender)


def answer(asked):
    """The secret in the directory that was asked for."""
    path = pathlib.Path(asked.decode(errors="replace").strip(), "guarded/secret")
    return path.read_bytes() if path.is_file() else b"?"
