"""The engine as a whole: the same inputs give the same messages, whatever happens in between."""

import functools
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import turns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wbox_notify.daemon.planner import Planner
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.state import Kept, state_of
from wbox_notify.model.deliveries import Memory, NextStep, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text, dump
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live, Project
from wbox_notify.store import open_store

pytestmark = pytest.mark.timeout(600)  # of one test on a busy machine
EXAMPLES = 3 * settings.default.max_examples

BEGIN = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)

RULES = """
version: 1
contacts:
  a: "+905551110001"
  b: {phone: "+905551110002", quiet_hours: "23:00-06:00", lang: tr}
rules:
  - id: plain
    trigger: {webhook: {path: p, open: true}}
    if: body.n > 2
    to: [a, b]
    send: {text: "{{ body.n }}"}
  - id: once
    trigger: {webhook: {path: p, open: true}}
    dedupe: {key: body.n, for: 2h}
    to: a
    send: {text: "once {{ body.n }}"}
  - id: counted
    trigger: {webhook: {path: p, open: true}}
    throttle: {max: 2, per: 10m}
    to: a
    send: {text: "counted {{ body.n }}"}
  - id: queued
    trigger: {webhook: {path: p, open: true}}
    throttle: {max: 1, per: 5m, overflow: queue}
    to: b
    send: {text: "queued {{ body.n }}"}
  - id: evening
    trigger: {webhook: {path: p, open: true}}
    digest: {at: "21:00"}
    to: [a, b]
    send: {text: "{% for one in events %}{{ one.body.n }} {% endfor %}"}
  - id: alerts
    trigger: {webhook: {path: alerts, preset: alertmanager, open: true}}
    group: {by: alert.labels.name, wait: 30s, interval: 5m, repeat: 4h}
    quiet_hours: {window: "22:00-07:00", unless: alert.labels.level == "high"}
    to: [a, b]
    send: {text: "{{ group.key }} {{ group.firing | length }} {{ group.resolved | length }}"}
    escalate:
      - {after: 15m, unless: acked or resolved, to: b, send: {text: "still {{ group.key }}"}}
      - {after: 1h, unless: acked or resolved, to: a, send: {text: "for long {{ group.key }}"}}
  - id: parcels
    trigger: {webhook: {path: p, open: true}}
    group: {by: body.n, wait: 30s, interval: 5m}
    quiet_hours: "21:00-07:00"
    to: [a, b]
    send: {text: "{% for one in group['items'] %}<{{ one.body.n }}> {% endfor %}"}
  - id: single
    trigger: {webhook: {path: alerts, preset: alertmanager, open: true}}
    dedupe: alert.fingerprint
    quiet_hours: {window: "22:00-07:00", unless: alert.labels.level == "high"}
    to: [a, b]
    send: {text: "{{ alert.fingerprint }} {{ alert.status }}"}
  - id: channels
    trigger: {webhook: {path: p, open: true}}
    dedupe: body.n
    quiet_hours: "21:00-22:00"
    to: b
    via: ntfy://ops
    fallback: ntfy://spare
    send: {text: "channels {{ body.n }}"}
    escalate:
      - {after: 5m, unless: sent, via: ntfy://ops}
      - {after: 10m, if: not sent, via: ntfy://ops, to: a, send: {text: "nobody knows of {{ body.n }}"}}
  - id: late
    trigger:
      missing: {of: {webhook: {path: p, open: true}}, by: "23:30", window: 3h, repeat: 5h, resolved: true}
    to: a
    send: {text: "{{ missing.resolved }}"}
    escalate: {after: 1h, to: b, send: {text: "missing since {{ missing.by }}"}}
  - id: feverish
    trigger: {webhook: {path: p, open: true}}
    status: {firing: body.n > 3, resolved: body.n < 2}
    to: [a, b]
    send: {text: "{{ alert.status }} {{ body.n }} {{ alert.since }}"}
    escalate: {after: 30m, to: b, send: {text: "still {{ alert.status }}"}}
  - id: fevers
    trigger: {webhook: {path: p, open: true}}
    status: {firing: body.n > 3, resolved: body.n < 2}
    group: {wait: 30s, interval: 5m, repeat: 4h}
    to: [a, b]
    send: {text: "{% for one in group['items'] %}{{ one.alert.status }} {{ one.body.n }} {% endfor %}"}
"""


@functools.cache
def the_project() -> Project:
    """Return the project of the rules above. It is no fixture, since hypothesis would print it whole."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules").mkdir()
        Path(folder, "rules", "all.yaml").write_text(RULES)
        Path(folder, "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\n")
        loaded = load(Path(folder), {"WBOX_API_KEY": "sk_x"})
    assert [problem.message for problem in loaded.problems if problem.severity == "error"] == []
    return loaded


Input = tuple[int, str, Any]

alerts = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["firing", "resolved"]),
            "fingerprint": st.sampled_from(["f1", "f2", "f3"]),
            "labels": st.fixed_dictionaries(
                {"name": st.sampled_from(["Disk", "Site"]), "level": st.sampled_from(["low", "high"])}
            ),
        }
    ),
    min_size=1,
    max_size=3,
)
inputs = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 20, 45, 400, 4000, 20000]),
        st.sampled_from(["p", "alerts", "ack", "missing", "down"]),
        st.tuples(st.integers(0, 5), alerts),
    ),
    max_size=15,
)


def events_of(sequence: Sequence[Input]) -> list[Event]:
    """Return the events of a sequence, each at its time."""
    at, events = BEGIN, []
    for number, (pause, kind, (n, about)) in enumerate(sequence):
        at += timedelta(seconds=pause)
        body = {"n": n} if kind == "p" else {"alerts": about}
        data: dict[str, Any] = {"path": kind, "method": "POST", "headers": {}, "query": {}, "body": body}
        if kind == "missing":
            data = {"rule": "late", "at": at.isoformat()}
        if kind == "ack":
            data = {"rule": "alerts", "key": "whatever"}
        names = {"p": "webhook", "alerts": "webhook"}
        events.append(Event(id=f"e{number}", type=names.get(kind, kind), at=at, data=data))
    return events


def played(world: ReplayStore, events: Sequence[Event]) -> ReplayStore:
    for event in events:
        world.wait(event.at)
        if event.type == "down":
            world.api_down = True
            continue
        # Somebody answers whatever is open.
        if event.type == "ack":
            open_ = sorted(
                key for rule, kind, key in world.memories if (rule, kind) == ("alerts", "escalate")
            )
            event = replace(event, data={**event.data, "key": open_[0] if open_ else "nothing"})  # noqa: PLW2901
        world.happen(event)
    return world


def said(world: ReplayStore) -> list[tuple[datetime, str, Any]]:
    return [
        (at, planned.key, dump(planned.message) if planned.message else planned.problem)
        for at, planned in world.messages
    ]


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=inputs)
def test_replaying_the_events_gives_the_same_messages(sequence: list[Input]) -> None:
    events = events_of(sequence)
    first = played(ReplayStore(the_project(), BEGIN), events)
    first.wait_for(43200)
    again = played(ReplayStore(the_project(), BEGIN), [Event(**_stored(event)) for event in events])
    again.wait_for(43200)
    assert said(again) == said(first)


def _stored(event: Event) -> dict[str, Any]:
    """Return the fields of an event as the store gives them back."""
    return {"id": event.id, "type": event.type, "at": event.at, "data": json.loads(json.dumps(event.data))}


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=inputs, where=st.integers(0, 15))
def test_a_restart_at_any_point_changes_nothing_that_is_sent(sequence: list[Input], where: int) -> None:
    events = events_of(sequence)
    whole = played(ReplayStore(the_project(), BEGIN), events)
    whole.wait_for(43200)
    before = played(ReplayStore(the_project(), BEGIN), events[:where])
    stored = {
        place: replace(memory, value=json.loads(json.dumps(memory.json)))
        for place, memory in before.memories.items()
    }
    after = ReplayStore(
        the_project(),
        before.now,
        api_down=before.api_down,
        memories=stored,
        messages=list(before.messages),
    )
    played(after, events[where:])
    after.wait_for(43200)
    assert said(after) == said(whole)


class AsStored(ReplayStore):
    """A replay that remembers JSON text, as a store does, and not the objects of the engine."""

    def remembered(self, rule: str, kind: str, key: str) -> Any:
        memory = self.memories.get((rule, kind, key))
        return memory and json.loads(json.dumps(memory.json))

    def _next(self, until: datetime) -> Memory | None:
        due = super()._next(until)
        return due and replace(due, value=json.loads(json.dumps(due.json)))


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=inputs)
def test_what_is_remembered_as_objects_says_and_decides_what_stored_values_do(sequence: list[Input]) -> None:
    events = events_of(sequence)
    world, stored = (played(kind(the_project(), BEGIN), events) for kind in (ReplayStore, AsStored))
    world.wait_for(43200)
    stored.wait_for(43200)
    assert world.messages == stored.messages
    assert world.decisions == stored.decisions


def test_a_replay_makes_no_json_of_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would make it of all that waits at each event, and read it again at the next."""
    made: list[Any] = []
    monkeypatch.setattr(Kept, "to_json", made.append)
    world = played(ReplayStore(the_project(), BEGIN), events_of([(20, "p", (n, [])) for n in range(6)] * 9))
    world.wait_for(43200)
    assert len(world.messages) > 54
    assert made == []


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=inputs)
def test_nothing_fails_and_whatever_is_not_sent_leaves_a_reason(sequence: list[Input]) -> None:
    for event in events_of(sequence):
        world = ReplayStore(the_project(), event.at)
        world.happen(event)
        concerned = {
            rule.id for rule in (*the_project().rules_for(event), *the_project().awaiting(event))
        } - {"late"}
        explained = {decision.rule for _, decision in world.decisions}
        assert concerned <= explained
    world = played(ReplayStore(the_project(), BEGIN), events_of(sequence))
    world.wait_for(43200)
    assert [planned.problem for _, planned in world.messages if planned.problem] == []


def texts_to(world: ReplayStore, rule: str, phone: str) -> str:
    """Return all that a rule said to a phone, a text a line or more."""
    return "\n".join(
        planned.message.message
        for _, planned in world.messages
        if planned.rule == rule and isinstance(planned.message, Text) and planned.message.phone == phone
    )


A, B = "905551110001", "905551110002"


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=inputs)
def test_whatever_is_held_is_told_in_the_end_and_each_reader_knows_what_still_fires(
    sequence: list[Input],
) -> None:
    events = [event for event in events_of(sequence) if event.type != "down"]
    world = played(ReplayStore(the_project(), BEGIN), events)
    world.wait(world.now.replace(hour=12, minute=0) + timedelta(days=2))
    posts = [str(event.data["body"]["n"]) for event in events if event.data.get("path") == "p"]
    for reader in (A, B):
        assert sorted(re.findall(r"\d", texts_to(world, "plain", reader))) == sorted(
            n for n in posts if n > "2"
        )
        assert sorted(re.findall(r"\d", texts_to(world, "evening", reader))) == sorted(posts)
    assert re.findall(r"queued (\d)", texts_to(world, "queued", B)) == posts
    counted = texts_to(world, "counted", A)
    assert len(re.findall(r"^counted", counted, re.MULTILINE)) + sum(
        map(int, re.findall(r"and (\d+) more", counted))
    ) == len(posts)
    for reader in (A, B):
        assert sorted(re.findall(r"<(\d)>", texts_to(world, "parcels", reader))) == sorted(posts)
    status = {
        alert["fingerprint"]: alert["status"]
        for event in events
        for alert in event.data.get("body", {}).get("alerts", [])
    }
    for reader in (A, B):
        heard = dict(re.findall(r"^(f\d) (\w+)", texts_to(world, "single", reader), re.MULTILINE))
        assert {name for name, last in heard.items() if last == "firing"} == {
            name for name, last in status.items() if last == "firing"
        }
    firing: dict[str, set[str]] = {"Disk": set(), "Site": set()}
    for event in events:
        for alert in event.data.get("body", {}).get("alerts", []):
            members = firing[alert["labels"]["name"]]
            (members.add if alert["status"] == "firing" else members.discard)(alert["fingerprint"])
    for reader in (A, B):
        known = dict(re.findall(r'^\["(\w+)"\] (\d) \d', texts_to(world, "alerts", reader), re.MULTILINE))
        assert {name: int(known.get(name, 0)) for name in firing} == {
            name: len(members) for name, members in firing.items()
        }
    states = [state_of(memory) for memory in world.memories.values()]
    assert [state for state in states if state and state.waiting] == []


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN.timestamp()

    def __call__(self) -> float:
        return self.now


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=inputs)
def test_the_daemon_s_planner_on_its_store_sends_what_the_rehearsal_sends(
    sequence: list[Input], tmp_path_factory: pytest.TempPathFactory
) -> None:
    events = [event for event in events_of(sequence) if event.type not in {"ack", "down"}]
    world = played(ReplayStore(the_project(), BEGIN), events)
    world.wait_for(7200)
    clock = Clock()
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/wbox.db")
    planner = Planner(Live(the_project()), store, clock=clock, steady=clock)

    def step() -> None:
        while planner.step():
            pass
        while delivery := turns.claim(store, clock.now):
            ended = NextStep(state=State.SENT, due=0.0, tries=1, unknowns=0, reason="")
            turns.finish(store, delivery, Answer(outcome=Outcome.SENT, detail=""), ended, clock.now)

    def advance(until: float) -> None:
        while (due := store.next_memory()) is not None and due <= until:
            clock.now = max(clock.now, due)
            step()
        clock.now = max(clock.now, until)

    for event in events:
        advance(event.at.timestamp())
        store.put_events([event], clock.now).result()
        step()
    advance(clock.now + 7200)
    stored = store.queue([*State], 10_000)
    store.close()
    assert sorted(delivery.key for delivery in stored) == sorted(planned.key for _, planned in world.messages)


def test_a_reload_keeps_what_rules_remember(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(
        RULES.replace("group.key }} {{ group.f", "group.key }} new {{ group.f")
    )
    (tmp_path / "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\n")
    changed = load(tmp_path, {"WBOX_API_KEY": "sk_x"})
    alert = {"status": "firing", "fingerprint": "f1", "labels": {"name": "Disk", "level": "high"}}
    [event] = events_of([(0, "alerts", (0, [alert]))])
    world = played(ReplayStore(the_project(), BEGIN), [event])
    world.project = changed
    world.wait_for(60)
    assert [texts_to(world, "alerts", reader) for reader in (A, B)] == ['["Disk"] new 1 0'] * 2
