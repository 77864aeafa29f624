"""The attacks, as the comment at the top of each file in attacks/ declares them.

    tries:     what it does, in one line
    target:    read, write or exec: what it is after, and so what counts as evidence; connect: a peer that answers
               with the secret; self: Tyr itself
    who:       both (default), user or root
    variants:  the attack is run once for each; it finds the name in its second argument
    refusal:   the errors that are a refusal; EPERM by default
    action:    the actions that the audit may show for it, if not only that of the target
    event:     the objects, relative to the attack's directory or absolute, of which the audit must name one; `*` stands
               for anything, PORT for the port of the peer, VARIANT for the variant
    setup:     a shell command of root in the attack's directory, before any policy; $ATTACK and $VARIANT are set
    before:    a shell command, run by what then becomes the agent; the attack gets a session of its own
    outside:   yes: the attack is also run outside any agent, with `outside` in front of its variant; it has made
               free/ready when the agent may start
    build:     static: it is compiled to a program that needs no loader
    allowed:   no: Tyr refuses it whatever the policies say; `no VARIANT…`: it refuses these variants
    now:       open: it is known to get through, and the test fails when it no longer does
"""

import dataclasses
import pathlib
import re

ATTACKS = pathlib.Path(__file__).resolve().parent / "attacks"
EVENTS = {
    "read": ("file_read", "guarded/secret"),
    "write": ("file_write", "locked/file"),
    "exec": ("exec", "programs/denied"),
    "connect": ("net_connect", "127.66.0.1:PORT/*"),
    "self": ("", "*"),
}
KEYS = {
    "tries", "target", "who", "variants", "refusal", "event", "action", "setup", "before", "outside", "allowed", "now", "build",
}
WHO = {"both": ("user", "root"), "user": ("user",), "root": ("root",)}


class Malformed(Exception):
    """A declaration that cannot be understood."""


@dataclasses.dataclass(frozen=True)
class Attack:
    """One attack, or one variant of it."""

    id: str
    variant: str
    source: pathlib.Path
    tries: str
    target: str
    who: tuple
    refusal: tuple
    actions: tuple
    events: tuple
    setup: str
    before: str
    outside: bool
    allowed: bool
    open: bool

    @property
    def name(self):
        return f"{self.id}/{self.variant}" if self.variant else self.id

    @property
    def folder(self):
        return self.name.replace("/", ".")

    @property
    def program(self):
        """The file name under which it is executed."""
        return self.id if self.source.suffix == ".c" else self.source.name


def declarations(source):
    """The `key: value` lines of a file's first comment; a line without a key goes on with the one before."""
    found, last = {}, None
    for line in source.read_text().splitlines():
        if not re.match(r"//|#", line):
            break
        text = re.sub(r"^(//|#!.*|#)", "", line).strip()
        match = re.match(r"([a-z]+): +(\S.*)$", text)
        if match:
            last = match[1]
            if last not in KEYS or last in found:
                raise Malformed(f"{source.name}: '{last}' is not a key or is there twice; keys are {sorted(KEYS)}")
            found[last] = match[2]
        elif text and last:
            found[last] += " " + text
        elif not text:
            last = None
    return found


def is_allowed(said, variant):
    no, *variants = said.split() or [""]
    return no != "no" or bool(variants) and variant not in variants


def read(source):
    """The attacks of one file."""
    said = declarations(source)
    if "tries" not in said or said.get("target") not in EVENTS:
        raise Malformed(f"{source.name}: say 'tries' and a 'target' of {', '.join(EVENTS)} in the first comment")
    if said.get("who", "both") not in WHO:
        raise Malformed(f"{source.name}: 'who' is one of {', '.join(WHO)}")
    action, event = EVENTS[said["target"]]
    for variant in said.get("variants", "").split() or [""]:
        yield Attack(
            id=source.stem,
            variant=variant,
            source=source,
            tries=said["tries"],
            target=said["target"],
            who=WHO[said.get("who", "both")],
            refusal=tuple(said.get("refusal", "EPERM").split()),
            actions=tuple(said.get("action", action).split()),
            events=tuple(said.get("event", event).replace("VARIANT", variant).split()),
            setup=said.get("setup", ""),
            before=said.get("before", ""),
            outside=said.get("outside") == "yes",
            allowed=is_allowed(said.get("allowed", ""), variant),
            open=said.get("now") == "open",
        )


def catalogue(wanted=()):
    """All attacks, by name; with `wanted`, those whose name begins with one of the words."""
    sources = sorted(path for path in ATTACKS.iterdir() if path.suffix in (".c", ".py", ".sh"))
    attacks = [attack for source in sources for attack in read(source)]
    if wanted:
        attacks = [attack for attack in attacks if any(attack.name.startswith(word) for word in wanted)]
    return attacks
