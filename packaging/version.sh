#!/usr/bin/env bash
# Prints the version of this tree.
#
#   packaging/version.sh          0.2.0 at the tag v0.2.0, 0.2.0+5.g1a2b3c4 five commits later;
#                                 without a tag the crate's version and the count of all commits
#   packaging/version.sh epoch    the time of the last commit, in seconds since 1970
#
# What is not committed adds .dirty. Outside of Git it is the crate's version, and the epoch 0
# unless SOURCE_DATE_EPOCH says otherwise.
set -euo pipefail

cd "$(dirname "$0")/.."
crate=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
in_git=no
[[ $(git rev-parse --show-toplevel 2>/dev/null || true) == "$(pwd -P)" ]] && in_git=yes

epoch() {
    if [[ -n ${SOURCE_DATE_EPOCH:-} ]]; then
        printf '%s\n' "$SOURCE_DATE_EPOCH"
    elif [[ $in_git == yes ]]; then
        git log -1 --format=%ct
    else
        echo 0
    fi
}

version() {
    local base=$crate count hash described dirty=
    if [[ $in_git == no ]]; then
        printf '%s\n' "$crate"
        return
    fi
    [[ -z $(git status --porcelain --untracked-files=no) ]] || dirty=.dirty
    hash=$(git rev-parse --short=10 HEAD)
    if described=$(git describe --tags --long --match 'v[0-9]*' 2>/dev/null); then
        count=${described%-g*}
        count=${count##*-}
        base=${described%-"$count"-g*}
        base=${base#v}
    else
        count=$(git rev-list --count HEAD)
    fi
    if ((count == 0)); then
        printf '%s\n' "$base${dirty:++dirty}"
    else
        printf '%s\n' "$base+$count.g$hash$dirty"
    fi
}

case ${1:-version} in
version) version ;;
epoch) epoch ;;
*)
    echo "version: '$1' is neither version nor epoch" >&2
    exit 2
    ;;
esac
