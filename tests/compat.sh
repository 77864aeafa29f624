#!/usr/bin/env bash
# Runs one part of the compatibility checks in a virtual machine; `make
# test-compat` and `make bench-memory` run them.
#
#   KERNEL=6.1|6.12 tests/compat.sh PART [ARGUMENT…]
#
#   work [ITEM…]      tools and programs, with and without Tyr
#   calls [NAME…]     suites of system calls, with and without Tyr
#   memory            the daemon with 1,000 rules and 100 sessions
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/.." && pwd -P)
export TYR=${TYR:-$root/target/debug/tyr}
[[ -x $TYR ]] || { echo "compat: $TYR is missing: build it first" >&2; exit 1; }
part=${1:-}
case $part in
work) program=run.py ;;
calls) program=conformance.py ;;
memory) program=memory.py ;;
*)
    echo "compat: no part '$part': choose from work, calls, memory" >&2
    exit 2
    ;;
esac
shift
sysroot=$(rustc --print sysroot)
exec "$here/vm/run.sh" "TYR=$(printf %q "$TYR") RUST_SYSROOT=$(printf %q "$sysroot") \
    python3 -B $(printf %q "$here/compat/$program") ${*@Q}"
