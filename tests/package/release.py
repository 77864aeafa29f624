#!/usr/bin/env python3
"""Checks what `make release` made.

    release.py FOLDER VERSION [AGAIN]

Checksums, the bill of materials against CycloneDX' own schema and against Cargo, licences, and that
image and manifest belong together. AGAIN is a second release of the same tree: every byte is the
same.
"""

import filecmp
import hashlib
import io
import json
import os
import sys
import tarfile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "packaging", "release"))

import parts  # noqa: E402

results = []


def check(what, problem):
    """`problem` is empty when all is well."""
    results.append(not problem)
    print(f"  {'FAILED' if problem else 'ok    '}  {what}" + (f"\n          {str(problem)[:1000]}" if problem else ""))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def check_sums(folder):
    listed = {}
    for line in read(os.path.join(folder, "SHA256SUMS")).decode().splitlines():
        digest, name = line.split("  ", 1)
        listed[name] = digest
    found = {
        name: hashlib.sha256(read(os.path.join(folder, name))).hexdigest()
        for name in os.listdir(folder) if name != "SHA256SUMS"
    }
    check("every file has its checksum", "" if listed == found else f"{listed} are not {found}")


def check_contents(folder, version):
    names = os.listdir(folder)
    kinds = {".deb": 3, ".rpm": 3, "-x86_64-linux": 1, "-image.tar": 1, "-sbom.cdx.json": 1,
             "-licences.txt": 1, "-kubernetes.yaml": 1}
    counted = {end: sum(name.endswith(end) for name in names) for end in kinds}
    check("everything is there", "" if counted == kinds else counted)
    strange = [name for name in names if version not in name and name != "SHA256SUMS"]
    check("every file names its version", strange)


def check_bill(folder, version):
    text = read(os.path.join(folder, f"tyr-{version}-sbom.cdx.json")).decode()
    check("the bill of materials is CycloneDX 1.5", JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))
    bill = json.loads(text)
    product = bill["metadata"]["component"]
    check("it is about this version", "" if product["version"] == version else product)
    listed = {(found["name"], found["version"]) for found in bill["components"]}
    wanted = {(crate["name"], crate["version"]) for crate in parts.crates(parts.metadata(ROOT))}
    wanted |= {(library["name"], library["version"]) for library in parts.libraries()}
    check("it lists everything that is linked in", "" if wanted <= listed and len(wanted) > 100 else wanted - listed)
    references = {found["bom-ref"] for found in bill["components"]} | {product["bom-ref"]}
    unknown = {
        reference for entry in bill["dependencies"]
        for reference in [entry["ref"], *entry.get("dependsOn", [])] if reference not in references
    }
    check("nothing depends on what is not listed", unknown)
    check("it names no folder of this machine", "/root" if ROOT in text or "file://" in text else "")
    licences = read(os.path.join(folder, f"tyr-{version}-licences.txt")).decode()
    without = [f"{name} {number}" for name, number in sorted(wanted) if licences.count(f"{name} {number}") < 1]
    check("each part has its licence", without)
    texts = ("Apache License", "Permission is hereby granted", "GNU LESSER GENERAL PUBLIC LICENSE")
    check("with the texts", [text for text in texts if text not in licences])


def check_image(folder, version):
    path = os.path.join(folder, f"tyr-{version}-image.tar")
    with tarfile.open(path) as image:
        manifest = json.load(image.extractfile("manifest.json"))[0]
        (layer,) = manifest["Layers"]
        packed = image.extractfile(layer).read()
        config = json.load(image.extractfile(manifest["Config"]))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tree:
        members = {member.name: member for member in tree.getmembers()}
        inside = tree.extractfile("usr/bin/tyr").read()
    outside = read(os.path.join(folder, f"tyr-{version}-x86_64-linux"))
    check("the image has the static executable", "" if inside == outside else "another one")
    links = {name: members[name].linkname for name in ("usr/bin/tyr-server", "usr/bin/tyrd")}
    check("and its two other names", "" if set(links.values()) == {"tyr"} else links)
    own = [member.name for member in members.values() if member.uid not in (0, 65532) or member.mode & 0o6000]
    check("its files are root's or the server's", own)
    check("it does not run as root by itself", "" if config["config"]["User"] == "65532:65532" else config["config"])
    manifest_text = read(os.path.join(folder, f"tyr-{version}-kubernetes.yaml")).decode()
    (tag,) = manifest["RepoTags"]
    named = [line.split("image: ")[1] for line in manifest_text.splitlines() if "image: " in line]
    check("the manifest names it", "" if named == [tag, tag] else named)


def check_same(folder, again):
    names = sorted(os.listdir(folder))
    check("a second release has the same files", "" if names == sorted(os.listdir(again)) else os.listdir(again))
    _, different, missing = filecmp.cmpfiles(folder, again, names, shallow=False)
    check("and the same bytes", different + missing)


def main():
    folder, version, *again = sys.argv[1:]
    check_sums(folder)
    check_contents(folder, version)
    check_bill(folder, version)
    check_image(folder, version)
    for other in again:
        check_same(folder, other)
    good = sum(results)
    print(f"{good} passed, {len(results) - good} failed")
    sys.exit(good != len(results))


if __name__ == "__main__":
    main()
