#!/usr/bin/env bash
# Namespaces of an unprivileged user, as sandboxes inside agents make them.
set -uo pipefail

step() {
    local name=$1
    shift
    "$@" 2>&1
    echo "$name: $?"
}

echo outside >file
mkdir -p folder top
step user unshare -Ur id -u
step pid unshare -Urpf --mount-proc sh -c 'echo $$; ls /proc | grep -c "^1$"'
step net unshare -Urn sh -c 'ip -o link | wc -l; ip link set lo up; ip -o addr show lo | head -n1 | grep -c 127.0.0.1'
step uts unshare -Uru sh -c 'hostname inside; hostname'
step bind unshare -Urm sh -c 'mount --bind folder top && echo bound >top/a && cat folder/a'
step tmpfs unshare -Urm sh -c 'mount -t tmpfs none folder && echo inside >folder/b && cat folder/b && ls folder'
step overlay unshare -Urm sh -c 'mount -t tmpfs none top && mkdir top/l top/u top/w top/m && echo low >top/l/f &&
    mount -t overlay none -o lowerdir=top/l,upperdir=top/u,workdir=top/w,userxattr top/m && echo high >>top/m/f && cat top/m/f top/l/f'
step chroot unshare -Ur chroot / cat "$PWD/file"
step bwrap bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind "$PWD" "$PWD" --unshare-all --die-with-parent \
    sh -c 'echo in bwrap; cat file; echo t >/tmp/t && cat /tmp/t; echo new >made-in-bwrap; touch /usr/no 2>/dev/null || echo read-only'
step bare bwrap --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --proc /proc --dev /dev \
    --bind "$PWD" /work --chdir /work --unshare-all sh -c 'pwd; cat file; ls; echo x >/tmp-like 2>/dev/null; cat /tmp-like 2>/dev/null'
cat folder/a
