"""What daemons of one store tell each other, and the clock that they have in common."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from databases import Postgres
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row
from test_several_writers import a_plan, an_event
from workplace import until

from wbox_notify.model.deliveries import State
from wbox_notify.store import Change, Store, open_store
from wbox_notify.store.news import EVERYTHING, NOTHING, News, together
from wbox_notify.store.postgres.clock import ServerClock, within

NEWS = st.builds(News, st.none() | st.frozensets(st.integers(1, 10**12)), events=st.booleans())


class Listener:
    """What a store hears of others."""

    def __init__(self, url: str) -> None:
        self.store = open_store(url)
        self.queue: list[object] = []
        self.wakes = self.looks = 0
        self.store.follow_queue(self._hear)
        self.store.listen(self._look)
        self.store.follow_others(self._wake)
        until(lambda: self.queue == [0])  # all may have changed before it began to listen

    def _hear(self, change: Change) -> None:
        change.add_done_callback(lambda change: self.queue.append(change.result()))

    def _wake(self) -> None:
        self.wakes += 1

    def _look(self) -> None:
        self.looks += 1


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.fresh()


@pytest.fixture
def there(url: str) -> Iterator[Listener]:
    listener = Listener(url)
    yield listener
    listener.store.close()


@pytest.fixture
def here(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


def test_who_puts_something_into_the_queue_or_takes_it_out_tells_the_others_what(
    here: Store, there: Listener
) -> None:
    here.put_events([an_event("a")], 1.0).result()
    [delivery] = here.put_plans([a_plan("a", "a")], 1.0).result()
    until(lambda: there.queue[1:] == [[delivery.id]])
    assert there.wakes == 2
    here.drop([delivery.id], 2.0).result()
    until(lambda: there.queue[2:] == [[delivery.id]])
    here.requeue([delivery.id], [State.CANCELLED], 3.0).result()
    until(lambda: there.queue[3:] == [[delivery.id]])


def test_nobody_hears_of_a_change_before_it_is_there(here: Store, there: Listener) -> None:
    found: list[bool] = []
    there.store.follow_queue(
        lambda change: change.add_done_callback(
            lambda change: found.append(bool(there.store.waiting_of(change.result())))  # type: ignore[arg-type]
        )
    )
    for name in "abcdefgh":
        here.put_message(an_event(name), a_plan(name, name), 1.0).result()
    until(lambda: len(found) == 8)
    assert all(found)


def test_who_lets_events_be_planned_again_lets_others_look_for_them(here: Store, there: Listener) -> None:
    here.put_message(an_event("a"), a_plan("a", "a"), 1.0).result()
    until(lambda: len(there.queue) == 2)
    assert there.store.arrivals.take(10, 1e6) == []  # from now on it is sure that nothing waits
    here.plan_again(["a"]).result()
    until(lambda: there.wakes == 3)
    assert [event.id for event in there.store.arrivals.take(10, 1e6)] == ["a"]


def test_open_pages_hear_of_what_others_change_and_nobody_of_what_is_their_own(
    here: Store, there: Listener
) -> None:
    looks = there.looks
    there.store.put_events([an_event("own")], 1.0).result()
    assert there.looks == looks + 1
    here.listen(lambda: None)
    here.follow_others(lambda: None)
    here.put_events([an_event("a")], 1.0).result()
    until(lambda: there.looks == looks + 2)
    assert there.queue == [0]
    assert there.wakes == 1


def test_a_session_that_was_lost_means_that_all_may_have_changed(
    here: Store, there: Listener, url: str
) -> None:
    for times in (1, 2):
        ours = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"select pg_terminate_backend(pid, 5000) {ours}")
        until(lambda times=times: there.queue == [0] * (times + 1))  # type: ignore[misc]
    [delivery] = here.put_message(an_event("a"), a_plan("a", "a"), 1.0).result()
    until(lambda: there.queue[-1] == [delivery])


def test_nobody_listens_after_the_end(url: str) -> None:
    listener = Listener(url)
    listener.store.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "store-hearing"]


@given(NEWS)
def test_news_say_the_same_when_they_have_been_written_or_that_all_may_have_changed(news: News) -> None:
    text = news.to_json()
    assert len(text) <= 7100
    assert News.from_json(text) in {news, news._replace(queue=None)}
    if news.queue is None or len(news.queue) < 400:
        assert News.from_json(text) == news


@given(st.lists(NEWS, max_size=5))
def test_several_news_are_one_that_says_all_of_them(several: list[News]) -> None:
    one = together(several)
    assert one.events == any(news.events for news in several)
    named = [news.queue for news in several if news.queue is not None]
    if len(named) < len(several):
        assert one.queue is None
    else:
        assert one.queue == frozenset().union(*named)
    assert together([one, NOTHING]) == one
    assert together([one, EVERYTHING]) == EVERYTHING


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e3))
def test_what_is_known_of_the_clock_changes_only_where_an_answer_contradicts_it(
    known: float, least: float, length: float
) -> None:
    most = least + length
    changed = within(known, least, most)
    assert least <= changed <= most
    if least <= known <= most:
        assert changed == known
    assert within(None, least, most) == pytest.approx((least + most) / 2)


def test_the_time_of_a_shared_store_is_that_of_its_database_whatever_the_machine_shows(
    here: Store, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86400.0)
    assert abs(here.clock() - now) < 60.0
    other = open_store(url)
    assert abs(other.clock() - here.clock()) < 5.0
    other.close()


def test_an_answer_that_took_long_changes_nothing_of_what_a_quick_one_said(url: str) -> None:
    late = iter([0.0, 0.0, 0.0, 0.0, 600.0, 0.0])
    clock = ServerClock(lambda: time.monotonic() + next(late))
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        clock.look(connection)
        first = clock() - time.monotonic()
        clock.look(connection)
        assert abs(clock() - time.monotonic() - first) < 60.0
