"""A store whose queue is full before the daemon starts."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.load import PHONES

from wbox_notify.model.deliveries import Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.store import Store, open_store


@contextmanager
def a_queue(number: int) -> Iterator[Path]:
    """Give the file of a store in which so many texts wait, by turns for each of the phones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "queued.db")
        store = open_store(f"sqlite:///{path}")
        fill(store, number)
        store.close()
        yield path


def fill(store: Store, number: int, devices: int = 0) -> None:
    """Put so many texts into the queue, by turns for each of some devices."""
    now = time.time()
    at = datetime.fromtimestamp(now, UTC)
    kept = []
    for place in range(number):
        event = Event(id=f"queued:{place}", type="webhook", at=at, data={"path": "queued", "body": {}})
        message = Text(
            phone=f"90555{place % PHONES:07}",
            message=f"#q{place}# has waited",
            device_id=place % devices + 1 if devices else None,
        )
        planned = PlannedMessage(key=event.id, rule="call", message=message)
        kept.append(store.put_message(event, Plan(event_id=event.id, messages=(planned,)), now))
    for one in kept:
        one.result()
