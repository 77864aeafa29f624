#!/usr/bin/env bash
# Runs in the guest: the enforcement tests, the real agents without Tyr, then
# the same agents governed by a whole Tyr.
#
#   tests/vm/suite.sh TEST_BINARY
#
#   TYR   the executable under test (target/debug/tyr)
set -euo pipefail

cd "$(dirname "$0")/../.."
export TYR=${TYR:-$PWD/target/debug/tyr}
[[ $("$1" --list) == *': test'* ]] || {
    echo "vm: $1 holds no test" >&2
    exit 1
}
status=0
"$1" --test-threads=1 || status=$?
tests/agents/suite.sh || status=$?
for part in demo agents restart flood deputies canary; do
    echo "-- tests/e2e/$part.py"
    python3 -B "tests/e2e/$part.py" || status=$?
done
exit "$status"
