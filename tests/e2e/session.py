"""One session of a real agent: its home with fake secrets, its script, what it reported."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess

from stack import ROOT, Failed, in_scope, say

USER = "tyr-agent"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nnot a real key, tests only\n-----END OPENSSH PRIVATE KEY-----\n"
CREDENTIALS = "[default]\naws_access_key_id = not-a-real-key\naws_secret_access_key = tests-only\n"


def home():
    return pathlib.Path(pwd.getpwnam(USER).pw_dir)


def prepare_home():
    """Fake secrets where real ones would be."""
    for name, text in ((".ssh/id_rsa", KEY), (".aws/credentials", CREDENTIALS), (".bashrc", "# empty\n")):
        path = home() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for made in (path.parent, path):
            if made != home():
                shutil.chown(made, USER, USER)
    os.chmod(home() / ".ssh", 0o700)
    os.chmod(home() / ".ssh/id_rsa", 0o600)


class Session:
    """Runs an agent through a script; `results` is what each step gave, as the agent reported it."""

    def __init__(self, agent, steps, directory):
        self.agent = agent
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.script = self.directory / f"{agent}.script.json"
        self.transcript = self.directory / f"{agent}.transcript.jsonl"
        self.script.write_text(json.dumps(steps))
        self.transcript.unlink(missing_ok=True)
        self.steps = steps

    def run(self):
        say(f"  {self.agent} runs {len(self.steps)} scripted steps as {USER} ...")
        log = self.directory / f"{self.agent}.log"
        with open(log, "wb") as out:
            done = subprocess.run(
                in_scope(str(ROOT / "tests/agents/run.sh"), self.agent, str(self.script), str(self.transcript)),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
                env=dict(os.environ, AGENT_HOME=str(home()), AGENT_USER=USER),
            )
        lines = self.transcript.read_text().splitlines() if self.transcript.exists() else []
        self.results = [json.loads(line) for line in lines]
        if len(self.results) < len(self.steps):
            raise Failed(
                f"{self.agent} ended with status {done.returncode} after {len(self.results)} of "
                f"{len(self.steps)} steps:\n{log.read_text(errors='replace')[-3000:]}"
            )
        return self

    def text(self, step):
        return str(self.results[step]["result"])

    def refused(self, step):
        """Whether the agent itself reported EPERM for this step."""
        text = self.text(step).lower()
        return "operation not permitted" in text or "eperm" in text
