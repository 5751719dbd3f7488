"""``make bench``: each line of the table beside its floor, in one run; ``LINE=name`` measures one of them."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import files, intake, rules, several, start, way_out
from bench.rounds import HEAD, Row, Size

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- what make bench measured -->", "<!-- until here -->"
LINES: dict[str, Callable[[Size], Iterator[Row]]] = {
    "intake": intake.intake,
    "queue": intake.queue,
    "way-out": way_out.way_out,
    "drain": way_out.drain,
    "paced": way_out.paced,
    "file": files.one_by_one,
    "burst": files.at_once,
    "several": several.several,
    "history": way_out.history,
    "rules": rules.events,
    "reading": rules.reading,
    "commands": start.commands,
    "ready": start.ready,
    "idle": start.idle,
    "growth": start.growth,
}


def main(names: Sequence[str], size: Size = Size()) -> list[str]:  # noqa: B008 - frozen
    """Print the table of the named lines, or of all, each row as soon as it is measured; return it."""
    unknown = set(names) - set(LINES)
    if unknown:
        raise SystemExit(f"there is no line {', '.join(unknown)}; there are {', '.join(LINES)}")
    table = []
    for row in _table(names or [*LINES], size):
        print(row, flush=True)  # noqa: T201 - what it is for
        table.append(row)
    return table


def _table(names: Sequence[str], size: Size) -> Iterator[str]:
    """Yield the lines of the table in Markdown."""
    yield _line(HEAD.cells())
    yield _line(["---"] * len(HEAD.cells()))
    for name in names:
        for row in LINES[name](size):
            yield _line(row.cells())


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def written(page: str, table: Sequence[str]) -> str:
    """Return the text of the page with another table."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return "".join((before, begin, "\n", *(f"{line}\n" for line in table), end, after))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    words = sys.argv[1:]
    measured = main([word for word in words if word != "--write"])
    if "--write" in words:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
