#!/usr/bin/env bash
# Builds what the package tests install: every package in two versions, from two
# executables.
#
#   tests/package/build.sh [now] [next]     both by default
#
# target/package/now has this tree's version (or $TYR_VERSION), target/package/next
# a higher one, built again and with other kernel programs: their licence is spelt
# otherwise and means the same, so an upgrade has to load them and let the old ones
# go. target/package/versions names both.
set -euo pipefail

cd "$(dirname "$0")/../.."
out=$PWD/target/package
now=${TYR_VERSION:-$(packaging/version.sh)}
next=$now.next1
commit=$(packaging/version.sh)

# executable NAME: puts it where the next build leaves it alone.
executable() {
    local built
    # The executable of a commit stays the same; what is not committed is built again.
    [[ ${!1} != "$commit"* || $commit == *dirty ]] ||
        [[ $("$out/$1/tyr" version 2>/dev/null) != "tyr ${!1}" ]] || return 0
    built=$(TYR_VERSION=${!1} packaging/static.sh)
    rm -rf "${out:?}/$1"
    install -D -m 755 "$built" "$out/$1/tyr"
    [[ $1 == next ]] || return 0
    sed -i 's|Dual BSD/GPL\x00|Dual MIT/GPL\x00|g' "$out/next/tyr"
    if cmp -s "$built" "$out/next/tyr" || grep -q 'Dual BSD/GPL' "$out/next/tyr"; then
        echo "build: the kernel programs of the next version are those of this one" >&2
        exit 1
    fi
}

(($#)) || set -- now next
for name in "$@"; do
    executable "$name"
    TYR_VERSION=${!name} packaging/deb/build.sh "$out/$name/tyr" "$out/$name" >/dev/null
    TYR_VERSION=${!name} packaging/rpm/build.sh "$out/$name/tyr" "$out/$name" >/dev/null
done
printf '%s %s\n' "$now" "$next" >"$out/versions"
