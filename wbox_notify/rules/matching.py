"""Matching: which files below a watched folder a rule takes, and why it does not take another."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from wbox_notify.rules.globs import ignore_pattern, path_pattern

PASSED_OVER = (
    ".*",
    *("*.part", "*.partial", "*.filepart", "*.crdownload", "*.opdownload", "*.download", "*.aria2"),
    *("*.!qb", "*.!ut", "*.bc!", "*.xltd", "*.icloud", "*.drivedownload", "*.driveupload", "*.gstmp"),
    *("*.uploading", "*.tmp", "*.temp", "*.swp", "*.swo", "*.kate-swp", "*.lock", "*.lck"),
    *("*~", "~$*", "*.*#", "[#]*[#]", "*.sync-conflict-*"),
    *("Thumbs.db", "desktop.ini", "Icon\r", "@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "RECYCLER"),
    *("System Volume Information", "lost+found"),
)
"""Names that are never a finished file: hidden ones, unfinished downloads, what other tools leave, bins.

They hold in any case, and not for a rule whose ``match`` names them itself, such as ``*.tmp``.
"""


class Miss(NamedTuple):
    """Why a file is not taken: on ``purpose``, or since no pattern fits it; a ``near`` miss almost does."""

    text: str
    near: bool = False
    purpose: bool = False


@dataclass(frozen=True, slots=True)
class Matching:
    """The patterns of a file trigger, for paths below its folder.

    Names are compared as they look, however their accents are written, and endings in any case unless
    ``exact``. Raises ConfigError for a bad glob.
    """

    match: tuple[str, ...]
    ignore: tuple[str, ...] = ()
    exact: bool = False
    _matching: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _ignoring: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _passing: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        match = [path_pattern(_composed(glob), exact=self.exact) for glob in self.match]
        ignore = [ignore_pattern(_composed(glob), exact=self.exact) for glob in self.ignore]
        passing = [ignore_pattern(glob) for glob in PASSED_OVER if not _names(self.match, glob)]
        object.__setattr__(self, "_matching", _any(match))
        object.__setattr__(self, "_ignoring", _any(ignore))
        object.__setattr__(self, "_passing", _any(passing, re.IGNORECASE))

    def takes(self, below: str) -> bool:
        """Return whether a path below the folder is taken."""
        below = _composed(below)
        hidden = self._passing.fullmatch(below) or self._ignoring.fullmatch(below)
        return not hidden and self._matching.fullmatch(below) is not None

    def miss(self, below: str) -> Miss | None:
        """Return why a path below the folder is not taken, or None if it is."""
        below = _composed(below)
        if self._ignoring.fullmatch(below):
            return Miss("`ignore` passes over it", purpose=True)
        if self._passing.fullmatch(below):
            text = "names of unfinished, hidden and system files are passed over unless `match` names them"
            return Miss(text, purpose=True)
        if self._matching.fullmatch(below):
            return None
        return next(filter(None, (_near(glob, below) for glob in self.match)), Miss("no pattern fits"))


def _near(glob: str, below: str) -> Miss | None:
    glob = _composed(glob)
    if re.fullmatch(path_pattern(glob), below, re.IGNORECASE | re.DOTALL):
        return Miss(f"only its capitals differ from `{glob}`", near=True)
    last = glob.rpartition("/")[2]
    if last != "**" and re.fullmatch(path_pattern(f"**/{last}", exact=False), below, re.DOTALL):
        return Miss(f"`{glob}` takes it in another folder; `**/{last}` takes it in any")
    return None


def _names(match: Iterable[str], name: str) -> bool:
    """Return whether a pattern names what is passed over: ``*.tmp`` does, ``*`` does not."""
    pattern = re.compile(path_pattern(name), re.IGNORECASE | re.DOTALL)
    return any(pattern.fullmatch(segment) for glob in match for segment in glob.split("/"))


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _any(patterns: Iterable[str], flags: int = 0) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or "(?!)", re.DOTALL | flags)
