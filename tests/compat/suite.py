"""Runs a module of Python's own tests and prints one line for each test: its name and how it ended.

    suite.py MODULE
"""

import sys
import unittest


class Lines(unittest.TestResult):
    """The last word on each test."""

    def __init__(self):
        super().__init__()
        self.ends = {}

    def stopTest(self, test):
        super().stopTest(test)
        self.ends.setdefault(test.id(), "ok")

    def addError(self, test, err):
        self.ends[getattr(test, "id", lambda: str(test))()] = f"error: {err[0].__name__}: {getattr(err[1], 'errno', '')}"

    def addFailure(self, test, err):
        self.ends[test.id()] = "failed"

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.ends[test.id()] = f"failed: {subtest}"

    def addSkip(self, test, reason):
        self.ends[test.id()] = "not for this machine"


def main():
    module = f"test.{sys.argv[1]}"
    result = Lines()
    unittest.defaultTestLoader.loadTestsFromName(module).run(result)
    for name, end in sorted(result.ends.items()):
        print(f"::{name}: {end}")


if __name__ == "__main__":
    main()
