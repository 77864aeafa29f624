#!/usr/bin/env bash
# Runs in the guest: the image as daemon, which enforces on the guest.
#
#   tests/package/image-guest.sh IMAGE.tar
set -euo pipefail

cd "$(dirname "$0")/../.."
# shellcheck source=tests/package/checks.sh
source tests/package/checks.sh
# shellcheck source=tests/package/engine.sh
source tests/package/engine.sh
image=$1

mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || true
engine_in /var/lib/tyr-engine
engine load --quiet --input "$image" >/dev/null
name=$(engine images --format '{{.Repository}}:{{.Tag}}' localhost/tyr)

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
# denied WHAT: an agent is refused the secret and may read everything else.
denied() {
    local said
    said=$(agent /opt/secret/key 2>&1) && { not_ok "$1" "read: $said"; return; }
    same "$1" '/opt/agent/bin/codex: /opt/secret/key: Operation not permitted' "$said"
}
start() {
    engine_run --detach --name daemon --privileged --pid=host --user 0 "$name" \
        daemon --policy /etc/tyr/policy.yaml --print-events >/dev/null
}

same 'before, nothing is denied' key "$(agent /opt/secret/key)"
start
for _ in $(seq 600); do
    said=$(engine logs daemon 2>&1)
    [[ $said != *'the daemon is ready'* ]] || break
    [[ $(engine inspect -f '{{.State.Running}}' daemon) == true ]] || break
    sleep 0.5
done
if [[ $said == *'the daemon is ready'* ]]; then ok 'the daemon starts in a container'; else not_ok 'the daemon starts in a container' "$said"; fi
check 'it works in the mounts of the host' \
    test "$(readlink "/proc/$(engine inspect -f '{{.State.Pid}}' daemon)/ns/mnt")" = "$(readlink /proc/1/ns/mnt)"
denied 'an agent of the host is refused a file, through the link that its rule names'
same 'and may read others' free "$(agent /opt/free)"
same 'who is no agent is free' key "$(cat /opt/secret/key)"
for _ in $(seq 60); do
    said=$(engine logs daemon 2>&1 | grep '"deny-secret"' || true)
    [[ -z $said ]] || break
    sleep 0.5
done
if [[ $said == *'/opt/secret/key'* ]]; then ok 'the denial is an event with its rule'; else not_ok 'the denial is an event with its rule' "$said"; fi
check 'its state is on the host' test -S /var/lib/tyr/control.sock
check 'what it loaded is pinned on the host' compgen -G '/sys/fs/bpf/tyr/*/links/*'
if said=$(engine_run --rm --privileged --pid=host --user 0 "$name" doctor 2>&1); then
    ok 'doctor in a container proves enforcement'
else
    not_ok 'doctor in a container proves enforcement' "$said"
fi

engine kill daemon >/dev/null
engine wait daemon >/dev/null
denied 'without its container it is still refused'
engine rm daemon >/dev/null
start
check 'a new container takes over and lets go when it is asked to' \
    engine_run --rm --privileged --pid=host --user 0 "$name" daemon --release
same 'then nothing is denied' key "$(agent /opt/secret/key)"
engine_clear
finish
