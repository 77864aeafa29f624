#!/usr/bin/env bash
# Boots Debian's kernel in a virtual machine on this machine's file system and
# runs one command in it as root, in the project's root.
#
#   tests/vm/run.sh [COMMAND]          without COMMAND: an interactive shell
#
#   KERNEL      6.1 (default) or 6.12
#   CPUS, MEM   2, 3G; on a busy machine CPUS=1 is faster
#   KARGS       appended to the kernel's command line, e.g. 'preempt=full'
#   ICOUNT      1: one CPU whose clocks count instructions, a nanosecond each; slower
#   VM_TIMEOUT  seconds that COMMAND may take (1800)
#   BOOT_TIMEOUT  seconds from the start to COMMAND (180)
#   VM_DIR      directory that COMMAND runs in (the project's root)
#   VM_RW       more directories, by spaces, that the guest may write to; what
#               it writes is lost when it stops
#   TYR_CACHE   where tests/setup.sh put the kernels (.cache)
#
# The machine's files are read-only in the guest. /etc, /home, /opt, /root,
# /srv and /var can be written, /tmp and /run are empty tmpfs (but for a project
# that lies below /tmp), all of it forgotten at the end. target/vm/KERNEL/ is
# the host's own directory: logs that must be kept go there; COMMAND finds it in
# $VM_OUT.
#
# Exits with COMMAND's status; 124 when it took too long; 125 when the machine
# did not start or stopped before COMMAND ended.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
cache=$(realpath -m "${TYR_CACHE:-$root/.cache}")
kernel=${KERNEL:-6.1}
command=${1-}
out=$root/target/vm/$kernel

fail() {
    printf 'vm: %s\n' "$1" >&2
    exit 125
}

case $kernel in
6.1 | 6.12) ;;
*) fail "KERNEL=$kernel: choose 6.1 or 6.12" ;;
esac
[[ $(uname -m) == x86_64 ]] || fail "only x86_64 machines can boot these kernels"
image=$(compgen -G "$cache/kernels/$kernel/boot/vmlinuz-*" | head -n1) ||
    fail "no kernel in $cache/kernels/$kernel: run 'make setup'"
python=$cache/vng/bin/python3
[[ -x $python ]] || fail "no virtme-ng in $cache/vng: run 'make setup'"
command -v qemu-system-x86_64 >/dev/null || fail "no qemu-system-x86_64: run 'make setup'"

mkdir -p "$out"
exec {lock}>"$out/.lock"
flock --nonblock "$lock" || fail "Linux $kernel already runs from this directory: wait for it to end"
rm -f "$out"/.status "$out"/.started
printf '%s\n' "$command" >"$out/.command"
cat >"$out/.env" <<ENV
export VM_OUT=$(printf %q "$out") VM_KERNEL=$kernel TYR_CACHE=$(printf %q "$cache")
vm_root=$(printf %q "$root") vm_dir=$(printf %q "${VM_DIR:-$root}")
vm_kargs=$(printf %q "${KARGS:-}")
ENV

# Mitigations, self-tests, watchdogs and zeroed memory cost much under emulation
# and change nothing about what the tests look at. The kernel's addresses are the same at each
# boot, so that one that where.py prints can be looked up in /proc/kallsyms of another.
kargs=(mitigations=off init_on_alloc=0 cryptomgr.notests nowatchdog rcupdate.rcu_cpu_stall_suppress=1
    random.trust_cpu=on tsc=reliable no_timer_check i8042.noaux nokaslr)
read -ra more_kargs <<<"${KARGS:-}"
kargs+=("${more_kargs[@]}")

overlays=(/etc /home /opt /root /srv /var)
# A project below /tmp must be seen until the guest has its own /tmp.
below_tmp=()
for directory in "$root" "$cache" "${VM_DIR:-}" "${CARGO_TARGET_DIR:-}"; do
    [[ $directory/ == /tmp/*/ && -d $directory ]] && below_tmp+=("$directory")
done
if ((${#below_tmp[@]})); then
    overlays+=(/tmp)
    echo "vm_below_tmp=(${below_tmp[*]@Q})" >>"$out/.env"
fi
read -ra more_overlays <<<"${VM_RW:-}"
overlays+=("${more_overlays[@]}")

accelerator=tcg,thread=multi,tb-size=1024
cpus=${CPUS:-2}
clock=()
if [[ ${ICOUNT:-0} == 1 ]]; then
    # Only one thread of QEMU can count. Idle time passes at once.
    accelerator=tcg,thread=single,tb-size=1024
    cpus=1
    clock=(--qemu-opt=-icount --qemu-opt='shift=0,sleep=off')
fi
vm=("$python" "$here/boot.py" --kimg "$image" --mods=auto --disable-kvm --force-9p
    --name "tyr-vm" --cpus "$cpus" --memory "${MEM:-3G}" --cwd "$root"
    "--rwdir=$out")
# Where one thread runs all, nothing changes what it translates, and QEMU 10 does not get through
# a boot that is counted.
if [[ ${ICOUNT:-0} != 1 && -x $cache/qemu/usr/bin/qemu-system-x86_64 ]]; then
    # Its modules are not unpacked: sound alone would look for them.
    vm+=(--qemu-bin "$cache/qemu/usr/bin/qemu-system-x86_64" --qemu-opt=-audio --qemu-opt=none
        --qemu-opt=-L "--qemu-opt=$cache/qemu/usr/share/qemu" --qemu-opt=-L --qemu-opt=/usr/share/seabios)
fi
for directory in "${overlays[@]}"; do
    [[ -d $directory ]] && vm+=("--overlay-rwdir=$directory")
done
for karg in "${kargs[@]}"; do
    vm+=(--kopt "$karg")
done
vm+=(--qemu-opt=-accel --qemu-opt="$accelerator"
    --qemu-opt=-cpu --qemu-opt='max,la57=off,pku=off,smap=off,smep=off,umip=off' "${clock[@]}")

guest="$(printf %q "$here/guest.sh") $(printf %q "$out")"
if [[ -z $command ]]; then
    exec "${vm[@]}" --shell "$here/guest.sh"
fi

# Where its processors are can be asked when it stands still. A socket's path is short, hence not
# in the results directory.
talk=$(mktemp -d "${TMPDIR:-/tmp}/tyr-vm.XXXXXX")
vm+=("--qemu-opt=-monitor" "--qemu-opt=unix:$talk/monitor,server=on,wait=off")

# QEMU opens its outputs anew and would empty a file: give it pipes.
log=$out/console.log
exec {stdout}> >(cat)
stdout_reader=$!
exec {stderr}> >(tee "$log" >&2)
stderr_reader=$!
set -m
"${vm[@]}" --script-sh "bash $guest" </dev/null 1>&"$stdout" 2>&"$stderr" &
pid=$!
set +m
exec {stdout}>&- {stderr}>&-
# shellcheck disable=SC2317
stop() {
    kill -TERM -- "-$pid" 2>/dev/null || true
    rm -rf "$talk"
    wait "$stdout_reader" "$stderr_reader" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM

# Waits until the VM ends or the file appears; false when the time is up.
wait_for() {
    local file=$1 seconds=$2 end
    end=$((SECONDS + seconds))
    while kill -0 "$pid" 2>/dev/null; do
        [[ -e $file ]] && return 0
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
    return 0
}

wait_for "$out/.started" "${BOOT_TIMEOUT:-180}" ||
    fail "Linux $kernel did not reach the command in ${BOOT_TIMEOUT:-180} s (set BOOT_TIMEOUT); see $log"
if ! wait_for "$out/.status" "${VM_TIMEOUT:-1800}"; then
    printf 'vm: the command took more than %s s on Linux %s (set VM_TIMEOUT); %s\n' \
        "${VM_TIMEOUT:-1800}" "$kernel" "$("$python" "$here/where.py" "$talk/monitor" 2>&1)" >&2
    exit 124
fi
wait "$pid" || true
if [[ ! -e $out/.started && ! -s $out/.status && -z ${VM_AGAIN:-} ]]; then
    # QEMU and the guest's first steps fail now and then on a machine that is short of time.
    printf 'vm: Linux %s stopped before it reached the command, and is booted once more; it said:\n' "$kernel" >&2
    tail -n 5 "$log" >&2
    exec {lock}>&-
    VM_AGAIN=1 exec "$here/run.sh" "$@"
fi
[[ -s $out/.status ]] || fail "Linux $kernel stopped before the command ended; see $log"
exit "$(cat "$out/.status")"
