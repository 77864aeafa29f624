#!/usr/bin/env bash
# `tyr WORDS…`, a daemon with no more of root's rights than its unit leaves it: stands in for the
# executable in tests.
#
#   EXECUTABLE=FILE tests/package/bounded.sh WORDS…
set -euo pipefail

[[ ${1:-} == daemon ]] || exec "$EXECUTABLE" "$@"
unit=$(dirname "$0")/../../packaging/systemd/tyrd.service
rights=$(sed -n 's/^CapabilityBoundingSet=CAP_//p' "$unit" | tr '[:upper:]' '[:lower:]' | sed 's/^/+/' | paste -sd,)
[[ -n $rights ]] || {
    echo "no capabilities in $unit" >&2
    exit 1
}
exec setpriv --no-new-privs --bounding-set "-all,$rights" -- "$EXECUTABLE" "$@"
