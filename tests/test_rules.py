"""The rule language: what loads, what is said of what does not, and where."""

import fnmatch
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rulebook import project, rule, rule_file, sane

from wbox_notify.config.yaml.problems import Problem, render
from wbox_notify.errors import ConfigError, MessageError
from wbox_notify.model.messages import CalendarEvent, Media, Poll, Text
from wbox_notify.rules.loading import load
from wbox_notify.rules.patterns import path_pattern
from wbox_notify.rules.recipients import Contact
from wbox_notify.rules.triggers import FileTrigger
from wbox_notify.templates import Template, TemplateError

UNTIMED = settings(deadline=None)
CONTEXT: Mapping[str, Any] = {
    "event": {"id": "e1", "type": "file", "at": datetime(2026, 11, 22, tzinfo=UTC)},
    "file": {"path": "/srv/a.pdf", "name": "a.pdf", "stem": "a", "size": 3, "text": "", "folder": "/srv"},
    "contact": {"name": "Ayşe", "phone": "905551112233"},
    "now": datetime(2026, 11, 22, tzinfo=UTC),
}


DESIGN = """\
version: 1
contacts:
  ayse: {phone: +90 555 111 22 33, name: Ayşe}
groups:
  accounting: [ayse]
rules:
  - id: invoice-pdf
    name: New invoices go to accounting
    trigger:
      file: {path: /srv/drop/invoices, match: "*.pdf"}
    if: file.size > 0
    dedupe: file.sha256
    to: accounting
    send:
      media: {url: "https://files.example/{{ file.name }}", caption: "New invoice *{{ file.name }}*"}
"""


def test_the_example_of_the_design_loads(tmp_path: Path) -> None:
    found = project(tmp_path, {"rules/invoices.yaml": DESIGN})
    assert found.problems == ()
    (invoice,) = found.rules
    assert (invoice.id, invoice.name) == ("invoice-pdf", "New invoices go to accounting")
    assert (invoice.file, invoice.line) == ("rules/invoices.yaml", 7)
    (trigger,) = invoice.triggers
    assert isinstance(trigger, FileTrigger)
    assert trigger.root == Path("/srv/drop/invoices")
    assert invoice.to == (Contact("Ayşe", "905551112233"),)
    assert invoice.needs == {"sha256"}
    assert [condition.truth(CONTEXT) for condition in invoice.conditions] == [True]
    assert invoice.dedupe
    assert [expression.source for expression in invoice.dedupe.key] == ["file.sha256"]
    assert invoice.send[0].build(CONTEXT, "905551112233") == Media(
        phone="905551112233", url="https://files.example/a.pdf", caption="New invoice *a.pdf*"
    )


def test_an_empty_folder_is_a_project_without_rules(tmp_path: Path) -> None:
    found = project(tmp_path, {})
    assert (found.rules, found.people.contacts, found.problems) == ((), {}, ())


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    (problem,) = load(tmp_path / "none", {}).problems
    assert (problem.code, problem.file) == ("WBX101", str(tmp_path / "none"))


def test_a_file_in_place_of_the_rules_folder_is_a_problem(tmp_path: Path) -> None:
    (problem,) = project(tmp_path, {"rules": ""}).problems
    assert (problem.code, problem.file) == ("WBX101", "rules")


def test_rule_files_are_read_in_order_and_hidden_ones_are_not(tmp_path: Path) -> None:
    files = {
        f"rules/{name}": rule_file("").replace("id: a", f"id: r{index}")
        for index, name in enumerate(["b.yml", "a.yaml", ".c.yaml", "d.txt", "e.yaml~"])
    }
    found = project(tmp_path, files)
    assert [(one.id, one.file) for one in found.rules] == [("r1", "rules/a.yaml"), ("r0", "rules/b.yml")]


def test_a_broken_file_gives_no_rules_and_the_others_load(tmp_path: Path) -> None:
    broken = rule_file("") + rule_file("throtle: 1").split("rules:\n")[1].replace("id: a", "id: b")
    found = project(tmp_path, {"rules/a.yaml": broken, "rules/b.yaml": DESIGN, "rules/c.yaml": "a: ["})
    assert [one.id for one in found.rules] == ["invoice-pdf"]
    assert [(one.file, one.code) for one in found.problems] == [
        ("rules/a.yaml", "WBX210"),
        ("rules/c.yaml", "WBX105"),
    ]


def test_the_name_of_a_rule_is_its_id_where_there_is_no_other(tmp_path: Path) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file("").replace("    name: A\n", "")})
    assert found.rules[0].name == "a"


def test_one_value_stands_for_a_list_of_one(tmp_path: Path) -> None:
    one = rule(tmp_path, 'if: file.size\ndedupe: file.name\nto: "+905551112233"\nsend: {text: hi}')
    many = rule(tmp_path, 'if: [file.size]\ndedupe: [file.name]\nto: ["+905551112233"]\nsend: [{text: hi}]')
    for each in (one, many):
        assert each.dedupe
        assert (len(each.conditions), len(each.dedupe.key), len(each.send)) == (1, 1, 1)
        assert each.to == (Contact("+905551112233", "905551112233"),)


def test_each_kind_of_message_is_built(tmp_path: Path) -> None:
    text = """\
        send:
          - text: "{{ contact.name }}: {{ file.name }}"
            device: 4
          - template: note.j2
          - media: {url: https://example.com/a.jpg}
          - event: {title: "{{ file.stem }}", start: 2026-11-23T14:00}
          - poll: {question: "{{ file.name }}?", options: ["yes, {{ file.stem }}", no]}
    """
    drafts = rule(tmp_path, text, **{"templates/note.j2": "Note: {{ file.name }}"}).send
    phone = "905551112233"
    assert [draft.build(CONTEXT, phone) for draft in drafts] == [
        Text(phone=phone, message="Ayşe: a.pdf", device_id=4),
        Text(phone=phone, message="Note: a.pdf"),
        Media(phone=phone, url="https://example.com/a.jpg"),
        CalendarEvent(phone=phone, title="a", start="2026-11-23T14:00"),
        Poll(phone=phone, question="a.pdf?", options=("yes, a", "no")),
    ]


def test_the_device_of_the_settings_sends_where_a_message_names_none(tmp_path: Path) -> None:
    text = rule_file("send: [{text: a}, {text: b, device: 2}]")
    found = project(tmp_path, {"rules/a.yaml": text}, WBOX_DEVICE_ID="7")
    assert [draft.device for draft in found.rules[0].send] == [7, 2]


def test_what_can_only_be_known_later_is_an_error_of_the_message(tmp_path: Path) -> None:
    text = 'send: [{text: "{{ file.text }}"}, {text: "{{ file.json.a }}"}, {media: {url: "{{ file.name }}"}}]'
    empty, missing, address = rule(tmp_path, text).send
    for draft, error in ((empty, MessageError), (missing, TemplateError), (address, MessageError)):
        with pytest.raises(error):
            draft.build(CONTEXT, "905551112233")


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("", set()),
        ("if: file.size > 0 and file.name", set()),
        ("dedupe: file.sha256", {"sha256"}),
        ("if: '\"x\" in file.text'", {"text"}),
        ('to: "{{ file.json.phone }}"', {"text", "json"}),
        (
            'send: {text: "{% for a in file.json %}{{ a }}{% endfor %}{{ file.sha256 }}"}',
            {"sha256", "text", "json"},
        ),
        ('send: {poll: {question: a, options: [b, "{{ file.text }}"]}}', {"text"}),
        ("send: {template: t.j2}", {"text"}),
        ("dedupe: file", {"sha256", "text", "json"}),
    ],
)
def test_the_contents_are_read_only_where_a_rule_uses_them(
    tmp_path: Path, text: str, needs: set[str]
) -> None:
    assert rule(tmp_path, text, **{"templates/t.j2": "{{ file.text }}"}).needs == needs


MISTAKES = [
    # The lines of a rule that begin on line 5, code, line and column, words of the message, words of the hint
    pytest.param(
        "throtle: 3",
        "WBX210",
        (5, 5),
        "unknown key `throtle`",
        "did you mean `throttle`?",
        id="K13 a typing error",
    ),
    ("expire_afer: 3", "WBX210", (5, 5), "unknown key `expire_afer`", "did you mean `expire_after`?"),
    ("dedup: file.name", "WBX210", (5, 5), "unknown key `dedup`", "did you mean `dedupe`?"),
    ("zzz: 1", "WBX210", (5, 5), "unknown key `zzz`", "known here: id, name, trigger, "),
    ("on: x", "WBX210", (5, 5), "unknown key `on`", "did you mean `trigger`?"),
    ("when: x", "WBX210", (5, 5), "unknown key `when`", "did you mean `if`?"),
    *((f"{key}: 1", "WBX214", (5, 5), f"`{key}` is not in this version yet", None) for key in ("vars",)),
    ("trigger: {file: {path: x, ready: a/b}}", "WBX215", (5, 38), "the name of a file beside", "}}.ok"),
    (
        "trigger: {file: {path: x, ready: '{{ file.size }}'}}",
        "WBX215",
        (5, 38),
        "the name of a file",
        "}}.ok",
    ),
    ("trigger: {file: {path: x, existing: old}}", "WBX215", (5, 41), "`old` is not known here", "process"),
    ("trigger: {file: {path: x, min_size: big}}", "WBX215", (5, 41), "`big` is not a size", "10MB"),
    ("trigger: {file: {path: x, poll: 10ms}}", "WBX215", (5, 37), "this interval is too short", "`1s`"),
    ("trigger: {file: {path: x, done: ' '}}", "WBX215", (5, 37), "`done` is empty", "name a folder"),
    ("trigger: {file: {path: x, done: '{{ body }}/'}}", "WBX308", (5, 41), "there is no `body` here", None),
    ("trigger: {file: {path: x, failed: '{{ file.text }}'}}", "WBX308", (5, 48), "no `text`", None),
    (
        "trigger: {missing: {of: {file: {path: x, done: y}}, by: '09:00', window: 1h}}",
        "WBX210",
        (5, 46),
        "`done` has no effect here",
        None,
    ),
    ("trigger: [file]", "WBX213", (5, 15), "each of `trigger` must be a map", None),
    ("trigger: []", "WBX215", (5, 14), "the list is empty", None),
    (
        "trigger: {file: {path: x}, schedule: '09:00'}",
        "WBX211",
        (5, 14),
        "takes one of file and schedule",
        "a list of triggers",
    ),
    ("trigger: file", "WBX213", (5, 14), "`trigger` must be a map of keys and values, not text", None),
    ("trigger: {}", "WBX211", (5, 14), "`trigger` needs one of file, webhook, schedule, missing", None),
    ("trigger: {file: ~}", "WBX213", (5, 15), "`file` must have a value, and nothing is given", None),
    (
        "quiet_hours:",
        "WBX213",
        (5, 5),
        "`quiet_hours` must have a value, and nothing is given",
        "write it, or leave the key out",
    ),
    ("trigger: {fiel: {path: x}}", "WBX210", (5, 15), "unknown key `fiel`", "did you mean `file`?"),
    ("trigger: {file: {}}", "WBX212", (5, 15), "the key `path` is missing", None),
    ("trigger:", "WBX213", (5, 5), "`trigger` must be a map of keys and values, and nothing is given", None),
    (
        "trigger: {file: {path: 5}}",
        "WBX213",
        (5, 28),
        "`path` must be text, not a number",
        "put it in quotes",
    ),
    ('trigger: {file: {path: " "}}', "WBX215", (5, 28), "`path` is empty", "name the folder"),
    (
        'trigger: {file: {path: "{{ x }}"}}',
        "WBX215",
        (5, 28),
        "`path` cannot be a template",
        "name the folder",
    ),
    ("trigger: {file: {path: ~nobody-here/x}}", "WBX215", (5, 28), "unknown user in the path", None),
    ("trigger: {file: {path: x, match: []}}", "WBX215", (5, 38), "the list is empty", None),
    (
        'trigger: {file: {path: x, match: ["*", "[a"]}}',
        "WBX309",
        (5, 44),
        "`[` in the pattern is never",
        "[[]",
    ),
    ("trigger: {file: {path: x, ignore: '**.a'}}", "WBX309", (5, 39), "`**` must stand alone", "`**/*.a`"),
    (
        "trigger: {file: {path: x, settle: soon}}",
        "WBX215",
        (5, 39),
        "`soon` is not a duration",
        "90s, 15m, 1h30m",
    ),
    (
        "trigger: {file: {path: x, settle: 2}}",
        "WBX215",
        (5, 39),
        "`2` is not a duration",
        "2s or 2m",
    ),
    ("on_unknown: retri", "WBX215", (5, 17), "`retri` is not known here", "`retry`?"),
    ("expire_after: 90", "WBX215", (5, 19), "`90` is not a duration", "90s or 90m"),
    ("priority: high", "WBX215", (5, 15), "`high` is not known here", "normal, critical"),
    ("if: true", "WBX213", (5, 9), "`if` must be text, not true", "put it in quotes"),
    ("if: [file.size, 1]", "WBX213", (5, 21), "each of `if` must be text, not a number", "put it in quotes"),
    ("if: []", "WBX215", (5, 9), "the list is empty", None),
    ("if: file.size >", "WBX306", (5, 9), "", None),
    ("if: file.size > 0 && file.name", "WBX306", (5, 23), "there is no &&", "write and"),
    ("if: 'file.size = 0'", "WBX306", (5, 20), "a single = does not compare", "write =="),
    ("if: file.size | foo", "WBX306", (5, 9), "there is no filter 'foo'", None),
    ('if: [file.size, ""]', "WBX306", (5, 21), "the expression is empty", "file.size > 0"),
    ("if: fiel.size > 0", "WBX308", (5, 9), "there is no `fiel` here", "did you mean `file`?"),
    ("if: xyz", "WBX308", (5, 9), "there is no `xyz` here", "there are event, file, rule, now"),
    ("if: not file.siz", "WBX308", (5, 18), "`file` has no `siz`", "did you mean `size`?"),
    ("if: event.tipe", "WBX308", (5, 15), "`event` has no `tipe`", "did you mean `type`?"),
    ("dedupe: [file.name, rule.uid]", "WBX308", (5, 30), "`rule` has no `uid`", "did you mean `id`?"),
    ("dedupe: contact.name", "WBX308", (5, 13), "there is no `contact` here", None),
    ('to: "{{ contact.phone }}"', "WBX308", (5, 13), "there is no `contact` here", None),
    ('to: "{{ file.foldr }}"', "WBX308", (5, 18), "`file` has no `foldr`", "did you mean `folder`?"),
    ('to: "{{ file name }}"', "WBX306", (5, 9), "", None),
    ("to: nobody", "WBX303", (5, 9), "`nobody` is neither a contact nor a group", None),
    ('to: ""', "WBX303", (5, 9), "names no recipient", None),
    ("to: []", "WBX215", (5, 9), "the list is empty", None),
    ("to:", "WBX213", (5, 5), "`to` must be text, and nothing is given", None),
    ("to: {a: b}", "WBX213", (5, 9), "`to` must be text, not a map", None),
    ("to: 05551112233", "WBX302", (5, 9), "has no country code", "defaults.region"),
    ('to: "120363021@g.us"', "WBX302", (5, 9), "is a WhatsApp id of a group", "phone numbers only"),
    ('to: "ali@example.com"', "WBX303", (5, 9), "is neither a contact nor a group", None),
    ("to: 123456789", "WBX302", (5, 9), "123456789 is not a whole phone number", "put it in quotes"),
    ("to: 9.0", "WBX213", (5, 9), "`to` must be text, not a number", "put it in quotes"),
    ('to: ["+905551112233", "+90"]', "WBX302", (5, 27), "not a possible phone number", "+905551234567"),
    ("send: {}", "WBX211", (5, 11), "`send` needs one of text, template, media, event, poll", None),
    (
        "send: [{device: 1}]",
        "WBX211",
        (5, 12),
        "`send` needs one of text, template, media, event, poll",
        None,
    ),
    (
        "send: {text: a, template: b}",
        "WBX211",
        (5, 11),
        "`send` takes one of text and template",
        "a list of messages",
    ),
    ("send: {txt: hi}", "WBX210", (5, 12), "unknown key `txt`", "did you mean `text`?"),
    ("send: hello", "WBX213", (5, 11), "`send` must be a map of keys and values, not text", None),
    ("send: []", "WBX215", (5, 11), "the list is empty", None),
    ("send: {text: [a]}", "WBX213", (5, 18), "`text` must be text, not a list", None),
    ("send: {text: 5}", "WBX213", (5, 18), "`text` must be text, not a number", "put it in quotes"),
    ('send: {text: " "}', "WBX311", (5, 18), "`text` is empty", None),
    ("send: {text: hi, if: x}", "WBX214", (5, 22), "`if` is not in this version yet", None),
    ("send: {text: hi, device: 0}", "WBX215", (5, 30), "0 is not the number of a device", "count from 1"),
    (
        "send: {text: hi, device: '1'}",
        "WBX213",
        (5, 30),
        "`device` must be a whole number, not text",
        "quotes",
    ),
    ('send: {text: "a {{ file.nmae }}"}', "WBX308", (5, 29), "`file` has no `nmae`", "did you mean `name`?"),
    (
        "send: {text: 'a {{ file[\"nmae\"] }}'}",
        "WBX308",
        (5, 30),
        "`file` has no `nmae`",
        "did you mean `name`?",
    ),
    ('send: {text: "fil {{ fil }}"}', "WBX308", (5, 26), "there is no `fil` here", "did you mean `file`?"),
    (
        'send: {text: "{{ contact.fone }}"}',
        "WBX308",
        (5, 30),
        "`contact` has no `fone`",
        "did you mean `phone`?",
    ),
    ('send: {text: "{{ file.name"}', "WBX306", (5, 18), "", None),
    ("send: {template: x.j2}", "WBX307", (5, 22), "there is no template 'x.j2'", None),
    ("send: {template: bad.j2}", "WBX306", (5, 22), "templates/bad.j2, line 2: ", None),
    ("send: {template: name.j2}", "WBX308", (5, 22), "`file` has no `nmae`, in templates/name.j2", "`name`?"),
    (
        "send: {media: {file: x}}",
        "WBX340",
        (5, 26),
        "no address at which wbox can fetch a file",
        "public_url",
    ),
    (
        "send: {media: {file: x, url: y}}",
        "WBX211",
        (5, 19),
        "`media` takes either a `file` of",
        "write `{file:",
    ),
    (
        'send: {media: "{{ file.path }}"}',
        "WBX213",
        (5, 19),
        "a `file` of this machine or a `url`",
        'write `{file: "{{ file.path }}"}`',
    ),
    (
        "trigger: {webhook: {path: a, open: true}}\nif: body.present-value > 1",
        "WBX308",
        (6, 22),
        "there is no `value` here",
        "brackets: body['present-value']",
    ),
    ("send: {media: {caption: x}}", "WBX211", (5, 19), "`media` takes either a `file` of", "write `{file:"),
    ("send: {media: {url: 'file:///etc/passwd'}}", "WBX311", (5, 25), "not an absolute http(s)", "`file:`"),
    ("send: {media: {url: a.jpg}}", "WBX311", (5, 25), "not an absolute http(s) address", "public URL"),
    (
        'send: {media: {url: "ftp://x/{{ file.name }}", caption: "{{ nmae }}"}}',
        "WBX308",
        (5, 65),
        "`nmae`",
        None,
    ),
    ("send: {event: {start: now}}", "WBX212", (5, 12), "the key `title` is missing", None),
    ('send: {event: {title: ""}}', "WBX311", (5, 27), "`title` is empty", None),
    ("send: {poll: {question: q, options: [a]}}", "WBX311", (5, 41), "at least 2 different options", None),
    ("send: {poll: {question: q, options: [a, a]}}", "WBX311", (5, 41), "at least 2 different options", None),
    ("send: {poll: {question: q, options: []}}", "WBX311", (5, 41), "at least 2 different options", None),
    (
        "send: {poll: {question: q, options: a}}",
        "WBX213",
        (5, 41),
        "`options` must be a list, not text",
        None,
    ),
    (
        "send: {poll: {question: q, options: [a, 5]}}",
        "WBX213",
        (5, 45),
        "each of `options` must be text",
        "quotes",
    ),
]
TEMPLATES = {"templates/bad.j2": "a\n{% if %}\n", "templates/name.j2": "{{ file.nmae }}"}


@pytest.mark.parametrize(("text", "code", "place", "message", "hint"), MISTAKES)
def test_each_mistake_in_a_rule_has_its_place_and_its_cure(
    tmp_path: Path, text: str, code: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file(text), **TEMPLATES})
    (problem,) = found.problems
    assert (problem.file, problem.code, problem.severity) == ("rules/a.yaml", code, "error")
    assert (problem.line, problem.column) == place
    assert message in problem.message
    assert hint is None or hint in (problem.hint or "")
    assert found.rules == ()


@pytest.mark.parametrize(
    ("content", "code", "place", "message"),
    [
        ("rules: []\n", "WBX212", (1, 1), "the key `version` is missing"),
        ("version: 2\nrules: []\n", "WBX215", (1, 10), "version 2 of the language is not known"),
        (
            "version: '1'\ncontacts: {a: '+905551112233'}\n",
            "WBX215",
            (1, 10),
            "version '1' of the language is not known",
        ),
        (
            "version: 1\ndefaults: {tz: UTC}\nrules: [{}]\n",
            "WBX214",
            (2, 1),
            "`defaults` is not in this version",
        ),
        ("version: 1\nrulez: []\ncontacts: {a: '+905551112233'}\n", "WBX210", (2, 1), "unknown key `rulez`"),
        ("version: 1\nrules: {id: a}\n", "WBX213", (2, 8), "`rules` must be a list, not a map"),
        (
            "version: 1\nrules: [a]\n",
            "WBX213",
            (2, 9),
            "each of `rules` must be a map of keys and values, not text",
        ),
        ("- id: a\n", "WBX213", (1, 1), "the file must be a map of keys and values, not a list"),
        ("version: 1\nrules:\n  - id: A b\n", "WBX215", (3, 9), "an id has small letters"),
        ("version: 1\nrules:\n  - id: 5\n", "WBX213", (3, 9), "`id` must be text, not a number"),
        ("version: 1\nrules:\n  - name: x\n", "WBX212", (3, 5), "the key `id` is missing"),
    ],
)
def test_each_mistake_in_a_file_has_its_place(
    tmp_path: Path, content: str, code: str, place: tuple[int, int], message: str
) -> None:
    problems = project(tmp_path, {"rules/a.yaml": content}).problems
    assert (code, place) in [(problem.code, (problem.line, problem.column)) for problem in problems]
    assert any(message in problem.message for problem in problems)


@pytest.mark.parametrize(("bad", "good"), [("Fatura PDF!", "fatura-pdf"), ("Öğle Işığı", "ogle-isigi")])
def test_a_bad_id_comes_with_a_good_one(tmp_path: Path, bad: str, good: str) -> None:
    problems = project(tmp_path, {"rules/a.yaml": f"version: 1\nrules:\n  - id: {bad}\n"}).problems
    assert f"write `{good}`" in [problem.hint for problem in problems]


def test_a_missing_version_says_what_to_write(tmp_path: Path) -> None:
    (problem,) = project(tmp_path, {"rules/a.yaml": "rules: []\n"}).problems
    assert problem.hint == "write `version: 1` at the top of the file"


def test_a_file_that_ends_in_capitals_is_read(tmp_path: Path) -> None:
    assert [rule.id for rule in project(tmp_path, {"rules/a.YAML": rule_file("")}).rules] == ["a"]


def test_mistakes_of_the_settings_come_before_those_that_follow_from_them(tmp_path: Path) -> None:
    hook = "trigger: {webhook: {path: a, secret: hook}}"
    files = {"wbox-notify.yaml": "secrets: {hook: {env: UNSET}}\n", "rules/a.yaml": rule_file(hook)}
    problems = project(tmp_path, files).problems
    assert [problem.file for problem in problems] == ["wbox-notify.yaml", "rules/a.yaml"]


def test_a_cron_expression_with_both_kinds_of_days_is_a_warning(tmp_path: Path) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file('trigger: {schedule: {cron: "0 9 1-7 * 1"}}')})
    (problem,) = found.problems
    assert (problem.code, problem.severity) == ("WBX352", "warning")
    assert "MON#1" in (problem.hint or "")
    assert found.rules


@pytest.mark.parametrize(
    ("times", "message", "hint"),
    [
        ("2020-12-31 09:00", "all of its dates are past", "a date to come"),
        ("every other Monday 09:00", "does not say in which weeks; the next day is 2", "add `from 2"),
        ("every other Monday 09:00 from 2026-12-08", "the first day is 2026-12-21", "`from 2026-12-14`"),
    ],
)
def test_a_past_date_and_weeks_that_are_not_named_are_warnings(
    tmp_path: Path, times: str, message: str, hint: str
) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file(f"trigger: {{schedule: {times}}}")})
    (problem,) = found.problems
    assert (problem.code, problem.severity) == ("WBX352", "warning")
    assert message in problem.message
    assert hint in (problem.hint or "")
    assert found.rules


def test_a_file_without_rules_is_a_warning_but_one_with_contacts_is_fine(tmp_path: Path) -> None:
    files = {"rules/a.yaml": "", "rules/b.yaml": "version: 1\ncontacts: {a: '+905551112233'}\n"}
    (problem,) = project(tmp_path, files).problems
    assert (problem.file, problem.code, problem.severity) == ("rules/a.yaml", "WBX314", "warning")


def test_an_id_is_used_once_in_all_files(tmp_path: Path) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file(""), "rules/b.yaml": "# b\n" + rule_file("")})
    (problem,) = found.problems
    assert (problem.file, problem.code, problem.line, problem.column) == ("rules/b.yaml", "WBX301", 4, 9)
    assert problem.hint == "the other one is at rules/a.yaml:3"
    assert [one.file for one in found.rules] == ["rules/a.yaml"]


def test_one_mistake_hides_no_other(tmp_path: Path) -> None:
    text = """\
        version: 1
        contacts: {ayse: "0555"}
        rules:
          - id: a
            throtle: 1
          - id: b
            trigger: {file: {path: x, match: "["}}
            if: fiel.size
            to: [ayse, nobody]
            send: [{text: "{{ a b }}"}, {media: {url: x}}]
    """
    problems = project(tmp_path, {"rules/a.yaml": dedent(text)}).problems
    assert [(problem.line, problem.code) for problem in problems] == [
        (2, "WBX302"),
        *((4, "WBX212") for _ in range(3)),
        (5, "WBX210"),
        (7, "WBX309"),
        (8, "WBX308"),
        (9, "WBX303"),
        (9, "WBX303"),
        (10, "WBX306"),
        (10, "WBX311"),
    ]


BLOCKS = """\
version: 1
rules:
  - id: a
    trigger: {file: {path: x}}
    to: "+905551112233"
    send:
      - text: |
          first {{ file.name }}
            {{ flie.name }}
      - text: >-
          folded to
          one line {{ file.name }}

          {{ file.nmae }}
      - text: |-
          first
          {{ file.name oops }}
      - text: >
          first
          second
          third {% iff x %}
      - text: plain that goes on
          in {{ file.nmae }} another line
    if: >-
      file.size > 0
      and file.nmae
"""


def test_a_fault_in_a_block_of_text_is_shown_at_its_own_line(tmp_path: Path) -> None:
    problems = project(tmp_path, {"rules/a.yaml": BLOCKS}).problems
    assert [(problem.line, problem.column, problem.code) for problem in problems] == [
        (9, 16, "WBX308"),
        (14, 19, "WBX308"),
        (17, 11, "WBX306"),
        (21, 11, "WBX306"),
        (23, 22, "WBX308"),
        (26, 16, "WBX308"),
    ]


def test_a_problem_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    text = rule_file('trigger:\n  file:\n    path: /srv/faturalar\n    macth: "*.pdf"')
    (problem,) = project(tmp_path, {"rules/new-invoice.yaml": text}).problems
    assert render(problem) == (
        "error[WBX210]: unknown key `macth`\n"
        " --> rules/new-invoice.yaml:8:9\n"
        "  |\n"
        "7 |         path: /srv/faturalar\n"
        '8 |         macth: "*.pdf"\n'
        "  |         ^^^^^\n"
        "  = help: did you mean `match`?"
    )


PEOPLE = """\
version: 1
contacts:
  ayse: {phone: +90 555 111 22 33, name: Ayşe}
  mehmet: "+90 555 222 33 44"
  boss: 905559990011
  Şube 2: {phone: "00905553334455"}
groups:
  accounting: [ayse, "+905556667788"]
  office: [accounting, mehmet, ayse, 905559990011]
  lone: boss
"""
AYSE, MEHMET = Contact("Ayşe", "905551112233"), Contact("mehmet", "905552223344")
BOSS, BRANCH = Contact("boss", "905559990011"), Contact("Şube 2", "905553334455")
NUMBER = Contact("+905556667788", "905556667788")


@pytest.mark.parametrize("file", ["wbox-notify.yaml", "rules/people.yaml"])
def test_people_stand_in_the_settings_or_in_rule_files(tmp_path: Path, file: str) -> None:
    found = project(tmp_path, {file: PEOPLE, "rules/z.yaml": rule_file("to: [office, boss, ayse, Şube 2]")})
    assert found.problems == ()
    assert found.people.contacts == {"ayse": AYSE, "mehmet": MEHMET, "boss": BOSS, "Şube 2": BRANCH}
    assert found.rules[0].to == (AYSE, NUMBER, MEHMET, BOSS, BRANCH)


@pytest.mark.parametrize(
    ("text", "contacts"),
    [
        ("ayse", (AYSE,)),
        (" lone ", (BOSS,)),
        ("accounting, mehmet,ayse", (AYSE, NUMBER, MEHMET)),
        ("+90 555 666 77 88, 905556667788", (NUMBER,)),
        ("0555 666 77 88", (NUMBER,)),
    ],
)
def test_a_text_names_contacts_groups_and_numbers(
    tmp_path: Path, text: str, contacts: tuple[Contact, ...]
) -> None:
    people = PEOPLE.replace("version: 1", "version: 1\ndefaults: {region: TR}")
    found = project(
        tmp_path, {"wbox-notify.yaml": people, "rules/a.yaml": rule_file('to: "{{ file.stem }}"')}
    )
    (to,) = found.rules[0].to
    assert isinstance(to, Template)
    assert found.recipients(to.render({"file": {"stem": text}})) == contacts


@pytest.mark.parametrize(
    ("text", "field", "hint"),
    [
        ("aysse", "to", "did you mean `ayse`?"),
        ("ayse, zzzzz", "to", None),
        ("", "to", None),
        (" , ", "to", None),
        ("0555 666 77 88", "phone", "defaults.region"),
        ("+90", "phone", None),
    ],
)
def test_a_text_that_names_somebody_unknown_is_an_error(
    tmp_path: Path, text: str, field: str, hint: str | None
) -> None:
    found = project(tmp_path, {"wbox-notify.yaml": PEOPLE})
    with pytest.raises(MessageError) as caught:
        found.recipients(text)
    assert caught.value.field == field
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("line", "code", "place", "message", "hint"),
    [
        (
            "ali: 05551112233",
            "WBX302",
            (3, 8),
            "'05551112233' has no country code",
            "write it as +905551112233",
        ),
        ('ali: "0555 111 22 33"', "WBX302", (3, 8), "has no country code", "defaults.region"),
        ("ali: 555111", "WBX302", (3, 8), "555111 is not a whole phone number", "put it in quotes"),
        ("ali: -905551112233", "WBX302", (3, 8), "is not a whole phone number", "put it in quotes"),
        ("ali: 1.5", "WBX213", (3, 8), "`ali` must be text, not a number", "put it in quotes"),
        ("ali:", "WBX213", (3, 3), "`ali` must be text, and nothing is given", None),
        ("ali: someone", "WBX302", (3, 8), "'someone' is not a phone number", "+905551234567"),
        ("ali: 120363@g.us", "WBX302", (3, 8), "is a WhatsApp id", None),
        ("ali: {phone: +90}", "WBX302", (3, 16), "not a possible phone number", None),
        ("ali: {name: x}", "WBX212", (3, 3), "the key `phone` is missing", None),
        ("ali: {fone: +905551112233}", "WBX210", (3, 9), "unknown key `fone`", "did you mean `phone`?"),
        ("5ali: +905551112233", "WBX215", (3, 3), "`5ali` cannot be a name", "starts with a letter"),
        ('"a,b": +905551112233', "WBX215", (3, 3), "`a,b` cannot be a name", "starts with a letter"),
        ("+905551112233: +905551112233", "WBX215", (3, 3), "cannot be a name", "starts with a letter"),
    ],
)
def test_each_mistake_in_a_contact_has_its_place(
    tmp_path: Path, line: str, code: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    (problem,) = project(tmp_path, {"wbox-notify.yaml": f"version: 1\ncontacts:\n  {line}\n"}).problems
    assert (problem.code, (problem.line, problem.column)) == (code, place)
    assert message in problem.message
    assert hint is None or hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("groups", "code", "place", "message"),
    [
        ("a: [b]\n  b: [c]\n  c: [a]", "WBX305", (6, 7), "the group `a` holds itself: a > b > c > a"),
        ("a: [a]", "WBX305", (4, 7), "the group `a` holds itself: a > a"),
        ("a: []", "WBX305", (4, 3), "the group `a` is empty"),
        ("a: [ayes]", "WBX303", (4, 7), "`ayes` is neither a contact nor a group"),
        ("a: [0555]", "WBX302", (4, 7), "has no country code"),
        ("a: [[ayse]]", "WBX213", (4, 7), "each of `a` must be text, not a list"),
        ("a: {b: c}", "WBX213", (4, 6), "`a` must be text, not a map"),
        ("a:", "WBX213", (4, 3), "`a` must be text, and nothing is given"),
        ("ayse: ['+905551112233']", "WBX304", (4, 3), "the name `ayse` is taken"),
    ],
)
def test_each_mistake_in_a_group_has_its_place(
    tmp_path: Path, groups: str, code: str, place: tuple[int, int], message: str
) -> None:
    text = f"version: 1\ncontacts: {{ayse: '+905551112233'}}\ngroups:\n  {groups}\n"
    (problem,) = project(tmp_path, {"rules/a.yaml": text}).problems
    assert (problem.code, (problem.line, problem.column)) == (code, place)
    assert message in problem.message


def test_a_name_is_given_once_in_all_files(tmp_path: Path) -> None:
    (problem,) = project(
        tmp_path,
        {"wbox-notify.yaml": PEOPLE, "rules/a.yaml": "version: 1\n\ncontacts:\n  ayse: 905551112233\n"},
    ).problems
    assert (problem.file, problem.code, problem.line) == ("rules/a.yaml", "WBX304", 4)
    assert problem.hint == "it is given at wbox-notify.yaml:3: remove one of the two"


def test_who_names_a_broken_contact_is_told_and_not_sent_half(tmp_path: Path) -> None:
    people = "version: 1\ncontacts: {ayse: '0555', boss: '+905559990011'}\ngroups: {all: [boss, ayse]}\n"
    found = project(tmp_path, {"wbox-notify.yaml": people, "rules/a.yaml": rule_file("to: [boss, all]")})
    assert [(problem.file, problem.code) for problem in found.problems] == [
        ("wbox-notify.yaml", "WBX302"),
        ("rules/a.yaml", "WBX303"),
    ]
    assert "`all` cannot be used" in found.problems[1].message
    assert found.rules == ()


def test_groups_in_groups_have_an_end(tmp_path: Path) -> None:
    groups = "".join(f"  g{n}: [g{n - 1}]\n" for n in range(1, 3000))
    text = f"version: 1\ngroups:\n  g0: ['+905551112233']\n{''.join(reversed(groups.splitlines(True)))}"
    found = project(tmp_path, {"wbox-notify.yaml": text})
    assert all("nested more than 20 deep" in problem.message for problem in found.problems)


def trigger(*match: str, ignore: tuple[str, ...] = ()) -> FileTrigger:
    return FileTrigger(root=Path("/srv/drop"), match=match or ("**/*",), ignore=ignore)


@pytest.mark.parametrize(
    ("match", "accepted", "refused"),
    [
        ("*.pdf", "a.pdf a.PDF", "sub/a.pdf a.pdf.txt pdf"),
        ("**/*.pdf", "a.pdf sub/a.pdf s/u/b/a.pdf", "a.txt sub.pdf/a"),
        ("**/*", "a s/a s/u/a", ""),
        ("**", "a s/a", ""),
        ("in/**", "in/a in/b/c", "in out/a"),
        ("**/in/*", "in/a x/in/a x/y/in/a", "in a in/b/c"),
        ("a/**/b/**/c", "a/b/c a/x/b/c a/b/x/y/c a/x/b/b/c", "a/c b/c a/b"),
        ("????.csv", "2026.csv", "226.csv a/26.csv"),
        ("[a-c]?.txt", "b1.txt c-.txt", "d1.txt b.txt"),
        ("[!a]*", "b", "a ab"),
        ("[]x]", "] x", "a"),
        ("x[+-9]y", "x5y", "x/y xay"),
        ("a.b+(c)", "a.b+(c)", "aab+(c) a.bb(c)"),
        ("*a*b*c", "abc xaxbxc aabbcc", "ab acb"),
        ("INV-*.{}.pdf".replace("{}", "[{]1[}]"), "INV-7.{1}.pdf", "INV-7.1.pdf"),
    ],
)
def test_a_glob_matches_below_the_folder(match: str, accepted: str, refused: str) -> None:
    for path in accepted.split():
        assert trigger(match).accepts(f"/srv/drop/{path}"), path
    for path in refused.split():
        assert not trigger(match).accepts(f"/srv/drop/{path}"), path


def test_any_of_several_globs_will_do() -> None:
    assert trigger("*.pdf", "in/*").accepts("/srv/drop/in/x")
    assert not trigger("*.pdf", "in/*").accepts("/srv/drop/x")


@pytest.mark.parametrize("path", ["/srv/drop", "/srv/drop/", "/srv/dropped/a", "/srv/a", "a", "drop/a", ""])
def test_what_is_not_below_the_folder_is_not_accepted(path: str) -> None:
    assert not trigger().accepts(path)


def test_the_root_of_the_file_system_can_be_watched() -> None:
    assert FileTrigger(root=Path("/")).accepts("/a/b")


@pytest.mark.parametrize(
    "name",
    [
        *(
            ".hidden",
            "a.part",
            "a.tmp",
            "a.crdownload",
            "a.filepart",
            "a.swp",
            "a~",
            "~$a.docx",
            ".~lock.a.ods#",
        ),
        *("Thumbs.db", ".DS_Store", "desktop.ini", "@eaDir/a", ".stfolder/a", ".stversions/x/a", "x/.git/a"),
    ],
)
def test_F11_unfinished_and_hidden_files_are_ignored(name: str) -> None:
    assert not trigger().accepts(f"/srv/drop/{name}")
    assert not trigger().accepts(f"/srv/drop/sub/{name}")


def test_ignore_adds_to_what_is_ignored() -> None:
    watched = trigger(ignore=("archive/", "*.log", "in/old/*"))
    for path in ("archive/a", "x/archive/a", "a.log", "x/a.log", "in/old/a", "in/old/b/c", ".hidden"):
        assert not watched.accepts(f"/srv/drop/{path}")
    for path in ("a", "archived/a", "old/a", "in/a", "x/in/old/a"):
        assert watched.accepts(f"/srv/drop/{path}")


def test_names_that_are_no_text_can_be_matched() -> None:
    assert trigger("*.pdf").accepts("/srv/drop/\udcff\n.pdf")


@pytest.mark.parametrize(
    ("glob", "message", "hint"),
    [
        ("", "is empty", None),
        ("/srv/*.pdf", "not at /", "`srv/*.pdf`"),
        ("in/", "names files", "`in/**`"),
        ("a//b", "cannot have `//`", None),
        ("../a", "cannot have `//`, `.` or `..`", None),
        ("**.pdf", "`**` must stand alone", "`**/*.pdf`"),
        ("*.{jpg,png}", "cannot have `{a,b}`", '["*.jpg", "*.png"]'),
        ("a\\b", "cannot have a backslash", "write /"),
        ("a[b", "never closed", "[[]"),
        ("[]", "never closed", "[[]"),
        ("[!]", "never closed", "[[]"),
        ("[a/b]", "never closed", "[[]"),
        ("[z-a]", "the range z-a", "a-z"),
        ("a" * 501, "longer than 500", None),
    ],
)
def test_a_glob_that_can_not_mean_what_it_says_is_refused(glob: str, message: str, hint: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        path_pattern(glob)
    assert message in str(caught.value)
    assert hint is None or hint in (caught.value.hint or "")


def matches(pattern: list[str], path: list[str]) -> bool:
    """Match segment by segment in the plainest way there is."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        rest = pattern[1:] or ["*"]
        return any(matches(rest, path[skipped:]) for skipped in range(len(path)))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and matches(pattern[1:], path[1:])


SEGMENT = st.one_of(
    st.text("ab.*?", min_size=1, max_size=5).filter(
        lambda text: "**" not in text and text not in {".", ".."}
    ),
    st.sampled_from(["**", "**", "[ab]", "[!a]*", "*[a-b]"]),
)


@UNTIMED
@given(
    st.lists(SEGMENT, min_size=1, max_size=5),
    st.lists(st.text("ab.", min_size=1, max_size=5), min_size=1, max_size=6),
)
@example(["**", "a", "**", "a", "b"], ["a", "a", "b", "a", "a", "b"])
def test_globs_match_as_the_plainest_matcher_does(pattern: list[str], path: list[str]) -> None:
    found = re.fullmatch(path_pattern("/".join(pattern)), "/".join(path))
    assert (found is not None) == matches(pattern, path)


@pytest.mark.parametrize(
    "glob",
    ["*a" * 200 + "b", "**/a/" * 80 + "b", "**/*a*a*a*a*a*a*b/" * 20 + "b", "*/" * 200 + "b", "[ab]*" * 100],
)
def test_no_glob_tries_a_path_in_many_ways(glob: str) -> None:
    """It would take longer than the sun shines if it did."""
    for path in ("a" * 4000, "a/" * 2000 + "a", "aaaaaaaaaa/" * 400 + "c"):
        assert re.fullmatch(path_pattern(glob), path) is None or glob.startswith("[")


def test_paths_start_in_the_project_folder_or_at_home(tmp_path: Path) -> None:
    roots = []
    for index, path in enumerate(["drop", "/srv/x", "~/drop"]):
        (source,) = rule(tmp_path / str(index), f"trigger: {{file: {{path: {path}}}}}").sources()
        assert isinstance(source, FileTrigger)
        roots.append(source.root)
    assert roots == [tmp_path / "0" / "drop", Path("/srv/x"), Path.home() / "drop"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2.0), ("500ms", 0.5), ("1m30s", 90.0), ("1h", 3600.0), ("0s", 0.0), ("2 s", 2.0)],
)
def test_a_duration_is_given_in_units(tmp_path: Path, text: str, seconds: float) -> None:
    (source,) = rule(tmp_path, f"trigger: {{file: {{path: x, settle: {text}}}}}").sources()
    assert isinstance(source, FileTrigger)
    assert source.settle == seconds


@UNTIMED
@given(
    st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_bytes_as_a_rule_file_give_a_project(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    sane(project(tmp_path_factory.getbasetemp(), {"rules/a.yaml": content}))


KEYS = [
    "version",
    "rules",
    "contacts",
    "groups",
    "on_call",
    "time_windows",
    "id",
    "name",
    "trigger",
    "file",
    "path",
    "match",
    "ignore",
    "settle",
    "webhook",
    "preset",
    "secret",
    "verify",
    "scheme",
    "open",
    "schedule",
    "at",
    "cron",
    "every",
    "tz",
    "skip",
    "holidays",
    "days",
    "missed",
    "run",
    "within",
    "missing",
    "of",
    "by",
    "window",
    "resolved",
    "for_each",
    "row",
    "if",
    "dedupe",
    "key",
    "for",
    "throttle",
    "max",
    "per",
    "overflow",
    "group",
    "wait",
    "interval",
    "repeat",
    "digest",
    "quiet_hours",
    "unless",
    "then",
    "escalate",
    "after",
    "tests",
    "when",
    "expect",
    "skipped",
    "until",
    "next_runs",
    "to",
    "send",
    "text",
    "template",
    "media",
    "url",
    "caption",
    "event",
    "title",
    "start",
    "poll",
    "question",
    "options",
    "device",
    "phone",
    "ayse",
    "rotate",
    "from",
    "tags",
    "lang",
    "zzz",
]
WORDS = [
    *("", "a", "ayse", "+905551112233", "0555", "{{ file.name }}", "{{ fil }}", "{% if", "file.size > 0"),
    *("**/*.pdf", "[", "~x/y", "https://example.com/a", "2s", "{# x #}", "a, ayse", "x.j2", "../x.j2", "/"),
    *("\u202e", "((((", "%", "3/10m", "09:00", "Mon-Fri 09:00", "22:00-07:30", "1w", "2026-01-05 09:00"),
    *("github", "Europe/Istanbul", "TR", "tag:ops", "0 0 30 2 *", "0001-01-01 00:00", "never", "last"),
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**15),
    st.floats(-9, 9),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
TRIGGERS = st.one_of(
    st.fixed_dictionaries({kind: TREES}) for kind in ("file", "webhook", "schedule", "missing")
)
RULE_KEYS = [
    "if",
    "for_each",
    "dedupe",
    "throttle",
    "group",
    "digest",
    "quiet_hours",
    "escalate",
    "tests",
    "send",
]
NEARLY = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "contacts": TREES,
        "groups": TREES,
        "on_call": TREES,
        "time_windows": TREES,
        "rules": st.lists(
            st.fixed_dictionaries(
                {"id": st.sampled_from(["a", "b"]), "to": st.just("+905551112233"), "trigger": TRIGGERS},
                optional=dict.fromkeys(RULE_KEYS, TREES),
            )
        ),
    },
)


@UNTIMED
@given(TREES | NEARLY)
def test_any_tree_of_values_as_a_rule_file_gives_a_project(
    tmp_path_factory: pytest.TempPathFactory, tree: Any
) -> None:
    sane(project(tmp_path_factory.getbasetemp(), {"rules/a.yaml": json.dumps(tree, ensure_ascii=False)}))


@pytest.mark.parametrize(
    "content",
    [
        f"version: 1\nrules: [{'{x: 1}, ' * 6000}]",
        f"version: 1\nrules: [{'{}, ' * 4000}]",
        f"version: 1\n{''.join(f'x{n}: 1' + chr(10) for n in range(9000))}",
        f"version: 1\nrules: [{{{'id: 1, ' * 9000}}}]",
        rule_file(f"if: '{'(' * 5000}'"),
        rule_file(f"send: {{text: '{'{% raw %}' + '{{' * 200_000 + '{% endraw %}{{ fil }}'}'}}"),
        rule_file(f"to: [{'nobody, ' * 9000}]"),
        f"version: 1\ncontacts: {{{', '.join(f'c{n}: 1' for n in range(9000))}}}",
    ],
    ids=["unknown keys", "empty rules", "top keys", "doubles", "brackets", "braces", "nobody", "contacts"],
)
def test_the_worst_files_are_answered_too(tmp_path: Path, content: str) -> None:
    found = project(tmp_path, {"rules/a.yaml": content})
    assert any(problem.severity == "error" for problem in found.problems)
    assert all(isinstance(problem, Problem) for problem in found.problems)
