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
# Every change of programs is loaded several times, half a minute each under emulation: each of
# them is tried on one kernel here, and on both by `make test-upgrade`.
elsewhere=(a_failed_pin_ a_takeover_ another_build_)
[[ ${VM_KERNEL:-} != 6.12 ]] || elsewhere=(a_failed_attach_ another_layout_ one_program_ without_old_)
status=0
"$1" --test-threads=1 "${elsewhere[@]/#/--skip=upgrade::}" || status=$?
tests/agents/suite.sh || status=$?
for part in demo agents restart flood deputies canary; do
    echo "-- tests/e2e/$part.py"
    python3 -B "tests/e2e/$part.py" || status=$?
done
exit "$status"
