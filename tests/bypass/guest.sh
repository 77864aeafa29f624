#!/usr/bin/env bash
# Runs in the guest: the attacks, then the tests that BYPASSES.md names beside them.
#
#   tests/bypass/guest.sh TEST_BINARY [ATTACK…]
#
# $VM_OUT gets attacks.tsv and tests.tsv, which check.py reads.
set -euo pipefail

cd "$(dirname "$0")/../.."
binary=$1
shift
status=0
python3 -B tests/bypass/bypass.py "$@" || status=1
(($# == 0)) || exit "$status"
log=/tmp/test.log
for name in $(python3 -B tests/bypass/check.py --tests); do
    result=ok
    "$binary" --test-threads=1 "::$name" >"$log" 2>&1 || result=FAILED
    grep -q '^test result: ok\. [1-9]' "$log" || result=FAILED
    printf 'test %s: %s\n' "$name" "$result"
    printf '%s\t%s\n' "$name" "$result" >>"$VM_OUT/tests.tsv"
    [[ $result == ok ]] || { cat "$log" && status=1; }
done
exit "$status"
