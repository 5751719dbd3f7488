"""A queue, a clock that stands still, and a dispatcher that a test moves by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from workplace import a_live

from wbox_notify.clients.wbox import Client
from wbox_notify.dispatch import Dispatcher
from wbox_notify.model.deliveries import Delivery, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Text
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.store import open_store

NOW = 1_800_000_000.0


class Line:
    """What is put into it goes out through ``client`` when the test says so."""

    def __init__(self, folder: Path, url: str, deadline: float, pace: Pace) -> None:
        self.now = NOW
        self.client = Client(url, "sk_test", deadline=deadline)
        self.store = open_store(f"sqlite:///{folder}/line.db")
        self.dispatcher = Dispatcher(self.store, a_live(url, pace=pace), clock=self.time, steady=self.time)
        self._events = 0

    def time(self) -> float:
        """Return the time as it stands."""
        return self.now

    def put(self, *messages: Message) -> list[int]:
        """Queue messages as one event; return the deliveries."""
        self._events += 1
        name = f"e{self._events}"
        planned = tuple(
            PlannedMessage(key=f"{name}:{place}", rule="r", message=message)
            for place, message in enumerate(messages)
        )
        happened = Event(id=name, type="send", at=datetime.fromtimestamp(self.now, UTC), data={})
        plan = Plan(event_id=name, messages=planned)
        return self.store.put_message(happened, plan, self.now).result()

    def go(self, seconds: float = 0.0) -> int:
        """Let time pass, look at what holds, send what is due; return how many attempts that took."""
        self.now += seconds
        self.dispatcher.look_at_circuits(self.client, self.now)
        count = 0
        while self.dispatcher.step(self.client):
            count += 1
        return count

    def delivery(self, number: int) -> Delivery:
        """Return a delivery as it is now."""
        found = self.store.delivery(number)
        assert found
        return found

    def outcomes(self, number: int) -> list[str]:
        """Return how the attempts at a delivery ended."""
        return [row["outcome"] for row in self.store.attempts(number)]


@contextmanager
def a_line(folder: Path, url: str, *, deadline: float = 15.0, pace: Pace = UNLIMITED) -> Iterator[Line]:
    """Give a line to a wbox; its store and its connection end with it."""
    line = Line(folder, url, deadline, pace)
    yield line
    line.client.close()
    line.store.close()


def text(number: int = 0, message: str = "hello") -> Text:
    """Return a text to the phone of a number."""
    return Text(phone=f"9055512{number:05}", message=message)
