#!/usr/bin/env bash
# Looks into the packages that tests/package/build.sh has made: lintian, rpmlint,
# and whether each holds its staged tree, all of it and nothing else.
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/package/checks.sh
source tests/package/checks.sh
now=target/package/now
read -r version _ <target/package/versions
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
stage=$(packaging/stage.sh "$now/tyr")

# Paths below a folder, with mode and target of links; folders without their modes.
listing() { (cd "$1" && find . \( -type l -printf '%p -> %l\n' \) -o \( -type f -printf '%p %m\n' \)) | LC_ALL=C sort; }

for package in tyr tyr-server tyrd; do
    wanted=$(listing "$stage/$package")
    mkdir -p "$scratch/deb/$package" "$scratch/rpm/$package"
    dpkg-deb -x "$now/${package}_$version-1_amd64.deb" "$scratch/deb/$package"
    same "$package.deb holds the staged tree, and Debian's documents" "$wanted" \
        "$(listing "$scratch/deb/$package" | grep -v -e '^./usr/share/doc/' -e '^./usr/share/lintian/' |
            sed 's|^./usr/share/zsh/vendor-completions/|./usr/share/zsh/site-functions/|')"
    rpm2cpio "$now/$package-$version-1.x86_64.rpm" >"$scratch/rpm/$package.cpio"
    (cd "$scratch/rpm/$package" && cpio -id --quiet <"../$package.cpio" 2>/dev/null)
    same "$package.rpm holds the staged tree, and the licence" "$wanted" \
        "$(listing "$scratch/rpm/$package" | grep -v '^./usr/share/licenses/')"
    owners=$(dpkg-deb --fsys-tarfile "$now/${package}_$version-1_amd64.deb" | tar tv --numeric-owner | awk '{ print $2 }' | sort -u)
    same "$package.deb: everything belongs to root" 0/0 "$owners"
done
check "all three ways start from the same bytes: .deb" cmp "$now/tyr" "$scratch/deb/tyr/usr/bin/tyr"
check "all three ways start from the same bytes: .rpm" cmp "$now/tyr" "$scratch/rpm/tyr/usr/bin/tyr"

for kind in deb rpm; do
    TYR_VERSION=$version packaging/$kind/build.sh "$now/tyr" "$scratch/again" >/dev/null
    for file in "$now"/*."$kind"; do
        check "built again, ${file##*/} has the same bytes" cmp "$file" "$scratch/again/${file##*/}"
    done
done

check "lintian finds no error and no warning" lintian --no-cfg --fail-on error,warning "$now"/*.deb
same "every override of lintian's is needed" "" \
    "$(lintian --no-cfg --display-info "$now"/*.deb 2>&1 | grep -e unused-override -e mismatched-override || true)"
check "rpmlint finds no error and no warning" rpmlint --strict --config packaging/rpm/rpmlint.toml "$now"/*.rpm
finish
