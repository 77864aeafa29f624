#!/usr/bin/env python3
"""Holds BYPASSES.md to what ran: on every kernel each attack of a closed way was refused, and each test of one passed.

    check.py FOLDER…        what run.sh left of each kernel: attacks.tsv and tests.tsv
    check.py --tests        the names in BYPASSES.md that are tests, not attacks
"""

import pathlib
import re
import sys

import catalogue

HERE = pathlib.Path(__file__).resolve().parent


def ways():
    """(line number, state, names) of each line of the list."""
    for number, line in enumerate((HERE / "BYPASSES.md").read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 3 and cells[1] != "state":
            yield number, cells[1], re.findall(r"`([^`]+)`", cells[2])


def attacks():
    """The attacks by the name of their file."""
    found = {}
    for attack in catalogue.catalogue():
        found.setdefault(attack.id, []).append(attack)
    return found


def of_attacks(folder):
    """(attack, user) -> (was expected, was seen, ok or FAILED). All of them must have run."""
    file = folder / "attacks.tsv"
    if not file.exists():
        return None
    head, *lines = [line.split("\t") for line in file.read_text().splitlines()]
    if head[0] != "attacks" or head[2] != "all":
        return None
    return {(name, who): (expected, denied, mark) for name, who, expected, _, denied, _, mark in lines}


def of_tests(folder):
    """The tests that passed."""
    file = folder / "tests.tsv"
    lines = [line.split("\t") for line in file.read_text().splitlines()] if file.exists() else []
    return {name for name, result in lines if result == "ok"}


def problems(kernel, seen, passed, known):
    """What BYPASSES.md says and this kernel does not bear out."""
    for line, state, names in ways():
        for name in names:
            if name not in known:
                if state == "closed" and name not in passed:
                    yield f"line {line}: the test {name} did not pass on {kernel}"
                continue
            for attack in known[name]:
                for who in attack.who:
                    expected, denied, mark = seen.get((attack.name, who), ("", "", ""))
                    if not mark:
                        yield f"line {line}: {attack.name} did not run as {who} on {kernel}"
                    elif mark != "ok":
                        yield f"line {line}: {attack.name} as {who} on {kernel}: {mark}, saw {denied}"
                    elif state == "closed" and (expected == "open" or denied == "done"):
                        yield f"line {line}: {attack.name} as {who} gets through on {kernel}"


def main():
    known = attacks()
    if sys.argv[1:] == ["--tests"]:
        print(*sorted({name for _, _, names in ways() for name in names if name not in known}))
        return
    wrong = []
    for folder in map(pathlib.Path, sys.argv[1:]):
        seen = of_attacks(folder)
        if seen is None:
            wrong.append(f"{folder.name}: the attacks did not all run")
            continue
        wrong += problems(folder.name, seen, of_tests(folder), known)
    print(*(f"BYPASSES.md: {line}" for line in wrong), sep="\n")
    lines = sum(1 for _ in ways())
    print(f"BYPASSES.md: {lines} ways on {len(sys.argv) - 1} kernels, {len(wrong)} not borne out")
    sys.exit(1 if wrong or not lines or len(sys.argv) < 2 else 0)


if __name__ == "__main__":
    main()
