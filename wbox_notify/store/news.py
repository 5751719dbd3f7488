"""News: what a daemon tells the others of its store, beside what is in the store itself."""

import json
from collections.abc import Iterable
from typing import NamedTuple

_MOST_TEXT = 7000
"""Characters that a database carries in one notice, well below what PostgreSQL does."""


class News(NamedTuple):
    """What has changed in a store.

    Attributes:
        queue: The ids of deliveries that came into the queue or left it; None where they are not named.
        events: Whether events lost their plans, which are to be planned again.
    """

    queue: frozenset[int] | None = frozenset()
    events: bool = False

    def to_json(self) -> str:
        """Return it as a short text: too many ids are not named."""
        text = json.dumps([sorted(self.queue or ()), self.events])
        if self.queue is None or len(text) > _MOST_TEXT:
            text = json.dumps([None, self.events])
        return text

    @classmethod
    def from_json(cls, text: str) -> "News":
        """Return what such a text says. Raises ValueError."""
        queue, events = json.loads(text)
        return cls(queue if queue is None else frozenset(queue), events)


NOTHING = News()
EVERYTHING = News(None, events=True)
"""What is to be taken for changed by who may have missed something."""


def together(all_news: Iterable[News]) -> News:
    """Return several news as one."""
    queue: frozenset[int] | None = frozenset()
    events = False
    for news in all_news:
        queue = None if queue is None or news.queue is None else queue | news.queue
        events = events or news.events
    return News(queue, events)
