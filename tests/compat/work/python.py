#!/usr/bin/python3
"""Python programs: processes, sockets, descriptors passed on, asyncio, files, SQLite, watches."""

import asyncio
import concurrent.futures
import ctypes
import fcntl
import mmap
import multiprocessing
import os
import pty
import select
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading

LIBC = ctypes.CDLL(None, use_errno=True)


def square(n):
    return n * n


def processes():
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(square, range(5)))
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print("executor", sum(pool.map(square, range(20))))
    pipe = subprocess.Popen(["sort", "-r"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print(pipe.communicate("a\nb\nc\n")[0].split())
    print(subprocess.run("exit 7", shell=True, check=False).returncode)
    done = subprocess.run(["id", "-u"], capture_output=True, check=False, start_new_session=True, close_fds=True)
    print("id", done.stdout)
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 3"], {})
    print("spawn", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    read, write = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            os.write(write, b"grandchild")
        os._exit(0)
    os.wait()
    print(os.read(read, 100))
    signal.signal(signal.SIGUSR1, lambda *_: print("signal"))
    os.kill(os.getpid(), signal.SIGUSR1)


def sockets():
    for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0)), (socket.AF_UNIX, "u.sock")):
        server = socket.socket(family)
        server.bind(address)
        server.listen()
        client = socket.create_connection(server.getsockname()[:2]) if family != socket.AF_UNIX else socket.socket(family)
        if family == socket.AF_UNIX:
            client.connect("u.sock")
        peer, _ = server.accept()
        with open("sent", "wb") as file:
            file.write(b"s" * 10000)
        with open("sent", "rb") as file:
            print(family.name, client.sendfile(file), len(peer.recv(10000, socket.MSG_WAITALL)))
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with open("passed", "w+", encoding="utf-8") as file:
        file.write("through a socket")
        file.flush()
        socket.send_fds(one, [b"x"], [file.fileno()])
    _, fds, _, _ = socket.recv_fds(two, 10, 4)
    print(os.pread(fds[0], 100, 0))
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"datagram", receiver.getsockname())
    print(receiver.recv(100))
    sender.connect(receiver.getsockname())
    sender.send(b"connected")
    print(receiver.recv(100))
    closed = socket.socket()
    print("refused", closed.connect_ex(("127.0.0.1", 9)))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0compat-of-tyr")
    abstract.listen()
    client = socket.socket(socket.AF_UNIX)
    print("abstract", client.connect_ex("\0compat-of-tyr"))
    print(socket.getaddrinfo("localhost", 80, socket.AF_INET, socket.SOCK_STREAM)[0][4])


async def talk():
    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    unix = await asyncio.start_unix_server(serve, "asyncio.sock")
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"over tcp\n")
    print(await reader.readline())
    reader, writer = await asyncio.open_unix_connection("asyncio.sock")
    writer.write(b"over unix\n")
    print(await reader.readline())
    child = await asyncio.create_subprocess_exec("echo", "from a child", stdout=asyncio.subprocess.PIPE)
    print((await child.communicate())[0])
    print(await asyncio.to_thread(square, 12))
    server.close()
    unix.close()


def files():
    with tempfile.TemporaryFile() as file, tempfile.NamedTemporaryFile(dir=".") as named:
        file.write(b"temporary" * 1000)
        file.flush()
        shared = mmap.mmap(file.fileno(), 9000)
        shared[:4] = b"TEMP"
        print(os.pread(file.fileno(), 9, 0), os.path.exists(named.name))
        fcntl.flock(named, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
    os.makedirs("deep/er/est")
    with open("deep/er/est/file", "w", encoding="utf-8") as file:
        file.write("deep")
    shutil.copytree("deep", "copied")
    os.link("deep/er/est/file", "hard")
    os.symlink("deep/er", "soft")
    os.replace("hard", "harder")
    os.rename("copied", "moved")
    shutil.make_archive("archive", "tar", "moved")
    os.remove("archive.tar")
    os.chmod("harder", 0o600)
    os.utime("harder", (1, 1))
    os.truncate("harder", 2)
    try:
        os.setxattr("harder", "user.note", b"noted")
        print("xattr", os.getxattr("harder", "user.note"))
        os.removexattr("harder", "user.note")
    except OSError as error:
        print("xattr", error.errno)
    shutil.rmtree("moved")
    with os.scandir("soft") as entries:
        print(sorted(entry.name for entry in entries))
    memory = os.memfd_create("compat", 0)
    os.write(memory, b"#!/bin/sh\necho from memory\n")
    os.set_inheritable(memory, True)
    print(subprocess.run([f"/proc/self/fd/{memory}"], pass_fds=[memory], capture_output=True, check=False).stdout)
    for path in ("/etc/shadow", "/proc/1/environ", "/root/x", "/etc/hostname"):
        try:
            with open(path, "r+" if path == "/etc/hostname" else "r", encoding="utf-8") as file:
                print(path, "read", len(file.read(1)))
        except OSError as error:
            print(path, "error", error.errno)


def database():
    connection = sqlite3.connect("data.sqlite")
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table t (n integer primary key, text)")
    with connection:
        connection.executemany("insert into t (text) values (?)", [(f"row {n}",) for n in range(500)])
    other = sqlite3.connect("data.sqlite")
    print(other.execute("select count(*), max(n) from t").fetchone())
    other.close()
    connection.execute("vacuum")
    connection.close()


def watches():
    watch = LIBC.inotify_init1(0)
    LIBC.inotify_add_watch(watch, b"deep", 0x3C0)
    os.rename("deep/er", "deep/moved")
    with open("deep/new", "w", encoding="utf-8"):
        pass
    select.select([watch], [], [], 10)
    events = os.read(watch, 4096)
    place, names = 0, []
    while place < len(events):
        _, mask, _, length = struct.unpack_from("iIII", events, place)
        names.append((hex(mask), events[place + 16:place + 16 + length].rstrip(b"\0")))
        place += 16 + length
    print("inotify", names)
    master, slave = pty.openpty()
    os.write(slave, b"terminal\n")
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(master, 100)
    print(line)
    print(subprocess.run(["sh", "-c", "test -t 0 && echo a terminal"], stdin=slave, capture_output=True, check=False).stdout)
    ready = threading.Barrier(4)
    found = []
    for n in range(3):
        threading.Thread(target=lambda n=n: (found.append(os.stat("/usr").st_mode), ready.wait())).start()
    ready.wait()
    print("threads", len(found))


if __name__ == "__main__":
    processes()
    sockets()
    asyncio.run(talk())
    files()
    database()
    watches()
    for name in ("u.sock", "asyncio.sock", "data.sqlite"):
        os.remove(name)
