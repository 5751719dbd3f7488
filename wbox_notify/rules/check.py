"""Check: what a look at the disk adds to the problems of a project."""

import ipaddress
import os
import stat
from collections.abc import Iterator
from urllib.parse import urlsplit

from wbox_notify.documents.problems import Problem, in_order
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Rule
from wbox_notify.templates import Template

_INSIDE = (
    ".localhost",
    ".local",
    ".internal",
    ".intranet",
    ".lan",
    ".home",
    ".home.arpa",
    ".test",
    ".invalid",
)


def check(project: Project) -> list[Problem]:
    """Return the problems of a project, in order, with warnings of what would keep its rules from working."""
    found = [*project.problems]
    for rule in project.rules:
        found += _folder(rule)
        found += _media(rule)
    return list(in_order(found))


def summary(rule: Rule) -> str:
    """Return a rule in one line, such as ``file /srv/invoices *.pdf -> text to 1 number``."""
    numbers = sum(not isinstance(to, Template) for to in rule.to)
    who = [f"{numbers} number{'s' if numbers > 1 else ''}"] if numbers else []
    who += [to.source.strip() for to in rule.to if isinstance(to, Template)]
    kinds = ", ".join(draft.kind for draft in rule.send)
    return f"file {rule.trigger.root} {', '.join(rule.trigger.match)} -> {kinds} to {', '.join(who)}"


def _folder(rule: Rule) -> Iterator[Problem]:
    root, spot = rule.trigger.root, rule.spot.at("trigger", "file", "path")
    try:
        mode = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        message = f"the folder {root} does not exist yet"
        yield spot.problem("WBX310", message, hint=f"mkdir -p {root}", severity="warning")
        return
    except OSError as error:
        message = f"the folder {root} can not be looked at: {error.strerror}"
        yield spot.problem("WBX312", message, severity="warning")
        return
    if not stat.S_ISDIR(mode):
        hint = "name the folder, and the file under `match`"
        yield spot.problem("WBX312", f"{root} is not a folder", hint=hint, severity="warning")
    elif not os.access(root, os.R_OK | os.X_OK):
        hint = "give the user that runs this the right to read it"
        yield spot.problem("WBX312", f"the folder {root} can not be read", hint=hint, severity="warning")
    elif mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        message = f"everybody on this machine can write to {root} and replace what others dropped"
        yield spot.problem(
            "WBX315", message, hint=f"chmod o-w {root}, or chmod +t {root}", severity="warning"
        )


def _media(rule: Rule) -> Iterator[Problem]:
    for index, draft in enumerate(rule.send):
        spot = rule.spot.at("send", index, "media", "url")
        if draft.kind == "media" and "{" not in spot.value and _is_inside(spot.value):
            message = "nobody outside of your network can fetch this"
            hint = "wbox fetches media from a public address"
            yield spot.problem("WBX313", message, hint=hint, severity="warning")


def _is_inside(url: str) -> bool:
    """Return whether an address is of this machine or of a private network."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)
