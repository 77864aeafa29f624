#!/usr/bin/env python3
"""Makes bundles of an image for runc, privileged and with the processes of the host.

    bundle.py IMAGE.tar FOLDER NAME=ARGUMENTS…

FOLDER/rootfs is what is in the image; FOLDER/NAME/config.json starts its entry point with the
arguments. The image's own environment, folder and entry point hold; the user is root, as for
`--user 0 --privileged --pid=host --network host`.
"""

import io
import json
import os
import shlex
import shutil
import sys
import tarfile

CAPABILITIES = """
    audit_control audit_read audit_write block_suspend bpf checkpoint_restore chown dac_override
    dac_read_search fowner fsetid ipc_lock ipc_owner kill lease linux_immutable mac_admin
    mac_override mknod net_admin net_bind_service net_broadcast net_raw perfmon setfcap setgid
    setpcap setuid sys_admin sys_boot sys_chroot sys_module sys_nice sys_pacct sys_ptrace sys_rawio
    sys_resource sys_time sys_tty_config syslog wake_alarm
""".split()
# What an engine puts into every container; mount points that the image need not have.
MOUNTS = [
    ("/proc", "proc", "proc", []),
    ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev"]),
    ("/run", "tmpfs", "tmpfs", ["nosuid", "nodev"]),
    ("/tmp", "tmpfs", "tmpfs", ["nosuid", "nodev"]),
]


def unpack(image, rootfs):
    """The image's configuration; its only layer becomes `rootfs`."""
    with tarfile.open(image) as archive:
        index = json.load(archive.extractfile("index.json"))
        blob = lambda found: archive.extractfile("blobs/" + found["digest"].replace(":", "/")).read()
        manifest = json.loads(blob(index["manifests"][0]))
        with tarfile.open(fileobj=io.BytesIO(blob(manifest["layers"][0]))) as layer:
            layer.extractall(rootfs)
        config = json.loads(blob(manifest["config"]))["config"]
    for place, *_ in MOUNTS:
        os.makedirs(rootfs + place, exist_ok=True)
    return config


def specification(config, rootfs, arguments):
    names = ["CAP_" + name.upper() for name in CAPABILITIES]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": config["Entrypoint"] + arguments,
            "env": config["Env"],
            "cwd": config["WorkingDir"],
            "capabilities": {kind: names for kind in ("bounding", "effective", "permitted")},
        },
        "root": {"path": rootfs, "readonly": True},
        "hostname": "container",
        "mounts": [
            {"destination": place, "type": kind, "source": source, "options": options}
            for place, kind, source, options in MOUNTS
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("mount", "uts", "ipc", "cgroup")],
            "resources": {"devices": [{"allow": True, "access": "rwm"}]},
        },
    }


def main():
    image, folder, *bundles = sys.argv[1:]
    folder = os.path.abspath(folder)
    shutil.rmtree(folder, ignore_errors=True)
    rootfs = os.path.join(folder, "rootfs")
    os.makedirs(rootfs)
    config = unpack(image, rootfs)
    for bundle in bundles:
        name, arguments = bundle.split("=", 1)
        os.mkdir(os.path.join(folder, name))
        with open(os.path.join(folder, name, "config.json"), "w", encoding="utf-8") as file:
            json.dump(specification(config, rootfs, shlex.split(arguments)), file, indent=1)


if __name__ == "__main__":
    main()
