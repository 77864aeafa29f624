"""An agent that never rests: opens a forbidden file and a numbered one, over and over.

A LangGraph-like program: an interpreter that opens a framework's file becomes an agent. Each numbered file is opened
once, so that every operation is told from every other; the forbidden ones are counted.
"""

import json
import os
import pathlib
import subprocess

from session import USER, home
from stack import in_scope, wait_until

PROGRAM = """
import json, os, sys, time
sys.path.insert(0, sys.argv[1])
import langgraph
forbidden, files, steps, pause = sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
done = dict(steps=0, denied=0, opened=0, other=0)
report = os.open(sys.argv[6], os.O_WRONLY)
stop = sys.argv[7]
def tell():
    os.pwrite(report, json.dumps(done).ljust(200).encode(), 0)
for n in range(steps):
    try:
        os.close(os.open(forbidden, os.O_RDONLY))
        done["opened"] += 1
    except PermissionError as error:
        done["denied" if error.errno == 1 else "other"] += 1
    os.close(os.open(f"{files}/file-{n}", os.O_RDONLY))
    done["steps"] += 1
    if n % 10 == 0:
        tell()
        if os.access(stop, os.F_OK):
            break
    time.sleep(pause)
tell()
"""


class Probe:
    """Starts at once; `stop` ends it and gives what it has seen."""

    def __init__(self, directory, steps, pause):
        directory = pathlib.Path(directory)
        package = directory / "lib/site-packages/langgraph"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (directory / "probe.py").write_text(PROGRAM)
        self.files = directory / "files"
        self.files.mkdir()
        for number in range(steps):
            (self.files / f"file-{number}").touch()
        self.report = directory / "report"
        self.report.write_text("{}")
        os.chmod(self.report, 0o666)
        self.end = directory / "end"
        self.process = subprocess.Popen(
            in_scope(
                "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--", "/usr/bin/python3",
                str(directory / "probe.py"), str(package.parent), str(home() / ".ssh/id_rsa"), str(self.files),
                str(steps), str(pause), str(self.report), str(self.end),
            ),
            stdin=subprocess.DEVNULL,
        )
        wait_until("the probe runs", lambda: self.seen().get("steps"))

    def seen(self):
        text = self.report.read_text().strip()
        return json.loads(text or "{}")

    def stop(self):
        self.end.touch()
        status = self.process.wait(timeout=120)
        return dict(self.seen(), status=status)
