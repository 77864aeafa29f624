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
# All at once, since loading the programs takes longest; one by one when something fails, to say which.
read -ra names < <(python3 -B tests/bypass/check.py --tests) || {
    echo "bypass: check.py names no test" >&2
    exit 1
}
log=/tmp/test.log
note() {
    printf 'test %s: %s\n' "$1" "$2"
    printf '%s\t%s\n' "$1" "$2" >>"$VM_OUT/tests.tsv"
}
"$binary" --test-threads=1 "${names[@]/#/::}" >"$log" 2>&1 || true
if grep -q "^test result: ok\. ${#names[@]} passed" "$log"; then
    for name in "${names[@]}"; do note "$name" ok; done
    exit "$status"
fi
for name in "${names[@]}"; do
    result=ok
    "$binary" --test-threads=1 "::$name" >"$log" 2>&1 || result=FAILED
    grep -q '^test result: ok\. [1-9]' "$log" || result=FAILED
    note "$name" "$result"
    [[ $result == ok ]] || { cat "$log" && status=1; }
done
exit "$status"
