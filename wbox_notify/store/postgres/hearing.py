"""What the daemons of a store tell each other: a session that listens, in a thread of its own."""

import logging
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from psycopg import sql

from wbox_notify.errors import StoreError
from wbox_notify.model.clock import steady
from wbox_notify.store.news import EVERYTHING, NOTHING, News
from wbox_notify.store.postgres.clock import ServerClock
from wbox_notify.store.postgres.dialect import Connection, Statements
from wbox_notify.store.postgres.session import connect, explained

log = logging.getLogger(__name__)

_EVERY = 1.0
"""Seconds from one look at the clock and at what is to be told to the next."""
_AGAIN = 1.0
_ANSWER_WITHIN = "set statement_timeout = 5000"
_CHANNEL = "select 'wbox-notify ' || current_schema() as name"
_TELL = "select pg_notify('wbox-notify ' || current_schema(), :text)"


class Hearing:
    """Hears what other processes tell of a store, and tells them that something has changed.

    Notices save waiting and nothing else: whoever relies on what is in memory looks at the store too, now and
    then. When the session was lost all may have changed. ``clock`` is looked after by the way.
    """

    def __init__(self, url: str, clock: ServerClock) -> None:
        self._url = url
        self._clock = clock
        self._me = uuid4().hex
        self._heard: Callable[[News], None] = lambda _news: None
        self._changed = False
        self._ending, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._listen, name="store-hearing", daemon=True)

    def start(self, heard: Callable[[News], None]) -> None:
        """Call a function from now on, which must not wait, with what others have changed."""
        self._heard = heard
        self._thread.start()

    def tell(self, tx: Statements, news: News) -> None:
        """Tell others of what a transaction changes, when it is committed."""
        tx.execute(_TELL, {"text": f"{self._me} {news.to_json()}"})

    def changed(self) -> None:
        """Tell others soon that something has changed, which only who looks at all wants to know."""
        self._changed = True

    def close(self) -> None:
        """Hear no more."""
        self._end.close()
        if self._thread.is_alive():
            self._thread.join(_AGAIN)  # the database may keep it waiting
        self._ending.close()

    def _listen(self) -> None:
        has_ended = False
        while not has_ended:
            try:
                with explained(self._url), connect(self._url) as session:
                    has_ended = self._follow(session)
            except StoreError as error:
                log.debug("%s", error)  # whoever writes now tells it aloud
                has_ended = self._ends_within(_AGAIN)

    def _follow(self, session: Connection) -> bool:
        """Listen for as long as the session lasts; return whether no one is to listen any more."""
        session.execute(_ANSWER_WITHIN)
        channel = Statements(session).one(_CHANNEL)["name"]
        session.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        self._heard(EVERYTHING)
        next_look = steady()
        while True:
            if steady() >= next_look:
                next_look = steady() + _EVERY
                self._look(session)
            # After all that asks: a notice that comes with an answer wakes nobody.
            for notice in session.notifies(timeout=0):
                self._hear(notice.payload)
            if self._ends_within(_EVERY, session):
                return True

    def _look(self, session: Connection) -> None:
        self._clock.look(session)
        if self._changed:
            self._changed = False
            self.tell(Statements(session), NOTHING)

    def _ends_within(self, seconds: float, *sessions: Connection) -> bool:
        """Wait until there is something to hear; return whether it is the end."""
        end = self._ending.fileno()
        ready, _, _ = select.select([end, *(session.fileno() for session in sessions)], [], [], seconds)
        return end in ready

    def _hear(self, text: str) -> None:
        teller, _, said = text.partition(" ")
        news = EVERYTHING  # a newer version may say more than this one can read
        with suppress(ValueError, TypeError):
            news = News.from_json(said)
        if teller == self._me:
            news = news._replace(events=False)
            if news == NOTHING:
                return
        self._heard(news)
