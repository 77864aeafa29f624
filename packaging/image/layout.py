#!/usr/bin/env python3
"""Writes a container image from an installed tree, without a registry and without an engine.

    layout.py TREE IMAGE.tar --version 1.2.0 --epoch 1700000000

The archive is an OCI image layout, and has besides the manifest that `docker load` reads. The
same tree, version and epoch give the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import stat
import sys
import tarfile
import time

NAME = "tyr"
# The server's user: a number that no distribution gives to anybody, and not root.
USER = 65532
PASSWD = f"""root:x:0:0:root:/:/usr/sbin/nologin
tyr:x:{USER}:{USER}:Tyr server:/var/lib/tyr/server:/usr/sbin/nologin
"""
GROUP = f"root:x:0:\ntyr:x:{USER}:\n"
# Folders that a running Tyr needs: mode and owner.
FOLDERS = {
    "etc": (0o755, 0),
    "etc/tyr": (0o755, 0),
    "run": (0o755, 0),
    "tmp": (0o1777, 0),
    "var": (0o755, 0),
    "var/lib": (0o755, 0),
    "var/lib/tyr": (0o711, 0),
    "var/lib/tyr/server": (0o700, USER),
}
# There is no systemd in the image to read them.
LEFT_OUT = ("usr/lib/systemd", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d")
PORTS = ("7700/tcp", "7701/tcp")

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def fail(message):
    sys.exit(f"image: {message}")


def entry(name, mode, owner, epoch):
    """A member of an archive with nothing in it of the machine that makes it."""
    info = tarfile.TarInfo(name)
    info.mode = mode
    info.uid = info.gid = owner
    info.mtime = epoch
    return info


def members(tree, epoch):
    """Every member of the layer by name: its header and its bytes."""
    found = {}
    for name, (mode, owner) in FOLDERS.items():
        info = entry(name, mode, owner, epoch)
        info.type = tarfile.DIRTYPE
        found[name] = (info, None)
    for name, text in (("etc/passwd", PASSWD), ("etc/group", GROUP)):
        found[name] = (entry(name, 0o644, 0, epoch), text.encode())
    for folder, folders, files in os.walk(tree):
        inside = os.path.relpath(folder, tree)
        prefix = "" if inside == "." else inside + "/"
        folders[:] = sorted(name for name in folders if prefix + name not in LEFT_OUT)
        for name in sorted(folders + files):
            path, name = os.path.join(folder, name), prefix + name
            if name not in found:
                found[name] = member(path, name, epoch)
    if "usr/bin/tyr" not in found:
        fail(f"{tree} has no usr/bin/tyr: make it with tyr install --root {tree} --prefix /usr")
    # A folder that only held what is left out.
    if not any(name.startswith("usr/lib/") for name in found):
        found.pop("usr/lib", None)
    return [found[name] for name in sorted(found)]


def member(path, name, epoch):
    status = os.lstat(path)
    info = entry(name, stat.S_IMODE(status.st_mode), 0, epoch)
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
        return info, None
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        return info, None
    if not stat.S_ISREG(status.st_mode):
        fail(f"{path} is neither a file, a folder nor a link")
    if not info.mode & 0o004:
        # Settings that only their user may read: here it is the server's.
        info.gid = USER
    with open(path, "rb") as file:
        return info, file.read()


def archive(entries):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in entries:
            if data is None:
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encoded(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def described(kind, data):
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


def configuration(layer, version, created):
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": {
            "User": f"{USER}:{USER}",
            "ExposedPorts": {port: {} for port in PORTS},
            # The daemon governs the host that the container runs on, not the container.
            "Env": ["PATH=/usr/bin", "HOME=/var/lib/tyr/server", "TYR_CONTAINER=1"],
            "Entrypoint": ["/usr/bin/tyr"],
            "WorkingDir": "/",
            "StopSignal": "SIGTERM",
            "Labels": {
                "org.opencontainers.image.title": "Tyr",
                "org.opencontainers.image.description": "Governs AI agents on Linux hosts in the kernel",
                "org.opencontainers.image.licenses": "Apache-2.0",
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.created": created,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        "history": [{"created": created, "created_by": "tyr install"}],
    }


def image(tree, version, epoch):
    """The archive's bytes."""
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    layer = archive(members(tree, epoch))
    packed = gzip.compress(layer, compresslevel=9, mtime=0)
    config = encoded(configuration(layer, version, created))
    manifest = encoded({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, config),
        "layers": [described(LAYER, packed)],
    })
    # A tag has no plus sign.
    tag = version.replace("+", "-")
    index = encoded({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            **described(MANIFEST, manifest),
            "platform": {"architecture": "amd64", "os": "linux"},
            "annotations": {
                "io.containerd.image.name": f"localhost/{NAME}:{tag}",
                "org.opencontainers.image.ref.name": f"localhost/{NAME}:{tag}",
            },
        }],
    })
    blob = lambda data: "blobs/sha256/" + hashlib.sha256(data).hexdigest()
    for_docker = encoded([{
        "Config": blob(config),
        "RepoTags": [f"localhost/{NAME}:{tag}"],
        "Layers": [blob(packed)],
    }])
    files = {"oci-layout": encoded({"imageLayoutVersion": "1.0.0"}), "index.json": index, "manifest.json": for_docker}
    files.update({blob(data): data for data in (packed, config, manifest)})
    entries = []
    for name in ("blobs", "blobs/sha256"):
        info = entry(name, 0o755, 0, epoch)
        info.type = tarfile.DIRTYPE
        entries.append((info, None))
    entries += [(entry(name, 0o644, 0, epoch), files[name]) for name in sorted(files)]
    return archive(entries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree")
    parser.add_argument("image")
    parser.add_argument("--version", required=True)
    parser.add_argument("--epoch", type=int, required=True)
    given = parser.parse_args()
    data = image(given.tree, given.version, given.epoch)
    with open(given.image + ".new", "wb") as file:
        file.write(data)
    os.replace(given.image + ".new", given.image)
    print(f"{given.image}: {len(data)} bytes, {digest(data)}")


if __name__ == "__main__":
    main()
