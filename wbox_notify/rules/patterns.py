"""Patterns: which files below a watched folder a trigger takes, and why it does not take another."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording

_LONGEST = 500
_ANY_FOLDERS = "(?:[^/]+/)*"
_ANY_NAME = "[^/]+"

PASSED_OVER = (
    ".*",
    *("*.part", "*.partial", "*.filepart", "*.crdownload", "*.opdownload", "*.download", "*.aria2"),
    *("*.!qb", "*.!ut", "*.bc!", "*.xltd", "*.icloud", "*.drivedownload", "*.driveupload", "*.gstmp"),
    *("*.uploading", "*.tmp", "*.temp", "*.swp", "*.swo", "*.kate-swp", "*.lock", "*.lck"),
    *("*~", "~$*", "*.*#", "[#]*[#]", "*.sync-conflict-*"),
    *("Thumbs.db", "desktop.ini", "Icon\r", "@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "RECYCLER"),
    *("System Volume Information", "lost+found"),
)
"""Names of hidden files, unfinished downloads, temporary files of other tools, and bins.

Capitals do not matter. A rule whose ``match`` names such a file itself, as ``*.tmp`` does, takes it.
"""


class Miss(NamedTuple):
    """Why a file is not taken: on ``purpose``, or since no pattern matches; a ``near`` miss almost does."""

    text: str
    near: bool = False
    purpose: bool = False


_NO_MATCH = Miss("no pattern matches")


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
        match = [path_pattern(composed(glob), exact=self.exact) for glob in self.match]
        ignore = [ignore_pattern(composed(glob), exact=self.exact) for glob in self.ignore]
        object.__setattr__(self, "_matching", _any(match))
        object.__setattr__(self, "_ignoring", _any(ignore))
        object.__setattr__(self, "_passing", _passing(self.match))

    def takes(self, below: str) -> bool:
        """Return whether a path below the folder is taken."""
        below = composed(below)
        if not self._matching.fullmatch(below):  # first: most files are for other rules
            return False
        return not (self._passing.fullmatch(below) or self._ignoring.fullmatch(below))

    def miss(self, below: str) -> Miss | None:
        """Return why a path below the folder is not taken, or None if it is."""
        below = composed(below)
        if self.ignore and self._ignoring.fullmatch(below):
            return Miss("`ignore` excludes it", purpose=True)
        if self._passing.fullmatch(below):
            text = Wording(
                "names of unfinished, hidden and system files are ignored unless `match` names them"
            )
            return Miss(text, purpose=True)
        if self._matching.fullmatch(below):
            return None
        for glob in self.match:
            near = _near_miss(composed(glob), below)
            if near:
                return near
        return _NO_MATCH


def _near_miss(glob: str, below: str) -> Miss | None:
    in_any_case, last, in_any_folder = _near(glob)
    if in_any_case.fullmatch(below):
        return Miss(Wording("only its capitals differ from `{glob}`", glob=glob), near=True)
    if last != "**" and in_any_folder.fullmatch(below):
        return Miss(
            Wording("`{glob}` takes it in another folder; `**/{last}` takes it in any", glob=glob, last=last)
        )
    return None


@lru_cache(maxsize=4096)
def _near(glob: str) -> tuple[re.Pattern[str], str, re.Pattern[str]]:
    """Return what matches in any case, the last part, and what matches that in any folder."""
    last = glob.rpartition("/")[2]
    in_any_folder = re.compile(path_pattern(f"**/{last}", exact=False), re.DOTALL)
    return re.compile(path_pattern(glob), re.IGNORECASE | re.DOTALL), last, in_any_folder


@lru_cache(maxsize=64)
def any_nearly(globs: frozenset[str]) -> re.Pattern[str]:
    """Return what matches each path that one of the globs takes or nearly takes, and few others."""
    patterns = []
    for glob in map(composed, globs):
        patterns.append(f"(?i:{path_pattern(glob)})")
        if "[" in glob:  # in any case `[!a]` takes less
            patterns += [path_pattern(glob), path_pattern(glob, exact=False)]
    return _any(patterns)


@lru_cache(maxsize=256)
def _passing(match: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of the names that are passed over; many rules have the same ``match``."""
    globs = [ignore_pattern(glob) for glob in PASSED_OVER if not _names(match, glob)]
    return _any(globs, re.IGNORECASE)


def _names(match: Iterable[str], name: str) -> bool:
    """Return whether a pattern names ignored files itself: ``*.tmp`` does, ``*`` does not."""
    pattern = re.compile(path_pattern(name), re.IGNORECASE | re.DOTALL)
    return any(pattern.fullmatch(segment) for glob in match for segment in glob.split("/"))


def composed(text: str) -> str:
    """Return a text with each accent in its letter, as names are compared."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text)


def _any(patterns: Iterable[str], flags: int = 0) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or "(?!)", re.DOTALL | flags)


@lru_cache(maxsize=1024)
def path_pattern(glob: str, *, exact: bool = True) -> str:
    """Return the regular expression of a glob for a path below a folder; ``**`` is any number of folders.

    Where it need not be ``exact``, the ending of the name is taken in small letters and capitals.

    Raises:
        ConfigError: for a glob that can match nothing, or not what it seems to.
    """
    _check(glob)
    runs: list[list[str]] = [[]]
    *folders, name = glob.split("/")
    for segment in folders:
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(_segment(segment, len(segment)))
    if name == "**":
        runs.append([])
    elif exact or "." not in name:
        runs[-1].append(_segment(name, len(name)))
    else:
        runs[-1].append(_segment(name, name.rindex(".")))
    first, *rest = runs
    if not rest:
        return "/".join(first)
    *middle, last = rest
    # A run that is found as early as it can be leaves the most for what follows, so no second try is needed.
    atomic = [f"(?>{_ANY_FOLDERS}?{_folders(run)})" for run in middle if run]
    return "".join([_folders(first), *atomic, _ANY_FOLDERS, "/".join(last or [_ANY_NAME])])


def ignore_pattern(glob: str, *, exact: bool = True) -> str:
    """Return the regular expression of the files that a glob hides, or of a folder with all in it.

    Without a slash it is any name on the way; with one, a path from the folder down.
    """
    bare = glob.removesuffix("/")
    pattern = path_pattern(bare, exact=exact)
    if "/" not in bare:
        pattern = _ANY_FOLDERS + pattern
    return f"{pattern}(?:/.*)?"


def _folders(run: list[str]) -> str:
    return "".join(f"{segment}/" for segment in run)


def _check(glob: str) -> None:
    segments = glob.split("/")
    if not glob.strip():
        raise ConfigError("a pattern is empty")
    if len(glob) > _LONGEST:
        raise ConfigError(Wording("a pattern is longer than {most} signs", most=_LONGEST))
    if glob.startswith("/"):
        raise ConfigError(
            "a pattern starts in the watched folder, not at /",
            hint=Wording("write `{glob}`", glob=glob.lstrip("/")),
        )
    if glob.endswith("/"):
        raise ConfigError(
            "a pattern names files, not a folder",
            hint=Wording("write `{glob}**` for all files in it", glob=glob),
        )
    if {"", ".", ".."} & {*segments}:
        raise ConfigError("a pattern cannot have `//`, `.` or `..`")
    for segment in segments:
        if "**" in segment and segment != "**":
            hint = Wording("write `{segment}`", segment=segment.replace("**", "**/*", 1))
            raise ConfigError("`**` must stand alone between slashes", hint=hint)


def _segment(glob: str, ending: int) -> str:
    """Return the regular expression of one name; from ``ending`` on it is taken in any case."""
    pieces, position = [""], 0
    while position < len(glob):
        begin, sign = position, glob[position]
        if sign == "*":
            pieces.append("")
        elif sign == "?":
            pieces[-1] += "[^/]"
        else:
            if sign == "[":
                pattern, position = _class(glob, position)
            else:
                pattern = _literal(sign)
            if begin >= ending:
                pattern = f"(?i:{pattern})"
            pieces[-1] += pattern
        position += 1
    first, *rest = pieces
    if not rest:
        return first
    *middle, last = rest
    return "".join(["(?=[^/])", first, *(f"(?>[^/]*?{piece})" for piece in middle if piece), "[^/]*", last])


def _literal(sign: str) -> str:
    if sign == "{":
        raise ConfigError("a pattern cannot have `{a,b}`", hint='give a list: ["*.jpg", "*.png"]')
    if sign == "\\":
        raise ConfigError(
            "a pattern cannot have a backslash", hint="write / between folders, and [*] for a star"
        )
    return re.escape(sign)


def _class(glob: str, start: int) -> tuple[str, int]:
    """Return the regular expression of ``[…]`` and the position of its ``]``."""
    negated = glob[start + 1 : start + 2] in {"!", "^"}
    first = start + 1 + negated
    end = glob.find("]", first + 1)
    if end < 0:
        raise ConfigError("a `[` in the pattern is never closed", hint="write [[] for the sign itself")
    ranges, position = [], first
    while position < end:
        low = high = glob[position]
        if glob[position + 1 : position + 2] == "-" and position + 2 < end:
            position += 2
            high = glob[position]
        if low > high:
            raise ConfigError(
                Wording("the range {low}-{high} in the pattern runs backwards", low=low, high=high),
                hint=Wording("write {high}-{low}", high=high, low=low),
            )
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        position += 1
    return f"(?!/)[{'^' * negated}{''.join(ranges)}]", end
