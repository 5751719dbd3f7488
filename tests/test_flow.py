"""Groups, digests, quiet hours, throttles and escalations, told as tests of rules."""

import functools
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wbox_notify.engine import Overlay, wake
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_tests import run
from wbox_notify.model.deliveries import Hold, Memory
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.signed_links import read
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

RULES = """
version: 1
contacts:
  me: "+90 555 000 00 01"
  boss: "+90 555 000 00 02"
  berlin: {phone: "+90 555 000 00 03", tz: Europe/Berlin, lang: de, quiet_hours: "22:00-06:00"}
groups: {both: [me, boss]}
on_call:
  duty: {rotate: [me, boss], every: 1w, from: "2026-11-02 09:00"}

rules:
  - id: group
    trigger: {webhook: {path: a, preset: alertmanager, open: true}}
    group: {by: alert.labels.name, wait: 30s, interval: 5m, repeat: 1h}
    to: me
    send: {text: "{{ group.key[0] }} {{ group.firing | length }}/{{ group.resolved | length }}"}
    tests:
      - name: what comes after the first message waits for the interval
        when:
          - at: 2026-11-23 10:00
            webhook: &one {body: {alerts: [{status: firing, fingerprint: f1, labels: {name: Disk}}]}}
          - at: 2026-11-23 10:01
            webhook: &two {body: {alerts: [{status: firing, fingerprint: f2, labels: {name: Disk}}]}}
        until: 10m
        expect:
          - {at: 2026-11-23 10:00:30, text: Disk 1/0}
          - {at: 2026-11-23 10:05:30, text: Disk 2/0}
      - name: the same again is told once an hour, and no more when it is over
        when:
          - {at: 2026-11-23 10:00, webhook: *one}
          - {at: 2026-11-23 10:30, webhook: *one}
          - at: 2026-11-23 12:10
            webhook: &over {body: {alerts: [{status: resolved, fingerprint: f1, labels: {name: Disk}}]}}
        until: 5h
        expect:
          - {at: 2026-11-23 10:00:30, text: Disk 1/0}
          - {at: 2026-11-23 11:00:30, text: Disk 1/0}
          - {at: 2026-11-23 12:00:30, text: Disk 1/0}
          - {at: 2026-11-23 12:10, text: Disk 0/1}
      - name: what heals before the first message is never told
        when:
          - {at: 2026-11-23 10:00, webhook: *one}
          - {after: 10s, webhook: *over}
        expect: []
        skipped: group
      - name: an end of which nobody heard the beginning is not told
        when: [{at: 2026-11-23 10:00, webhook: *over}]
        expect: []
        skipped: group
      - name: another key is another group
        when:
          - {at: 2026-11-23 10:00, webhook: *one}
          - after: 1s
            webhook: {body: {alerts: [{status: firing, fingerprint: f3, labels: {name: Site}}]}}
        until: 10m
        expect:
          - {at: 2026-11-23 10:00:30, text: Disk 1/0}
          - {at: 2026-11-23 10:00:31, text: Site 1/0}
      - name: a part that heals is told with what still burns
        when:
          - {at: 2026-11-23 10:00, webhook: *one}
          - {after: 1s, webhook: *two}
          - {after: 1m, webhook: *over}
        until: 20m
        expect:
          - {text: Disk 2/0}
          - {at: 2026-11-23 10:05:30, text: Disk 1/1}

  - id: silent-end
    trigger: {webhook: {path: b, preset: alertmanager, open: true}}
    group: {by: [], wait: 0s, repeat: never, resolved: false}
    to: me
    send: {text: "{{ group.firing | length }}"}
    tests:
      - name: neither a repetition nor the end is told where the rule does not want it
        when:
          - {at: 2026-11-23 10:00, webhook: *one}
          - {at: 2026-11-24 10:00, webhook: *over}
        expect: [{text: "1"}]
        skipped: group

  - id: plain-group
    trigger: {webhook: {path: c, open: true}}
    group: {by: body.host, wait: 10s, interval: 5m}
    to: me
    send: {text: "{% for one in group['items'] %}{{ one.body.n }} {% endfor %}"}
    tests:
      - name: calls without a status are gathered, told once and forgotten
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {host: a, n: 1}}}
          - {after: 1s, webhook: {body: {host: a, n: 2}}}
          - {after: 1m, webhook: {body: {host: a, n: 3}}}
          - {after: 1h, webhook: {body: {host: a, n: 4}}}
        expect:
          - {at: 2026-11-23 10:00:10, text: "1 2"}
          - {at: 2026-11-23 10:05:10, text: "3"}
          - {at: 2026-11-23 11:01:11, text: "4"}

  - id: queue
    trigger: {webhook: {path: d, open: true}}
    throttle: {max: 2, per: 10m, overflow: queue}
    to: me
    send: {text: "{{ body.n }}"}
    tests:
      - name: a queue keeps the order and the measure
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {n: 1}}}
          - {after: 1m, webhook: {body: {n: 2}}}
          - {after: 1m, webhook: {body: {n: 3}}}
          - {after: 1m, webhook: {body: {n: 4}}}
        expect:
          - {at: 2026-11-23 10:00, text: "1"}
          - {at: 2026-11-23 10:01, text: "2"}
          - {at: 2026-11-23 10:10, text: "3"}
          - {at: 2026-11-23 10:11, text: "4"}

  - id: drop
    trigger: {webhook: {path: e, open: true}}
    throttle: {max: 1, per: 10m, overflow: drop}
    to: me
    send: {text: "{{ body.n }}"}
    tests:
      - name: what is too much is dropped with a reason
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {n: 1}}}
          - {after: 1m, webhook: {body: {n: 2}}}
          - {after: 10m, webhook: {body: {n: 3}}}
        expect: [{text: "1"}, {text: "3"}]
        skipped: throttle

  - id: night
    trigger: {webhook: {path: f, open: true}}
    if: body.level != "gone"
    quiet_hours: {window: "22:00-07:00", unless: body.level == "high"}
    to: me
    send: {text: "{{ body.n }}"}
    tests:
      - name: what waits for the morning arrives as one message
        when:
          - {at: 2026-11-23 23:00, webhook: {body: {n: 1, level: low}}}
          - {after: 1h, webhook: {body: {n: 2, level: low}}}
        expect:
          - {at: 2026-11-24 07:00, text: "1\\n\\n2"}
      - name: what is urgent goes out at once
        when:
          - {at: 2026-11-23 23:00, webhook: {body: {n: 1, level: high}}}
        expect: [{at: 2026-11-23 23:00, text: "1"}]

  - id: night-drop
    trigger: {webhook: {path: g, open: true}}
    quiet_hours: {window: "22:00-07:00", then: drop}
    to: me
    send: {text: "{{ body.n }}"}
    tests:
      - name: what the night drops does not come back
        when: [{at: 2026-11-23 23:00, webhook: {body: {n: 1}}}]
        expect: []
        skipped: quiet_hours

  - id: abroad
    trigger: {webhook: {path: h, open: true}}
    to: [me, berlin]
    send: {text: "{{ now | datetime }}"}
    tests:
      - name: each reads the time of the own place, and sleeps by the own clock
        when:
          - {at: 2026-11-23 20:00, webhook: {body: {}}}
          - {at: 2026-11-24 01:00, webhook: {body: {}}}
        expect:
          - {to: me, text: 2026-11-23 20:00}
          - {to: berlin, text: "23.11.2026 21:00"}
          - {at: 2026-11-24 01:00, to: me}
          - {at: 2026-11-24 05:00, to: berlin}

  - id: evening
    trigger: {webhook: {path: i, open: true}}
    digest: {at: ["12:00", "18:00"]}
    to: "{{ body.who }}"
    send: {text: "{{ events | map(attribute='body.n') | join(',') }}"}
    tests:
      - name: each recipient has a digest, and an empty one is not sent
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {n: 1, who: both}}}
          - {at: 2026-11-23 11:00, webhook: {body: {n: 2, who: boss}}}
          - {at: 2026-11-23 13:00, webhook: {body: {n: 3, who: me}}}
        expect:
          - {at: 2026-11-23 12:00, to: me, text: "1"}
          - {at: 2026-11-23 12:00, to: boss, text: "1,2"}
          - {at: 2026-11-23 18:00, to: me, text: "3"}

  - id: steps
    trigger: {webhook: {path: j, open: true}}
    to: me
    send: {text: "help {{ ack_url }}"}
    escalate:
      - {after: 10m, unless: acked, to: boss, send: {text: first}}
      - {after: 30m, unless: acked, if: body.level == "high", to: both, send: {text: second}}
    tests:
      - name: steps count from the beginning
        when: [{at: 2026-11-23 10:00, webhook: {body: {level: high}}}]
        expect:
          - {at: 2026-11-23 10:00, to: me, text: {contains: /ack/}}
          - {at: 2026-11-23 10:10, to: boss, text: first}
          - {at: 2026-11-23 10:30, to: me, text: second}
          - {at: 2026-11-23 10:30, to: boss, text: second}
      - name: an answer ends what is still to come
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {level: high}}}
          - {after: 20m, ack: true}
        expect: [{to: me}, {to: boss, text: first}]
        skipped: escalate[1]
      - name: a step may have a condition
        when: [{at: 2026-11-23 10:00, webhook: {body: {level: low}}}]
        expect: [{to: me}, {to: boss, text: first}]
        skipped: escalate[1]

  - id: turns
    trigger: {schedule: {at: "08:00", tz: UTC}}
    to: duty
    send: {text: "{{ contact.name }}"}
    tests:
      - name: whose turn it is changes with the week, at the hour it began
        when:
          - {at: "2026-11-09T08:00+00:00", schedule: true}
          - {at: "2026-11-10T08:00+00:00", schedule: true}
        expect: [{to: me}, {to: boss}]

  - id: rows
    trigger: {webhook: {path: rows, open: true}}
    for_each: {row: body}
    to: "{{ row }}"
    send: {text: hi}

  - id: both-triggers
    trigger: [{webhook: {path: k, open: true}}, {schedule: "09:00"}]
    to: me
    send:
      - text: "{{ event.type }}"
      - poll: {question: "And?", options: [a, b]}
    tests:
      - name: any of several triggers sets a rule off, and it may send several messages
        when:
          - {at: 2026-11-23 08:00, webhook: {body: {}}}
          - {at: 2026-11-23 09:00, schedule: true}
        expect: [{text: webhook}, {poll: {question: "And?"}}, {text: schedule}, {poll: {options: [a, b]}}]

  - id: elsewhere
    name: Told elsewhere too
    trigger: {webhook: {path: l, open: true}}
    quiet_hours: "22:00-06:00"
    to: me
    via: [ntfy://ops, ntfy://ops]
    send:
      - text: "*{{ body.a }}* for {{ contact.name }}{{ contact.phone }}"
    tests:
      - name: an outlet is told once, under its own name, and has no phone
        when: {at: 2026-11-23 10:00, webhook: {body: {a: x}}}
        expect:
          - {to: me, text: "*x* for me905550000001"}
          - {via: ntfy://ops, text: "*x* for ntfy:f24956"}
      - name: it is not disturbed either while the quiet hours of the rule last
        when: {at: 2026-11-23 23:00, webhook: {body: {a: x}}}
        expect:
          - {at: 2026-11-24 06:00, to: me}
          - {at: 2026-11-24 06:00, via: ntfy://ops}

  - id: only-elsewhere
    trigger: {webhook: {path: m, open: true}}
    throttle: 3/10m
    via: ntfy://ops
    send:
      - media: {url: https://e.x/a.jpg, caption: look}
    tests:
      - name: a rule needs nobody with a phone, and what is left out is told there as well
        when:
          - {at: 2026-11-23 10:00, webhook: {body: 1}}
          - {webhook: {body: 2}}
          - {webhook: {body: 3}}
          - {webhook: {body: 4}}
        expect:
          - {via: ntfy://ops, text: "look\\nhttps://e.x/a.jpg"}
          - {via: ntfy://ops}
          - {via: ntfy://ops}
          - {at: 2026-11-23 10:10, via: ntfy://ops, text: {contains: 1 more}}

  - id: evening-elsewhere
    trigger: {webhook: {path: n, open: true}}
    digest: {at: "18:00"}
    to: me
    via: ntfy://ops
    send: {text: "{{ events | length }}"}
    tests:
      - name: an outlet has its digest
        when:
          - {at: 2026-11-23 10:00, webhook: {body: 1}}
          - {at: 2026-11-23 11:00, webhook: {body: 2}}
        expect:
          - {at: 2026-11-23 18:00, to: me, text: "2"}
          - {at: 2026-11-23 18:00, via: ntfy://ops, text: "2"}

  - id: other-channel
    name: Another channel when wbox is down
    trigger: {webhook: {path: o, open: true}}
    to: me
    send: {text: "Down: {{ body.site }}"}
    fallback: ntfy://spare
    escalate:
      - {after: 5m, unless: sent, via: ntfy://ops}
      - after: 10m
        if: not sent and not acked
        via: ntfy://ops
        send: {text: "Nobody knows of {{ body.site }}"}
    tests:
      - name: what wbox took goes nowhere else
        when: {at: 2026-11-23 10:00, webhook: {body: {site: x}}}
        expect: [{at: 2026-11-23 10:00, to: me, text: "Down: x"}]
        skipped: escalate[0]
      - name: what it did not take goes to the fallback, and to the next channel with the rule's own text
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {site: x}}, api_down: true}
          - {after: 6m, ack: true}
        expect:
          - {at: 2026-11-23 10:00, via: ntfy://spare, text: "Down: x"}
          - {at: 2026-11-23 10:05, via: ntfy://ops, text: "Down: x"}
      - name: a step may have words of its own
        when: {at: 2026-11-23 10:00, webhook: {body: {site: x}}, api_down: true}
        expect:
          - {via: ntfy://spare}
          - {at: 2026-11-23 10:05, via: ntfy://ops}
          - {at: 2026-11-23 10:10, via: ntfy://ops, text: Nobody knows of x}

  - id: held-and-down
    trigger: {webhook: {path: q, open: true}}
    quiet_hours: "22:00-06:00"
    to: me
    send: {text: "{{ body }}"}
    escalate: {after: 5m, unless: sent, via: ntfy://ops}
    tests:
      - name: each that waited for the morning is known to be sent, so that no other channel is used
        when:
          - {at: 2026-11-23 23:00, webhook: {body: 1}}
          - {at: 2026-11-23 23:10, webhook: {body: 2}}
        expect: [{at: 2026-11-24 06:00, text: "1"}, {at: 2026-11-24 06:00, text: "2"}]

  - id: digest-once
    trigger: {webhook: {path: r, preset: alertmanager, open: true}}
    group: {by: alert.labels.name, wait: 30s}
    to: me
    send: {text: "{{ group.firing | length }}"}
    escalate:
      after: 5m
      unless: sent or resolved
      via: ntfy://ops
      send: {text: "still {{ group.firing | length }}"}
    tests:
      - name: a group has a channel of its own when wbox is down
        when:
          - at: 2026-11-23 10:00
            api_down: true
            webhook: {body: {alerts: [{status: firing, fingerprint: f1, labels: {name: Disk}}]}}
        until: 10m
        expect: [{at: 2026-11-23 10:05:30, via: ntfy://ops, text: still 1}]
"""


@functools.cache
def the_project() -> Project:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules").mkdir()
        Path(folder, "rules", "all.yaml").write_text(RULES, encoding="utf-8")
        Path(folder, "wbox-notify.yaml").write_text(
            "version: 1\ndefaults: {tz: UTC}\nstorm_guard: 3\nowner: boss\n"
        )
        return load(Path(folder), {})


TESTS = [(rule, test) for rule in the_project().rules for test in rule.tests]


def test_the_rules_load() -> None:
    assert [problem.message for problem in the_project().problems if problem.severity == "error"] == []


@pytest.mark.parametrize(
    ("rule", "test"), [pytest.param(*one, id=f"{one[0].id}: {one[1].name}") for one in TESTS]
)
def test_a_rule_does(rule: object, test: object) -> None:
    trial = run(the_project(), rule, test)  # type: ignore[arg-type]
    assert trial.complaints == ()


def test_a_memory_of_a_rule_that_is_gone_is_forgotten_where_nothing_is_left_to_tell() -> None:
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    due = Memory(
        rule="gone", kind="dedupe", key="[]", value={"event": "e", "place": 0, "at": 0.0}, due=now.timestamp()
    )
    made = wake(the_project(), due, Overlay(ReplayStore(the_project(), now)), now)
    assert made.messages == ()
    assert [(memory.rule, memory.value) for memory in made.memories] == [("gone", None)]
    assert [decision.detail for decision in made.decisions] == ["the rule gone is gone; forgotten: dedupe"]


def test_a_storm_is_held_and_the_owner_is_asked_with_a_link() -> None:
    world = ReplayStore(the_project(), datetime(2026, 11, 23, 10, tzinfo=UTC))

    def rows(number: int, event: str) -> list[Hold | None]:
        before = len(world.messages)
        phones = [f"+9055500000{place:02}" for place in range(number)]
        data = {"path": "rows", "method": "POST", "headers": {}, "query": {}, "body": phones}
        world.happen(Event(id=event, type="webhook", at=world.now, data=data))
        return [planned.hold for _, planned in world.messages[before:]]

    assert rows(3, "calm") == [None] * 3
    *held, question = rows(4, "storm")
    assert held == [Hold.STORM] * 4
    assert question is None
    asked = world.messages[-1][1].message
    assert isinstance(asked, Text)
    assert asked.phone == "905550000002"
    link = asked.message.rpartition("/ack/")[2]
    assert read(the_project().settings.link_key, link) == ("release", "storm")


def test_a_template_that_fails_in_a_group_is_tried_again_and_the_group_is_kept(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    bad = RULES.split("  - id: silent-end", maxsplit=1)[0].replace("group.key[0]", "group.key[0].nothing")
    (tmp_path / "rules" / "all.yaml").write_text(bad)
    (tmp_path / "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\n")
    broken = load(tmp_path, {})
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    world = ReplayStore(broken, now)
    body = {"alerts": [{"status": "firing", "fingerprint": "f1", "labels": {"name": "Disk"}}]}
    data = {"path": "a", "method": "POST", "headers": {}, "query": {}, "body": body}
    world.happen(Event(id="e", type="webhook", at=now, data=data))
    world.wait_for(60)
    [(_, dead)] = world.messages
    assert dead.problem
    assert "nothing" in dead.problem
    world.project = the_project()
    world.wait_for(7200)
    assert [planned.message is not None for _, planned in world.messages][1:2] == [True]


def test_a_trial_says_what_of_an_outlet_was_not_as_expected() -> None:
    rule = the_project().rule("elsewhere")
    assert rule
    [first, _] = rule.tests
    wrong = replace(first, expect=({"via": "ops-mail"}, {"to": "me"}))
    complaints = "\n".join(run(the_project(), rule, wrong).complaints)
    assert "expected via ops-mail" in complaints
    assert "expected to me" in complaints
    assert "notice to ntfy:" in complaints


def test_a_text_whose_template_fails_for_an_outlet_leaves_a_dead_letter_and_spoils_no_other(
    tmp_path: Path,
) -> None:
    (tmp_path / "rules").mkdir()
    text = """
version: 1
rules:
  - id: a
    trigger: {webhook: {path: a, open: true}}
    to: "+905551112233"
    via: ntfy://ops
    send: {text: "{{ 1 // (contact.phone | length) }}"}
"""
    (tmp_path / "rules" / "a.yaml").write_text(text)
    world = ReplayStore(load(tmp_path, {}), datetime(2026, 11, 23, 10, tzinfo=UTC))
    data = {"path": "a", "method": "POST", "headers": {}, "query": {}, "body": {}}
    world.happen(Event(id="e", type="webhook", at=world.now, data=data))
    (_, good), (_, bad) = world.messages
    assert good.message
    assert good.message.recipient == "905551112233"
    assert bad.problem
    assert "ntfy:" in bad.problem
