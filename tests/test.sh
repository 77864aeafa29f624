#!/usr/bin/env bash
# Runs every suite and adds up what they counted; `make test` calls it.
#
#   tests/test.sh [SUITE…]     unit, it, kernel, vm-6.1, vm-6.12; all by default
#
# Each suite's output is also in target/test/SUITE.log. A suite that fails
# without a failed test, or that ran no test, counts as one failure.
set -euo pipefail

cd "$(dirname "$0")/.."
passed=0 failed=0
logs=target/test
mkdir -p "$logs"

# suite NAME COMMAND…: runs a suite and counts what its closing lines say.
suite() {
    local name=$1 status=0
    shift
    printf '\n== %s\n' "$name"
    "$@" </dev/null 2>&1 | tee "$logs/$name.log" || status=$?
    tally "$name" "$status"
}

# Both kernels at once: most of a virtual machine's time is one thread's.
vm_suites() {
    local name pids=() status
    for name; do : >"$logs/$name.log"; done
    build_for_vm || {
        for name; do tally "$name" 1; done
        return
    }
    for name; do
        printf '\n== %s\n' "$name"
        (
            vm_suite "${name#vm-}" </dev/null 2>&1 |
                tee "$logs/$name.log" | sed -u "s/^/${name#vm-}: /"
        ) &
        pids+=($!)
    done
    for name; do
        status=0
        wait "${pids[0]}" || status=$?
        pids=("${pids[@]:1}")
        tally "$name" "$status"
    done
}

# tally NAME STATUS: adds what the suite's log counts.
tally() {
    local name=$1 status=$2 good bad
    read -r good bad < <(count "$logs/$name.log")
    if ((status != 0 && bad == 0)); then
        echo "$name: failed with status $status"
        bad=1
    elif ((good + bad == 0)); then
        echo "$name: ran no test"
        bad=1
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

# What the closing lines of cargo test, and lines "N passed, N failed", add up to.
count() {
    tr -d '\r' <"$1" | awk '
        /^test result: / { good += $4; bad += $6 }
        /^([[:alnum:]-]+: )?[0-9]+ passed, [0-9]+ failed/ {
            sub(/^[[:alnum:]-]+: /, ""); good += $1; bad += $3
        }
        END { print good + 0, bad + 0 }'
}

# Names what failed, each with the line that says why: nobody should have to search the logs.
name_failed() {
    local name
    for name; do
        tr -d '\r' <"$logs/$name.log" | awk -v suite="$name" '
            function tell(what, why) { sub(/^ +/, "", why); printf "%s: %s: %.160s\n", suite, what, why }
            why_follows { why_follows = 0; tell(what, $0) }
            /^thread .* panicked at / { what = $2; gsub(/\047/, "", what); panicked = 1; why_follows = 1 }
            /^-- / { part = $2; said = 0 }
            /^test .* \.\.\. / { last = $2 }
            /vm: the command took / { printf "%s: in %s: %.300s\n", suite, last, substr($0, index($0, "vm:")) }
            /^  FAILED  / { what = substr($0, 11); why_follows = 1 }
            /^Traceback / { in_python = 1 }
            in_python && /^[^ ].*: / && !/^Traceback / { in_python = 0; tell(part, $0) }'
    done
}

# The kernel suite loads programs: only root may.
kernel_suite() {
    local runner=()
    ((EUID == 0)) || runner=(--config 'target."cfg(all())".runner = ["sudo", "-E"]')
    cargo test --locked "${runner[@]}" --test kernel
}

# Builds here what runs there.
build_for_vm() {
    cargo build --locked || return
    vm_binary=$(tests/vm/binary.sh)
}

# One kernel, booted once.
vm_suite() {
    KERNEL=$1 VM_TIMEOUT=${VM_TIMEOUT:-3900} tests/vm/run.sh "tests/vm/suite.sh $(printf %q "$vm_binary")"
}

(($#)) || set -- unit it kernel vm-6.1 vm-6.12
vms=()
for name in "$@"; do
    case $name in
    unit) suite unit cargo test --locked --lib ;;
    it) suite it cargo test --locked --test it ;;
    kernel) suite kernel kernel_suite ;;
    vm-6.1 | vm-6.12) vms+=("$name") ;;
    *)
        echo "no suite '$name': choose from unit, it, kernel, vm-6.1, vm-6.12" >&2
        exit 2
        ;;
    esac
done
((${#vms[@]} == 0)) || vm_suites "${vms[@]}"

echo
((failed == 0)) || name_failed "$@"
printf '%s passed, %s failed\n' "$passed" "$failed"
((failed == 0))
