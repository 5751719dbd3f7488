"""A status of the rule's own: plain calls, files, rows and times are in trouble, and well again."""

import functools
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulebook import mistake

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_tests import run
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

RULES = """
version: 1
contacts: {me: "+90 555 000 00 01", boss: "+90 555 000 00 02"}
rules:
  - id: freezer
    trigger: {webhook: {path: a, open: true}}
    if: body.kind == "freezer"
    status: {firing: body.t > 8, resolved: body.t < 6, key: body.id}
    to: me
    send: {text: "{{ body.id }} {{ alert.status }} {{ body.t }} since {{ alert.since | time }}"}
    escalate: {after: 20m, to: boss, send: {text: "{{ body.id }} {{ body.t }}"}}
    tests:
      - name: what lies between the two limits is as it was before
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {kind: freezer, id: a, t: 7}}}
          - {after: 1m, webhook: {body: {kind: freezer, id: a, t: 9}}}
          - {after: 1m, webhook: {body: {kind: freezer, id: a, t: 7}}}
          - {after: 1m, webhook: {body: {kind: freezer, id: a, t: 9.5}}}
          - {after: 1m, webhook: {body: {kind: freezer, id: a, t: 5}}}
          - {after: 1m, webhook: {body: {kind: freezer, id: a, t: 7}}}
          - {after: 1m, webhook: {body: {kind: freezer, id: a, t: 4}}}
        expect:
          - {at: 2026-11-23 10:01, text: "a firing 9 since 10:01"}
          - {at: 2026-11-23 10:04, text: "a resolved 5 since 10:01"}
        skipped: status
      - name: the next person hears of it, unless it is over
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {kind: freezer, id: a, t: 9}}}
          - {after: 0s, webhook: {body: {kind: freezer, id: b, t: 10}}}
          - {after: 10m, webhook: {body: {kind: freezer, id: a, t: 5}}}
        expect:
          - {text: "a firing 9 since 10:00"}
          - {text: "b firing 10 since 10:00"}
          - {text: "a resolved 5 since 10:00"}
          - {at: 2026-11-23 10:20, to: boss, text: b 10}
        skipped: escalate[0]
      - name: the same trouble once more is a new one
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {kind: freezer, id: a, t: 9}}}
          - {after: 1m, webhook: {body: {kind: freezer, id: a, t: 5}}}
          - {after: 1m, webhook: {body: {kind: freezer, id: a, t: 9}}}
        expect:
          - {text: "a firing 9 since 10:00"}
          - {text: "a resolved 5 since 10:00"}
          - {text: "a firing 9 since 10:02"}
          - {at: 2026-11-23 10:22, to: boss}
      - name: what the rule is not about needs no such field
        when: {webhook: {body: {kind: door}}}
        expect: []
        skipped: if

  - id: grouped
    trigger: {webhook: {path: b, open: true}}
    status: {firing: body.t > 8, resolved: body.t < 6, key: body.id}
    group: {wait: 30s, interval: 5m, repeat: 1h}
    to: me
    send:
      text: >-
        {{ group.firing | length }}/{{ group.resolved | length }}
        {{ group['items'] | map(attribute='body.t') | join(' ') }}
    tests:
      - name: a group is told of the end, and repeats the newest of what is not over
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {id: a, t: 9}}}
          - {after: 1s, webhook: {body: {id: b, t: 9}}}
          - {at: 2026-11-23 10:10, webhook: {body: {id: a, t: 11}}}
          - {at: 2026-11-23 11:30, webhook: {body: {id: a, t: 5}}}
          - {at: 2026-11-23 11:31, webhook: {body: {id: b, t: 5}}}
        expect:
          - {at: 2026-11-23 10:00:30, text: "2/0 9 9"}
          - {at: 2026-11-23 11:00:30, text: "2/0 11 9"}
          - {at: 2026-11-23 11:30, text: "1/1 9 5"}
          - {at: 2026-11-23 11:35, text: "0/1 5"}

  - id: plain
    trigger: {webhook: {path: c, open: true}}
    status: {firing: body.down}
    to: me
    send: {text: "{{ alert.status }}"}
    tests:
      - name: without a second limit the trouble is over when it is not on, and the rule has one trouble
        when:
          - {at: 2026-11-23 10:00, webhook: {body: {down: true}}}
          - {after: 1m, webhook: {body: {down: true}}}
          - {after: 1m, webhook: {body: {down: false}}}
        expect: [{text: firing}, {text: resolved}]
        skipped: status

  - id: files
    trigger: {file: {path: drop}}
    status: {firing: "'FAILED' in file.text", key: file.name}
    to: me
    send: {text: "{{ file.name }} {{ alert.status }}"}
    tests:
      - name: a file has a status too
        when:
          - {at: 2026-11-23 10:00, file: {name: a.log, text: FAILED}}
          - {after: 1m, file: {name: b.log, text: OK}}
          - {after: 1m, file: {name: a.log, text: OK}}
        expect: [{text: a.log firing}, {text: a.log resolved}]
        skipped: status

  - id: stock
    trigger: {file: {path: stock}}
    for_each: {row: file.rows}
    status: {firing: row.left | int < 5, resolved: row.left | int > 9, key: row.item}
    to: me
    send: {text: "{{ row.item }} {{ alert.status }} {{ row.left }}"}
    tests:
      - name: each row is a thing with a status
        when:
          - {at: 2026-11-23 10:00, file: {name: 1.csv, text: "item,left\\npen,3\\nink,7\\n"}}
          - {after: 1h, file: {name: 2.csv, text: "item,left\\npen,7\\nink,2\\n"}}
          - {after: 1h, file: {name: 3.csv, text: "item,left\\npen,12\\nink,7\\n"}}
        expect: [{text: pen firing 3}, {text: ink firing 2}, {text: pen resolved 12}]
        skipped: rows

  - id: times
    trigger: {schedule: {at: ["09:00", "18:00"], tz: UTC}}
    status: {firing: schedule.at.hour == 18}
    to: me
    send: {text: "{{ alert.status }}"}
    tests:
      - name: a time has a status too
        when: [{schedule: true}, {after: 1h, schedule: true}, {after: 1h, schedule: true}]
        expect: [{at: 2026-01-05 18:00, text: firing}, {at: 2026-01-06 09:00, text: resolved}]

  - id: dropped
    trigger: {webhook: {path: f, open: true}}
    status: {firing: body.t > 8, resolved: body.t < 6}
    quiet_hours: {window: "22:00-07:00", then: drop}
    to: me
    send: {text: "{{ alert.status }} {{ body.t }} {{ alert.since | time }}"}
    tests:
      - name: a trouble that was dropped is told when it is reported after quiet hours
        when:
          - {at: 2026-11-23 05:00, webhook: {body: {t: 9}}}
          - {at: 2026-11-23 08:00, webhook: {body: {t: 7}}}
          - {at: 2026-11-23 08:01, webhook: {body: {t: 10}}}
          - {at: 2026-11-23 08:02, webhook: {body: {t: 11}}}
          - {at: 2026-11-23 09:00, webhook: {body: {t: 5}}}
        expect: [{text: "firing 10 05:00"}, {text: "resolved 5 05:00"}]
      - name: the end of what nobody heard of is not told
        when:
          - {at: 2026-11-23 05:00, webhook: {body: {t: 9}}}
          - {at: 2026-11-23 08:00, webhook: {body: {t: 5}}}
        expect: []
        skipped: status

  - id: throttled
    trigger: {webhook: {path: g, open: true}}
    status: {firing: body.t > 8, key: body.id}
    throttle: {max: 1, per: 10m, overflow: drop}
    to: me
    send: {text: "{{ body.id }} {{ alert.status }}"}
    tests:
      - name: a trouble that was too much is told when it is reported later
        when:
          - {at: 2026-11-23 05:00, webhook: {body: {id: a, t: 9}}}
          - {at: 2026-11-23 05:01, webhook: {body: {id: b, t: 9}}}
          - {at: 2026-11-23 05:11, webhook: {body: {id: b, t: 9}}}
          - {at: 2026-11-23 05:12, webhook: {body: {id: b, t: 9}}}
          - {at: 2026-11-23 05:13, webhook: {body: {id: b, t: 0}}}
        expect: [{text: a firing}, {text: b firing}, {text: b resolved}]

  - id: queued
    trigger: {webhook: {path: h, open: true}}
    status: {firing: body.t > 8, key: body.id}
    throttle: {max: 1, per: 10m, overflow: queue}
    to: me
    send: {text: "{{ body.id }} {{ alert.status }}"}
    tests:
      - name: a trouble that waits for its turn waits once
        when:
          - {at: 2026-11-23 05:00, webhook: {body: {id: a, t: 9}}}
          - {at: 2026-11-23 05:01, webhook: {body: {id: b, t: 9}}}
          - {at: 2026-11-23 05:02, webhook: {body: {id: b, t: 9}}}
        expect: [{at: 2026-11-23 05:00, text: a firing}, {at: 2026-11-23 05:10, text: b firing}]

  - id: daily
    trigger: {webhook: {path: i, open: true}}
    status: {firing: body.t > 8, key: body.id}
    digest: {at: "18:00"}
    to: me
    send: {text: "{% for one in events %}{{ one.body.id }} {{ one.alert.status }} {% endfor %}"}
    tests:
      - name: a digest has the last word of each thing
        when:
          - {at: 2026-11-23 05:00, webhook: {body: {id: a, t: 9}}}
          - {at: 2026-11-23 06:00, webhook: {body: {id: b, t: 9}}}
          - {at: 2026-11-23 06:01, webhook: {body: {id: a, t: 0}}}
        expect: [{at: 2026-11-23 18:00, text: b firing a resolved}]

  - id: broken
    trigger: {webhook: {path: d, open: true}}
    status: {firing: body.t > 8}
    to: "{{ body.to }}"
    send: {text: "{{ body.t if alert.status == 'firing' else body.message }}"}
"""


@functools.cache
def the_project() -> Project:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules").mkdir()
        Path(folder, "rules", "all.yaml").write_text(RULES, encoding="utf-8")
        Path(folder, "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\n")
        loaded = load(Path(folder), {})
    assert [problem.message for problem in loaded.problems if problem.severity == "error"] == []
    return loaded


TESTS = [(rule, test) for rule in the_project().rules for test in rule.tests]


@pytest.mark.parametrize(
    ("rule", "test"), [pytest.param(*one, id=f"{one[0].id}: {one[1].name}") for one in TESTS]
)
def test_a_rule_does(rule: object, test: object) -> None:
    assert run(the_project(), rule, test).complaints == ()  # type: ignore[arg-type]


def call(world: ReplayStore, path: str, number: int, **body: object) -> None:
    data = {"path": path, "method": "POST", "headers": {}, "query": {}, "body": body}
    world.happen(Event(id=f"e{number}", type="webhook", at=world.now, data=data))
    world.wait(world.now + timedelta(minutes=1))


def texts(world: ReplayStore) -> list[str]:
    return [planned.message.message for _, planned in world.messages if isinstance(planned.message, Text)]


@given(st.lists(st.integers(3, 11), max_size=20))
def test_the_beginning_and_the_end_alternate_as_a_thermostat_says(temperatures: list[int]) -> None:
    world = ReplayStore(the_project(), datetime(2026, 11, 23, tzinfo=UTC))
    on, expected = False, []
    for number, t in enumerate(temperatures):
        call(world, "a", number, kind="freezer", id="a", t=t)
        if on != (t > 8 or (on and t >= 6)):
            on = not on
            expected.append(f"a {'firing' if on else 'resolved'} {t}")
    told = [text.partition(" since")[0] for text in texts(world) if "since" in text]
    assert told == expected


def test_a_trouble_that_could_not_be_told_is_told_when_it_is_reported_again() -> None:
    world = ReplayStore(the_project(), datetime(2026, 11, 23, tzinfo=UTC))
    call(world, "d", 1, t=9, to="nobody")
    assert [planned.problem for _, planned in world.messages] != [None]
    call(world, "d", 2, t=9, to="me")
    call(world, "d", 3, t=9, to="me")
    assert texts(world) == ["9"]


def test_a_retry_of_a_message_sees_the_status_as_it_was() -> None:
    world = ReplayStore(the_project(), datetime(2026, 11, 23, tzinfo=UTC))
    call(world, "d", 1, t=9, to="me")
    call(world, "d", 2, to="me", t=7)
    [*_, (_, failed)] = world.messages
    assert failed.again
    assert failed.again["subject"]["status"] == "resolved"
    assert failed.again["subject"]["data"]["alert"]["status"] == "resolved"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("status: {resolved: file.size}", "WBX212", "the key `firing` is missing"),
        (
            "trigger: {webhook: {path: a, open: true, preset: grafana}}\nstatus: {firing: body.x}",
            "WBX317",
            "the preset has a status of its own",
        ),
        (
            "trigger: {missing: {of: {file: {path: x}}, by: '09:00', window: 1h}}\nstatus: {firing: now}",
            "WBX317",
            "`missing` has a status of its own",
        ),
        (
            "for_each: {row: file.rows}\nstatus: {firing: row.a}",
            "WBX212",
            "`status` needs a `key` with `for_each`: what tells one item from another",
        ),
        ("if: alert.status\nstatus: {firing: file.size}", "WBX308", "there is no `alert` here"),
        (
            "status: {firing: file.size}\nthrottle: {max: 1, per: 1h, key: alert.x}",
            "WBX308",
            "`alert` has no `x`",
        ),
        ("trigger: {file: {path: /srv, status: {firing: file.size}}}", "WBX210", "a trigger has no `status`"),
        ("trigger: {webhook: {path: a, open: true, status: {}}}", "WBX210", "a trigger has no `status`"),
        ("trigger: {schedule: {at: '09:00', status: {}}}", "WBX210", "a trigger has no `status`"),
        ("trigger: {file: {path: /srv}, status: {}}", "WBX210", "a trigger has no `status`"),
    ],
)
def test_a_status_that_can_not_be_meant_is_refused(
    tmp_path: Path, text: str, code: str, message: str
) -> None:
    problem = mistake(tmp_path, text)
    assert (problem.code, problem.message) == (code, message)
