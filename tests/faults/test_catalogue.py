"""The catalogue, the tests and the page about reliability say the same."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from faults.catalogue import CASES, GROUPS, NOT_HERE
from faults.reliability import DOCUMENT, LONG_RUNS, ids, listed

_TESTS = Path(__file__).parents[1]
_PARAMETER = re.compile(r"[A-Z]\d\d( .*)?", re.DOTALL)


def _names() -> Iterator[str]:
    """Yield the names of all tests, and the texts that are ids of their parameters."""
    for file in _TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.FunctionDef(name=name) if name.startswith("test_"):
                    yield name
                case ast.Constant(value=str(text)) if _PARAMETER.fullmatch(text):
                    yield text


def _proved() -> set[str]:
    return set().union(*(ids("::" + name) for name in _names()))


def test_there_are_180_cases_in_groups_that_have_no_gaps() -> None:
    assert len(CASES) == 180
    counted: dict[str, int] = dict.fromkeys(GROUPS, 0)
    for case in CASES:
        counted[case[0]] += 1
        assert case == f"{case[0]}{counted[case[0]]:02}"


def test_each_case_has_a_test_or_a_reason_and_never_both() -> None:
    proved = _proved()
    assert set(CASES) - proved - set(NOT_HERE) == set(), "these have neither"
    assert proved & set(NOT_HERE) == set(), "these have both"
    assert set(NOT_HERE) <= set(CASES)


def test_the_page_lists_each_case_with_tests_that_there_are() -> None:
    rows = {case: (result, tests) for case, result, tests in listed(DOCUMENT.read_text(encoding="utf-8"))}
    assert list(rows) == sorted(rows, key=lambda case: (list(GROUPS).index(case[0]), case)) == list(CASES)
    functions = set(_names())
    proved = _proved()
    for case, (result, tests) in rows.items():
        named = set(re.findall(r"::(\w+)", tests))
        assert named <= functions, f"{case}: make reliability"
        if case in NOT_HERE:
            assert result == f"left out: {NOT_HERE[case]}", f"{case}: make reliability"
        elif case in proved:
            assert result in {"passed", "skipped"}, f"{case}: make reliability"


def test_the_page_ends_with_the_long_runs() -> None:
    assert DOCUMENT.read_text("utf-8").endswith(f"\n\n{LONG_RUNS.read_text('utf-8')}"), "make reliability"
