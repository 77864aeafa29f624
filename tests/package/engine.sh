# shellcheck shell=bash
# A container engine with everything of its own in one folder: podman and runc, which also work
# where control groups are mounted in the old way. Source it.

# engine_in FOLDER
engine_in() {
    engine_folder=$1
    mkdir -p "$engine_folder"/{storage,run,tmp}
    # Its own defaults would ask for more than some machines let root have.
    cat >"$engine_folder/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:$(ulimit -Hn)", "nproc=10000:10000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "$engine_folder/tmp"
[network]
network_config_dir = "$engine_folder/networks"
CONF
}

engine() {
    CONTAINERS_CONF=$engine_folder/containers.conf TMPDIR=$engine_folder/tmp \
        podman --root "$engine_folder/storage" --runroot "$engine_folder/run" --storage-driver vfs "$@"
}

# engine_run ARGUMENT…: in the network of this machine, as it is.
engine_run() {
    engine run --network host --log-driver k8s-file "$@"
}

# Ends every container of this engine and removes what it kept.
engine_clear() {
    engine rm --all --force --time 5 >/dev/null 2>&1 || true
    engine rmi --all --force >/dev/null 2>&1 || true
}
