"""Outlets: other services that a project can speak through, by way of Apprise."""

import threading
import time
from collections.abc import Mapping

from wbox_notify.messages import Notice
from wbox_notify.outcomes import Answer, Outcome


class Outlets:
    """The Apprise URLs of a project by their names; used by any thread."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls
        self._one_at_a_time = threading.Lock()

    def send(self, notice: Notice) -> Answer:
        """Hand a text to another service and return what came of it; a failure is no exception."""
        url = self._urls.get(notice.outlet)
        if url is None:
            return Answer(outcome=Outcome.REFUSED, detail=f"there is no outlet {notice.outlet} any more")
        from apprise import Apprise  # noqa: PLC0415 - it takes long to import

        started = time.monotonic()
        with self._one_at_a_time:
            service = Apprise()
            sent = service.add(url) and service.notify(body=notice.text, title=notice.title)
        latency = time.monotonic() - started
        if sent:
            return Answer(outcome=Outcome.SENT, detail="sent", latency=latency)
        return Answer(outcome=Outcome.NOT_SENT, detail="Apprise could not send it", latency=latency)
