#!/usr/bin/env bash
# Boots each kernel in a virtual machine and runs the attacks there.
#
#   tests/bypass/run.sh [KERNEL…]    6.1, 6.12, and 6.12-preempt, where the
#                                    kernel may be interrupted anywhere
#
#   ATTACKS   names of attacks, or how they begin; all of them by default
set -euo pipefail

cd "$(dirname "$0")/../.."
tests/bypass/build.sh
(($#)) || set -- 6.1 6.12 6.12-preempt
status=0
for kernel in "$@"; do
    printf '\n-- %s\n' "$kernel"
    arguments=()
    [[ $kernel != *-preempt ]] || arguments+=(preempt=full)
    KERNEL=${kernel%-preempt} KARGS="${KARGS:-} ${arguments[*]}" \
        tests/vm/run.sh "python3 -B tests/bypass/bypass.py ${ATTACKS:-}" || status=1
done
exit "$status"
