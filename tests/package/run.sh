#!/usr/bin/env bash
# Checks of what is shipped; `make test-package` calls it. Needs root.
#
#   tests/package/run.sh [CHECK…]    all by default
#
#     static        the static executable alone in an empty root
#     vm            the same as a daemon with its unit's rights, installed and taken
#                   back, on each kernel
#     reproducible  another build of the tree has the same bytes, and not too many
#     lint          what is in the packages, lintian and rpmlint
#     chroot        the .deb files where no systemd runs
#     rpm           the .rpm files in a root with an RPM database of its own
#     shipped       a whole release twice, its checksums, bill of materials, licences and
#                   manifest, and its image with a real engine
#     readme        README.md's own commands on an empty Debian 12
#     deb           the .deb files on that Debian: enrolled, rebooted, upgraded under
#                   a probe, removed, purged
#
#   KERNELS  what the static executable and the image run on as a daemon (6.1 6.12)
#
# Each check's output is also in target/package/CHECK.log. The last line adds up
# what they counted; a check that fails without a failed count is one failure.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
tree=$(cd "$here/../.." && pwd -P)
cd "$tree"
((EUID == 0)) || {
    echo "test-package: run it as root: it makes empty roots" >&2
    exit 1
}
TYR_VERSION=${TYR_VERSION:-$(packaging/version.sh)}
export TYR_VERSION
out=$tree/target/package
executable=$out/now/tyr

# The daemon, with the rights that its unit leaves it, is killed three times under a probe of
# forbidden opens. Then one is installed, upgraded and taken back.
check_vm() {
    local kernel
    tests/setup.sh vm agents
    for kernel in ${KERNELS:-6.1 6.12}; do
        KERNEL=$kernel tests/vm/run.sh "EXECUTABLE=$(printf %q "$executable") TYR=tests/package/bounded.sh python3 -B tests/e2e/restart.py"
        KERNEL=$kernel tests/vm/run.sh "tests/package/installed.sh $(printf %q "$executable")"
    done
}

# Two versions of every package, and the Debian they are tried on: once for all checks.
need_debian() {
    [[ -z ${debian:-} ]] || return 0
    tests/setup.sh debian
    "$here/build.sh" next
    debian=ready
}

run() {
    case $1 in
    static) "$here/static.sh" "$executable" ;;
    reproducible) "$here/reproducible.sh" "$executable" ;;
    vm) check_vm ;;
    lint | chroot | rpm) "$here/$1.sh" ;;
    shipped) EXECUTABLE=$executable "$here/shipped.sh" ;;
    readme) "$here/machine.py" readme README.md "$executable" "$out"/now/*.deb ;;
    deb) "$here/machine.py" deb "$out/versions" "$out"/{now,next}/*.deb ;;
    esac
}

(($#)) || set -- static lint chroot rpm shipped reproducible readme deb vm
for check in "$@"; do
    case $check in
    static | reproducible | vm | lint | chroot | rpm | shipped | readme | deb) ;;
    *)
        printf 'test-package: no check %s: see the head of %s\n' "$check" "$0" >&2
        exit 1
        ;;
    esac
done

passed=0 failed=0
"$here/build.sh" now
for check in "$@"; do
    printf '\n== %s\n' "$check"
    case $check in chroot | rpm | readme | deb) need_debian ;; esac
    started=$SECONDS status=0
    run "$check" </dev/null 2>&1 | tee "$out/$check.log" || status=$?
    # Closing lines of each part: "N passed, N failed", one word with a colon before it or none.
    read -r good bad < <(tr -d '\r' <"$out/$check.log" | awk '
        /^([[:alnum:]-]+: )?[0-9]+ passed, [0-9]+ failed$/ { sub(/^[[:alnum:]-]+: /, ""); good += $1; bad += $3 }
        END { print good + 0, bad + 0 }')
    ((bad > 0 || (status == 0 && good > 0))) || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
    printf '%s took %s s: %s good, %s bad\n' "$check" $((SECONDS - started)) "$good" "$bad"
done
printf '\n%s passed, %s failed\n' "$passed" "$failed"
((failed == 0))
