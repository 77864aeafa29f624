#!/usr/bin/env bash
# Makes what the package tests install on: an empty Debian 12 with its own
# kernel and systemd, which knows nothing of Tyr.
#
#   tests/package/debian.sh FOLDER
#
# FOLDER then holds root/ (the files), disk.ext4 (the same as a file system),
# vmlinuz and initrd.img of its kernel, and mirror/, an APT archive of what a
# server needs besides: machines and roots under test have no network.
#
# Needs root and Debian's archive. Mounts are made in a mount namespace of the
# script's own, so none is left.
set -euo pipefail

suite=bookworm
archive=http://deb.debian.org/debian
security=http://deb.debian.org/debian-security
# Beyond a minimal Debian: an init system, and what the tests themselves run.
includes=systemd,systemd-sysv,dbus,udev,initramfs-tools,kmod,procps,util-linux,iproute2,python3,bpftool,man-db
disk_size=4G

folder=$(realpath -m "${1:?usage: tests/package/debian.sh FOLDER}")
if [[ -z ${TYR_DEBIAN_NAMESPACE:-} ]]; then
    exec env TYR_DEBIAN_NAMESPACE=1 unshare --mount --propagation private "$0" "$folder"
fi

root=$folder/root
rm -rf "$folder"
mkdir -p "$folder/mirror"

in_root() { DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@"; }

debootstrap --variant=minbase --include="$includes" "$suite" "$root" "$archive"
mount -t proc proc "$root/proc"
cat >"$root/etc/apt/sources.list" <<LIST
deb $archive $suite main
deb $security $suite-security main
LIST
in_root apt-get -qq update
in_root apt-get -qq -y upgrade

# What a disk of QEMU needs, in place of every driver: booting unpacks this under emulation.
sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
printf '%s\n' virtio_pci virtio_blk ext4 >>"$root/etc/initramfs-tools/modules"
in_root apt-get -qq -y install --no-install-recommends linux-image-amd64

# As an administrator's `apt install` gets them, recommendations included.
in_root apt-get -qq -y install --download-only postgresql
mv "$root"/var/cache/apt/archives/*.deb "$folder/mirror"
(cd "$folder/mirror" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null)

echo 'deb [trusted=yes] file:/data/mirror ./' >"$root/etc/apt/sources.list"
in_root apt-get -qq clean
rm -rf "$root"/var/lib/apt/lists/* "$root/etc/resolv.conf"
# The machine has a second disk, with what is to be done; machine.py makes it.
mkdir "$root/data"
# Emulation on a busy machine takes long to find a disk.
cat >"$root/etc/fstab" <<'FSTAB'
/dev/vda / ext4 errors=remount-ro 0 1
/dev/vdb /data ext4 nofail,x-systemd.device-timeout=1h 0 0
FSTAB
cat >"$root/etc/systemd/system/scenario.service" <<'UNIT'
[Unit]
Description=The next phase of the scenario on the second disk
ConditionPathExists=/data/scenario
RequiresMountsFor=/data

[Service]
Type=exec
ExecStart=/usr/bin/python3 -B /data/tests/package/guest.py
StandardOutput=tty
StandardError=inherit
TTYPath=/dev/ttyS1
# An administrator's environment, not a service's.
Environment=HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
WorkingDirectory=/root

[Install]
WantedBy=multi-user.target
UNIT
in_root systemctl enable scenario.service
echo debian >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 debian\n' >"$root/etc/hosts"
# Every machine gets its own at its first boot.
: >"$root/etc/machine-id"
# Nothing here outlives a power cut: waiting for disks proves nothing about packages.
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
umount "$root/proc"

cp "$root"/boot/vmlinuz-* "$folder/vmlinuz"
cp "$root"/boot/initrd.img-* "$folder/initrd.img"
mke2fs -q -t ext4 -F -L debian -d "$root" "$folder/disk.ext4" "$disk_size" >/dev/null
