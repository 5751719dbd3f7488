"""Globs: patterns of paths, as regular expressions that never try a path in many ways."""

import re

from wbox_notify.errors import ConfigError

_LONGEST = 500
_ANY_FOLDERS = "(?:[^/]+/)*"
_ANY_NAME = "[^/]+"


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
    else:
        runs[-1].append(_segment(name, len(name) if exact or "." not in name else name.rindex(".")))
    first, *rest = runs
    if not rest:
        return "/".join(first)
    *middle, last = rest
    # A run that is found as early as it can be leaves the most for what follows, so no second try is needed.
    found = [f"(?>{_ANY_FOLDERS}?{_folders(run)})" for run in middle if run]
    return "".join([_folders(first), *found, _ANY_FOLDERS, "/".join(last or [_ANY_NAME])])


def ignore_pattern(glob: str, *, exact: bool = True) -> str:
    """Return the regular expression of what a glob hides: a file, or a folder with all in it.

    Without a slash it is any name on the way; with one, a path from the folder down.
    """
    bare = glob.removesuffix("/")
    anywhere = "" if "/" in bare else _ANY_FOLDERS
    return f"{anywhere}{path_pattern(bare, exact=exact)}(?:/.*)?"


def _folders(run: list[str]) -> str:
    return "".join(f"{segment}/" for segment in run)


def _check(glob: str) -> None:
    segments = glob.split("/")
    if not glob.strip():
        raise ConfigError("a pattern is empty")
    if len(glob) > _LONGEST:
        raise ConfigError(f"a pattern is longer than {_LONGEST} signs")
    if glob.startswith("/"):
        raise ConfigError(
            "a pattern starts in the watched folder, not at /", hint=f"write `{glob.lstrip('/')}`"
        )
    if glob.endswith("/"):
        raise ConfigError("a pattern names files, not a folder", hint=f"write `{glob}**` for all files in it")
    if {"", ".", ".."} & {*segments}:
        raise ConfigError("a pattern has no `//`, `.` or `..`")
    for segment in segments:
        if "**" in segment and segment != "**":
            hint = f"write `{segment.replace('**', '**/*', 1)}`"
            raise ConfigError("`**` stands alone between slashes", hint=hint)


def _segment(glob: str, ending: int) -> str:
    """Return the regular expression of one name; from ``ending`` on it is taken in any case."""
    pieces, position = [""], 0
    while position < len(glob):
        sign = glob[position]
        if sign == "*":
            pieces.append("")
        elif sign == "[":
            begin = position
            pattern, position = _class(glob, position)
            pieces[-1] += f"(?i:{pattern})" if begin >= ending else pattern
        elif sign == "?":
            pieces[-1] += "[^/]"
        else:
            pieces[-1] += f"(?i:{_literal(sign)})" if position >= ending else _literal(sign)
        position += 1
    first, *rest = pieces
    if not rest:
        return first
    *middle, last = rest
    return "".join(["(?=[^/])", first, *(f"(?>[^/]*?{piece})" for piece in middle if piece), "[^/]*", last])


def _literal(sign: str) -> str:
    if sign == "{":
        raise ConfigError("`{a,b}` is not taken in a pattern", hint='give a list: ["*.jpg", "*.png"]')
    if sign == "\\":
        raise ConfigError("a pattern has no backslash", hint="write / between folders, and [*] for a star")
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
                f"the range {low}-{high} in the pattern runs backwards", hint=f"write {high}-{low}"
            )
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        position += 1
    return f"(?!/)[{'^' * negated}{''.join(ranges)}]", end
