#!/usr/bin/env bash
# Builds what the package tests install: every package in two versions, from two
# executables.
#
#   tests/package/build.sh
#
# target/package/now has this tree's version, target/package/next a higher one,
# built again and with other kernel programs: their licence is spelt otherwise and
# means the same, so an upgrade has to load them and let the old ones go.
set -euo pipefail

cd "$(dirname "$0")/../.."
out=$PWD/target/package
now=${TYR_VERSION:-$(packaging/version.sh)}
next=$now.next1

# executable VERSION: builds it and puts it where the next build leaves it alone.
executable() {
    local built
    built=$(TYR_VERSION=$1 packaging/static.sh)
    install -D -m 755 "$built" "$out/$2/tyr"
}

rm -rf "$out/now" "$out/next"
executable "$now" now
executable "$next" next
sed -i 's|Dual BSD/GPL\x00|Dual MIT/GPL\x00|g' "$out/next/tyr"
if cmp -s "$out/now/tyr" "$out/next/tyr" || grep -q 'Dual BSD/GPL' "$out/next/tyr"; then
    echo "build: the kernel programs of the next version are those of this one" >&2
    exit 1
fi
for name in now next; do
    TYR_VERSION=${!name} packaging/deb/build.sh "$out/$name/tyr" "$out/$name"
    TYR_VERSION=${!name} packaging/rpm/build.sh "$out/$name/tyr" "$out/$name"
done
printf '%s %s\n' "$now" "$next" >"$out/versions"
