"""What rules hold back is told in the end, once, to whom it concerns and in order: told as tests of rules."""

from datetime import UTC, datetime

import pytest
from rulebook import rule_tests, whole

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_tests import run
from wbox_notify.model.deliveries import Hold, Memory
from wbox_notify.model.events import Event

RULES = """
version: 1
contacts:
  me: "+90 555 000 00 09"
  boss: "+90 555 000 00 02"
  sleeper: {phone: "+90 555 000 00 03", quiet_hours: "22:00-07:30"}
groups: {both: [me, boss]}
on_call:
  duty: {rotate: [me, boss], every: 1d, from: "2026-11-23 09:00"}

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
    if: body != "evening" or now.hour >= 18
    quiet_hours: "22:00-07:00"
    to: both
    send: {text: "{{ body }}"}
    tests:
      - name: in the morning the readers are told in the order of `to`
        when: {at: 2026-11-23 23:00, webhook: {body: 1}}
        expect: [{to: me}, {to: boss}]
      - name: an item waits for the morning though its condition was one of the evening
        when: {at: 2026-11-23 23:00, webhook: {body: evening}}
        expect: [{at: 2026-11-24 07:00, to: me}, {to: boss}]

  - id: parcels
    trigger: {webhook: {path: parcels, open: true}}
    group: {by: body.host, wait: 10s, interval: 5m}
    quiet_hours: "22:00-07:00"
    to: me
    send: {text: "{{ group['items'] | map(attribute='body.n') | join(' ') }}"}
    escalate: {after: 10m, to: boss, send: {text: "{{ group['items'] | length }} of {{ group.key[0] }}"}}
    tests:
      - name: what has no status and came together at night is told in the morning, all of it
        when:
          - {at: 2026-11-23 23:00, webhook: {body: {host: a, n: 1}}}
          - {after: 1s, webhook: {body: {host: a, n: 2}}}
          - {after: 1m, webhook: {body: {host: a, n: 3}}}
          - {after: 2h, webhook: {body: {host: a, n: 4}}}
        expect:
          - {at: 2026-11-24 07:00, to: me, text: "1 2 3\\n\\n4"}
          - {at: 2026-11-24 07:10, to: boss, text: 3 of a}
          - {at: 2026-11-24 07:10, to: boss, text: 1 of a}
      - name: a step knows what has no status and was told of
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {host: a, n: 1}}}
          - {after: 1s, webhook: {body: {host: a, n: 2}}}
        expect:
          - {at: 2026-11-23 10:00:10, to: me, text: 1 2}
          - {at: 2026-11-23 10:10:10, to: boss, text: 2 of a}

  - id: alerts
    trigger: {webhook: {path: alerts, preset: alertmanager, open: true}}
    group: {by: alert.labels.name, wait: 30s, interval: 5m, repeat: 4h}
    to: sleeper
    send:
      text: |-
        {% for a in group.firing %}!{{ a.fingerprint }} {% endfor -%}
        {% for a in group.resolved %}ok {{ a.fingerprint }} {% endfor %}
    tests:
      - name: who was told of a trouble is told in the morning that it ended at night, though it was repeated
        when:
          - at: 2026-11-23 20:00
            webhook: &f1 {body: {alerts: [{status: firing, fingerprint: f1, labels: {name: Disk}}]}}
          - at: 2026-11-24 02:00
            webhook: &f1-ok {body: {alerts: [{status: resolved, fingerprint: f1, labels: {name: Disk}}]}}
        expect:
          - {at: 2026-11-23 20:00:30, text: "!f1"}
          - {at: 2026-11-24 07:30, text: ok f1}
      - name: the end says what ended where nothing was repeated
        when:
          - {at: 2026-11-23 21:00, webhook: *f1}
          - {at: 2026-11-23 23:00, webhook: *f1-ok}
        expect: [{text: "!f1"}, {at: 2026-11-24 07:30, text: ok f1}]
      - name: a member that came and went at night is not told, and the end of the others is
        when:
          - {at: 2026-11-23 21:00, webhook: *f1}
          - at: 2026-11-23 23:00
            webhook: &f2 {body: {alerts: [{status: firing, fingerprint: f2, labels: {name: Disk}}]}}
          - at: 2026-11-24 01:00
            webhook:
              body:
                alerts:
                  - {status: resolved, fingerprint: f1, labels: {name: Disk}}
                  - {status: resolved, fingerprint: f2, labels: {name: Disk}}
        expect: [{text: "!f1"}, {at: 2026-11-24 07:30, text: ok f1}]
      - name: what still fires in the morning is told with what has ended
        when:
          - {at: 2026-11-23 21:00, webhook: *f1}
          - {at: 2026-11-23 23:00, webhook: *f2}
          - {at: 2026-11-24 01:00, webhook: *f1-ok}
        until: 8h
        expect: [{text: "!f1"}, {at: 2026-11-24 07:30, text: "!f2 ok f1"}]
      - name: a trouble of the night alone is not told
        when:
          - {at: 2026-11-23 23:00, webhook: *f1}
          - {at: 2026-11-24 01:00, webhook: *f1-ok}
        expect: []
        skipped: quiet_hours
      - name: a trouble of the night that has just ended is not told either
        when:
          - {at: 2026-11-24 07:25, webhook: *f1}
          - {at: 2026-11-24 07:29, webhook: *f1-ok}
        expect: []
        skipped: sleeper knows of no trouble
      - name: a member that comes at the end of the night is told by the group, and not twice
        when:
          - {at: 2026-11-24 07:27, webhook: *f1}
          - {at: 2026-11-24 07:29, webhook: *f2}
        until: 1h
        expect: [{at: 2026-11-24 07:30, text: "!f1"}, {at: 2026-11-24 07:32:30, text: "!f1 !f2"}]
      - name: an end that the sender repeats is told once
        when:
          - {at: 2026-11-23 21:00, webhook: *f1}
          - {at: 2026-11-23 23:00, webhook: *f1-ok}
          - {at: 2026-11-24 01:00, webhook: *f1-ok}
        expect: [{text: "!f1"}, {at: 2026-11-24 07:30, text: ok f1}]
      - name: two troubles with the same key are told as two
        when:
          - {at: 2026-11-23 21:00, webhook: *f1}
          - {at: 2026-11-23 23:00, webhook: *f1-ok}
          - {at: 2026-11-24 03:00, webhook: *f1}
        until: 6h
        expect: [{text: "!f1"}, {at: 2026-11-24 07:30, text: "ok f1 \\n\\n!f1"}]
      - name: the time to the next repetition counts from the telling
        when: [{at: 2026-11-24 04:00, webhook: *f1}]
        until: 9h
        expect:
          - {at: 2026-11-24 07:30, text: "!f1"}
          - {at: 2026-11-24 11:30, text: "!f1"}
      - name: a member that comes again within the interval is no news
        when:
          - {at: 2026-11-24 10:00, webhook: *f1}
          - {after: 1m, webhook: *f1-ok}
          - {after: 1m, webhook: *f1}
        until: 5h
        expect:
          - {at: 2026-11-24 10:00:30, text: "!f1"}
          - {at: 2026-11-24 14:00:30, text: "!f1"}
        skipped: group

  - id: silent-end
    trigger: {webhook: {path: silent, preset: alertmanager, open: true}}
    group: {by: [], wait: 0s, repeat: 1h, resolved: false}
    to: sleeper
    send: {text: "{{ group.firing | length }}"}
    tests:
      - name: an end that the rule does not tell takes with it what waits
        when:
          - {at: 2026-11-23 21:30, webhook: *f1}
          - {at: 2026-11-24 01:00, webhook: *f1-ok}
        expect: [{at: 2026-11-23 21:30, text: "1"}]
        skipped: quiet_hours

  - id: monitor
    trigger: {webhook: {path: kuma, preset: uptime-kuma, open: true}}
    to: sleeper
    send: {text: "{{ alert.name }} {{ alert.status }}"}
    tests:
      - name: whoever was told that it is down is told once that it is up, though it flapped at night
        when:
          - at: 2026-11-23 21:00
            webhook: &down {body: {heartbeat: {status: 0}, monitor: {id: 1, name: shop}, msg: down}}
          - at: 2026-11-23 23:00
            webhook: &up {body: {heartbeat: {status: 1}, monitor: {id: 1, name: shop}, msg: up}}
          - {after: 1m, webhook: *down}
          - {after: 1m, webhook: *up}
        expect: [{text: shop firing}, {at: 2026-11-24 07:30, text: shop resolved}]
      - name: what flapped at night and is down in the morning is told
        when:
          - {at: 2026-11-23 23:00, webhook: *down}
          - {after: 1m, webhook: *up}
          - {after: 1m, webhook: *down}
        expect: [{at: 2026-11-24 07:30, text: shop firing}]
      - name: a trouble of the night alone is not told
        when:
          - {at: 2026-11-23 23:00, webhook: *down}
          - {after: 1m, webhook: *up}
        expect: []
        skipped: quiet_hours
      - name: an end after the night is told to whoever heard of the trouble in the morning
        when:
          - {at: 2026-11-23 23:00, webhook: *down}
          - {at: 2026-11-24 08:00, webhook: *up}
        expect:
          - {at: 2026-11-24 07:30, text: shop firing}
          - {at: 2026-11-24 08:00, text: shop resolved}

  - id: urgent
    trigger: {webhook: {path: urgent, preset: alertmanager, open: true}}
    quiet_hours: {window: "22:00-07:00", unless: alert.labels.level == "high"}
    to: me
    send: {text: "{{ alert.status }}"}
    tests:
      - name: what waits of an alert is told with what does not wait, and does not come once more
        when:
          - at: 2026-11-23 23:00
            webhook: &low {body: {alerts: [{status: firing, fingerprint: f1, labels: {level: low}}]}}
          - at: 2026-11-23 23:30
            webhook: {body: {alerts: [{status: firing, fingerprint: f1, labels: {level: high}}]}}
        expect: [{at: 2026-11-23 23:30, text: firing}]
      - name: what waits of an alert waits no more when it is over, and was never told
        when:
          - {at: 2026-11-23 23:00, webhook: *low}
          - at: 2026-11-23 23:30
            webhook: {body: {alerts: [{status: resolved, fingerprint: f1, labels: {level: high}}]}}
        expect: []
        skipped: me knows of no trouble

  - id: report
    trigger: {webhook: {path: report, open: true}}
    digest: {at: "12:00"}
    to: [duty, sleeper, "{{ body.to }}"]
    send: {text: "{{ events | map(attribute='body.n') | join(' ') }}"}
    tests:
      - name: a digest goes to who has the turn when it is told, once, and in the order of `to`
        when:
          - {at: 2026-11-23 18:00, webhook: {body: {n: 1, to: me}}}
          - {at: 2026-11-24 10:00, webhook: {body: {n: 2, to: boss}}}
          - {at: 2026-11-24 11:00, webhook: {body: {n: 3, to: me}}}
        until: 2h
        expect:
          - {at: 2026-11-24 12:00, to: boss, text: 1 2 3}
          - {to: sleeper, text: 1 2 3}
          - {to: me, text: 1 3}

  - id: counted-report
    trigger: {webhook: {path: counted, open: true}}
    throttle: {max: 2, per: 10m}
    digest: {at: "12:00"}
    to: me
    send: {text: "{{ events | map(attribute='body.n') | join(' ') }}"}
    tests:
      - name: the number of what was left out comes with the digest
        when:
          - {at: 2026-11-24 10:00, webhook: {body: {n: 1}}}
          - {after: 1m, webhook: {body: {n: 2}}}
          - {after: 1m, webhook: {body: {n: 3}}}
          - {after: 1m, webhook: {body: {n: 4}}}
        expect:
          - {at: 2026-11-24 12:00, text: "1 2"}
          - {at: 2026-11-24 12:00, text: {contains: 2 more}}
      - name: also where it has nothing else to tell
        when:
          - {at: 2026-11-24 11:55, webhook: {body: {n: 1}}}
          - {webhook: {body: {n: 2}}}
          - {webhook: {body: {n: 3}}}
        expect:
          - {at: 2026-11-24 12:00, text: "1 2"}
          - {at: 2026-11-25 12:00, text: {contains: 1 more}}
        until: 2d

  - id: each-of-a-call
    trigger: {webhook: {path: each, preset: alertmanager, open: true}}
    for_each: {one: body.alerts}
    to: me
    send: {text: "{{ one.labels.name }}"}
    tests:
      - name: a list of the whole call is followed once
        when:
          - at: 2026-11-23 10:00
            webhook:
              body:
                alerts: [{status: firing, labels: {name: a}}, {status: firing, labels: {name: b}}]
        expect: [{text: a}, {text: b}]

  - id: each-of-an-alert
    trigger: {webhook: {path: each-of, preset: alertmanager, open: true}}
    for_each: {one: "alert.labels.names.split(',')"}
    to: me
    send: {text: "{{ alert.labels.at }} {{ one }}"}
    tests:
      - name: a list of an alert is followed for each alert
        when:
          - at: 2026-11-23 10:00
            webhook:
              body:
                alerts:
                  - {status: firing, labels: {at: x, names: "a,b"}}
                  - {status: firing, labels: {at: y, names: c}}
        expect: [{text: x a}, {text: x b}, {text: y c}]
"""


@pytest.mark.parametrize(("rule", "test"), rule_tests(RULES))
def test_a_rule_does(rule: object, test: object) -> None:
    assert run(whole(RULES), rule, test).complaints == ()  # type: ignore[arg-type]


def test_what_waits_for_a_rotation_that_is_gone_waits_for_a_person() -> None:
    rules = RULES.replace('"{{ body.to }}"', "me")
    world = ReplayStore(whole(rules), datetime(2026, 11, 23, 18, tzinfo=UTC))
    data = {"path": "report", "method": "POST", "headers": {}, "query": {}, "body": {"n": 1}}
    world.happen(Event(id="e", type="webhook", at=world.now, data=data))
    world.project = whole(rules.replace("duty", "shift"))
    world.wait_for(86400)
    held, *told = [planned for _, planned in world.messages]
    assert (held.hold, held.facts["reader"], held.facts["number"]) == (Hold.READER_GONE, "duty", 1)
    assert len(told) == 2


def test_a_digest_that_an_older_version_kept_for_each_reader_is_told() -> None:
    item = {"event_id": "e", "type": "webhook", "at": 0.0, "data": {"body": {"n": 7, "to": "me"}}}
    now = datetime(2026, 11, 23, 18, tzinfo=UTC)
    place, due = ("report", "digest", "905550000003"), now.timestamp() + 60.0
    value = {"subjects": [item], "due": due}
    kept = Memory(rule=place[0], kind=place[1], key=place[2], value=value, due=due)
    world = ReplayStore(whole(RULES), now, memories={place: kept})
    world.wait_for(3600)
    [(_, told)] = world.messages
    assert told.message
    assert (told.message.recipient, told.message.message) == ("905550000003", "7")  # type: ignore[union-attr]


EDITED = """
version: 1
contacts:
  me: {phone: "+90 555 000 00 01", quiet_hours: "22:00-07:00"}
rules:
  - id: alerts
    trigger: {webhook: {path: alerts, preset: alertmanager, open: true}}
    to: me
    send: {text: "{{ alert.status }}"}
"""
GROUPED = EDITED.replace(
    "{{ alert.status }}", "{{ group.firing | length }}/{{ group.resolved | length }}"
).replace("    to:", "    group: {wait: 0s, interval: 5m}\n    to:")
GATHERED = EDITED.replace(
    "{{ alert.status }}", "{{ events | map(attribute='alert.status') | join }}"
).replace("    to:", '    digest: {at: "18:00"}\n    to:')


class Edited:
    """A rule that is edited while something waits."""

    def __init__(self, rules: str, hour: int) -> None:
        self.world = ReplayStore(whole(rules), datetime(2026, 11, 23, hour, tzinfo=UTC))

    def alert(self, status: str) -> None:
        body = {"alerts": [{"status": status, "fingerprint": "f", "labels": {}}]}
        data = {"path": "alerts", "method": "POST", "headers": {}, "query": {}, "body": body}
        self.world.happen(Event(id=status, type="webhook", at=self.world.now, data=data))

    def edit(self, rules: str) -> None:
        self.world.project = whole(rules)

    def texts(self) -> list[str]:
        self.world.wait_for(86400)
        return [planned.message.message for _, planned in self.world.messages]  # type: ignore[union-attr]


@pytest.mark.parametrize(("rules", "text"), [(GROUPED, "1/0"), (GATHERED, "firing")])
def test_what_waits_is_told_by_a_rule_that_gathers_since(rules: str, text: str) -> None:
    edited = Edited(EDITED, hour=23)
    edited.alert("firing")
    edited.edit(rules)
    assert edited.texts() == [text]


def test_an_end_is_told_though_the_rule_has_groups_only_since_the_beginning() -> None:
    edited = Edited(EDITED, hour=12)
    edited.alert("firing")
    edited.edit(GROUPED)
    edited.alert("resolved")
    assert edited.texts() == ["firing", "0/1"]


def test_an_end_that_waits_in_a_group_is_told_though_the_rule_has_no_groups_any_more() -> None:
    edited = Edited(GROUPED, hour=12)
    edited.alert("firing")
    edited.world.wait_for(60)
    edited.alert("resolved")
    edited.edit(EDITED)
    assert edited.texts() == ["1/0", "resolved"]


def test_a_group_that_the_rule_has_no_more_repeats_nothing_and_tells_what_it_has_not_told() -> None:
    by_name = GROUPED.replace("{wait: 0s,", "{wait: 30s, repeat: 1h, by: alert.fingerprint,")
    edited = Edited(by_name, hour=10)
    edited.alert("firing")
    edited.edit(GROUPED.replace("{wait: 0s,", "{wait: 0s, repeat: never,"))
    edited.world.wait_for(3600)
    edited.alert("resolved")
    assert edited.texts() == ["1/0", "0/1"]


def test_a_group_that_the_rule_has_no_more_is_not_told_for_ever() -> None:
    edited = Edited(GROUPED.replace("{wait: 0s,", "{wait: 0s, repeat: 1h, by: alert.fingerprint,"), hour=10)
    edited.alert("firing")
    edited.world.wait_for(60)
    edited.edit(GROUPED)
    edited.alert("resolved")
    assert edited.texts() == ["1/0"]
