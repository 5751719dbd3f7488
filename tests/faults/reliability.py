"""A pytest plugin: gathers results by the ids of the catalogue, and writes docs/reliability.md."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from faults.catalogue import CASES, GROUPS, NOT_HERE

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
LONG_RUNS = Path(__file__).with_name("long_runs.md")
"""What soak and chaos counted, as it stands at the end of the page."""

_ID = re.compile(rf"(?<![A-Za-z0-9])[{''.join(GROUPS)}]\d\d(?![A-Za-z0-9])")
_WORST = ("failed", "passed", "skipped")
_INTRODUCTION = """\
# Faults and how wbox_notify handles them

wbox_notify promises: an event that was answered with 2xx, and a file that was listed as seen, is on disk
and is never forgotten. Each message is handed to wbox at least once; it is handed over a second time only
when the outcome of the first time is unknown and the rule allows it, and every such case is listed.

The tests show it by injecting real faults: they kill processes in the middle of a system call, fill disks,
set clocks and cut connections. The daemon is the real one, and the simulator stands in for wbox; its ledger
records every message. After each fault the tests check the invariants: no accepted event is missing, each is
finished or has a next step, no message was sent again unless its outcome is listed as unknown, no secret was
written, and the database is intact.

`make reliability` runs all of these tests and writes this page; `make test` runs the fast ones. A test that
needs something that a machine lacks (root for a small disk, strace for a kill inside a system call) is
skipped there and says so.
"""


def ids(name: str) -> set[str]:
    """Return the cases that a test names, in its own name or in its parameters."""
    return {found for found in _ID.findall(name.partition("::")[2]) if found in CASES}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--write-reliability``."""
    parser.addoption(
        "--write-reliability",
        action="store_true",
        help="run all that proves a case, write docs/reliability.md",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Gather where that is asked for."""
    if config.getoption("--write-reliability"):
        config.pluginmanager.register(_Gathering(), "reliability-gathering")


class _Gathering:
    """The results of one run, by case and test."""

    def __init__(self) -> None:
        self.results: dict[str, dict[str, set[str]]] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what proves no case."""
        others = [item for item in items if not ids(item.nodeid)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if ids(item.nodeid)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended, wherever it ended."""
        if report.when == "call" or not report.passed:
            for case in ids(report.nodeid):
                tests = self.results.setdefault(case, {})
                tests.setdefault(_title(case, report.nodeid), set()).add(report.outcome)

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        DOCUMENT.write_text(page(self.results), encoding="utf-8")


def _title(case: str, name: str) -> str:
    """Return what a test is called on the page: without its parameters, unless they name the case."""
    place, _, test = name.partition("::")
    function = test.partition("[")[0]
    return f"{place.removeprefix('tests/')}::{function if case in ids('::' + function) else test}"


def page(results: Mapping[str, Mapping[str, Iterable[str]]]) -> str:
    """Return the page: the same text for the same results."""
    parts = [_INTRODUCTION, *(_group(letter, results) for letter in GROUPS), LONG_RUNS.read_text("utf-8")]
    return "\n".join(parts)


def _group(letter: str, results: Mapping[str, Mapping[str, Iterable[str]]]) -> str:
    lines = [f"## {letter}. {GROUPS[letter]}", "", "| | case | result | shown by |", "|---|---|---|---|"]
    for case, text in CASES.items():
        if case.startswith(letter):
            result, tests = _result(case, results.get(case, {}))
            lines.append(f"| {case} | {_cell(text)} | {_cell(result)} | {_cell(tests)} |")
    return "\n".join([*lines, ""])


def _result(case: str, tests: Mapping[str, Iterable[str]]) -> tuple[str, str]:
    if not tests:
        return ("left out: " + NOT_HERE[case] if case in NOT_HERE else "no test yet"), ""
    seen = set().union(*tests.values())
    result = next(outcome for outcome in _WORST if outcome in seen)
    return result, "<br>".join(f"`{title}`" for title in sorted(tests))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def listed(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield case, result and tests of each line of a page's tables."""
    for line in text.splitlines():
        if match := re.match(r"\| ([A-Z]\d\d) \|", line):
            _, _, _, result, tests, _ = re.split(r"(?<!\\)\|", line)
            yield match[1], result.strip(), tests.strip()
