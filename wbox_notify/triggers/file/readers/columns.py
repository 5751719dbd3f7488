"""The columns of a table: what a reader finds in its rows becomes maps by the names of the columns."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from wbox_notify.errors import WboxError
from wbox_notify.model.text import nearest
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.file.readers.text import Row, odd_byte

_BREAK = re.compile(r"\s*[\r\n]\s*")
_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
"""What nobody sees, and what is copied from a web page or put together from two files has in its names."""


class Record(NamedTuple):
    """What stands in one row of a table: its number as a spreadsheet counts, and its cells or the problem."""

    number: int
    cells: Sequence[Any]
    problem: str = ""


def by_name(records: Iterable[Record], columns: Sequence[str], uses: frozenset[str]) -> Iterator[Row]:
    """Yield the rows below the one with the names, or all where the names are given; empty ones are left out.

    Raises:
        WboxError: there are no names, they cannot be used, or none of those that the rule ``uses`` is there.
    """
    names = _distinct(columns)
    for number, cells, problem in records:
        if problem and not names:
            raise WboxError(
                Wording("the row with the names of the columns cannot be read: {problem}", problem=problem)
            )
        if problem:
            yield Row(number, None, problem)
        elif all(map(_is_blank, cells)):
            continue
        elif names:
            yield _row(number, cells, names)
        else:
            names = _column_names(cells)
            _check_uses(names, uses)
    if not names:
        raise WboxError("the file is empty: it does not even have a row with the names of its columns")


def _is_blank(cell: Any) -> bool:
    return isinstance(cell, str) and not cell.strip()


def _row(number: int, cells: Sequence[Any], names: Sequence[str]) -> Row:
    """Return a row; spreadsheets leave out empty cells at its end, and add some."""
    if problem := odd_byte("".join(filter(_is_text, cells))):
        return Row(number, None, problem)
    if not all(map(_is_blank, cells[len(names) :])):
        return Row(
            number,
            None,
            Wording(
                "it has {cells} cells, and there are {columns} columns", cells=len(cells), columns=len(names)
            ),
        )
    return Row(number, dict(zip_longest(names, cells[: len(names)], fillvalue="")))


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str)


def _column_names(cells: Sequence[Any]) -> list[str]:
    """Return the names of columns; one without a name gets its number, such as ``column_3``."""
    texts = [_BREAK.sub(" ", _UNSEEN.sub("", str(cell)).strip()) for cell in cells]
    names = [text or f"column_{number}" for number, text in enumerate(texts, 1)]
    if problem := odd_byte("".join(names)):
        raise WboxError(Wording("in the row with the names of the columns, {problem}", problem=problem))
    times, places = Counter(names), Counter[str]()
    for index, name in enumerate(names):
        if times[name] > 1:  # whoever means one of them has to say which
            places[name] += 1
            names[index] = f"{name}_{places[name]}"
    return _distinct(names)


def _distinct(names: Sequence[str]) -> list[str]:
    for name, times in Counter(names).items():
        if times > 1:
            raise WboxError(
                Wording("there are two columns with the name {name!r}", name=name),
                hint="give each its own name",
            )
    return [*names]


def _check_uses(names: Sequence[str], uses: frozenset[str]) -> None:
    """Raise WboxError where a rule uses columns, and the table is another one."""
    if not uses or uses & {*names}:
        return
    near = ((name, nearest(name, names)) for name in sorted(uses))
    hints = (
        Wording("did you mean `{known}` by `{used}`?", known=one, used=name) for name, one in near if one
    )
    hint = next(hints, "if the names stand further down, set `skip` to the number of rows above them")
    used, known = ", ".join(sorted(uses)), ", ".join(names)
    raise WboxError(
        Wording("there is no column {used} in it; its columns are: {known}", used=used, known=known),
        hint=hint,
    )
