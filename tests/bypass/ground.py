"""Where attacks act: a file system of its own, and in it a directory for each attack, and evidence of what it did."""

import fcntl
import functools
import hashlib
import os
import pathlib
import secrets
import shlex
import shutil
import stat
import struct
import subprocess
import tempfile

BASE = pathlib.Path("/srv/bypass")
BIN = BASE / "bin"
IMAGE = pathlib.Path("/tmp/bypass.img")
IMAGE_BYTES = 512 << 20
FS_IOC_GETFLAGS = 0x80086601
VICTIM_SAYS = b"victim ran"
FOLDERS = ("guarded", "guarded/below", "locked", "locked/empty", "programs", "listed", "bound", "free")


def make(programs):
    """Mounts the file system and puts the programs there. It is ext4: it has handles, attributes and flags."""
    BASE.mkdir(parents=True, exist_ok=True)
    with open(IMAGE, "wb") as image:
        image.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-i", "4096", "-O", "^has_journal,^metadata_csum", str(IMAGE)], check=True)
    for module in ("loop", "ext4"):
        subprocess.run(["modprobe", module], check=True)
    device = subprocess.run(["losetup", "-f", "--show", str(IMAGE)], check=True, capture_output=True, text=True).stdout
    subprocess.run(["mount", "-t", "ext4", device.strip(), str(BASE)], check=True)
    agent = BIN / ".local/bin/goose"
    agent.parent.mkdir(parents=True)
    for source, to in programs:
        shutil.copy(source, BIN / to)
        os.chmod(BIN / to, 0o755)
    shutil.copy(BIN / "session", agent)


def write(path, content, mode, owner):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    os.write(fd, content)
    os.fchown(fd, owner, owner)
    os.fchmod(fd, mode)
    os.close(fd)


@functools.cache
def victim():
    return (BIN / "victim").read_bytes()


def prepare(directory, attack, owner, port):
    """One attack's directory. Returns what only who reads guarded/secret can know."""
    # There are thousands of these, and emulated machines are slow: no pathlib here.
    token = "secret-" + secrets.token_hex(8)
    content, top = f"{token}\n".encode(), str(directory)
    os.makedirs(directory.parent, exist_ok=True)
    os.chown(directory.parent, owner, owner)
    for name in ("", *FOLDERS):
        os.mkdir(f"{top}/{name}")
        os.chown(f"{top}/{name}", owner, owner)
    for name in ("guarded/secret", "guarded/below/secret", "bound/secret"):
        write(f"{top}/{name}", content, 0o644, owner)
    write(f"{top}/locked/file", b"as it was\n", 0o644, owner)
    write(f"{top}/free/file", b"free\n", 0o644, owner)
    write(f"{top}/free/port", f"{port}\n".encode(), 0o644, owner)
    for name in ("programs/denied", "programs/bound", "listed/allowed"):
        write(f"{top}/{name}", victim(), 0o755, owner)
    return token


def setup_script(run):
    attack = run.attack
    values = f"ATTACK={shlex.quote(str(BIN / attack.program))} VARIANT={shlex.quote(attack.variant)}"
    return (
        f"( set -e; cd {shlex.quote(str(run.directory))}; export {values}; {attack.setup}\n)\n"
        f"test $? = 0 || echo setup of {shlex.quote(attack.name)} failed >&2\n"
    )


def setup(runs):
    """What attacks ask to be made ready: one shell per processor for all of them, because starting one takes long."""
    scripts = [setup_script(run) for run in runs if run.attack.setup]
    shells = os.cpu_count()
    with tempfile.TemporaryDirectory() as scratch:
        running = []
        for number in range(shells):
            file = pathlib.Path(scratch, f"{number}.sh")
            file.write_text("".join(scripts[number::shells]))
            running.append(subprocess.Popen(
                ["sh", str(file)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            ))
        said = "".join(shell.communicate()[1] for shell in running)
    if "setup of " in said or any(shell.returncode for shell in running):
        raise RuntimeError(said[-4000:])


def flags(path, mode):
    """What chattr sets."""
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return 0
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return struct.unpack("L", fcntl.ioctl(fd, FS_IOC_GETFLAGS, b"\0" * 8))[0]
    finally:
        os.close(fd)


def seen(path):
    """Everything about one name that file_write can change."""
    info = os.lstat(path)
    regular = stat.S_ISREG(info.st_mode)
    return (
        info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_nlink, info.st_rdev, info.st_mtime_ns, info.st_ctime_ns,
        info.st_blocks if regular else 0,
        hashlib.sha256(path.read_bytes()).hexdigest() if regular else "",
        os.readlink(path) if stat.S_ISLNK(info.st_mode) else "",
        sorted((name, os.getxattr(path, name, follow_symlinks=False))
               for name in os.listxattr(path, follow_symlinks=False)),
        flags(path, info.st_mode),
    )


def picture(directory):
    """What locked/ holds, to compare with what it holds later."""
    locked = directory / "locked"
    if not locked.is_dir():
        return None
    return {str(path.relative_to(directory)): seen(path) for path in [locked, *sorted(locked.rglob("*"))]}


def evidence(directory, attack, token, before):
    """Whether the attack got what it was after, whatever it says of itself; None when only it can know."""
    output = said(directory)
    if attack.target in ("read", "connect"):
        return token.encode() in output
    if attack.target == "exec":
        return VICTIM_SAYS in output
    if attack.target == "write":
        return picture(directory) != before
    return None


def said(directory):
    """What the attack printed."""
    path = directory.with_name(directory.name + ".out")
    return path.read_bytes() if path.exists() else b""
