#!/usr/bin/env bash
# The first thing that runs in the guest: finishes what virtme-ng's init leaves
# open, then runs the command that run.sh left in the results directory.
set -euo pipefail

out=${1:-}
if [[ -z $out ]]; then
    here=$(cd "$(dirname "$0")" && pwd -P)
    out=$(cd "$here/../.." && pwd -P)/target/vm
    out=$(grep -o " $out/[^ ]*" /proc/mounts | head -n1 | tr -d ' ')
fi
vm_dir=/ vm_kargs='' vm_below_tmp=()
# shellcheck source=/dev/null
source "$out/.env"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8

# Without udev nothing names the ports that lead to the host's stdout and stderr.
for port in /sys/class/virtio-ports/vport*; do
    [[ -s $port/name ]] || continue
    case $(<"$port/name") in
    virtme.stdout) exec >"/dev/${port##*/}" ;;
    virtme.stderr) exec 2>"/dev/${port##*/}" ;;
    esac
done

mount -t bpf -o mode=0700 bpf /sys/fs/bpf
# The tests need a file system that Tyr remembers for their files: not an overlay.
for place in "${!vm_below_tmp[@]}"; do
    mkdir -p "/run/below-tmp/$place"
    mount --rbind "${vm_below_tmp[place]}" "/run/below-tmp/$place"
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
for place in "${!vm_below_tmp[@]}"; do
    mkdir -p "${vm_below_tmp[place]}"
    mount --move "/run/below-tmp/$place" "${vm_below_tmp[place]}"
done
chmod 0700 /root
mkdir -p /run/lock /run/netns
ip link set lo up

# An account for agents, with an empty home directory of its own.
if ! getent passwd tyr-agent >/dev/null; then
    uid=1000
    while getent passwd "$uid" >/dev/null || getent group "$uid" >/dev/null; do
        uid=$((uid + 1))
    done
    echo "tyr-agent:x:$uid:$uid:agent under test:/home/tyr-agent:/bin/bash" >>/etc/passwd
    echo "tyr-agent:x:$uid:" >>/etc/group
fi
mkdir -p /home/tyr-agent
mount -t tmpfs -o mode=0755 tmpfs /home/tyr-agent
chown tyr-agent:tyr-agent /home/tyr-agent

# Agents do not run as root; a project below /root is out of their reach.
export AGENTS_DIR=$TYR_CACHE/agents
if [[ -d $AGENTS_DIR ]] && ! setpriv --reuid=tyr-agent --clear-groups test -x "$AGENTS_DIR/npm"; then
    mkdir -p /srv/agents
    mount --bind "$AGENTS_DIR" /srv/agents
    AGENTS_DIR=/srv/agents
fi

lsm=$(</sys/kernel/security/lsm)
echo "vm: Linux $(uname -r), lsm $lsm, $(nproc) CPUs, $(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo) MiB"
if [[ ,$lsm, != *,bpf,* && $vm_kargs != *lsm=* ]]; then
    echo "vm: BPF LSM is not active on this kernel" >&2
    echo 125 >"$out/.status"
    exit 125
fi

cd "$vm_dir"
touch "$out/.started"
if [[ ! -s $out/.command || -z $(<"$out/.command") ]]; then
    exec bash -l
fi
status=0
bash "$out/.command" </dev/null || status=$?
echo "$status" >"$out/.status"
