"""What is inside the static executable besides Tyr: crates, and libraries of the machine that
builds it."""

import json
import os
import re
import subprocess

TARGET = "x86_64-unknown-linux-gnu"
# Linked in as archives: Debian's package, a name, and the licence under which Tyr uses it.
LIBRARIES = [
    ("libc6-dev", "glibc", "LGPL-2.1-or-later"),
    ("libelf-dev", "elfutils libelf", "LGPL-3.0-or-later"),
    ("zlib1g-dev", "zlib", "Zlib"),
]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def metadata(root):
    """`cargo metadata` of what the release is built from."""
    return json.loads(output(
        "cargo", "metadata", "--format-version", "1", "--locked", "--features", "static",
        "--filter-platform", TARGET, "--manifest-path", os.path.join(root, "Cargo.toml")))


def crates(found):
    """Packages that end up in the executable: the root's normal dependencies, and theirs."""
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    root = found["resolve"]["root"]
    seen, waiting = {root}, [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if normal and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    packages = [package for package in found["packages"] if package["id"] in seen - {root}]
    return sorted(packages, key=lambda package: (package["name"], package["version"]))


def libraries():
    """Name, version and licence of each linked library, the compiler's among them."""
    found = []
    for package, name, licence in LIBRARIES:
        version = output("dpkg-query", "-W", "-f", "${Version}", package)
        found.append({"name": name, "version": version, "licence": licence, "package": package})
    compiler = re.search(r"^release: (.+)$", output("rustc", "-vV"), re.M).group(1)
    found.append({"name": "Rust standard library", "version": compiler,
                  "licence": "MIT OR Apache-2.0", "package": None})
    # Startup files and the unwinder.
    gcc = output("cc", "-dumpfullversion").strip()
    package = f"libgcc-{gcc.split('.')[0]}-dev"
    version = output("dpkg-query", "-W", "-f", "${Version}", package)
    found.append({"name": "libgcc", "version": version,
                  "licence": "GPL-3.0-or-later WITH GCC-exception-3.1", "package": package})
    return found
