"""The tests of rules tell the truth: they fire what the daemon fires, and say what was otherwise."""

from pathlib import Path
from textwrap import indent

import pytest
from rulebook import project, rule_file

from wbox_notify.engine.rule_tests import run_all

OFFICE = "trigger: {schedule: {at: Mon-Fri 09:00, skip: {holidays: TR}}}"
BACKUP = "trigger: {missing: {of: {file: {path: /srv}}, by: {at: '07:00', skip: {holidays: TR}}, window: 1h}}"


def complaints(folder: Path, trigger: str, test: str) -> tuple[str, ...]:
    """Return what a test complains of, whose ``when`` and ``expect`` are given."""
    text = f"{trigger}\ntests:\n  - name: x\n{indent(test, '    ')}\n"
    found = project(folder, {"rules/a.yaml": rule_file(text)})
    assert all(problem.severity == "warning" for problem in found.problems)
    [result] = run_all(found, found.rules)
    return result.complaints


@pytest.mark.parametrize(
    ("trigger", "test"),
    [
        (OFFICE, "when: {at: 2026-11-23 09:00, schedule: true}\nexpect: {at: 2026-11-23 09:00}"),
        (OFFICE, "when: {at: 2026-11-29 11:23, schedule: true}\nexpect: []\nskipped: schedule"),
        (OFFICE, "when: {at: 2026-11-23 09:01, schedule: true}\nexpect: []\nskipped: schedule"),
        (OFFICE, "when: {at: 2026-10-29 09:00, schedule: true}\nexpect: []\nskipped: holiday"),
        (BACKUP, "when: {at: 2026-11-23 07:00, missing: true}\nexpect: {at: 2026-11-23 07:00}"),
        (BACKUP, "when: {at: 2026-11-23 07:30, missing: true}\nexpect: []\nskipped: missing"),
        (BACKUP, "when: {at: 2026-10-29 07:00, missing: true}\nexpect: []\nskipped: holiday"),
    ],
)
def test_a_time_is_due_only_where_the_daemon_makes_it_so(tmp_path: Path, trigger: str, test: str) -> None:
    assert complaints(tmp_path, trigger, test) == ()


@pytest.mark.parametrize(
    ("trigger", "test"),
    [
        (OFFICE, "when: {schedule: true}\nexpect: {at: 2026-01-05 09:00}"),
        (
            OFFICE,
            "when: [{at: 2026-11-27 12:00, wait: 1h}, {schedule: true}]\nexpect: {at: 2026-11-30 09:00}",
        ),
        (
            OFFICE,
            "when: [{schedule: true}, {after: 1s, schedule: true}]\nexpect: [{}, {at: 2026-01-06 09:00}]",
        ),
        (BACKUP, "when: [{at: 2026-10-28 12:00, wait: 1h}, {missing: true}]\nexpect: {at: 2026-10-30 07:00}"),
    ],
)
def test_without_a_time_what_is_due_comes_at_its_next_one(tmp_path: Path, trigger: str, test: str) -> None:
    assert complaints(tmp_path, trigger, test) == ()


@pytest.mark.parametrize("at", ["2026-11-28 10:00", "2026-11-30 09:00"])
def test_any_schedule_of_a_rule_may_be_due(tmp_path: Path, at: str) -> None:
    trigger = "trigger: [{schedule: Mon 09:00}, {schedule: Sat 10:00}]"
    assert complaints(tmp_path, trigger, f"when: {{at: {at}, schedule: true}}\nexpect: {{at: {at}}}") == ()
    runs = "next_runs_from: 2026-11-27 09:00\nnext_runs: [2026-11-28 10:00, 2026-11-30 09:00]"
    assert complaints(tmp_path, trigger, runs) == ()


def test_a_run_that_moves_to_the_next_workday_is_due_there_and_not_before(tmp_path: Path) -> None:
    trigger = "trigger: {schedule: {at: '09:00', skip: {weekends: true, move: next}}}"
    for at, messages in (("2026-11-28", "[]\nskipped: holiday"), ("2026-11-30", "{at: 2026-11-30 09:00}")):
        test = f"when: {{at: {at} 09:00, schedule: true}}\nexpect: {messages}"
        assert complaints(tmp_path, trigger, test) == ()


def test_a_message_that_did_not_come_says_what_stopped_it(tmp_path: Path) -> None:
    test = "when: {at: 2026-11-29 11:23, schedule: true}\nexpect: {text: hi}"
    reason = "2026-11-29 11:23 is none of its times; the next is 2026-11-30 09:00"
    assert complaints(tmp_path, OFFICE, test) == (f"message 1 did not come: text: 'hi' ({reason})",)
    past = "trigger: {schedule: 2020-01-01 09:00}"
    (complaint,) = complaints(tmp_path, past, "when: {schedule: true}\nexpect: {text: hi}")
    assert complaint.endswith("(2026-01-05 09:00 is none of its times; the next is never)")


def test_a_complaint_has_times_as_the_clocks_of_the_project_show_them(tmp_path: Path) -> None:
    rule = rule_file(
        f"{OFFICE}\ntests:\n  - name: x\n    when: {{at: 2026-11-23 09:00, schedule: true}}\n"
        "    expect: [{at: 2026-11-23 10:00}, {at: 2026-11-24 09:00}]\n"
        "    next_runs_from: 2026-11-23 09:00\n    next_runs: [2026-11-24 10:00]\n"
    )
    found = project(
        tmp_path, {"rules/a.yaml": rule, "wbox-notify.yaml": "version: 1\ndefaults: {tz: Europe/Istanbul}\n"}
    )
    [result] = run_all(found, found.rules)
    assert result.complaints[1:] == (
        "  expected at 2026-11-23 10:00:00",
        "message 2 did not come: at: 2026-11-24 09:00:00 (nothing stopped it)",
        "next run: expected 2026-11-24 10:00, got 2026-11-24 09:00",
    )


def test_inputs_have_to_stand_in_the_order_of_their_times(tmp_path: Path) -> None:
    test = "when: [{at: 2026-11-23 09:00, wait: 1h}, {at: 2026-11-23 09:30, schedule: true}]\nexpect: []"
    assert complaints(tmp_path, OFFICE, test) == (
        "an input at 2026-11-23 09:30:00 comes before the one above it",
    )


@pytest.mark.parametrize("given", ["schedule", "missing"])
def test_what_the_rule_does_not_wait_for_can_not_be_due(tmp_path: Path, given: str) -> None:
    test = f"when: {{{given}: true}}\nexpect: []"
    assert complaints(tmp_path, "trigger: {file: {path: /srv}}", test) == ("the rule a has no such trigger",)
