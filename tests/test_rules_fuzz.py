"""Whatever stands in place of whatever in a good project, the answer is a project and its problems.

Of its shape, an editor with the JSON Schema says the same as the loader.
"""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from rulebook import project, rule_file, sane
from test_rules import TREES
from test_rules_schema import ROOT, RULES, SETTINGS, SHORTHANDS

from wbox_notify.config.yaml.document import parse
from wbox_notify.config.yaml.problems import Problem, errors
from wbox_notify.rules.check import check
from wbox_notify.rules.json_schema import rule_schema
from wbox_notify.rules.summary import summary

ENVIRON = {"A": "a secret that is long enough"}
RULE_SCHEMA = Draft202012Validator(rule_schema())
ONLY_THE_LOADER_KNOWS = re.compile(
    r"WBX3"  # what a value means: a template, a time, a number, the name of a person, a secret or a window
    r"|there is no time zone|is not an encoding|the (?:holidays|half days) of .* are not known"
    r"|is not a day|is not a date with a time|is not a time"  # 30 February
    r"|longer than ten years|whole days"
    r"|`path` (?:is empty|cannot be a template|is a folder)|`ready` is the name of|`\w+` is empty"
    r"|a delimiter is one character|has no effect here|is for [a-z ]+, not for|has either a `text` or `rows`"
    r"|`remind` needs a `key`"  # unless `for_each` reads a calendar
    r"|must be a whole number, not a number|version 1\.0 of"  # 3.0 is a whole number for JSON
)
PEOPLE = """\
public_url: https://notify.example
secrets: {a: {env: A}, b: {env: A}}
contacts: {a: "+905551112233", me: {phone: "+905551234567", tags: [ops]}}
groups: {office: me, boss: me, everyone: me}
on_call: {duty: {rotate: [me], every: 1w, from: 2026-01-05 09:00}}
time_windows: {night: 22:00-07:30}
"""


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


SECTIONS = """\
version: 1
contacts: {x: 905551112233, y: {phone: "+905551112233", name: Y, tz: Europe/Berlin, quiet_hours: [late, Sat]}}
groups: {all: [x, y], one: x}
on_call: {turn: {rotate: [x, y], every: 1w, from: 2026-01-05 09:00, tz: Europe/Berlin}}
time_windows: {late: 22:00-07:30, week: [Sat, Sun]}
rules: []
"""
GOOD = [value(text) for text in [*RULES, *map(rule_file, SHORTHANDS)]]
GOOD_SETTINGS = value(SETTINGS.replace("b: {file: b}", "b: {env: A}"))


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


def keys(trees: list[Any]) -> list[str]:
    return sorted({path[-1] for tree in trees for path in paths(tree) if path and isinstance(path[-1], str)})


def part(tree: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


SHAPED = [*(tree for tree in GOOD if "rules" in tree), value(SECTIONS)]
TEMPLATES = {f"templates/{path.name}": path.read_bytes() for path in (ROOT / "templates").iterdir()}
KEYS = keys(SHAPED)
PARTS = [part(tree, path) for tree in SHAPED for path in paths(tree) if path]
STRANGE = st.sampled_from(
    [None, [], {}, "", " ", "text", 0, 1, -1, 1.0, 1.5, True, False, 10**12, [None], [[]], {"": None}, "1h"]
).map(copy.deepcopy)
OTHERS = st.sampled_from(PARTS).map(copy.deepcopy)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Return a good file of rules after one or two changes."""
    tree = copy.deepcopy(draw(st.sampled_from(SHAPED)))
    for _ in range(draw(st.integers(1, 2))):
        *above, step = draw(st.sampled_from([path for path in paths(tree) if path] or [("version",)]))
        holder = part(tree, tuple(above))
        match draw(st.sampled_from(("strange", "other", "delete", "wrap", "unwrap", "add", "rename"))):
            case "strange":
                holder[step] = draw(STRANGE)
            case "delete":
                holder.pop(step, None) if isinstance(holder, dict) else holder.pop(step)
            case "wrap":
                holder[step] = [holder.get(step) if isinstance(holder, dict) else holder[step]]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(KEYS))] = draw(STRANGE | OTHERS)
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from(KEYS))] = holder.pop(step, None)
            case "unwrap" if isinstance(holder, dict) and isinstance(holder.get(step), list) and holder[step]:
                holder[step] = holder[step][0]
            case _:
                holder[step] = draw(OTHERS)
    return tree


def agree(folder: Path, tree: Any) -> list[Problem]:
    """Compare what the loader and the schema say of a file of rules; return the errors of the loader."""
    files = {"rules/a.yaml": json.dumps(tree, ensure_ascii=False), "wbox-notify.yaml": PEOPLE, **TEMPLATES}
    found = errors(project(folder, files, **ENVIRON).problems)
    refusal = best_match(RULE_SCHEMA.iter_errors(tree))
    if not found:
        assert refusal is None, (refusal.json_path, refusal.message)
    if any(not ONLY_THE_LOADER_KNOWS.search(f"{problem.code} {problem.message}") for problem in found):
        assert refusal is not None, [(problem.code, problem.message) for problem in found]
    return found


@pytest.mark.parametrize("tree", SHAPED)
def test_loader_and_schema_take_a_rule_before_it_is_changed(tmp_path: Path, tree: Any) -> None:
    assert not agree(tmp_path, tree)


@settings(derandomize=True)  # the slow test below draws others each time
@given(mutated())
def test_loader_and_schema_agree_on_a_changed_rule(
    tmp_path_factory: pytest.TempPathFactory, tree: Any
) -> None:
    agree(tmp_path_factory.getbasetemp(), tree)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=10_000, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_loader_and_schema_agree_on_ten_thousand_changed_rules(
    tmp_path_factory: pytest.TempPathFactory, tree: Any
) -> None:
    agree(tmp_path_factory.getbasetemp(), tree)
