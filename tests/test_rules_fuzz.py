"""Whatever stands in place of whatever in a good project, the answer is a project and its problems."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulebook import project, rule_file, sane
from test_rules import TREES
from test_rules_schema import RULES, SETTINGS, SHORTHANDS

from wbox_notify.config.yaml.document import parse
from wbox_notify.rules.check import check, summary

ENVIRON = {"A": "a secret that is long enough"}


def value(text: str) -> Any:
    return parse(text.encode(), "x").value


def paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value in a tree."""
    yield path
    for step, part in (
        node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ())
    ):
        yield from paths(part, (*path, step))


def replaced(tree: Any, path: tuple[Any, ...], part: Any) -> Any:
    """Return a tree with another value at the end of a way."""
    if not path:
        return part
    changed = copy.deepcopy(tree)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = part
    return changed


@st.composite
def nearly(draw: st.DrawFn, trees: list[Any]) -> Any:
    tree = draw(st.sampled_from(trees))
    return replaced(tree, draw(st.sampled_from(list(paths(tree)))), draw(TREES))


GOOD = [value(text) for text in [*RULES, *map(rule_file, SHORTHANDS)]]
GOOD_SETTINGS = value(SETTINGS.replace("b: {file: b}", "b: {env: A}"))


@settings(deadline=None, max_examples=200)
@given(nearly(GOOD), nearly([GOOD_SETTINGS]) | st.just(GOOD_SETTINGS))
def test_one_wrong_value_in_a_good_project_gives_a_project(
    tmp_path_factory: pytest.TempPathFactory, rules: Any, chosen: Any
) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    files = {"rules/a.yaml": rules, "wbox-notify.yaml": chosen}
    found = project(
        folder, {name: json.dumps(tree, ensure_ascii=False) for name, tree in files.items()}, **ENVIRON
    )
    sane(found)
    assert all(problem.message for problem in check(found))
    assert all(summary(rule) for rule in found.rules)
