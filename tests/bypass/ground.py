"""Where attacks act: a file system of its own, and in it a directory for each attack, and evidence of what it did."""

import fcntl
import hashlib
import os
import pathlib
import secrets
import shutil
import stat
import struct
import subprocess

BASE = pathlib.Path("/srv/bypass")
BIN = BASE / "bin"
IMAGE = pathlib.Path("/tmp/bypass.img")
IMAGE_BYTES = 512 << 20
FS_IOC_GETFLAGS = 0x80086601
VICTIM_SAYS = b"victim ran"


def make(programs):
    """Mounts the file system and puts the programs there. It is ext4: it has handles, attributes and flags."""
    BASE.mkdir(parents=True, exist_ok=True)
    with open(IMAGE, "wb") as image:
        image.truncate(IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal,^metadata_csum", str(IMAGE)], check=True)
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


def prepare(directory, attack, owner, port):
    """One attack's directory. Returns what only who reads guarded/secret can know."""
    token = "secret-" + secrets.token_hex(8)
    for name in ("guarded/below", "locked/empty", "programs", "listed", "bound", "free"):
        (directory / name).mkdir(parents=True)
    for name in ("guarded/secret", "guarded/below/secret", "bound/secret"):
        (directory / name).write_text(token + "\n")
    (directory / "locked/file").write_text("as it was\n")
    (directory / "free/file").write_text("free\n")
    (directory / "free/port").write_text(f"{port}\n")
    for name in ("programs/denied", "programs/bound", "listed/allowed"):
        shutil.copy(BIN / "victim", directory / name)
    for found in [directory.parent, directory, *directory.rglob("*")]:
        os.chown(found, owner, owner, follow_symlinks=False)
    if attack.setup:
        environment = dict(os.environ, ATTACK=str(BIN / attack.program), VARIANT=attack.variant)
        done = subprocess.run(
            ["sh", "-c", f"set -e; {attack.setup}"], cwd=directory, check=False, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, env=environment,
        )
        if done.returncode:
            raise RuntimeError(f"setup of {attack.name}: status {done.returncode}: {done.stdout}{done.stderr}")
    return token


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
