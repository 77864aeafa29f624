#!/usr/bin/env bash
# Makes everything that a release consists of: `make release` calls it.
#
#   packaging/release/build.sh [FOLDER]     FOLDER: target/release-VERSION
#
# The static executable, .deb, .rpm, container image, Kubernetes manifest, bill of
# materials, licences, and their checksums. The same tree gives the same bytes.
# Prints the folder.
#
#   EXECUTABLE  the static executable of this version; default: it is built
#   DIRTY       1: also of a tree with changes that are not committed. Nobody could
#               make such a release again, so it is refused otherwise
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
TYR_VERSION=${TYR_VERSION:-$("$root/packaging/version.sh")}
SOURCE_DATE_EPOCH=$("$root/packaging/version.sh" epoch)
export TYR_VERSION SOURCE_DATE_EPOCH LC_ALL=C
out=$(realpath -m "${1:-$root/target/release-$TYR_VERSION}")

say() { printf 'release: %s\n' "$*" >&2; }

if [[ $TYR_VERSION == *dirty* && ${DIRTY:-} != 1 ]]; then
    say "the tree has changes that are not committed: commit them, or set DIRTY=1"
    exit 1
fi

# Whole or not there: an earlier release stays until this one is complete.
work=$out.new
rm -rf "$work"
mkdir -p "$work"

say "Tyr $TYR_VERSION"
built=${EXECUTABLE:-$("$root/packaging/static.sh")}
executable=$work/tyr-$TYR_VERSION-x86_64-linux
install -m 755 "$built" "$executable"
said=$("$executable" version)
[[ $said == "tyr $TYR_VERSION" ]] || {
    say "the executable says it is \`$said\`"
    exit 1
}
"$root/packaging/deb/build.sh" "$built" "$work" >&2
"$root/packaging/rpm/build.sh" "$built" "$work" >&2
"$root/packaging/image/build.sh" "$built" "$work" >&2
# A tag of an image has no plus sign.
sed "s|localhost/tyr:latest|localhost/tyr:${TYR_VERSION//+/-}|" "$root/packaging/kubernetes/tyr.yaml" \
    >"$work/tyr-$TYR_VERSION-kubernetes.yaml"
/usr/bin/python3 -B "$here/sbom.py" "$work/tyr-$TYR_VERSION-sbom.cdx.json" "$TYR_VERSION"
/usr/bin/python3 -B "$here/licences.py" "$work/tyr-$TYR_VERSION-licences.txt"
(cd "$work" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum >"$work.sums")
mv "$work.sums" "$work/SHA256SUMS"
chmod 644 "$work"/*
chmod 755 "$executable" "$work"
rm -rf "$out"
mv "$work" "$out"
say "$(du -sh "$out" | cut -f1) in $(find "$out" -type f | wc -l) files"
printf '%s\n' "$out"
