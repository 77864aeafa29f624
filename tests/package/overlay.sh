# shellcheck shell=bash
# A root of its own on the empty Debian of tests/package/debian.sh, which stays as it is. Source it
# in a mount namespace of your own; sets $scratch and $root, and takes both away in the end.

cache=$(realpath -m "${TYR_CACHE:-.cache}")
[[ -d $cache/debian/root ]] || {
    echo "no Debian in $cache/debian: run tests/setup.sh debian" >&2
    exit 1
}
scratch=$(mktemp -d)
trap 'umount -R "$scratch/root" "$scratch/upper" 2>/dev/null || true; rm -rf "$scratch"' EXIT
root=$scratch/root
mkdir -p "$scratch/upper" "$root"
# The upper folder may lie on an overlay itself, which the kernel refuses; memory does.
mount -t tmpfs tmpfs "$scratch/upper"
mkdir -p "$scratch"/upper/{files,work}
mount -t overlay overlay -o "lowerdir=$cache/debian/root,upperdir=$scratch/upper/files,workdir=$scratch/upper/work" "$root"
mount -t proc proc "$root/proc"

# in_root COMMAND…
in_root() { DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@"; }
