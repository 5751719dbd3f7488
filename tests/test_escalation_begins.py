"""An escalation begins though its first message fails: the next person is to hear of the trouble."""

from datetime import UTC, datetime

import pytest
from rulebook import whole

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text

RULES = """
version: 1
contacts:
  me: "+90 555 000 00 01"
  boss: "+90 555 000 00 02"
  asleep: {phone: "+90 555 000 00 03", quiet_hours: "22:00-07:00"}
rules:
  - id: text
    trigger: {webhook: {path: text, open: true}}
    to: me
    send: {text: "{{ body.missing }}"}
    escalate: {after: 5m, to: boss, send: {text: next}}
  - id: reader
    trigger: {webhook: {path: reader, open: true}}
    to: "{{ body.who }}"
    send: {text: first}
    escalate: {after: 5m, to: boss, send: {text: next}}
  - id: group
    trigger: {webhook: {path: group, preset: alertmanager, open: true}}
    group: {by: alert.labels.disk, wait: 30s}
    to: "{{ alert.labels.who }}"
    send: {text: first}
    escalate: {after: 5m, to: boss, send: {text: next}}
  - id: alert
    trigger: {webhook: {path: alert, preset: alertmanager, open: true}}
    if: alert.status == "firing"
    to: "{{ alert.labels.who }}"
    send: {text: first}
    escalate: {after: 5m, to: boss, send: {text: next}}
  - id: status
    trigger: {webhook: {path: status, open: true}}
    status: {firing: body.t > 8, key: body.id}
    to: "{{ body.who }}"
    send: {text: first}
    escalate: {after: 5m, to: boss, send: {text: next}}
  - id: status-text
    trigger: {webhook: {path: status-text, open: true}}
    status: {firing: body.t > 8, key: body.id}
    to: me
    send: {text: "{{ body.missing }}"}
    escalate: {after: 5m, to: boss, send: {text: next}}
  - id: digest
    trigger: {webhook: {path: digest, open: true}}
    digest: {at: "08:00"}
    to: me
    send: {text: "{{ body.missing }}"}
    escalate: {after: 5m, to: boss, send: {text: next}}
  - id: quiet
    trigger: {webhook: {path: quiet, open: true}}
    to: asleep
    send: {text: "{{ body.missing }}"}
    escalate: {after: 5m, to: boss, send: {text: next}}
"""
BEGIN = datetime(2026, 11, 30, 6, 55, tzinfo=UTC)
ALERT = {"status": "firing", "fingerprint": "f", "labels": {"disk": "a", "who": "nobody"}}


def replayed(path: str, body: object, minutes: int = 90) -> ReplayStore:
    """Return what follows within some minutes of a call of a hook."""
    store = ReplayStore(whole(RULES), BEGIN)
    call(store, path, body)
    store.wait_for(60 * minutes)
    return store


def call(store: ReplayStore, path: str, body: object) -> None:
    data = {"path": path, "method": "POST", "headers": {}, "query": {}, "body": body}
    store.happen(Event(id=f"{path} {store.now}", type="webhook", at=store.now, data=data))


def texts(store: ReplayStore) -> list[tuple[str, str]]:
    sent = [planned.message for _, planned in store.messages]
    return [(message.phone[-1], message.message) for message in sent if isinstance(message, Text)]


TROUBLES = [
    ("group", {"alerts": [ALERT]}),
    ("alert", {"alerts": [ALERT]}),
    ("status", {"id": 1, "t": 9, "who": "nobody"}),
    ("status-text", {"id": 1, "t": 9}),
]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *TROUBLES,
        ("text", {}),
        ("reader", {"who": ""}),
        ("reader", {"who": "nobody"}),
        ("reader", {}),
        ("digest", {}),
        ("quiet", {}),
    ],
)
def test_the_next_person_hears_of_a_trouble_of_which_nobody_could_be_told(path: str, body: object) -> None:
    store = replayed(path, body)
    assert texts(store) == [("2", "next")]
    assert any(planned.problem for _, planned in store.messages)


@pytest.mark.parametrize(("path", "body"), TROUBLES)
def test_nobody_hears_of_a_trouble_that_is_over_by_then(path: str, body: dict[str, object]) -> None:
    store = replayed(path, body, minutes=2)
    call(store, path, {**body, "t": 1, "alerts": [{**ALERT, "status": "resolved"}]})
    store.wait_for(60 * 60)
    assert texts(store) == []


def test_a_first_message_that_fails_once_more_starts_no_second_clock() -> None:
    store = replayed("text", {}, minutes=4)
    call(store, "text", {})
    store.wait_for(60 * 60)
    assert texts(store) == [("2", "next")] * 2  # one for each of the two calls
