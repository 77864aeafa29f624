#!/usr/bin/env bash
# The .deb files where no systemd runs, as in a chroot, an image or a container:
# installed, configured again, upgraded, removed, purged. No script may fail, and
# nothing may be left.
set -euo pipefail

if [[ -z ${TYR_CHROOT_NAMESPACE:-} ]]; then
    exec env TYR_CHROOT_NAMESPACE=1 unshare --mount --propagation private "$0"
fi
cd "$(dirname "$0")/../.."
# shellcheck source=tests/package/checks.sh
source tests/package/checks.sh
# shellcheck source=tests/package/overlay.sh
source tests/package/overlay.sh
read -r version next <target/package/versions

mkdir -p "$root/data/mirror" "$root/debs"
mount --bind "$cache/debian/mirror" "$root/data/mirror"
mount --bind "$PWD/target/package" "$root/debs"
in_root apt-get -qq update
# Every path with mode, owner and target, but what dpkg and APT note for themselves.
listing() {
    (cd "$root" && find etc usr var -path var/lib/dpkg -prune -o -path var/lib/apt -prune -o -path var/cache -prune \
        -o -path var/log -prune -o -printf '%p %m %u:%g %l\n') | LC_ALL=C sort
}
accounts() { cat "$root"/etc/{passwd,group,shadow,gshadow}; }
debs() { printf "/debs/$1/%s_$2-1_amd64.deb\n" tyr tyr-server tyrd; }
apt_get() { in_root apt-get -y --no-install-recommends "$@" 2>&1; }
status() { in_root dpkg-query -W -f '${Package} ${db:Status-Status} ${Version}\n' tyr tyr-server tyrd; }

before=$(listing)
accounts_before=$(accounts)
mapfile -t files < <(debs now "$version")
check "they are installed" apt_get install "${files[@]}"
same "in one version" "tyr installed $version-1
tyr-server installed $version-1
tyrd installed $version-1" "$(status)"
for unit in tyr-server tyrd; do
    same "$unit.service will start at boot" enabled "$(in_root systemctl is-enabled "$unit.service")"
done
same "the server has its user" /var/lib/tyr/server "$(in_root getent passwd tyr | cut -d: -f6)"
check "APT finds nothing to mend" apt_get check
installed=$(listing)
for package in tyr-server tyrd; do
    for run in first second; do
        check "$package: configured again, the $run time" in_root sh -c "/var/lib/dpkg/info/$package.postinst configure $version-1"
    done
done
same "which changes nothing" "$installed" "$(listing)"

echo 'server: localhost:7700' >>"$root/etc/tyr/daemon.yaml"
in_root systemctl disable tyr-server.service 2>/dev/null
mapfile -t files < <(debs next "$next")
check "they are upgraded" apt_get install "${files[@]}"
check "edited configuration is kept" grep -q '^server: localhost:7700' "$root/etc/tyr/daemon.yaml"
same "a unit that was disabled stays so" disabled "$(in_root systemctl is-enabled tyr-server.service || true)"

check "they are removed" apt_get remove tyr tyr-server tyrd
check "configuration stays" test -e "$root/etc/tyr/daemon.yaml" -a -e "$root/etc/tyr/server.yaml"
check "and the state" test -d "$root/var/lib/tyr/server"
mkdir -p "$root/var/lib/tyr/spool"
touch "$root/var/lib/tyr/spool/000" "$root/etc/tyr/enrollment-token"
check "one is purged" apt_get purge tyrd
check "without the state of the other" test -d "$root/var/lib/tyr/server"
check "all are purged" apt_get purge tyr tyr-server
same "no file is left, and none of others is gone" "$before" "$(listing)"
same "no user and no group is left" "$accounts_before" "$(accounts)"
finish
