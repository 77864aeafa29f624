#!/usr/bin/env bash
# Checks of what is shipped; `make test-package` calls it. Needs root.
#
#   tests/package/run.sh [CHECK…]    static, vm, reproducible; all by default
#
#   KERNELS  what the static executable runs on as a daemon (6.1 6.12)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
tree=$(cd "$here/../.." && pwd -P)
cd "$tree"
((EUID == 0)) || {
    echo "test-package: run it as root: it makes empty roots" >&2
    exit 1
}
executable=$(packaging/static.sh)

# The daemon, with the rights that its unit leaves it, is killed three times under a probe of
# forbidden opens.
check_vm() {
    local kernel
    tests/setup.sh vm agents
    for kernel in ${KERNELS:-6.1 6.12}; do
        KERNEL=$kernel tests/vm/run.sh "EXECUTABLE=$(printf %q "$executable") TYR=tests/package/bounded.sh python3 -B tests/e2e/restart.py"
    done
}

(($#)) || set -- static vm reproducible
for check in "$@"; do
    case $check in
    static) "$here/static.sh" "$executable" ;;
    reproducible) "$here/reproducible.sh" "$executable" ;;
    vm) check_vm ;;
    *)
        printf 'test-package: no check %s: choose from static, vm, reproducible\n' "$check" >&2
        exit 1
        ;;
    esac
done
