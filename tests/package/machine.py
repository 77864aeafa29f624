#!/usr/bin/env python3
"""Boots the empty Debian 12 of tests/package/debian.sh in QEMU and runs a scenario in it, across real reboots.

    tests/package/machine.py SCENARIO [FILE…]

SCENARIO is a module beside this file; FILEs are put where it finds them, in /data/files. The machine's disk is never
written: every run starts with an empty Debian. There is no network.

What the scenario reports is printed as it comes; the console is kept in target/package/SCENARIO.console.log. The last
line counts the checks; a machine that stops too early, or takes too long, counts as one that failed.

    TYR_CACHE        where tests/setup.sh put the disk (.cache)
    MACHINE_TIMEOUT  seconds for the whole run (5400)
    CPUS, MEM        2, 3G
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("TYR_CACHE", ROOT / ".cache")).resolve()
OUT = ROOT / "target/package"
TIMEOUT_SECONDS = int(os.environ.get("MACHINE_TIMEOUT", "5400"))
DATA_SIZE = "2G"
END = "machine: the scenario has ended"
# What is costly under emulation and changes nothing about packages, systemd or enforcement.
KERNEL_ARGUMENTS = (
    "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=1 mitigations=off init_on_alloc=0 cryptomgr.notests nowatchdog "
    "rcupdate.rcu_cpu_stall_suppress=1 random.trust_cpu=on tsc=reliable no_timer_check net.ifnames=0 "
    "systemd.mask=e2scrub_reap.service systemd.mask=apt-daily.timer systemd.mask=apt-daily-upgrade.timer "
    "systemd.mask=man-db.timer systemd.mask=systemd-binfmt.service"
)


def say(text):
    print(text, flush=True)


def data_disk(scenario, files):
    """The second disk: scenario, packages, and the archive that stands for Debian's."""
    folder = OUT / f"{scenario}.data"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("tests/package", "tests/e2e"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "files").mkdir()
    for file in files:
        shutil.copy2(file, folder / "files")
    (folder / "scenario").write_text(scenario)
    shutil.copytree(CACHE / "debian/mirror", folder / "mirror")
    disk = OUT / f"{scenario}.data.ext4"
    disk.unlink(missing_ok=True)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-F", "-E", "root_owner=0:0", "-d", str(folder), str(disk), DATA_SIZE],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )
    shutil.rmtree(folder)
    return disk


def qemu():
    """Debian's, or the newer one that tests/setup.sh has unpacked."""
    newer = CACHE / "qemu/usr"
    if not (newer / "bin/qemu-system-x86_64").exists():
        return ["qemu-system-x86_64"]
    return [newer / "bin/qemu-system-x86_64", "-audio", "none", "-L", newer / "share/qemu", "-L", "/usr/share/seabios"]


def boot(scenario, disk, report):
    debian = CACHE / "debian"
    console = OUT / f"{scenario}.console.log"
    console.write_bytes(b"")
    return subprocess.Popen(
        [
            *qemu(), "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35",
            "-accel", "tcg,thread=multi,tb-size=1024",
            "-cpu", "max,la57=off,pku=off,smap=off,smep=off,umip=off",
            "-smp", os.environ.get("CPUS", "2"), "-m", os.environ.get("MEM", "3G"),
            "-kernel", str(debian / "vmlinuz"), "-initrd", str(debian / "initrd.img"), "-append", KERNEL_ARGUMENTS,
            "-drive", f"file={debian}/disk.ext4,if=virtio,format=raw,snapshot=on",
            "-drive", f"file={disk},if=virtio,format=raw,cache=unsafe",
            "-object", "rng-random,filename=/dev/urandom,id=rng", "-device", "virtio-rng-pci,rng=rng",
            "-serial", f"file:{console}", "-serial", f"file:{report}",
        ],
        stdin=subprocess.DEVNULL, cwd=OUT,
    )


class Report:
    """What the scenario has said so far, printed as it comes, with the seconds since the start."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(b"")
        self.started = time.monotonic()
        self.read_bytes = 0
        self.rest = b""
        self.passed = self.failed = 0
        self.ended = False

    def follow(self):
        with open(self.path, "rb") as file:
            file.seek(self.read_bytes)
            new = file.read()
        self.read_bytes += len(new)
        *lines, self.rest = (self.rest + new).split(b"\n")
        for line in lines:
            self.take(line.decode(errors="replace").rstrip("\r"))

    def take(self, line):
        if line == END:
            self.ended = True
            return
        self.passed += line.startswith("  ok      ")
        self.failed += line.startswith("  FAILED  ")
        stamp = f"{time.monotonic() - self.started:6.0f} s" if line.startswith("-- ") else ""
        say(f"{line} {stamp}".rstrip())

    def fail(self, what):
        self.failed += 1
        say(f"  FAILED  {what}")


def run(scenario, files):
    OUT.mkdir(parents=True, exist_ok=True)
    disk = data_disk(scenario, files)
    report = Report(OUT / f"{scenario}.report.log")
    machine = boot(scenario, disk, report.path)
    try:
        end = time.monotonic() + TIMEOUT_SECONDS
        while machine.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            report.follow()
        if machine.poll() is None:
            report.fail(f"the scenario took more than {TIMEOUT_SECONDS} s (set MACHINE_TIMEOUT)")
        elif not report.ended:
            report.fail(f"the machine stopped before the end; see {OUT.relative_to(ROOT)}/{scenario}.console.log")
    finally:
        if machine.poll() is None:
            machine.kill()
            machine.wait()
        disk.unlink(missing_ok=True)
    report.follow()
    say(f"{scenario}: {time.monotonic() - report.started:.0f} s")
    say(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(run(sys.argv[1], sys.argv[2:]))
