"""The last good project: a copy of its files in the data folder, for a start while one of them is broken."""

import logging
import shutil
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from wbox_notify.config import private
from wbox_notify.config.settings import FILE, Settings
from wbox_notify.config.yaml.problems import errors
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

log = logging.getLogger(__name__)

_ARCHIVE = "last-good.zip"
_LARGEST = 1 << 20
"""Bytes; no rule file or template is larger."""


def keep(settings: Settings) -> None:
    """Copy the files of a project without errors, in place of the copy before. Raises OSError, ValueError."""
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED, strict_timestamps=False) as archive:
        for name in _names(settings):
            archive.write(settings.folder / name, name)
    private.write(settings.data_dir / _ARCHIVE, content.getvalue())


def _names(settings: Settings) -> Iterator[str]:
    """Yield the settings, rules and templates by their paths in the project folder, without private files."""
    if (settings.folder / FILE).is_file():
        yield FILE
    for part in ("rules", "templates"):
        for path in sorted((settings.folder / part).rglob("*")):
            is_ours = settings.own.at(path) is None
            if is_ours and path.is_file() and path.stat().st_size <= _LARGEST:
                yield path.relative_to(settings.folder).as_posix()


def restore(settings: Settings, environ: Mapping[str, str], folder: Path) -> Project | None:
    """Return the project as it was when it had no errors last; None where that cannot be used.

    Its files are put into ``folder``, which must stay while the project is used.
    """
    try:
        if folder.exists():
            shutil.rmtree(folder)
        with ZipFile(settings.data_dir / _ARCHIVE) as archive:
            archive.extractall(folder)
    except FileNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 - the library raises whatever a damaged archive leads to
        log.warning("the last good rules cannot be used: %s", error)
        return None
    project = load(settings.folder, environ, copy=folder)
    if errors(project.problems) or not project.rules:
        return None
    return project
