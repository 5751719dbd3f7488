"""The JSON Schema takes what the loader takes, and the reference says what the models say."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pages import PAGES, projects
from reference import examples, json_reference, models, reference, settings_reference
from rulebook import project, rule_file
from test_rules_flow import MISTAKES as FLOW
from test_rules_triggers import MISTAKES as TRIGGERS

from wbox_notify.config import settings
from wbox_notify.config.yaml.document import parse
from wbox_notify.errors import ConfigError
from wbox_notify.rules.json_schema import rule_schema, settings_schema
from wbox_notify.rules.models.triggers import VerifySpec
from wbox_notify.rules.project import Project
from wbox_notify.triggers.webhook.signatures import scheme

ROOT = Path(__file__).parent.parent
DOCUMENTED = [project for name in PAGES if name != "docs/cookbook" for project in projects(name)]
BLOCKS = sorted({text for project in DOCUMENTED for text in project if text})
RULES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.yaml"))]
SHORTHANDS = [
    "trigger: {schedule: Mon-Fri 09:00}",
    "trigger: {schedule: ['09:00', '10:00']}",
    "trigger: {schedule: {every: 15m, missed: none}}",
    "trigger: {schedule: {cron: 0 9 * * *, skip: {holidays: TR, days: 2026-12-31}, missed: {run: all}}}",
    "trigger: [{file: {path: x, match: [a, b], ignore: c}}, {webhook: {path: /x/y, open: true, id: body.a}}]",
    "trigger: {webhook: {path: x, secret: [a, b], verify: {scheme: hmac, header: X-A}, preset: github}}",
    "trigger: {webhook: {path: x, open: true, methods: GET, cors: ['https://a.de'], redirect: 'https://a.de/'}}",
    "trigger: {missing: {of: {file: {path: x}}, by: '07:00', window: 1h 30m, resolved: true}}",
    "trigger: {missing: {of: {file: {path: x}}, by: '07:00', window: 1h, repeat: never, missed: all}}",
    "trigger: {missing: {of: {file: {path: x}}, by: '07:00', window: 1h, missed: {run: last, within: 1d}}}",
    "status: {firing: file.size > 9, resolved: file.size < 2, key: [file.name, file.folder]}",
    "for_each: {row: file.json}\nif: [row.a, row.b]\ndedupe: [row.id, row.x]\nthrottle: 3 / 10m",
    "dedupe: {key: file.name, for: 30d}\nthrottle: {max: 1, per: 500ms, key: [file.name], overflow: drop}",
    "group: {by: file.stem, wait: 1m, repeat: never}\nquiet_hours: 22:00-07:30",
    "digest: {at: '18:00'}\nquiet_hours: [Sat, Sun]",
    "digest: {every: 1h}\nquiet_hours: {window: 22:00-07:30, unless: file.size, then: drop}",
    "to: 905551112233\nescalate: {after: 1m, to: 905551112233, send: {text: a}, if: acked}",
    "to: [+905551112233, 905551112244]\nsend: [{text: a, device: 2}, {poll: {question: a, options: [b, c]}}]",
    "tests: [{name: x, when: {file: {name: a, size: 3}, at: 2026-01-01 09:00}, expect: {text: a}}]",
    "tests: [{name: x, when: [{ack: true}, {wait: 1m}], expect: [], skipped: if, until: 1h}]",
    "tests: [{name: x, when: {missing: true}, expect: [{to: a, media: {caption: {contains: [a, b]}}}]}]",
]
SETTINGS = """\
version: 1
wbox: {url: "https://wbox.example", device: 2}
defaults: {tz: Europe/Istanbul, lang: tr, region: TR}
contacts: {a: 905551112233, b: {phone: "+905551112233", tags: ops, quiet_hours: [Sat, night]}}
groups: {all: [a, b], one: a}
on_call: {duty: {rotate: [a, b], every: 1w, from: 2026-01-05 09:00, tz: Europe/Berlin}}
time_windows: {night: 22:00-07:30, week: [Sat, Sun]}
secrets: {a: {env: A}, b: {file: b}}
store: sqlite:///x.db
listen: 8725
public_url: https://notify.example.com
limits: {body: 1MiB}
storm_guard: 10
owner: a
"""
BY_SHAPE = {"WBX210", "WBX211", "WBX212", "WBX213", "WBX214"}
NOT_BY_SCHEMA = ("needs `", "need each other", "`webhook` needs", "a message is one of")


def errors(schema: dict[str, Any], text: str) -> list[str]:
    value = parse(text.encode(), "x").value
    return [error.message for error in Draft202012Validator(schema).iter_errors(value)]


def loaded(folder: Path, text: str) -> Project:
    settings = "secrets: {a: {env: A}, b: {env: A}}\ncontacts: {a: '+905551112233'}\n"
    return project(folder, {"rules/a.yaml": rule_file(text), "wbox-notify.yaml": settings}, A="x" * 24)


@pytest.fixture(scope="module")
def rules() -> dict[str, Any]:
    return rule_schema()


def test_both_are_schemas(rules: dict[str, Any]) -> None:
    for schema in (rules, settings_schema()):
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("text", [*RULES, *(block for block in BLOCKS if "\nrules:" in block)])
def test_every_starter_and_every_rule_of_the_readme_is_valid(rules: dict[str, Any], text: str) -> None:
    assert errors(rules, text) == []


@pytest.mark.parametrize("text", [SETTINGS, *(block for block in BLOCKS if "\nrules:" not in block)])
def test_settings_are_valid(text: str) -> None:
    assert errors(settings_schema(), text) == []


@pytest.mark.parametrize("text", SHORTHANDS)
def test_every_shorthand_is_valid_and_loads(tmp_path: Path, rules: dict[str, Any], text: str) -> None:
    assert errors(rules, rule_file(text)) == []
    assert loaded(tmp_path, text).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        mistake[0]
        for mistake in [*TRIGGERS, *FLOW]
        if mistake[1] in BY_SHAPE and not any(words in mistake[3] for words in NOT_BY_SCHEMA)
    ],
)
def test_every_mistake_of_shape_is_refused(rules: dict[str, Any], text: str) -> None:
    assert errors(rules, rule_file(text))


@pytest.mark.parametrize(
    "text",
    [
        "dedupe: {key: a, for: 30}",
        "dedupe: {key: a, for: soon}",
        "throttle: often",
        "trigger: {webhook: {path: ../x, open: true}}",
        "trigger: {webhook: {path: x, preset: gihtub}}",
        "to: 5",
        "to: []",
        "send: [{text: a, poll: {question: a, options: [b, c]}}]",
        "send: {poll: {question: a, options: [b]}}",
        "quiet_hours: []",
        "quiet_hours:",
        "dedupe: {key: file.name, for: }",
        "trigger: {schedule: []}",
        "trigger: {schedule: {at: '09:00', skip: {days: 2026-13-01}}}",
        "trigger: {webhook: {path: x, secret: []}}",
        "tests: [{name: x, expect: []}]",
        "tests: [{name: x, when: {ack: true}}]",
        "tests: [{name: x, when: {ack: 1}, expect: []}]",
        "tests: [{name: x, when: [], expect: []}]",
        "tests: [{name: x, next_runs: [2026-01-01 09:00]}]",
        "tests: [{name: x, next_runs_from: 2026-01-01 09:00, next_runs: []}]",
        "tests: [{name: x, when: {ack: true, at: 2026-01-01 25:00}, expect: []}]",
        "tests: [{name: x, when: {ack: true}, expect: {text: {contains: []}}}]",
    ],
)
def test_values_that_can_not_be_meant_are_refused(tmp_path: Path, rules: dict[str, Any], text: str) -> None:
    assert errors(rules, rule_file(text))
    assert any(problem.severity == "error" for problem in loaded(tmp_path, text).problems)


def test_an_id_is_refused_as_the_loader_refuses_it(rules: dict[str, Any]) -> None:
    assert errors(rules, rule_file("").replace("id: a", "id: A b"))


@pytest.mark.parametrize(
    "text",
    [
        "secrets: {a: hunter2}",
        "secrets: {a: {env: A, file: b}}",
        "contacts: {a: {fone: 1}}",
        "listen: 70000",
        "storm_guard: 0",
        "api_key: sk_x",
        "version: 2",
    ],
)
def test_settings_that_can_not_be_meant_are_refused(text: str) -> None:
    assert errors(settings_schema(), text)


def test_the_reference_in_the_documentation_is_that_of_the_program() -> None:
    """If not: make reference."""
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == f"{reference()}\n"


def test_the_settings_in_the_documentation_are_those_of_the_program() -> None:
    """If not: make reference."""
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == f"{settings_reference()}\n"


def test_the_shapes_in_the_documentation_are_those_of_the_program() -> None:
    """If not: make reference."""
    assert (ROOT / "docs" / "json.md").read_text(encoding="utf-8") == f"{json_reference()}\n"


@pytest.mark.parametrize("page", [reference, settings_reference, json_reference])
def test_the_reference_describes_every_key(page: Callable[[], str]) -> None:
    assert not re.search(r"^\| `[^|]*\| [^|]* \|  \|", page(), re.MULTILINE)


def test_every_key_of_the_language_has_an_example_that_the_schema_takes(rules: dict[str, Any]) -> None:
    written = examples()
    for path, model in models(rules):
        lines = written.pop(path or "The file")
        assert list(lines) == list(model["properties"])
        for key, line in lines.items():
            schema = {"$defs": rules["$defs"], "properties": {key: model["properties"][key]}}
            assert errors(schema, line) == []
    assert not written


def test_every_setting_and_every_variable_of_one_is_in_the_reference() -> None:
    page = settings_reference()
    for setting in settings.SETTINGS.values():
        assert f"| `{setting.key.rpartition('.')[2]}` |" in page
        assert not setting.variable or f"`{setting.variable}`" in page


def test_the_reference_names_every_scheme_there_is() -> None:
    with pytest.raises(ConfigError) as caught:
        scheme("", [b"x"], {})
    known = (caught.value.hint or "").removeprefix("there are ").split(", ")
    assert re.findall("`([a-z]+)`", VerifySpec.model_fields["scheme"].description or "") == known
