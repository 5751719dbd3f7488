"""What rules hold back is told in the end, once, to whom it concerns and in order: told as tests of rules."""

import functools
import tempfile
from pathlib import Path

import pytest

from wbox_notify.engine.rule_tests import run
from wbox_notify.rules import Project, load

RULES = """
version: 1
contacts:
  me: "+90 555 000 00 09"
  boss: "+90 555 000 00 02"
groups: {both: [me, boss]}

rules:
  - id: album
    trigger: {webhook: {path: album, open: true}}
    quiet_hours: "22:00-07:00"
    to: me
    send:
      - text: "before {{ body }}"
      - media: {url: "https://e.x/{{ body }}.jpg"}
      - text: "after {{ body }}"
    tests:
      - name: a picture of the night stays between the texts of its event
        when:
          - {at: 2026-11-23 23:00, webhook: {body: 1}}
          - {after: 1h, webhook: {body: 2}}
        expect:
          - {at: 2026-11-24 07:00, text: before 1}
          - {media: {url: https://e.x/1.jpg}}
          - {text: "after 1\\n\\nbefore 2"}
          - {media: {url: https://e.x/2.jpg}}
          - {text: after 2}

  - id: steps
    trigger: {webhook: {path: steps, open: true}}
    to: me
    send: {text: help}
    escalate:
      - {after: 20m, unless: acked, to: boss, send: {text: twenty}}
      - {after: 10m, to: boss, send: {text: ten}}
    tests:
      - name: steps come in the order of their times, and are named by their places
        when:
          - {at: 2026-11-23 10:00, webhook: {body: 1}}
          - {after: 15m, ack: true}
        expect:
          - {at: 2026-11-23 10:00, text: help}
          - {at: 2026-11-23 10:10, text: ten}
        skipped: escalate[0]

  - id: rows
    trigger: {webhook: {path: rows, open: true}}
    for_each: {row: body}
    to: both
    send: {text: "{{ row }}"}
    escalate: {after: 10m, to: boss, send: {text: "still {{ row }}"}}
    tests:
      - name: steps of one instant come in the order of the rows
        when: {at: 2026-11-23 10:00, webhook: {body: [1, 2, 3, 4, 5]}}
        expect:
          - {to: me, text: "1"}
          - {to: boss, text: "1"}
          - {to: me, text: "2"}
          - {to: boss, text: "2"}
          - {to: me, text: "3"}
          - {to: boss, text: "3"}
          - {to: me, text: "4"}
          - {to: boss, text: "4"}
          - {to: me, text: "5"}
          - {to: boss, text: "5"}
          - {text: still 1}
          - {text: still 2}
          - {text: still 3}
          - {text: still 4}
          - {text: still 5}

  - id: night
    trigger: {webhook: {path: night, open: true}}
    quiet_hours: "22:00-07:00"
    to: both
    send: {text: "{{ body }}"}
    tests:
      - name: in the morning the readers are told in the order of `to`
        when: {at: 2026-11-23 23:00, webhook: {body: 1}}
        expect: [{to: me}, {to: boss}]
"""


@functools.cache
def the_project() -> Project:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules").mkdir()
        Path(folder, "rules", "all.yaml").write_text(RULES, encoding="utf-8")
        Path(folder, "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\n")
        return load(Path(folder), {})


TESTS = [(rule, test) for rule in the_project().rules for test in rule.tests]


def test_the_rules_load() -> None:
    assert [problem.message for problem in the_project().problems if problem.severity == "error"] == []


@pytest.mark.parametrize(
    ("rule", "test"), [pytest.param(*one, id=f"{one[0].id}: {one[1].name}") for one in TESTS]
)
def test_a_rule_does(rule: object, test: object) -> None:
    assert run(the_project(), rule, test).complaints == ()  # type: ignore[arg-type]
