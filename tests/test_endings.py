"""The end of a trouble: where a rule does not tell of it, it still ends what the rule has begun."""

import functools
import tempfile
from pathlib import Path

import pytest
from rulebook import project, rule_file

from wbox_notify.engine.rule_tests import run
from wbox_notify.rules.check import check
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

RULES = """
version: 1
contacts: {me: "+90 555 000 00 01", boss: "+90 555 000 00 02"}
rules:
  - id: grouped
    trigger: {webhook: {path: a, preset: alertmanager, open: true}}
    if: alert.status == "firing"
    group: {wait: 0s, interval: 5m, repeat: 1h}
    to: me
    send: {text: "{{ group.firing | length }}/{{ group.resolved | length }}"}
    escalate: {after: 20m, to: boss, send: {text: boss}}
    tests:
      - name: a group repeats nothing that is over, and calls nobody
        when:
          - at: 2026-11-23 10:00
            webhook: &both
              body:
                alerts:
                  - {status: firing, fingerprint: f1, labels: {}}
                  - {status: firing, fingerprint: f2, labels: {}}
          - at: 2026-11-23 10:10
            webhook: &one {body: {alerts: [{status: resolved, fingerprint: f1, labels: {}}]}}
          - at: 2026-11-23 10:15
            webhook: {body: {alerts: [{status: resolved, fingerprint: f2, labels: {}}]}}
        expect: [{at: 2026-11-23 10:00, text: 2/0}]
        skipped: escalate[0]
      - name: what is not over is repeated without what is
        when:
          - {at: 2026-11-23 10:00, webhook: *both}
          - {at: 2026-11-23 10:10, webhook: *one}
        until: 1h
        expect:
          - {at: 2026-11-23 10:00, text: 2/0}
          - {at: 2026-11-23 10:20, to: boss}
          - {at: 2026-11-23 11:00, text: 1/0}

  - id: single
    trigger: {webhook: {path: b, preset: alertmanager, open: true}}
    if: alert.status == "firing"
    to: me
    send: {text: "{{ alert.labels.n }}"}
    quiet_hours: "22:00-07:00"
    escalate: {after: 20m, to: boss, send: {text: boss}}
    tests:
      - name: what is over by the morning is not told, and calls nobody
        when:
          - at: 2026-11-23 23:00
            webhook: &burning {body: {alerts: [{status: firing, fingerprint: f, labels: {n: 1}}]}}
          - at: 2026-11-24 02:00
            webhook: &well {body: {alerts: [{status: resolved, fingerprint: f, labels: {n: 1}}]}}
        expect: []
        skipped: if
      - name: what was told and is over calls nobody
        when:
          - {at: 2026-11-23 10:00, webhook: *burning}
          - {at: 2026-11-23 10:10, webhook: *well}
        expect: [{to: me, text: "1"}]
        skipped: escalate[0]
"""


@functools.cache
def the_project() -> Project:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules").mkdir()
        Path(folder, "rules", "all.yaml").write_text(RULES, encoding="utf-8")
        Path(folder, "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\n")
        return load(Path(folder), {})


TESTS = [(rule, test) for rule in the_project().rules for test in rule.tests]


@pytest.mark.parametrize(
    ("rule", "test"), [pytest.param(*one, id=f"{one[0].id}: {one[1].name}") for one in TESTS]
)
def test_a_rule_does(rule: object, test: object) -> None:
    assert run(the_project(), rule, test).complaints == ()  # type: ignore[arg-type]


ALERTS = "trigger: {webhook: {path: a, preset: alertmanager, open: true}}\n"
LATE = "trigger: {missing: {of: {file: {path: drop}}, by: '07:00', window: 1h, resolved: true}}\n"
STEP = "escalate: {after: 1m, to: '+905551112233', send: {text: a}}\n"


def warnings(folder: Path, text: str) -> list[tuple[int, int]]:
    """Return the places of conditions that no end passes."""
    found = project(folder, {"rules/a.yaml": rule_file(text)})
    return [(problem.line, problem.column) for problem in check(found) if problem.code == "WBX359"]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (f"{ALERTS}group: {{wait: 1m}}\n", "alert.status == 'firing'"),
        (f"{ALERTS}group: {{wait: 1m}}\n", "alert.labels.a and 'firing' == alert['status']"),
        (f"{ALERTS}{STEP}", "alert.status != 'resolved'"),
        (f"{ALERTS}{STEP}", 'body.status == "firing"'),
        (LATE, "not missing.resolved"),
        (LATE, "missing.resolved == false"),
    ],
)
def test_check_warns_of_a_condition_that_no_end_passes(tmp_path: Path, text: str, condition: str) -> None:
    assert warnings(tmp_path, f"{text}if:\n  - now.hour > 1\n  - >-\n    {condition}\n")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (ALERTS, "alert.status == 'firing'"),
        (f"{ALERTS}{STEP}", "alert.status == 'firing' or alert.labels.important"),
        (f"{ALERTS}{STEP}", "alert.status == 'resolved'"),
        (LATE, "missing.resolved or now.hour > 7"),
        (LATE.replace(", resolved: true", ""), "not missing.resolved"),
    ],
)
def test_a_condition_that_an_end_passes_or_that_hides_nothing_is_no_warning(
    tmp_path: Path, text: str, condition: str
) -> None:
    assert warnings(tmp_path, f"{text}if: >-\n  {condition}\n") == []
