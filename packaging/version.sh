#!/usr/bin/env bash
# Prints the version of what is built from this tree: Cargo.toml's where git has
# it as a tag (v0.1.0), otherwise 0.1.0+N.gHASH for the Nth commit. Changes that
# are not committed do not show.
#
#   TYR_VERSION  prints this instead
set -euo pipefail

cd "$(dirname "$0")/.."
[[ -z ${TYR_VERSION:-} ]] || { printf '%s\n' "$TYR_VERSION"; exit; }
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n1)
if git rev-parse --quiet --verify HEAD >/dev/null 2>&1 &&
    [[ $(git tag --points-at HEAD --list "v$version") == '' ]]; then
    version+=+$(git rev-list --count HEAD).g$(git rev-parse --short=7 HEAD)
fi
printf '%s\n' "$version"
