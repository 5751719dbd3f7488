"""Exposure: rules that reach files of the daemon, and other users who can write what it follows."""

import os
from collections.abc import Iterator
from pathlib import Path

from wbox_notify.config import private
from wbox_notify.config.own import KEY, Own, Part
from wbox_notify.config.settings import FILE, Settings
from wbox_notify.config.values import as_path
from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem, Severity
from wbox_notify.errors import ConfigError
from wbox_notify.rules.rule import Draft, named
from wbox_notify.rules.triggers import FileTrigger, written
from wbox_notify.templates import Template


def exposures(settings: Settings, *, running: bool) -> Iterator[Problem]:
    """Yield one problem for the data folder, the project and the store, where others can write to them.

    It is an error where root runs the daemon, which would do for others whatever they write. What another
    user owns is one only when it starts: a person may look as root at the project of somebody else's daemon.
    """
    is_root = os.geteuid() == 0
    open_to_all: Severity = "error" if is_root else "warning"
    foreign: Severity = "error" if is_root and running else "warning"
    store = Path(settings.store.removeprefix("sqlite:///"))
    for top, paths in (
        (settings.data_dir, [settings.data_dir]),
        (settings.folder, _followed(settings)),
        *([] if store.is_relative_to(settings.data_dir) else [(store, [store])]),
    ):
        if found := next(filter(None, map(_open, paths)), None):
            yield _problem(top, found, f"chmod -R go-w {top}", open_to_all)
        elif above := private.doorway(top):
            message = f"everybody on this machine can put another in the place of {top}"
            yield _problem(top, message, f"chmod o-w {above}", open_to_all)
        elif (is_root or top != settings.folder) and (one := next(filter(private.is_foreign, paths), None)):
            hint = "change its owner, or run the daemon as the user that it belongs to"
            yield _problem(top, f"another user owns {one}", hint, foreign)


def _open(path: Path) -> str | None:
    who = private.writers(path)
    return who and f"{who} {path}"


def _problem(top: Path, message: str, hint: str, severity: Severity) -> Problem:
    return Problem(file=str(top), code="WBX362", message=message, hint=hint, severity=severity)


def _followed(settings: Settings) -> list[Path]:
    """Return all that says what the daemon does."""
    parts = [settings.folder / name for name in ("rules", "templates")]
    below = [path for part in parts for path in sorted(part.rglob("*"))]
    return [settings.folder, settings.folder / FILE, *parts, *below]


_ASIDE = "put it into a folder that no rule watches or names: what lies beside it may be a copy of it"
_NARROW = "give this rule a folder of its own"


def watched(trigger: FileTrigger, spot: Location, own: Own) -> Iterator[Problem]:
    """Yield the problems with the folder of a trigger, and with those that it puts files into."""
    at = spot.at("path")
    if part := own.at(trigger.root):
        message = f"{trigger.root} belongs to the daemon ({part.what}), so nothing in it is ever reported"
        yield at.problem("WBX334", message, severity="warning")
    else:
        found = [
            (part, below)
            for part, below in own.below(trigger.root)
            if trigger.accepts(str(trigger.root / below))
        ]
        yield from _told(found, f"{trigger.root}, which this rule watches", at)
    for name, target in zip(("done", "failed", "duplicate"), trigger.targets, strict=True):
        folder = _begins(target, trigger.root) if isinstance(target, Template) else None
        if folder and (part := own.closed_at(folder)):
            message = f"{folder} belongs to the daemon ({part.what}), so no file is put there"
            yield spot.at(name).problem("WBX361", message, hint="name another folder")


def sent(draft: Draft, spot: Location, own: Own, folder: Path) -> Iterator[Problem]:
    """Yield the problem with what a draft names as its file; ``folder`` is that of the project."""
    if place := named(draft, folder):
        at = spot.at("media", "file")
        if part := own.at(place):
            message = f"{place} belongs to the daemon ({part.what}) and is never sent"
            yield at.problem("WBX361", message, hint="name another file")
        else:
            yield from _told(list(own.below(place)), f"{place}, which `file` names", at)


def _told(found: list[tuple[Part, Path]], where: str, spot: Location) -> Iterator[Problem]:
    keys = [str(below) for part, below in found if part.what == KEY]
    others = list(dict.fromkeys(below.parts[0] for part, below in found if part.what != KEY))
    if keys:
        message = f"a key or a secret lies in {where}: {', '.join(keys)}"
        yield spot.problem("WBX360", message, hint=_ASIDE)
    elif others:
        message = f"what belongs to the daemon lies in {where}, and is passed over: {', '.join(others)}"
        yield spot.problem("WBX360", message, hint=_NARROW, severity="warning")


def _begins(target: Template, root: Path) -> Path | None:
    """Return the folder that a target is, or that it begins with; None where a template says it."""
    try:
        return as_path(text, root) if (text := written(target.source)) else None
    except ConfigError:
        return None
