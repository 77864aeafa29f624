#!/usr/bin/env python3
"""Writes the bill of materials of a release, CycloneDX 1.5 as JSON.

    sbom.py FILE VERSION

cargo-cyclonedx lists the crates. What it cannot know is added: libraries that are linked in, and
the version of the release. The folder that it ran in is taken out. SOURCE_DATE_EPOCH is its time.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import parts

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


def of_crates(version):
    """It writes beside the manifest, so it is given a copy of what it reads."""
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "source")
        os.mkdir(tree)
        for name in ("Cargo.toml", "Cargo.lock", "build.rs"):
            shutil.copy(os.path.join(ROOT, name), tree)
        for name in ("src", "tests"):
            os.symlink(os.path.join(ROOT, name), os.path.join(tree, name))
        subprocess.run(
            ["cargo", "cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5",
             "--no-build-deps", "--features", "static", "--target", parts.TARGET,
             "--override-filename", "bom"],
            cwd=tree, check=True)
        with open(os.path.join(tree, "bom.json"), encoding="utf-8") as file:
            text = file.read()
        return re.sub(f"path\\+file://{re.escape(os.path.realpath(tree))}#tyr@[^\" ]*", f"tyr@{version}", text)


def main():
    path, version = sys.argv[1:]
    if "SOURCE_DATE_EPOCH" not in os.environ:
        sys.exit("sbom: set SOURCE_DATE_EPOCH: the bill would have the time of day")
    bill = json.loads(of_crates(version))
    product = bill["metadata"]["component"]
    product["version"] = version
    product["purl"] = f"pkg:generic/tyr@{version}"
    # Its own targets are no parts of another's making.
    product.pop("components", None)
    depends = next(found for found in bill["dependencies"] if found["ref"] == product["bom-ref"])
    for library in parts.libraries():
        kind = "deb/debian" if library["package"] else "generic"
        name = library["package"] or "rust-std"
        reference = f"pkg:{kind}/{name}@{library['version']}"
        bill["components"].append({
            "type": "library",
            "bom-ref": reference,
            "name": library["name"],
            "version": library["version"],
            "scope": "required",
            "licenses": [{"expression": library["licence"]}],
            "purl": reference,
        })
        bill["dependencies"].append({"ref": reference})
        depends.setdefault("dependsOn", []).append(reference)
    wanted = {f"{crate['name']} {crate['version']}" for crate in parts.crates(parts.metadata(ROOT))}
    listed = {f"{found['name']} {found['version']}" for found in bill["components"]}
    if missing := wanted - listed:
        sys.exit(f"sbom: not listed: {', '.join(sorted(missing))}")
    text = json.dumps(bill, indent=2) + "\n"
    if ROOT in text:
        sys.exit(f"sbom: the bill names {ROOT}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
