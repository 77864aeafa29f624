#!/usr/bin/env bash
# Runs in the guest: the image as daemon in a container of runc, which enforces on
# the guest itself.
#
#   tests/package/image-guest.sh BUNDLES     as tests/package/bundle.py made them:
#                                            daemon, doctor, release
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/package/checks.sh
source tests/package/checks.sh
bundles=$1
log=/run/daemon.log

mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup

# An agent, by what its executable is called, and what it may not read. The policy names a link.
mkdir -p /opt/agent/bin /opt/secret /etc/tyr
cp /bin/cat /opt/agent/bin/codex
echo key >/opt/secret/key
echo free >/opt/free
ln -s secret /opt/hidden
cat >/etc/tyr/policy.yaml <<'POLICY'
apiVersion: tyr.dev/v1
kind: Policy
metadata:
  name: in-a-container
spec:
  rules:
    - name: deny-secret
      action: file_read
      resource_pattern: "/opt/hidden/key"
      verdict: deny
      severity: high
POLICY

agent() { /opt/agent/bin/codex "$@"; }

# denied WHAT: an agent is refused the secret.
denied() {
    local said
    if said=$(agent /opt/secret/key 2>&1); then
        not_ok "$1" "it read $said"
    else
        same "$1" '/opt/agent/bin/codex: /opt/secret/key: Operation not permitted' "$said"
    fi
}

# says TEXT SECONDS: waits until the daemon's log has it.
says() {
    local end=$((SECONDS + $2))
    until grep -q -- "$1" "$log"; do
        ((SECONDS < end)) && kill -0 "$(cat /run/daemon.pid)" 2>/dev/null || return 1
        sleep 0.2
    done
}

# Nobody here waits for the children of others, so it may stay as a zombie.
has_ended() {
    [[ ! -e /proc/$pid/stat || $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) == [ZX]* ]]
}

# start WHAT: the daemon, in a container of its own.
start() {
    runc run --detach --pid-file /run/daemon.pid --bundle "$bundles/daemon" daemon </dev/null >"$log" 2>&1
    if says 'the daemon is ready' 600; then ok "$1"; else not_ok "$1" "$(tail -n 20 "$log")"; fi
}

same 'before, nothing is denied' key "$(agent /opt/secret/key)"
start 'the daemon starts in a container'
pid=$(</run/daemon.pid)
same 'it works in the mounts of the host' "$(readlink /proc/1/ns/mnt)" "$(readlink "/proc/$pid/ns/mnt")"
denied 'an agent of the host is refused a file, through the link that its rule names'
same 'and may read others' free "$(agent /opt/free)"
same 'who is no agent is free' key "$(cat /opt/secret/key)"
says '"deny-secret"' 60 || true
if grep '"deny-secret"' "$log" | grep -q '/opt/secret/key'; then
    ok 'the denial is an event with its rule'
else
    not_ok 'the denial is an event with its rule' "$(tail -n 5 "$log")"
fi
check 'its state is on the host' test -S /var/lib/tyr/control.sock
check 'what it loaded is pinned on the host' compgen -G '/sys/fs/bpf/tyr/*/links/*'
check 'doctor in a container proves enforcement' runc run --bundle "$bundles/doctor" doctor

runc kill daemon KILL
ended=$((SECONDS + 60))
until has_ended || ((SECONDS > ended)); do sleep 0.2; done
check 'a daemon in a container can be killed' has_ended
denied 'without its container it is still refused'
runc delete --force daemon
start 'a new container takes over'
denied 'and it is still refused'
check 'it lets go when another container asks it to' runc run --bundle "$bundles/release" release
same 'then nothing is denied' key "$(agent /opt/secret/key)"
check 'and nothing is pinned' bash -c '! compgen -G "/sys/fs/bpf/tyr/*"'
finish
