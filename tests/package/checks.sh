# shellcheck shell=bash
# Counts what was seen and what was not, in the format of tests/e2e/stack.py. Source it.

passed=0 failed=0

# ok WHAT, not_ok WHAT SEEN
ok() {
    passed=$((passed + 1))
    printf '  ok      %s\n' "$1"
}

not_ok() {
    failed=$((failed + 1))
    printf '  FAILED  %s\n          seen: %.1500s\n' "$1" "${2:-}"
}

# check WHAT COMMAND…: whether the command succeeds.
check() {
    local what=$1 said
    shift
    if said=$("$@" 2>&1); then ok "$what"; else not_ok "$what" "$said"; fi
}

# same WHAT WANTED SEEN: whether two texts are one.
same() {
    if [[ $2 == "$3" ]]; then
        ok "$1"
    else
        not_ok "$1" "$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"
    fi
}

finish() {
    printf '%s passed, %s failed\n' "$passed" "$failed"
    ((failed == 0 && passed > 0))
}
