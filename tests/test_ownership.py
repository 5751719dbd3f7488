"""Several daemons on one PostgreSQL: who sends through which device, and what the dead leave."""

from contextlib import closing
from datetime import UTC, datetime

import pytest
from databases import Postgres
from workplace import a_live, until

from wbox_notify.dispatch import Dispatcher
from wbox_notify.model.deliveries import Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.simulator import Simulator
from wbox_notify.store import Store, open_store

DEVICES = range(1, 9)


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.fresh()


class Member:
    """A daemon's way out, with threads of its own."""

    def __init__(self, url: str, wbox: Simulator) -> None:
        self.store = open_store(url)
        self.dispatcher = Dispatcher(self.store, a_live(wbox.url))

    def close(self) -> None:
        assert self.dispatcher.stop(10.0)
        self.store.close()

    @property
    def devices(self) -> set[int]:
        return {number for number in DEVICES if str(number) in self.dispatcher._ownership}


def put(store: Store, event: str) -> None:
    """Queue a message for each device."""
    planned = tuple(
        PlannedMessage(
            key=f"{event}:{device}",
            rule="r",
            message=Text(phone=f"90555111{device:04}", message=event, device_id=device),
        )
        for device in DEVICES
    )
    happened = Event(id=event, type="file", at=datetime.now(UTC), data={})
    now = happened.at.timestamp()
    store.put_message(happened, Plan(event_id=event, messages=planned), now).result()


def test_two_daemons_split_the_devices_and_each_message_goes_out_once(url: str, wbox: Simulator) -> None:
    with closing(Member(url, wbox)) as one, closing(Member(url, wbox)) as two:
        for member in (one, two):
            member.dispatcher.start()
        put(one.store, "first")
        until(lambda: one.store.counts() == {State.SENT: len(DEVICES)})
        until(lambda: one.devices | two.devices == {*DEVICES})
        assert not one.devices & two.devices
        put(two.store, "second")
        until(lambda: one.store.counts() == {State.SENT: 2 * len(DEVICES)})
    assert len(wbox.messages()) == 2 * len(DEVICES)
