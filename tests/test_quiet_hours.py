"""Quiet hours hold for all that is sent, unless the rule says otherwise at that place: tests of rules."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rulebook import project, rule_file, rule_tests, whole

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_tests import run
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text

RULES = """
version: 1
contacts:
  me: "+90 555 000 00 09"
  boss: {phone: "+90 555 000 00 02", quiet_hours: "22:00-06:00"}
  sleeper: {phone: "+90 555 000 00 03", quiet_hours: "22:00-07:30", lang: tr}
rules:
  - id: counted
    trigger: {webhook: {path: a, open: true}}
    throttle: {max: 1, per: 10m}
    to: [me, sleeper]
    send: {text: "{{ body }}"}
    tests:
      - name: the number of what was left out waits for the morning, all nights in one number
        when:
          - {at: 2026-11-23 21:55, webhook: {body: 1}}
          - {after: 1m, webhook: {body: 2}}
          - {after: 20m, webhook: {body: 3}}
          - {after: 1m, webhook: {body: 4}}
          - {after: 1m, webhook: {body: 5}}
        expect:
          - {at: 2026-11-23 21:55, to: me, text: "1"}
          - {to: sleeper, text: "1"}
          - {at: 2026-11-23 22:05, to: me, text: {contains: 1 more}}
          - {at: 2026-11-23 22:16, to: me, text: "3"}
          - {at: 2026-11-23 22:26, to: me, text: {contains: 2 more}}
          - {at: 2026-11-24 07:30, to: sleeper, text: "3"}
          - {at: 2026-11-24 07:30, to: sleeper, text: {contains: 3 bildirim daha}}

  - id: counted-by-day
    trigger: {webhook: {path: b, open: true}}
    throttle: {max: 1, per: 10m}
    quiet_hours: {window: "22:00-07:00", then: drop}
    to: me
    send: {text: "{{ body }}"}
    tests:
      - name: the number is dropped as all the rest is
        when:
          - {at: 2026-11-23 21:55, webhook: {body: 1}}
          - {after: 1m, webhook: {body: 2}}
        expect: [{text: "1"}]
        skipped: quiet_hours

  - id: steps
    trigger: {webhook: {path: c, open: true}}
    to: me
    send: {text: help}
    escalate:
      - {after: 10m, to: boss, send: {text: first}}
      - {after: 20m, to: [me, boss], send: {text: second}}
    tests:
      - name: steps wait for the end of the quiet hours of whom they tell
        when: {at: 2026-11-23 23:00, webhook: {body: 1}}
        expect:
          - {at: 2026-11-23 23:00, to: me, text: help}
          - {at: 2026-11-23 23:20, to: me, text: second}
          - {at: 2026-11-24 06:00, to: boss, text: "first\\n\\nsecond"}
      - name: a step that waits is not taken when somebody has answered until then
        when:
          - {at: 2026-11-23 23:00, webhook: {body: 1}}
          - {after: 1h, ack: true}
        expect: [{text: help}, {to: me, text: second}]
        skipped: escalate[0]

  - id: steps-of-a-group
    trigger: {webhook: {path: d, preset: alertmanager, open: true}}
    group: {by: [], wait: 0s, interval: 1m}
    to: me
    send: {text: "{{ group.firing | length }}/{{ group.resolved | length }}"}
    escalate: {after: 10m, to: boss, send: {text: "still {{ group.firing | length }}"}}
    tests:
      - name: a step that waits tells of the group as it is then
        when:
          - at: 2026-11-24 05:00
            webhook: &f1 {body: {alerts: [{status: firing, fingerprint: f1, labels: {}}]}}
          - at: 2026-11-24 05:30
            webhook: {body: {alerts: [{status: firing, fingerprint: f2, labels: {}}]}}
        until: 1h
        expect:
          - {at: 2026-11-24 05:00, to: me, text: 1/0}
          - {at: 2026-11-24 05:30, to: me, text: 2/0}
          - {at: 2026-11-24 06:00, to: boss, text: still 2}
      - name: a step that waits for the morning is left out when all is well
        when:
          - {at: 2026-11-24 05:00, webhook: *f1}
          - at: 2026-11-24 05:30
            webhook: {body: {alerts: [{status: resolved, fingerprint: f1, labels: {}}]}}
        expect: [{text: 1/0}, {text: 0/1}]

  - id: steps-at-any-hour
    trigger: {webhook: {path: e, open: true}}
    to: me
    send: {text: help}
    escalate:
      - {after: 10m, to: boss, send: {text: first}, quiet_hours: ignore}
      - {after: 20m, to: boss, send: {text: second}}
    tests:
      - name: a step may ignore quiet hours
        when: {at: 2026-11-23 23:00, webhook: {body: 1}}
        expect:
          - {text: help}
          - {at: 2026-11-23 23:10, to: boss, text: first}
          - {at: 2026-11-24 06:00, to: boss, text: second}

  - id: steps-of-what-is-urgent
    trigger: {webhook: {path: f, open: true}}
    quiet_hours: {window: "22:00-07:00", unless: body == 1}
    to: me
    send: {text: help}
    escalate: {after: 10m, to: boss, send: {text: first}}
    tests:
      - name: what is urgent is urgent for a step as well
        when: {at: 2026-11-23 23:00, webhook: {body: 1}}
        expect: [{text: help}, {at: 2026-11-23 23:10, to: boss, text: first}]

  - id: measured
    trigger: {webhook: {path: measured, open: true}}
    throttle: {max: 1, per: 1h, overflow: drop}
    quiet_hours: {window: "22:00-07:00", unless: body == 9}
    to: me
    send: {text: "{{ body }}"}
    tests:
      - name: what waits for the morning does not fill the measure of what is urgent
        when:
          - {at: 2026-11-23 23:00, webhook: {body: 1}}
          - {after: 1m, webhook: {body: 9}}
          - {after: 1m, webhook: {body: 9}}
        expect: [{at: 2026-11-23 23:01, text: "9"}, {at: 2026-11-24 07:00, text: "1"}]
        skipped: throttle

  - id: at-any-hour
    trigger: {webhook: {path: g, open: true}}
    quiet_hours: ignore
    to: sleeper
    send: {text: "{{ body }}"}
    tests:
      - name: a rule may ignore the quiet hours of people
        when: {at: 2026-11-23 23:00, webhook: {body: 1}}
        expect: [{at: 2026-11-23 23:00, to: sleeper}]

  - id: critical
    trigger: {webhook: {path: h, open: true}}
    priority: critical
    throttle: {max: 1, per: 10m}
    to: sleeper
    send: {text: "{{ body }}"}
    escalate: {after: 15m, to: boss, send: {text: help}}
    tests:
      - name: what is critical knows no quiet hours
        when:
          - {at: 2026-11-23 23:00, webhook: {body: 1}}
          - {after: 1m, webhook: {body: 2}}
        expect:
          - {at: 2026-11-23 23:00, to: sleeper}
          - {at: 2026-11-23 23:10, to: sleeper, text: {contains: 1 bildirim daha}}
          - {at: 2026-11-23 23:15, to: boss}

  - id: many
    trigger: {webhook: {path: many, open: true}}
    for_each: {row: body}
    to: "{{ row }}"
    send: {text: hi}
"""


@pytest.mark.parametrize(("rule", "test"), rule_tests(RULES))
def test_a_rule_does(rule: object, test: object) -> None:
    assert run(whole(RULES), rule, test).complaints == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(("hour", "asked"), [(21, 21), (23, 6)])
def test_the_question_of_the_storm_guard_waits_for_the_end_of_the_owner_s_quiet_hours(
    hour: int, asked: int
) -> None:
    settings = "version: 1\ndefaults: {tz: UTC}\nstorm_guard: 3\nowner: boss\n"
    world = ReplayStore(whole(RULES, settings), datetime(2026, 11, 23, hour, tzinfo=UTC))
    phones = [f"+9055500000{place:02}" for place in range(10, 15)]
    data = {"path": "many", "method": "POST", "headers": {}, "query": {}, "body": phones}
    world.happen(Event(id="e", type="webhook", at=world.now, data=data))
    assert [planned.hold is not None for _, planned in world.messages[:5]] == [True] * 5
    world.wait_for(86400)
    [(at, question)] = world.messages[5:]
    assert at.hour == asked
    assert isinstance(question.message, Text)
    assert question.message.phone == "905550000002"
    assert "would send 5 messages at once" in question.message.message


def test_quiet_hours_of_a_rule_that_is_critical_are_pointed_out(tmp_path: Path) -> None:
    text = rule_file("priority: critical\nquiet_hours: '22:00-07:00'")
    [problem] = project(tmp_path, {"rules/a.yaml": text}).problems
    assert (problem.severity, problem.line) == ("warning", 6)
    assert "hold nothing" in problem.message
