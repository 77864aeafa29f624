#!/usr/bin/env bash
# Boots each kernel in a virtual machine, runs the attacks there, and holds
# BYPASSES.md to what was seen.
#
#   tests/bypass/run.sh [KERNEL…]    6.1, 6.12, and 6.12-preempt, where the
#                                    kernel may be interrupted anywhere
#
#   ATTACKS   names of attacks, or how they begin; all of them by default. Some
#             attacks show nothing about the list, which then is not looked at.
set -euo pipefail

cd "$(dirname "$0")/../.."
tests/bypass/build.sh
binary=$(tests/vm/binary.sh)
(($#)) || set -- 6.1 6.12 6.12-preempt
status=0 results=()
for kernel in "$@"; do
    printf '\n-- %s\n' "$kernel"
    arguments=() out=target/vm/${kernel%-preempt} kept=target/bypass/results/$kernel
    [[ $kernel != *-preempt ]] || arguments+=(preempt=full)
    rm -rf "$out"/{attacks,tests}.tsv "$kept"
    KERNEL=${kernel%-preempt} KARGS="${KARGS:-} ${arguments[*]}" VM_TIMEOUT=${VM_TIMEOUT:-3600} \
        tests/vm/run.sh "tests/bypass/guest.sh $(printf %q "$binary") ${ATTACKS:-}" || status=1
    mkdir -p "$kept"
    for file in "$out"/{attacks,tests}.tsv; do
        [[ ! -e $file ]] || mv "$file" "$kept"
    done
    results+=("$kept")
    printf '%s took %d s\n' "$kernel" "$SECONDS"
    SECONDS=0
done
[[ -n ${ATTACKS:-} ]] || python3 -B tests/bypass/check.py "${results[@]}" || status=1
exit "$status"
