#!/usr/bin/env bash
# Shows the main job on this machine's kernel where it can enforce, otherwise in
# a virtual machine (KERNEL=6.1 or 6.12). Needs root.
#
# On the machine itself only processes in a control group of the demo's own are
# governed, under an account that exists as long as the demo runs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/.." && pwd -P)
export TYR=${TYR:-$root/target/debug/tyr}
[[ -x $TYR ]] || { echo "demo: $TYR is missing: run 'make demo', which builds it" >&2; exit 1; }
((EUID == 0)) || { echo "demo: needs root, for kernel programs and virtual machines" >&2; exit 1; }

if ! "$TYR" doctor >/dev/null 2>&1; then
    if [[ -n ${VM_KERNEL:-} ]]; then
        "$TYR" doctor || true
        echo "demo: this virtual machine cannot enforce" >&2
        exit 1
    fi
    echo "This machine's kernel ($(uname -r)) cannot enforce; 'tyr doctor' says why. Using a virtual machine."
    exec "$here/vm/run.sh" "TYR=$(printf %q "$TYR") $(printf %q "$here/demo.sh")"
fi

if ! getent passwd tyr-agent >/dev/null; then
    useradd --create-home --home-dir /home/tyr-agent --shell /bin/bash tyr-agent
    trap 'userdel --remove tyr-agent' EXIT
fi
python3 "$here/e2e/demo.py"
