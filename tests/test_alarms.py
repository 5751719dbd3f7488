"""Alarms: what WhatsApp does not carry is told by another service, and once."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import turns
from databases import Files, Postgres
from rulebook import project, rule_file
from workplace import a_live

from wbox_notify.clients.wbox import Client
from wbox_notify.dispatch import Dispatcher
from wbox_notify.dispatch.fallback import Fallback
from wbox_notify.model import reasons
from wbox_notify.model.deliveries import Delivery, NextStep, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice, Poll, Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.texts import Wording
from wbox_notify.rules.project import Live, Project
from wbox_notify.simulator import Simulator
from wbox_notify.store import Store, open_store

NOW = 1_700_000_000.0
TEXT = Text(phone="905551234567", message="the disk is full")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(engine: Files | Postgres) -> Iterator[Store]:
    store = open_store(engine.fresh())
    yield store
    store.close()


@pytest.fixture
def client(wbox: Simulator) -> Iterator[Client]:
    client = Client(wbox.url, "sk_test")
    yield client
    client.close()


def a_project(folder: Path, *, common: tuple[str, ...] = ("ops",), own: tuple[str, ...] = ()) -> Project:
    found = project(folder, {"rules/a.yaml": rule_file("")})
    return replace(
        found,
        settings=replace(found.settings, fallback=common),
        rules=tuple(replace(rule, fallback=own) for rule in found.rules),
    )


def put(store: Store, *messages: Message | None, now: float = NOW) -> list[int]:
    planned = tuple(
        PlannedMessage(
            key=f"e:{place}", rule="a", message=message, problem=None if message else "no such name"
        )
        for place, message in enumerate(messages)
    )
    event = Event(id="e", type="file", at=datetime(2026, 11, 22, tzinfo=UTC), data={})
    return store.put_message(event, Plan(event_id="e", messages=planned), now).result()


def notices(store: Store) -> list[tuple[str, str, str]]:
    """Return what is to be told, in order: outlet, title, text."""
    found = store.queue(list(State))
    told = [one.message for one in found if isinstance(one.message, Notice)]
    return [(one.outlet, one.title, one.text) for one in told]


def dead(store: Store, delivery: Delivery | None, now: float, reason: str = "no such number") -> None:
    assert delivery
    then = NextStep(state=State.DEAD, due=now, tries=1, unknowns=0, reason=reason)
    turns.finish(store, delivery, Answer(outcome=Outcome.REFUSED, detail=reason), then, now)


def test_N17_the_fallback_hears_once_that_a_device_stopped_and_once_that_it_sends_again(
    store: Store, wbox: Simulator, client: Client, clock: Clock, tmp_path: Path
) -> None:
    alarms = Fallback(store, Live(a_project(tmp_path)))
    dispatcher = Dispatcher(store, a_live(), fallback=alarms, clock=clock)
    put(store, TEXT, replace(TEXT, phone="905551234568"))
    wbox.unlink(1)
    dispatcher.step(client)
    for _ in range(10):
        clock.now += 30
        dispatcher.look_at_circuits(client)
    [stopped] = notices(store)
    assert stopped[:2] == ("ops", "wbox-notify")
    assert "scan the QR code" in stopped[2]
    assert stopped[2].endswith("Messages waiting: 2.")
    wbox.scan(1)
    dispatcher.look_at_circuits(client)
    assert len(notices(store)) == 1, "it is not over before a message went through"
    assert dispatcher.step(client)
    assert [text for _, _, text in notices(store)][1:] == ["WhatsApp messages are sent again."]


def test_a_short_trouble_is_not_told(
    store: Store, wbox: Simulator, client: Client, clock: Clock, tmp_path: Path
) -> None:
    alarms = Fallback(store, Live(a_project(tmp_path)))
    dispatcher = Dispatcher(store, a_live(), fallback=alarms, clock=clock)
    put(store, TEXT)
    wbox.unlink(1)
    dispatcher.step(client)
    clock.now += 30
    dispatcher.look_at_circuits(client)
    wbox.scan(1)
    clock.now += 10
    dispatcher.look_at_circuits(client)
    dispatcher.step(client)
    assert notices(store) == []


def test_a_message_of_a_rule_with_a_fallback_goes_there_while_its_device_is_known_to_be_away(
    store: Store, tmp_path: Path
) -> None:
    alarms = Fallback(store, Live(a_project(tmp_path, common=(), own=("mail", "chat"))))
    put(store, TEXT, Poll(phone="905551234567", question="Tea?", options=("yes", "no")))
    store.open_circuit("*", Outcome.NOT_SENT, NOW + 5, NOW).result()
    alarms.sweep(NOW)
    assert notices(store) == [], "it may be over in a moment"
    store.tell_circuit("*").result()
    for _ in range(3):
        alarms.sweep(NOW)
    told = notices(store)
    assert [(outlet, title) for outlet, title, _ in told] == [
        ("mail", "A"),
        ("chat", "A"),
        ("mail", "A"),
        ("chat", "A"),
    ]
    assert told[0][2].startswith("the disk is full\n")
    assert "+90555***4567" in told[0][2]
    assert "Tea?\n- yes\n- no" in told[2][2]


def test_what_was_given_up_goes_to_the_fallback_of_its_rule_with_its_text_or_its_reason(
    store: Store, tmp_path: Path
) -> None:
    """K07, K11: a message that cannot be made is an alarm that is not lost."""
    alarms = Fallback(store, Live(a_project(tmp_path, own=("mail",))))
    put(store, TEXT, None)
    dead(store, turns.claim(store, NOW), NOW)
    alarms.sweep(NOW)
    assert [(outlet, text.splitlines()[0]) for outlet, _, text in notices(store)] == [
        ("mail", "the disk is full"),
        ("mail", "no such name"),
    ]


def test_of_other_rules_the_common_fallback_hears_once_an_hour_that_messages_were_given_up(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    alarms = Fallback(store, Live(a_project(tmp_path)))
    put(store, TEXT, replace(TEXT, phone="905551234568"), replace(TEXT, phone="905551234569"))
    for _ in range(3):
        dead(store, turns.claim(store, NOW), NOW)
        alarms.sweep(NOW)
    [(outlet, _, text)] = notices(store)
    assert (outlet, "rule a" in text, "no such number" in text) == ("ops", True, True)
    assert len(caplog.records) == 1


def test_a_trouble_of_the_daemon_is_told_with_its_end(store: Store, tmp_path: Path) -> None:
    alarms = Fallback(store, Live(a_project(tmp_path)))
    alarms.trouble("folder /srv", "the folder /srv is gone", NOW)
    alarms.trouble("folder /srv", None, NOW + 60)
    assert [text for _, _, text in notices(store)] == [
        "the folder /srv is gone",
        "Solved: folder /srv",
    ]


def test_the_owner_hears_of_trouble_and_of_what_was_given_up_but_not_of_messages_to_the_owner(
    store: Store, tmp_path: Path
) -> None:
    project = a_project(tmp_path, common=())
    project = replace(project, settings=replace(project.settings, owner="+905551110009"))
    alarms = Fallback(store, Live(project))
    put(store, TEXT)
    for _ in range(2):
        dead(store, turns.claim(store, NOW), NOW)
        alarms.sweep(NOW)
    assert turns.claim(store, NOW) is None
    texts = [
        delivery.message.message
        for delivery in store.queue(list(State))
        if isinstance(delivery.message, Text)
    ]
    assert len(texts) == 2
    assert "rule a" in texts[1]


def test_without_a_fallback_the_log_hears_it(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    Fallback(store, Live(a_project(tmp_path, common=()))).trouble(
        "folder /srv", "the folder /srv is gone", NOW
    )
    assert notices(store) == []
    assert "the folder /srv is gone" in caplog.text


def test_an_alarm_is_in_the_language_of_the_project_and_the_log_in_english(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    found = a_project(tmp_path)
    alarms = Fallback(store, Live(replace(found, settings=replace(found.settings, lang="tr"))))
    alarms.stopped("", Outcome.NOT_READY, NOW, NOW)
    alarms.trouble(
        "/srv", Wording("The folder {folder!r} cannot be read: {why}.", folder="/srv", why="?"), NOW
    )
    assert [text for _, _, text in notices(store)] == [
        f"WhatsApp gönderimi durdu: {reasons.circuit(Outcome.NOT_READY, 'tr')}. Bekleyen mesaj: 0.",
        "'/srv' klasörü okunamıyor: ?.",
    ]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "WhatsApp sending has stopped",
        "The folder '/srv' cannot be read",
    ]
