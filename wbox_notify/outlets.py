"""Outlets: other services that a project can speak through, by way of Apprise."""

import logging
import threading
import time
from collections.abc import Mapping

from apprise import Apprise

from wbox_notify.messages import Notice
from wbox_notify.outcomes import Answer, Outcome

logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines can hold the parts of a URL


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
        started = time.monotonic()
        with self._one_at_a_time:
            service = Apprise()
            sent = service.add(url) and service.notify(body=notice.text, title=notice.title)
        latency = time.monotonic() - started
        if sent:
            return Answer(outcome=Outcome.SENT, detail="sent", latency=latency)
        return Answer(outcome=Outcome.NOT_SENT, detail="Apprise could not send it", latency=latency)
