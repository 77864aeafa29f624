#!/usr/bin/env bash
# Runs in the guest: the enforcement tests, the real agents without Tyr, then
# the same agents governed by a whole Tyr.
#
#   tests/vm/suite.sh TEST_BINARY
#
#   TYR     the executable under test (target/debug/tyr)
#   WHOLE   1: everything. By default what takes longest runs on one of the two
#           kernels: most of what loads the programs for itself, which is slow
#           under emulation, and some end-to-end tests.
set -euo pipefail

cd "$(dirname "$0")/../.."
export TYR=${TYR:-$PWD/target/debug/tyr}
[[ $("$1" --list) == *': test'* ]] || {
    echo "vm: $1 holds no test" >&2
    exit 1
}
elsewhere=() agents=1 parts=(demo agents restart flood deputies canary)
case ${WHOLE:-}/$VM_KERNEL in
/6.1)
    elsewhere=(upgrade::a_takeover_ upgrade::another_build_ daemon:: recognise::agents_outside_)
    agents=0 parts=(demo flood deputies canary)
    ;;
/6.12)
    elsewhere=(upgrade::{a_failed_,another_layout_,one_program_,without_old_} container::
        guard::kernel::the_canary_ lifecycle::the_programs_outlive_)
    parts=(agents restart)
    ;;
esac
status=0
"$1" --test-threads=1 "${elsewhere[@]/#/--skip=}" || status=$?
((agents == 0)) || tests/agents/suite.sh || status=$?
for part in "${parts[@]}"; do
    echo "-- tests/e2e/$part.py"
    python3 -B "tests/e2e/$part.py" || status=$?
done
exit "$status"
