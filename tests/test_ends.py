"""The end of a trouble is no noise, and what counts as told is what somebody was told: tests of rules."""

from datetime import UTC, datetime

import pytest
from rulebook import rule_tests, whole

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_tests import run
from wbox_notify.model.events import Event

RULES = """
version: 1
contacts:
  me: "+90 555 000 00 09"
  boss: "+90 555 000 00 02"
  sleeper: {phone: "+90 555 000 00 03", quiet_hours: "22:00-07:30"}
on_call:
  duty: {rotate: [me, boss], every: 1d, from: "2026-11-23 09:00"}
rules:
  - id: measured-group
    trigger: {webhook: {path: t1, preset: alertmanager, open: true}}
    throttle: {max: 1, per: 10m, overflow: drop}
    group: {by: alert.labels.name, wait: 0s, repeat: 1h}
    to: me
    send: {text: "{{ group.firing | length }}/{{ group.resolved | length }}"}
    tests:
      - name: an end passes a throttle that is full, and closes the group
        when:
          - at: 2026-11-23 10:00
            webhook: &f1 {body: {alerts: [{status: firing, fingerprint: f1, labels: {name: Disk}}]}}
          - {after: 1m, webhook: *f1}
          - after: 7m
            webhook: &f1-ok {body: {alerts: [{status: resolved, fingerprint: f1, labels: {name: Disk}}]}}
        expect: [{text: 1/0}, {at: 2026-11-23 10:08, text: 0/1}]

  - id: measured
    trigger: {webhook: {path: t2, preset: alertmanager, open: true}}
    throttle: {max: 1, per: 10m}
    to: me
    send: {text: "{{ alert.status }}"}
    escalate: {after: 15m, to: boss, send: {text: help}}
    tests:
      - name: the end of what was told passes a full throttle uncounted, and keeps the boss asleep
        when:
          - {at: 2026-11-23 10:00, webhook: *f1}
          - {after: 1m, webhook: *f1-ok}
          - {after: 1m, webhook: *f1-ok}
          - after: 7m
            webhook: &f2 {body: {alerts: [{status: firing, fingerprint: f2, labels: {name: Disk}}]}}
        until: 1h
        expect:
          - {at: 2026-11-23 10:00, text: firing}
          - {at: 2026-11-23 10:01, text: resolved}
          - {at: 2026-11-23 10:10, to: me, text: {contains: 1 more}}
      - name: the end of what nobody heard of is an event as any other
        when:
          - {at: 2026-11-23 10:00, webhook: *f1}
          - {after: 1m, webhook: *f2}
          - after: 1m
            webhook: &f2-ok {body: {alerts: [{status: resolved, fingerprint: f2, labels: {name: Disk}}]}}
        until: 12m
        expect: [{text: firing}, {at: 2026-11-23 10:10, text: {contains: 2 more}}]

  - id: queued
    trigger: {webhook: {path: t3, preset: alertmanager, open: true}}
    throttle: {max: 1, per: 10m, overflow: queue}
    to: sleeper
    send: {text: "{{ alert.status }} {{ alert.fingerprint }}"}
    tests:
      - name: a trouble that is over before its turn is not told
        when:
          - {at: 2026-11-23 10:00, webhook: *f1}
          - {after: 1m, webhook: *f2}
          - {after: 1m, webhook: *f2-ok}
          - {after: 1m, webhook: *f1-ok}
        expect: [{text: firing f1}, {at: 2026-11-23 10:03, text: resolved f1}]
        skipped: resolved before its turn
      - name: an end finds what waits for the morning though the throttle is full
        when:
          - {at: 2026-11-24 07:20, webhook: *f1}
          - {after: 1m, webhook: *f1-ok}
        expect: []
        skipped: quiet_hours

  - id: in-turn-and-urgent
    trigger: {webhook: {path: urgent, open: true}}
    status: {firing: body.t > 8, key: body.id}
    throttle: {max: 1, per: 10m, overflow: queue}
    quiet_hours: {window: "22:00-07:00", unless: body.t > 20}
    to: me
    send: {text: "{{ alert.status }} {{ body.id }}"}
    tests:
      - name: an end that is not urgent takes its urgent trouble out of the queue
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {id: a, t: 30}}}
          - {after: 1m, webhook: {body: {id: b, t: 30}}}
          - {after: 1m, webhook: {body: {id: b, t: 5}}}
        expect: [{text: firing a}]
        skipped: resolved before its turn

  - id: dropped-at-night
    trigger: {webhook: {path: dropped, preset: alertmanager, open: true}}
    quiet_hours: {window: "22:00-07:00", then: drop}
    to: me
    send: {text: "{{ alert.status }}"}
    tests:
      - name: the end of what was dropped is not told, however long it lasted
        when:
          - {at: 2026-11-23 23:00, webhook: *f1}
          - {after: 60h, webhook: *f1-ok}
        expect: []

  - id: measured-digest
    trigger: {webhook: {path: daily, preset: alertmanager, open: true}}
    throttle: {max: 1, per: 1d, overflow: drop}
    digest: {at: "18:00"}
    to: me
    send: {text: "{% for one in events %}{{ one.alert.fingerprint }} {{ one.alert.status }} {% endfor %}"}
    tests:
      - name: an end passes a throttle that is full, and comes with the next digest
        when:
          - {at: 2026-11-23 17:00, webhook: *f1}
          - {after: 2h, webhook: *f1-ok}
        expect: [{text: f1 firing}, {at: 2026-11-24 18:00, text: f1 resolved}]

  - id: once-a-day
    trigger: {webhook: {path: t4, preset: alertmanager, open: true}}
    dedupe: alert.fingerprint
    to: me
    send: {text: "{{ alert.status }}"}
    tests:
      - name: an end is not the same as its trouble, is told once, and the next trouble is another one
        when:
          - {at: 2026-11-23 10:00, webhook: *f1}
          - {after: 1m, webhook: *f1}
          - {after: 1m, webhook: *f1-ok}
          - {after: 1m, webhook: *f1-ok}
          - {after: 1m, webhook: *f1}
        expect:
          - {at: 2026-11-23 10:00, text: firing}
          - {at: 2026-11-23 10:02, text: resolved}
          - {at: 2026-11-23 10:04, text: firing}
        skipped: dedupe

  - id: once-in-a-group
    trigger: {webhook: {path: t5, preset: alertmanager, open: true}}
    dedupe: alert.fingerprint
    group: {by: alert.labels.name, wait: 0s, repeat: 1h}
    to: me
    send: {text: "{{ group.firing | length }}/{{ group.resolved | length }}"}
    tests:
      - name: an end passes dedupe, and closes the group
        when:
          - {at: 2026-11-23 10:00, webhook: *f1}
          - {after: 10m, webhook: *f1-ok}
        expect: [{text: 1/0}, {at: 2026-11-23 10:10, text: 0/1}]

  - id: turns
    trigger: {webhook: {path: turns, preset: alertmanager, open: true}}
    to: duty
    send: {text: "{{ alert.status }}"}
    tests:
      - name: an end reaches who has the turn, and who was told of the trouble before the turn went on
        when:
          - {at: 2026-11-24 08:00, webhook: *f1}
          - {at: 2026-11-24 10:00, webhook: *f1-ok}
          - {at: 2026-11-24 11:00, webhook: *f2}
          - {at: 2026-11-24 12:00, webhook: *f2-ok}
        expect:
          - {at: 2026-11-24 08:00, to: me, text: firing}
          - {at: 2026-11-24 10:00, to: "+905550000002", text: resolved}
          - {at: 2026-11-24 10:00, to: "+905550000009", text: resolved}
          - {to: boss, text: firing}
          - {to: boss, text: resolved}

  - id: told-once
    trigger: {webhook: {path: t6, open: true}}
    dedupe: body.id
    throttle: {max: 1, per: 10m, overflow: drop}
    to: me
    send: {text: "{{ body.id }}"}
    tests:
      - name: what a throttle dropped was not told, so that the sender may repeat it
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {id: a}}}
          - {after: 1m, webhook: {body: {id: b}}}
          - {after: 10m, webhook: {body: {id: b}}}
          - {after: 20m, webhook: {body: {id: b}}}
        expect: [{text: a}, {at: 2026-11-23 10:11, text: b}]
        skipped: dedupe

  - id: told-when-made
    trigger: {webhook: {path: t9, open: true}}
    dedupe: body.id
    to: me
    send: {text: "{{ body.text }}"}

  - id: told-by-day
    trigger: {webhook: {path: t7, open: true}}
    dedupe: body.id
    quiet_hours: {window: "22:00-07:00", then: drop}
    to: me
    send: {text: "{{ body.id }}"}
    tests:
      - name: what quiet hours dropped was not told either
        when:
          - {at: 2026-11-24 06:00, webhook: {body: {id: a}}}
          - {after: 2h, webhook: {body: {id: a}}}
        expect: [{at: 2026-11-24 08:00, text: a}]

  - id: told-in-the-morning
    trigger: {webhook: {path: t8, open: true}}
    dedupe: body.id
    to: sleeper
    send: {text: "{{ body.id }}"}
    tests:
      - name: what waits for the morning counts as told
        when:
          - {at: 2026-11-24 06:00, webhook: {body: {id: a}}}
          - {after: 1m, webhook: {body: {id: a}}}
          - {after: 2h, webhook: {body: {id: a}}}
        expect: [{at: 2026-11-24 07:30, text: a}]
        skipped: dedupe
"""


@pytest.mark.parametrize(("rule", "test"), rule_tests(RULES))
def test_a_rule_does(rule: object, test: object) -> None:
    assert run(whole(RULES), rule, test).complaints == ()  # type: ignore[arg-type]


def test_what_could_not_be_made_is_no_duplicate_of_what_the_sender_puts_right() -> None:
    project = whole(RULES)
    world = ReplayStore(project, datetime(2026, 11, 23, 10, tzinfo=UTC))
    for number, body in enumerate([{"id": "a"}, {"id": "a", "text": "hi"}, {"id": "a", "text": "hi"}]):
        data = {"path": "t9", "method": "POST", "headers": {}, "query": {}, "body": body}
        world.happen(Event(id=f"e{number}", type="webhook", at=world.now, data=data))
    assert [planned.message is None for _, planned in world.messages] == [True, False]
