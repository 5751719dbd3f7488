"""Exposure: files of this machine that rules reach, and other users who can write what the daemon follows."""

import os
from collections.abc import Iterator
from pathlib import Path

from wbox_notify.config import private
from wbox_notify.config.own import KEY, Own, Part
from wbox_notify.config.settings import FILE, Settings
from wbox_notify.config.stores import file_of
from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem, Severity
from wbox_notify.model.texts import Wording
from wbox_notify.rules.rule import Draft
from wbox_notify.rules.triggers import TARGETS, FileTrigger, literal_path
from wbox_notify.templates import Template


def exposures(settings: Settings, *, running: bool) -> Iterator[Problem]:
    """Yield one problem for the data folder, the project and the store, where others can write to them.

    It is an error where root runs the daemon, which would do for others whatever they write. What another
    user owns is one only when it starts: a person may look as root at the project of somebody else's daemon.
    """
    is_root = os.geteuid() == 0
    tops = {settings.data_dir: [settings.data_dir], settings.folder: _followed(settings)}
    store = file_of(settings.store)
    if store and not store.is_relative_to(settings.data_dir):
        tops[store] = [store]
    for top, paths in tops.items():
        writable = list(filter(None, map(private.writers, paths)))
        above = private.doorway(top)
        if writable:
            yield _exposed(top, writable[0], f"chmod -R go-w {top}", is_error=is_root)
        elif above:
            message = Wording("everybody on this machine can replace {top}", top=top)
            yield _exposed(top, message, f"chmod o-w {above}", is_error=is_root)
        elif is_root or top != settings.folder:
            yield from _foreign(top, paths, is_error=is_root and running)


def _foreign(top: Path, paths: list[Path], *, is_error: bool) -> Iterator[Problem]:
    for path in paths:
        if private.is_foreign(path):
            hint = "change its owner, or run the daemon as the user that it belongs to"
            yield _exposed(top, Wording("another user owns {path}", path=path), hint, is_error=is_error)
            return


def _exposed(top: Path, message: str, hint: str, *, is_error: bool) -> Problem:
    severity: Severity = "error" if is_error else "warning"
    return Problem(file=str(top), code="WBX362", message=message, hint=hint, severity=severity)


def _followed(settings: Settings) -> list[Path]:
    """Return all files and folders that decide what the daemon does."""
    paths = [settings.folder, settings.folder / FILE]
    for name in ("rules", "templates"):
        folder = settings.folder / name
        paths += [folder, *sorted(folder.rglob("*"))]
    return paths


def watched(trigger: FileTrigger, location: Location, own: Own) -> Iterator[Problem]:
    """Yield the problems with the folder of a trigger, and with those that it puts files into."""
    root, path = trigger.root, location.at("path")
    part = own.at(root)
    if part:
        message = Wording(
            "{root} belongs to the daemon ({what}), so nothing in it is ever reported",
            root=root,
            what=part.what,
        )
        yield path.warning("WBX334", message)
    else:
        inside = [(part, below) for part, below in own.below(root) if trigger.accepts(str(root / below))]
        yield from _reached(inside, Wording("{root}, which this rule watches", root=root), path)
    for name in TARGETS:
        target = getattr(trigger, name)
        folder = literal_path(target, root) if isinstance(target, Template) else None
        part = own.closed_at(folder) if folder else None
        if part:
            message = Wording(
                "{folder} belongs to the daemon ({what}), so no file is put there",
                folder=folder,
                what=part.what,
            )
            yield location.at(name).problem("WBX361", message, hint="name another folder")


def sent(draft: Draft, location: Location, own: Own, folder: Path) -> Iterator[Problem]:
    """Yield the problem with the file that a draft sends; ``folder`` is that of the project."""
    path = draft.file_path(folder)
    if path is None:
        return
    location = location.at("media", "file")
    part = own.at(path)
    if part:
        message = Wording(
            "{path} belongs to the daemon ({what}) and is never sent", path=path, what=part.what
        )
        yield location.problem("WBX361", message, hint="name another file")
    else:
        yield from _reached(list(own.below(path)), Wording("{path}, which `file` names", path=path), location)


def _reached(inside: list[tuple[Part, Path]], where: str, location: Location) -> Iterator[Problem]:
    """Yield the problem with parts of the daemon inside of a folder that a rule reaches."""
    keys = [str(path) for part, path in inside if part.what == KEY]
    others = dict.fromkeys(path.parts[0] for part, path in inside if part.what != KEY)
    if keys:
        hint = "put it into a folder that no rule watches or names: what lies beside it may be a copy of it"
        yield location.problem(
            "WBX360",
            Wording("a key or a secret lies in {where}: {keys}", where=where, keys=", ".join(keys)),
            hint=hint,
        )
    elif others:
        message = Wording(
            "files of the daemon in {where} are ignored: {others}", where=where, others=", ".join(others)
        )
        hint = "give this rule a folder of its own"
        yield location.warning("WBX360", message, hint)
