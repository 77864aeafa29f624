# shellcheck shell=bash
# An empty root: a folder with the executable and nothing else, and commands in it. Sourced.

# empty_root EXECUTABLE: makes one and prints where it is.
empty_root() {
    local root
    root=$(mktemp -d "${TMPDIR:-/tmp}/tyr-root.XXXXXX")
    mkdir "$root"/{proc,dev,tmp}
    mknod -m 666 "$root/dev/null" c 1 3
    cp "$1" "$root/tyr"
    printf '%s\n' "$root"
}

# inside ROOT COMMAND…: runs it there as root, in namespaces of its own for mounts, processes and
# networks. Mounts end with it, and no network is up.
inside() {
    local root=$1
    shift
    # shellcheck disable=SC2016
    unshare --mount --net --pid --fork bash -c '
        mount -t proc proc "$0/proc"
        ${BEFORE:-:} "$0"
        exec ${TRACE:-} chroot ${USERSPEC:-} "$0" "$@"' "$root" "$@"
}

# listing ROOT: every file, link and folder with mode, owner and contents, without what is mounted.
listing() {
    (cd "$1" && find . -path ./proc -prune -o -path ./dev -prune -o -printf '%P %M %U:%G %l\n' | sort)
    (cd "$1" && find . -path ./proc -prune -o -path ./dev -prune -o -type f -print0 | sort -z |
        xargs -0 sha256sum)
}
