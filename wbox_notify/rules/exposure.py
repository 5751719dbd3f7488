"""Exposure: who else can write what the daemon follows and believes."""

import os
from collections.abc import Iterator
from pathlib import Path

from wbox_notify.config import private
from wbox_notify.config.settings import FILE, Settings
from wbox_notify.config.yaml.problems import Problem, Severity


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
