#!/usr/bin/env bash
# Builds the static executable of this tree in another folder too: the same bytes, and not too many.
#
#   tests/package/reproducible.sh EXECUTABLE      what packaging/static.sh built of this tree
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd -P)
executable=$(realpath "$1")
size_max=$((30 * 1000 * 1000))

fail() {
    printf 'FAIL %s\n' "$1"
    exit 1
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/tyr-elsewhere.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# What git would commit, as it is now, in a folder whose name has another length and a space.
mkdir "$scratch/another tree"
git -C "$tree" ls-files --cached --others --exclude-standard -z |
    (cd "$tree" && xargs -0 ls -d 2>/dev/null | tr '\n' '\0') |
    tar -C "$tree" --null --files-from=- -cf - | tar -C "$scratch/another tree" -xf -
other=$(CARGO_TARGET_DIR="$scratch/built" "$scratch/another tree/packaging/static.sh")

if ! cmp "$executable" "$other"; then
    mkdir -p "$tree/target/reproducible"
    cp "$executable" "$tree/target/reproducible/here"
    cp "$other" "$tree/target/reproducible/elsewhere"
    fail "two builds differ; both are in target/reproducible"
fi
printf 'ok   two builds in two folders are the same: %s\n' "$(sha256sum <"$executable" | cut -c1-64)"

for path in "$tree" "$scratch" "$(realpath "${CARGO_HOME:-$HOME/.cargo}")"; do
    ! grep -qaF "$path" "$executable" || fail "it names the folder $path"
done
printf 'ok   it names no folder of the machine it was built on\n'

size=$(stat -c %s "$executable")
((size <= size_max)) || fail "it has $size bytes, more than $size_max"
printf 'ok   %s bytes, of at most %s\n' "$size" "$size_max"
printf 'reproducible: 3 passed, 0 failed\n'
