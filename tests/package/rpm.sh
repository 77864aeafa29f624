#!/usr/bin/env bash
# The .rpm files in a root of their own with an RPM database of its own: refused
# without what they need, installed, verified, upgraded, erased.
#
# The root is an overlay on the empty Debian of tests/package/debian.sh, which RPM
# knows nothing of: a package made here says what it provides. systemd does not
# run in it. In the second half a systemctl that writes down its words stands for
# it: what the scripts ask of systemd is what is checked.
set -euo pipefail

if [[ -z ${TYR_RPM_NAMESPACE:-} ]]; then
    exec env TYR_RPM_NAMESPACE=1 unshare --mount --propagation private "$0"
fi
cd "$(dirname "$0")/../.."
# shellcheck source=tests/package/checks.sh
source tests/package/checks.sh
# shellcheck source=tests/package/overlay.sh
source tests/package/overlay.sh
out=$PWD/target/package
read -r version next <target/package/versions

packages() { printf "$out/$1/%s-$2-1.x86_64.rpm\n" tyr tyr-server tyrd; }
rpm_in_root() { rpm --root "$root" --dbpath /var/lib/rpm "$@"; }
in_rpm() { rpm_in_root -q --qf '%{VERSION}\n' "$@" | sort -u; }
not() { ! "$@"; }

echo "-- Install"
rpm_in_root --initdb
cat >"$scratch/base.spec" <<'SPEC'
Name: base
Version: 1
Release: 1
Summary: What the Debian below this root has
License: Apache-2.0
BuildArch: noarch
Provides: /bin/sh systemd shadow-utils
%description
What the Debian below this root has.
%files
SPEC
rpmbuild -bb --quiet --define "_topdir $scratch/base" "$scratch/base.spec" >/dev/null 2>&1
rpm_in_root -i "$scratch"/base/RPMS/noarch/*.rpm

check "tyrd without tyr is refused" grep -q "tyr = $version is needed by tyrd" \
    <(rpm_in_root -i "$out/now/tyrd-$version-1.x86_64.rpm" 2>&1)
mapfile -t files < <(packages now "$version")
check "the three packages are installed" rpm_in_root -i "${files[@]}"
same "all in one version" "$version" "$(in_rpm tyr tyr-server tyrd)"
same "rpm -V finds nothing changed" "" "$(rpm_in_root -V tyr tyr-server tyrd 2>&1)"
for name in tyr-server tyrd; do
    same "/usr/bin/$name is a symlink to tyr" tyr "$(readlink "$root/usr/bin/$name")"
    same "and RPM knows it as one" "/usr/bin/$name tyr" \
        "$(rpm_in_root -q --qf '[%{FILENAMES} %{FILELINKTOS}\n]' "$name" | grep "/bin/$name")"
    same "$name.service is enabled, as this system presets" enabled "$(in_root systemctl is-enabled "$name.service")"
    check "$name --help answers" in_root "$name" --help
done
same "tyr version is the package's" "tyr $version" "$(in_root tyr version)"
check "the example policies are valid" in_root sh -c 'for file in /usr/share/tyr/policies/*.yaml; do tyr policy check "$file" || exit 1; done'
same "the server has a user that nobody logs in as" /usr/sbin/nologin "$(in_root getent passwd tyr | cut -d: -f7)"
same "and a group" tyr "$(in_root id -gn tyr)"
same "settings and state have their owners" "640 root tyr /etc/tyr/server.yaml
711 root root /var/lib/tyr
700 tyr tyr /var/lib/tyr/server" \
    "$(in_root stat -c '%a %U %G %n' /etc/tyr/server.yaml /var/lib/tyr /var/lib/tyr/server)"
same "configuration is kept on upgrade" "/etc/tyr/daemon.yaml
/etc/tyr/server.yaml" "$(rpm_in_root -q --qf '[%{FILENAMES} %{FILEFLAGS:fflags}\n]' tyr tyr-server tyrd | awk '$2 ~ /cn/ { print $1 }' | sort)"
for wanted in tyr-server:preinstall tyr-server:postinstall tyr-server:preuninstall tyr-server:postuninstall \
    tyrd:postinstall tyrd:preuninstall tyrd:postuninstall; do
    check "${wanted%:*} has its ${wanted#*:} script" grep -q "^${wanted#*:} scriptlet" \
        <(rpm_in_root -q --scripts "${wanted%:*}")
done
same "tyr needs no script" "" "$(rpm_in_root -q --scripts tyr)"

echo "-- Upgrade"
mkdir -p "$root/run/systemd/system" "$root/real"
mv "$root/usr/bin/systemctl" "$root/real/systemctl"
cat >"$root/usr/bin/systemctl" <<'SH'
#!/bin/sh
echo "$*" >>/systemctl.log
SYSTEMD_OFFLINE=1 exec /real/systemctl "$@" >/dev/null 2>&1
SH
chmod 755 "$root/usr/bin/systemctl"
asked() { grep -c -x -F -- "$1" "$root/systemctl.log" 2>/dev/null || true; }
echo 'server: localhost:7700' >>"$root/etc/tyr/daemon.yaml"
sum=$(sha256sum <"$root/etc/tyr/daemon.yaml")
in_root env SYSTEMD_OFFLINE=1 /real/systemctl disable tyr-server.service 2>/dev/null
mapfile -t files < <(packages next "$next")
check "the packages are upgraded" rpm_in_root -U "${files[@]}"
same "all to the higher version" "$next" "$(in_rpm tyr tyr-server tyrd)"
same "tyr version is the higher one" "tyr $next" "$(in_root tyr version)"
same "the edited configuration is as it was" "$sum" "$(sha256sum <"$root/etc/tyr/daemon.yaml")"
same "the running daemon is started again" 1 "$(asked 'try-restart tyrd.service')"
same "and the server" 1 "$(asked 'try-restart tyr-server.service')"
check "nothing is stopped" not grep -q -e '\<stop\>' -e disable "$root/systemctl.log"
same "a unit that was disabled stays so" disabled "$(in_root env SYSTEMD_OFFLINE=1 /real/systemctl is-enabled tyr-server.service || true)"

echo "-- Erase"
: >"$root/systemctl.log"
mkdir -p "$root/var/lib/tyr/spool"
said=$(rpm_in_root -e tyr tyr-server tyrd 2>&1) || not_ok "the packages are erased" "$said"
check "enforcement is asked for, and taken off" grep -q "nothing is enforced on this host" <<<"$said"
check "it says that state stays" grep -q "stay in /var/lib/tyr" <<<"$said"
for name in tyr-server tyrd; do
    same "$name is stopped" 1 "$(asked "stop $name.service")"
    same "and disabled" 1 "$(asked "--no-reload disable $name.service")"
done
same "no package is left" base "$(rpm_in_root -qa --qf '%{NAME}\n')"
same "no file is left but edited configuration and state" "/etc/tyr
/etc/tyr/daemon.yaml.rpmsave
/var/lib/tyr
/var/lib/tyr/lock
/var/lib/tyr/server
/var/lib/tyr/spool" "$(cd "$root" && find . -xdev -path ./proc -prune -o -path ./usr/share/zoneinfo -prune -o -path '*tyr*' -print | sed 's/^\.//' | LC_ALL=C sort)"
finish
