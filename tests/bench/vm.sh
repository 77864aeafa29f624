#!/usr/bin/env bash
# Counts the instructions of system calls without Tyr and under its policies, in
# a virtual machine whose clock is the instruction counter. The figures do not
# depend on the machine or its load, so budgets can be held to them: exits with
# 1 when one is exceeded.
#
#   tests/bench/vm.sh [--output json]
#
#   KERNEL   6.12 (default) or 6.1
#
# The figures are also in target/vm/KERNEL/instructions.json; --output json
# prints them instead of the table.
set -euo pipefail

cd "$(dirname "$0")/../.."
kernel=${KERNEL:-6.12}
results=$PWD/target/vm/$kernel/instructions.json
case "$*" in
'') log=/dev/stdout ;;
'--output json' | '--output=json') log=/dev/stderr ;;
*)
    echo "usage: tests/bench/vm.sh [--output json]" >&2
    exit 2
    ;;
esac

# The guest compiles policies of thousands of rules: half the time when optimised.
binary=$(cargo build --locked --config profile.dev.opt-level=1 --bench instructions \
    --message-format=json-render-diagnostics |
    /usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    artifact = json.loads(line)
    if artifact.get("executable") and artifact["target"]["name"] == "instructions":
        print(artifact["executable"])')
status=0
rm -f "$results"
KERNEL=$kernel ICOUNT=1 tests/vm/run.sh \
    "$(printf %q "$binary") --output $(printf %q "$results")" >"$log" || status=$?
[[ $log == /dev/stdout || ! -s $results ]] || cat "$results"
exit "$status"
