"""Files of the daemon itself, which no rule reads, sends or moves."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wbox_notify.config.stores import BEFORE_UPGRADE, file_of
from wbox_notify.model.texts import Wording

ENDPOINT = "daemon.json"
"""The file in the data folder with the address of the running daemon."""

LINK_KEY = "link.key"
"""The file in the data folder with the key that signs links."""

CONSOLE_PASSWORD = "console.password"  # noqa: S105 - a name
"""The file in the data folder with what is kept of the password of the console."""

DATA, KEY, SETTINGS = Wording("its own data"), Wording("a key or a secret"), Wording("its settings")

_COMPANIONS = ("", "-wal", "-shm", "-journal", ".lock", BEFORE_UPGRADE, f"{BEFORE_UPGRADE}.part")


class Part(NamedTuple):
    """A file, or a folder with all in it, and its use by the daemon."""

    path: Path
    what: str


@dataclass(frozen=True, slots=True)
class Own:
    """The one list of the daemon's own files and folders.

    Attributes:
        parts: Those that no rule reads, sends, moves or puts files into.
        followed: Folders with rules and templates: rules may read them, and put nothing there.
    """

    parts: tuple[Part, ...] = ()
    followed: tuple[Part, ...] = ()

    def at(self, path: Path | str) -> Part | None:
        """Return the part that a path is or lies in, with links followed; None where it is not ours."""
        return _holding(self.parts, path)

    def closed_at(self, path: Path | str) -> Part | None:
        """Return the part, also of those followed, that a path is or lies in."""
        return _holding((*self.parts, *self.followed), path)

    def below(self, folder: Path) -> Iterator[tuple[Part, Path]]:
        """Yield the parts in a folder, each with its path relative to that."""
        real = os.path.realpath(folder)
        for part in self.parts:
            at = os.path.realpath(part.path)
            if _is_in(at, real):
                yield part, Path(at).relative_to(real)

    def has(self, status: os.stat_result) -> bool:
        """Return whether a file is a hard link to one of ours."""
        if status.st_nlink < 2:  # noqa: PLR2004 - it has no other name
            return False
        return any(os.path.samestat(status, own) for own in self._stats())

    def _stats(self) -> Iterator[os.stat_result]:
        for part in self.parts:
            try:
                yield part.path.stat()
            except OSError:
                continue


def _holding(parts: Iterable[Part], path: Path | str) -> Part | None:
    real = os.path.realpath(path)
    for part in parts:
        if _is_in(real, os.path.realpath(part.path)):
            return part
    return None


def _is_in(path: str, folder: str) -> bool:
    """Return whether a path is a folder or lies in it; both are without links."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def own(folder: Path, data_dir: Path, store: str, keys: Iterable[Path]) -> Own:
    """Return the files of the daemon of a project folder.

    Args:
        folder: The project folder.
        data_dir: The data folder of the daemon.
        store: The address of the store.
        keys: All files and folders that hold a key or a secret.
    """
    database = file_of(store)
    data = [data_dir, data_dir / ENDPOINT, data_dir / LINK_KEY]
    if database:
        data += [Path(f"{database}{end}") for end in _COMPANIONS]
    return Own(
        parts=(
            *(Part(path, KEY) for path in dict.fromkeys(keys)),
            *(Part(path, DATA) for path in data),
            Part(folder / "wbox-notify.yaml", SETTINGS),
        ),
        followed=(
            Part(folder / "rules", Wording("its rules")),
            Part(folder / "templates", Wording("its templates")),
        ),
    )
