#!/usr/bin/env python3
"""Writes the licences of everything that is in a release, each text once.

    licences.py FILE

Texts are those that each crate and each of Debian's packages comes with, unchanged. A part without
one is an error: nothing is shipped whose terms are not.
"""

import os
import sys

import parts

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BEGINNINGS = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
# Crates whose package leaves the text out, and where the same text is.
APACHE = os.path.join(ROOT, "LICENSE")
ELSEWHERE = {
    "asn1-rs-impl": ("crate", "asn1-rs"),
    "cedar-policy": ("file", APACHE),
    "cedar-policy-core": ("file", APACHE),
    "cedar-policy-formatter": ("file", APACHE),
    "tonic-prost": ("crate", "tonic"),
}


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip() for line in file]
    return "\n".join(lines).strip("\n") + "\n"


def files_of(folder):
    """Licence files of a package, also those of sources of others that it includes."""
    found = []
    for inside, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in ("tests", "testdata", "target"))
        for name in sorted(names):
            if name.upper().startswith(BEGINNINGS) and not name.endswith((".rs", ".py")):
                found.append(os.path.join(inside, name))
    return found


def texts_of(crate, crates):
    found = files_of(os.path.dirname(crate["manifest_path"]))
    if not found and crate["name"] in ELSEWHERE:
        kind, place = ELSEWHERE[crate["name"]]
        if kind == "file":
            found = [place]
        else:
            other = next(other for other in crates if other["name"] == place)
            if other["repository"].removesuffix(".git") != crate["repository"].removesuffix(".git"):
                sys.exit(f"licences: {crate['name']} and {place} are of different projects")
            found = files_of(os.path.dirname(other["manifest_path"]))
    return [read(path) for path in found]


def main():
    (path,) = sys.argv[1:]
    # Text → the parts that it is for, in the order in which texts are first met.
    texts, listed = {}, []
    crates = parts.crates(parts.metadata(ROOT))
    for crate in crates:
        name = f"{crate['name']} {crate['version']}"
        listed.append(f"{name}: {crate['license'] or 'see its text'}")
        found = texts_of(crate, crates)
        if not found:
            sys.exit(f"licences: {name} comes without a licence's text: say in {__file__} where it is")
        for text in found:
            texts.setdefault(text, []).append(name)
    for library in parts.libraries():
        name = f"{library['name']} {library['version']}"
        listed.append(f"{name}: {library['licence']}")
        if library["package"]:
            texts.setdefault(read(f"/usr/share/doc/{library['package']}/copyright"), []).append(name)
    # Of the licences that Debian's files only refer to, and of Rust's library.
    for name in ("LGPL-2.1", "LGPL-3", "GPL-3"):
        texts.setdefault(read(f"/usr/share/common-licenses/{name}"), []).append(f"the parts under {name}")
    write(path, listed, texts)


def write(path, listed, texts):
    line = "=" * 78
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            "Tyr is under the Apache License 2.0; its kernel programs are under GPL-2.0-only OR\n"
            "BSD-2-Clause. The executable contains the following. Its own sources, with which it can\n"
            "be linked anew against other versions of the libraries, are published with it.\n\n")
        file.write("".join(f"  {part}\n" for part in listed))
        for text, names in texts.items():
            file.write(f"\n{line}\n{', '.join(dict.fromkeys(names))}\n{line}\n\n{text}")


if __name__ == "__main__":
    main()
