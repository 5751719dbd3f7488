"""What did not come in time: one trouble, from the first missed deadline until it comes."""

import functools
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulebook import rule
from test_schedule_source import DAY, HOUR, Machine, Memory

from wbox_notify.engine import Overlay, wake
from wbox_notify.engine.plan import reset
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_tests import run
from wbox_notify.engine.state import MissingState
from wbox_notify.model.clock import Step
from wbox_notify.model.deliveries import AGAIN
from wbox_notify.model.deliveries import Memory as Kept
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project
from wbox_notify.triggers.schedule.source import Timetable

RULES = """
version: 1
contacts: {me: "+90 555 000 00 01", boss: "+90 555 000 00 02"}
rules:
  - id: pulse
    trigger:
      missing: {of: {webhook: {path: pulse, open: true}}, by: {every: 15m}, window: 15m, resolved: true}
    to: me
    send: {text: "{{ missing.resolved }} {{ missing.by | time }}"}
    escalate: {after: 20m, to: boss, send: {text: "since {{ missing.by | time }}"}}
    tests:
      - name: it is told once, the next person hears of the first deadline, and the end is told once
        when:
          - {at: 2026-11-23 07:00, missing: true}
          - {at: 2026-11-23 07:15, missing: true}
          - {at: 2026-11-23 07:30, missing: true}
          - {at: 2026-11-23 07:40, webhook: {body: {}}}
        expect:
          - {at: 2026-11-23 07:00, text: "False 07:00"}
          - {at: 2026-11-23 07:20, to: boss, text: "since 07:00"}
          - {at: 2026-11-23 07:40, text: "True 07:00"}
        skipped: missing
      - name: when it comes after two deadlines, nobody is called for the first of them
        when:
          - {at: 2026-11-23 07:00, missing: true}
          - {at: 2026-11-23 07:15, missing: true}
          - {at: 2026-11-23 07:18, webhook: {body: {}}}
        expect: [{text: "False 07:00"}, {text: "True 07:00"}]
      - name: an acknowledgement of the first deadline holds for those after it
        when:
          - {at: 2026-11-23 07:00, missing: true}
          - {after: 5m, ack: true}
          - {at: 2026-11-23 07:15, missing: true}
          - {at: 2026-11-23 07:30, missing: true}
        expect: [{text: "False 07:00"}]
        skipped: escalate[0]
      - name: what comes and stays away again is another trouble
        when:
          - {at: 2026-11-23 07:00, missing: true}
          - {after: 5m, ack: true}
          - {at: 2026-11-23 07:10, webhook: {body: {n: 1}}}
          - {at: 2026-11-23 07:30, missing: true}
        expect:
          - {text: "False 07:00"}
          - {text: "True 07:00"}
          - {text: "False 07:30"}
          - {at: 2026-11-23 07:50, to: boss, text: "since 07:30"}
      - name: a call at the very beginning of the window is in it
        when:
          - {at: 2026-11-23 06:45, webhook: {body: {}}}
          - {at: 2026-11-23 07:00, missing: true}
        expect: []
        skipped: missing
      - name: a call that comes in time is known to the rule at once
        when: {webhook: {body: {}}}
        expect: []
        skipped: missing
      - name: a call before the window is too early
        when:
          - {at: "2026-11-23 06:44:59", webhook: {body: {}}}
          - {at: 2026-11-23 07:00, missing: true}
        until: 1m
        expect: [{text: "False 07:00"}]

  - id: backup
    trigger:
      missing: {of: {webhook: {path: backup, open: true}}, if: body.exit == 0, by: "07:00", window: 12h}
    to: me
    send: {text: no backup}
    tests:
      - name: a call that a condition holds for counts
        when:
          - {at: 2026-11-23 03:00, webhook: {body: {exit: 0}}}
          - {at: 2026-11-23 07:00, missing: true}
        expect: []
        skipped: missing
      - name: another does not, neither in time nor late, so that it is one trouble still
        when:
          - {at: 2026-11-23 03:00, webhook: {body: {exit: 3}}}
          - {at: 2026-11-23 07:00, missing: true}
          - {at: 2026-11-23 07:10, webhook: {body: {exit: 3}}}
          - {at: 2026-11-24 07:00, missing: true}
        expect: [{at: 2026-11-23 07:00, text: no backup}]

  - id: dump
    trigger:
      missing: {of: {file: {path: in}}, if: [file.size > 9, '"ok" in file.text'], by: "07:00", window: 12h}
    to: me
    send: {text: gone}
    tests:
      - name: a file counts where all conditions hold
        when:
          - {at: 2026-11-23 03:00, file: {name: a, text: all is ok now}}
          - {at: 2026-11-23 07:00, missing: true}
        expect: []
      - name: and does not where one does not
        when:
          - {at: 2026-11-23 03:00, file: {name: a, text: nothing is right}}
          - {at: 2026-11-23 07:00, missing: true}
        expect: [{text: gone}]

  - id: silent-end
    trigger: {missing: {of: {webhook: {path: silent, open: true}}, by: "07:00", window: 12h}}
    to: me
    send: {text: gone}
    escalate: {after: 20m, to: boss, send: {text: still gone}}
    tests:
      - name: what comes late calls nobody, also where its coming is not told
        when:
          - {at: 2026-11-23 07:00, missing: true}
          - {at: 2026-11-23 07:10, webhook: {body: {}}}
        expect: [{to: me, text: gone}]
        skipped: escalate[0]

  - id: night
    trigger: {missing: {of: {webhook: {path: night, open: true}}, by: "03:00", window: 12h}}
    quiet_hours: "22:00-07:00"
    to: me
    send: {text: gone}
    tests:
      - name: what came before anybody was told of it is told to nobody
        when:
          - {at: 2026-11-23 03:00, missing: true}
          - {at: 2026-11-23 05:00, webhook: {body: {}}}
        expect: []
      - name: what has not come by the morning is told then
        when:
          - {at: 2026-11-23 03:00, missing: true}
          - {at: 2026-11-23 08:00, webhook: {body: {}}}
        expect: [{at: 2026-11-23 07:00, text: gone}]

  - id: dropped
    trigger: {missing: {of: {webhook: {path: dropped, open: true}}, by: {every: 1h}, window: 1h}}
    quiet_hours: {window: "22:00-07:00", then: drop}
    to: me
    send: {text: "{{ missing.by | time }}"}
    tests:
      - name: what was dropped in quiet hours is told at the first deadline after them
        when:
          - {at: 2026-11-23 05:00, missing: true}
          - {at: 2026-11-23 06:00, missing: true}
          - {at: 2026-11-23 07:00, missing: true}
          - {at: 2026-11-23 08:00, missing: true}
        expect: [{at: 2026-11-23 07:00, text: "05:00"}]
        skipped: missing

  - id: dropped-in-a-group
    trigger: {missing: {of: {webhook: {path: dropped-group, open: true}}, by: {every: 1h}, window: 1h}}
    group: {wait: 0s, repeat: never}
    quiet_hours: {window: "22:00-07:00", then: drop}
    to: me
    send: {text: "{{ group.firing | length }}"}
    tests:
      - name: what a group could not tell in quiet hours it tells at the first deadline after them
        when:
          - {at: 2026-11-23 05:00, missing: true}
          - {at: 2026-11-23 06:00, missing: true}
          - {at: 2026-11-23 07:00, missing: true}
          - {at: 2026-11-23 08:00, missing: true}
        expect: [{at: 2026-11-23 07:00, text: "1"}]
        skipped: missing

  - id: in-a-group
    trigger: {missing: {of: {webhook: {path: grouped, open: true}}, by: {every: 15m}, window: 15m}}
    group: {wait: 0s, repeat: 1h}
    to: me
    send: {text: "{{ group.firing | length }}"}
    escalate: {after: 2h, to: boss, send: {text: boss}}
    tests:
      - name: a group that is over repeats nothing, and calls nobody
        when:
          - {at: 2026-11-23 03:00, missing: true}
          - {at: 2026-11-23 04:30, webhook: {body: {}}}
        expect: [{at: 2026-11-23 03:00, text: "1"}, {at: 2026-11-23 04:00, text: "1"}]
        skipped: escalate[0]

  - id: daily
    trigger: {missing: {of: {webhook: {path: daily, open: true}}, by: "07:00", window: 12h, repeat: 4h}}
    to: me
    send: {text: "{{ missing.by | datetime }} {{ now | time }}"}
    escalate: {after: 20m, to: boss, send: {text: boss}}
    tests:
      - name: it is told again as often as the rule says, until it comes
        when:
          - {at: 2026-11-23 07:00, missing: true}
          - {at: 2026-11-24 07:00, missing: true}
          - {at: 2026-11-24 07:30, webhook: {body: {}}}
        expect:
          - {at: 2026-11-23 07:00, text: "2026-11-23 07:00 07:00"}
          - {at: 2026-11-23 07:20, to: boss}
          - {at: 2026-11-23 11:00, text: "2026-11-23 07:00 11:00"}
          - {at: 2026-11-23 15:00, text: "2026-11-23 07:00 15:00"}
          - {at: 2026-11-23 19:00, text: "2026-11-23 07:00 19:00"}
          - {at: 2026-11-23 23:00, text: "2026-11-23 07:00 23:00"}
          - {at: 2026-11-24 03:00, text: "2026-11-23 07:00 03:00"}
          - {at: 2026-11-24 07:00, text: "2026-11-23 07:00 07:00"}

  - id: office
    trigger:
      missing: {of: {webhook: {path: office, open: true}}, by: {every: 1h}, window: 1h, resolved: true}
    if: missing.resolved or now.hour >= 8
    to: me
    send: {text: "{{ missing.resolved }} {{ missing.by | time }}"}
    tests:
      - name: what a condition kept back is told at the first deadline at which it holds
        when:
          - {at: 2026-11-23 06:00, missing: true}
          - {at: 2026-11-23 07:00, missing: true}
          - {at: 2026-11-23 08:00, missing: true}
          - {at: 2026-11-23 09:00, missing: true}
        expect: [{at: 2026-11-23 08:00, text: "False 06:00"}]
        skipped: if
      - name: the end of what nobody was told of is not told
        when:
          - {at: 2026-11-23 06:00, missing: true}
          - {at: 2026-11-23 06:30, webhook: {body: {}}}
        expect: []

  - id: sites
    trigger: {missing: {of: {webhook: {path: sites, open: true}}, by: "07:00", window: 1h, repeat: 1h}}
    for_each: {site: "['a', 'b']"}
    to: me
    send: {text: "{{ site }}"}
    tests:
      - name: each item is told, and told again
        when: {at: 2026-11-23 07:00, missing: true}
        until: 2h
        expect: [{text: a}, {text: b}, {text: a}, {text: b}, {text: a}, {text: b}]

  - id: never
    trigger: {missing: {of: {webhook: {path: never, open: true}}, by: "07:00", window: 1h}}
    to: me
    send:
      text: >-
        {{ missing.last_seen | date('long') | default('never', true) }}
        {{ missing.last_seen | ago | default('never', true) }}
        {{ missing.last_seen | datetime or 'never' }}
    tests:
      - name: what never came has no time, which every filter for times passes on
        when: {at: 2026-11-23 07:00, missing: true}
        expect: [{text: never never never}]
      - name: what came before has one
        when:
          - {at: 2026-11-22 07:00, webhook: {body: {}}}
          - {at: 2026-11-23 07:00, missing: true}
        expect: [{text: "November 22, 2026 1 day ago 2026-11-22 07:00"}]

  - id: lost
    trigger: {missing: {of: {webhook: {path: lost, open: true}}, by: "07:00", window: 1h}}
    to: "{{ 'nobody' }}"
    send: {text: a}
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


def missed(world: ReplayStore, name: str, *days: int) -> None:
    """Let deadlines at seven in the morning pass."""
    for day in days:
        at = datetime(2026, 11, day, 7, tzinfo=UTC)
        world.wait(at)
        data = {"rule": name, "at": at.isoformat()}
        world.happen(Event(id=f"missing:{name}:{day}", type="missing", at=at, data=data))


def texts(world: ReplayStore) -> list[str]:
    return [planned.message.message for _, planned in world.messages if isinstance(planned.message, Text)]


@given(st.lists(st.none() | st.integers(1, 14), max_size=12))
def test_one_trouble_lasts_from_the_first_missed_deadline_until_it_comes(calls: list[int | None]) -> None:
    """After each deadline, a call comes some minutes later, or none."""
    world = ReplayStore(the_project(), datetime(2026, 11, 23, tzinfo=UTC))
    expected: list[str] = []
    seen = since = None
    for number, minutes in enumerate(calls):
        at = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=15 * number)
        world.wait(at)
        data = {"rule": "pulse", "at": at.isoformat()}
        world.happen(Event(id=f"missing:pulse:{number}", type="missing", at=at, data=data))
        if since is None and (seen is None or seen < at - timedelta(minutes=15)):
            since = at
            expected.append(f"False {at:%H:%M}")
        end = at + timedelta(minutes=minutes or 14)
        world.wait(end)
        if since and at < since + timedelta(minutes=20) <= end:
            expected.append(f"since {since:%H:%M}")
        if minutes:
            call = {"path": "pulse", "method": "POST", "headers": {}, "query": {}, "body": {}}
            world.happen(Event(id=f"call:{number}", type="webhook", at=end, data=call))
            if since:
                expected.append(f"True {since:%H:%M}")
            seen, since = end, None
    assert texts(world) == expected


def test_an_acknowledgement_holds_however_long_it_is_repeated() -> None:
    world = ReplayStore(the_project(), datetime(2026, 11, 2, 6, tzinfo=UTC))
    missed(world, "daily", 2)
    (key,) = [key for _, kind, key in world.memories if kind == "escalate"]
    world.happen(Event(id="ack", type="ack", at=world.now, data={"rule": "daily", "key": key}))
    world.wait_for(20 * DAY)
    assert texts(world).count("boss") == 0
    assert len(texts(world)) == 1 + 20 * DAY / (4 * HOUR)


def test_what_an_older_version_kept_as_missing_was_told() -> None:
    assert MissingState.from_json({"event": "missing:r:1", "facts": {"by": "x"}}).told == 1


def test_a_retry_of_what_came_meanwhile_tells_nobody_that_it_is_missing() -> None:
    world = ReplayStore(the_project(), datetime(2026, 11, 23, 6, tzinfo=UTC))
    missed(world, "lost", 23)
    [(_, failed)] = world.messages
    assert failed.problem
    again = Kept(rule="lost", kind=AGAIN, key=failed.key, value=failed.again)
    call = {"path": "lost", "method": "POST", "headers": {}, "query": {}, "body": {}}
    world.happen(Event(id="call", type="webhook", at=world.now, data=call))
    overlay = Overlay(world)
    overlay.add([again])
    made = wake(the_project(), again, overlay, world.now)
    assert [decision.detail for decision in made.decisions] == ["it has come meanwhile"]
    assert made.messages == ()


def timetables_of(folder: Path, text: str) -> list[Timetable]:
    """Return when a rule is due."""
    rules = (rule(folder, text),)
    return list(Project(settings=load(folder, {}).settings, rules=rules).timetables())


def test_a_deadline_that_was_slept_through_is_looked_at_however_late(tmp_path: Path) -> None:
    text = "trigger: {missing: {of: {file: {path: /srv}}, by: '09:00', window: 1h}}"
    (timetable,) = timetables_of(tmp_path, text)
    memory = Memory()
    machine = Machine(memory, timetable)
    machine.run(HOUR)
    machine.now += 5 * DAY
    machine.boot()
    assert machine.run() == ["missing:a:2026-11-27T09:00Z"]


@pytest.mark.parametrize(
    ("written", "days"), [("all", [23, 24, 25, 26, 27]), ("none", []), ("{run: last, within: 1h}", [])]
)
def test_a_rule_says_which_deadlines_that_were_slept_through_count(
    tmp_path: Path, written: str, days: list[int]
) -> None:
    text = (
        f"trigger: {{missing: {{of: {{file: {{path: /srv}}}}, by: '09:00', window: 1h, missed: {written}}}}}"
    )
    (timetable,) = timetables_of(tmp_path, text)
    machine = Machine(Memory(), timetable)
    machine.run(HOUR)
    machine.now += 5 * DAY
    machine.boot()
    assert machine.run() == [f"missing:a:2026-11-{day}T09:00Z" for day in days]


def test_after_a_clock_that_was_ahead_it_is_told_again_no_later_than_the_rule_says() -> None:
    world = ReplayStore(the_project(), datetime(2026, 11, 23, 6, tzinfo=UTC))
    missed(world, "daily", 23)
    [memory] = [memory for memory in world.memories.values() if memory.kind == MissingState.KIND]
    early = world.now.timestamp() - 30 * DAY
    kept = reset(the_project(), memory, Overlay(world), Step(now=early, jump=0.0, lag=0.0, first=True))
    assert kept.due == early + 4 * HOUR


def test_what_a_condition_for_the_awaited_looks_at_is_read_and_kept(tmp_path: Path) -> None:
    awaits = 'trigger: {{missing: {{of: {of}, if: {condition}, by: "07:00", window: 1h}}}}'
    file = rule(tmp_path, awaits.format(of="{file: {path: /srv}}", condition="file.json.ok"))
    assert file.needs == {"text", "json"}
    hook = "{webhook: {path: a, open: true}}"
    call = rule(tmp_path, awaits.format(of=hook, condition="headers.Exit == '0'"))
    assert "exit" in call.headers
