#!/usr/bin/python3 -SE
# tries: leaves commands in files that a shell, cron, git or systemd reads later, by every way to make a file
# target: self
# allowed: no
# variants: create append rename link symlink folder
# event: *home/.bashrc *home/.config/systemd *.hook *hooks* *home/* *.git/hooks*
# action: file_write

from attack import *

FILES = [
    ".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".gitconfig", ".ssh/authorized_keys", ".ssh/rc",
    ".config/systemd/user/evil.service", ".config/autostart/evil.desktop", ".config/fish/config.fish",
    "project/.git/hooks/pre-commit", "project/.vscode/tasks.json", ".config/environment.d/evil.conf", ".tmux.conf",
    ".pam_environment", ".xprofile", ".vimrc",
]
TEXT = b"touch /tmp/evil\n"


def leave_in(path):
    """True when the file has the text now, or stands for one that has."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    other = f"free/{os.path.basename(path)}.source-{abs(hash(path))}"
    if VARIANT == "append":
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(fd, TEXT)
        os.close(fd)
        return
    if VARIANT == "create":
        with open(path, "wb") as file:
            file.write(TEXT)
        return
    with open(other, "wb") as file:
        file.write(TEXT)
    if VARIANT == "rename":
        os.rename(other, path)
    elif VARIANT == "link":
        os.link(other, path)
    else:
        os.symlink(os.path.abspath(other), path)


def folder(home):
    """A whole folder made elsewhere and put in place."""
    os.makedirs("free/made/hooks")
    with open("free/made/hooks/pre-commit", "wb") as file:
        file.write(TEXT)
    os.makedirs(f"{home}/project")
    os.rename("free/made", f"{home}/project/.git")


def body():
    home = f"{DIRECTORY}/free/home"
    os.mkdir(home)
    if VARIANT == "folder":
        folder(home)
        return
    got = []
    for name in FILES:
        try:
            leave_in(f"{home}/{name}")
            got.append(name)
        except PermissionError as error:
            if error.errno != errno.EPERM:
                raise
    # All of them outside, none of them in an agent: one that goes through is a way in.
    if got:
        print("left in", *got)
        return
    denied(errno.EPERM, "all of them")


attack(body)
