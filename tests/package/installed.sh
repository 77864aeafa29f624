#!/usr/bin/env bash
# An installed daemon, where no systemd runs: killed, it leaves enforcement on; upgraded, it goes on;
# uninstalled, it lets go and nothing is left. Runs as root in the virtual machine.
#
#   tests/package/installed.sh EXECUTABLE
set -euo pipefail

prefix=/opt/tyr
pins=/sys/fs/bpf/tyr
log=/tmp/installed.log
passed=0

fail() {
    printf 'FAIL %s\n' "$1"
    tail -n 40 "$log"
    exit 1
}
ok() {
    printf 'ok   %s\n' "$1"
    passed=$((passed + 1))
}
# until_true SECONDS COMMAND…: waits for it.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 1
    done
}
# starts COUNT: whether daemons have become ready that often.
starts() { (($(grep -c 'the daemon is ready' "$log") >= $1)); }
enforced() { compgen -G "$pins/*" >/dev/null; }
start() {
    "$prefix/bin/tyrd" >>"$log" 2>&1 &
    daemon=$!
}

: >"$log"
stamp=/tmp/installed.stamp
: >"$stamp"
"$1" install --prefix "$prefix" --role daemon >>"$log" 2>&1 || fail "it does not install itself"
start
until_true 300 starts 1 || fail "the daemon is not ready"
enforced || fail "nothing is pinned"
content() { "$prefix/bin/tyr" doctor >>"$log" 2>&1; }
until_true 300 content || fail "doctor is not content"
ok "the installed daemon enforces"

kill -9 "$daemon"
wait "$daemon" || true
enforced || fail "a kill took enforcement off"
ok "killed, it leaves enforcement on"

# Another executable: the same program with a few bytes more.
cp "$1" /tmp/tyr
printf 'newer' >>/tmp/tyr
start
until_true 300 starts 2 || fail "the daemon did not come back"
/tmp/tyr install --prefix "$prefix" --role daemon >>"$log" 2>&1 || fail "it does not upgrade"
cmp -s /tmp/tyr "$prefix/bin/tyr" || fail "the executable is still the old one"
kill -0 "$daemon" || fail "the upgrade ended the daemon"
enforced || fail "the upgrade took enforcement off"
kill "$daemon"
wait "$daemon" || fail "the daemon did not stop in order"
enforced || fail "a stop took enforcement off"
ok "upgraded and stopped, it leaves enforcement on"

start
until_true 300 starts 3 || fail "the newer daemon is not ready"
said=$(/tmp/tyr uninstall --purge 2>&1) || fail "it does not uninstall: $said"
[[ $said == *"takes enforcement off"* ]] || fail "it does not say that enforcement is off: $said"
status=0
wait "$daemon" || status=$?
((status == 79)) || fail "the released daemon ended with $status, not 79"
enforced && fail "programs are still pinned"
for path in "$prefix" /etc/tyr /var/lib/tyr /run/tyr; do
    [[ ! -e $path ]] || fail "$path is left"
done
left=$(find /etc /opt /var/lib -newer "$stamp" ! -type d)
[[ -z $left ]] || fail "files are left: $left"
ok "uninstalled, it has taken enforcement off, and nothing is left"
rm -f /tmp/tyr "$stamp"
printf 'installed: %s passed, 0 failed\n' "$passed"
