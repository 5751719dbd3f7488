"""Several daemons on one PostgreSQL plan in turns, each knowing what the others let rules keep in mind."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from databases import Postgres
from members import Member, Time
from rulebook import project, whole

from wbox_notify.daemon.planner import Planner
from wbox_notify.errors import StoreError
from wbox_notify.media import MediaFiles
from wbox_notify.model.deliveries import Plan
from wbox_notify.model.events import Event
from wbox_notify.rules.project import Live
from wbox_notify.store.leases import PLAN, LateError

RULES = """
version: 1
rules:
  - id: disk
    trigger: {webhook: {path: disk, open: true}}
    dedupe: {key: body.name, for: 1h}
    to: "+905551112233"
    send: {text: "{{ body.name }}"}
  - id: many
    trigger: {webhook: {path: many, open: true}}
    group: {by: body.name, wait: 10s}
    to: "+905551112244"
    send: {text: "{{ group.items | length }} of {{ body.name }}"}
"""


class Thinker(Member):
    """A daemon that plans when it is told to."""

    def __init__(self, time: Time, host: str) -> None:
        super().__init__(time, "http://127.0.0.1:9", host=host)
        self.live = Live(whole(RULES))
        self.planner = Planner(self.live, self.store, clock=time, steady=time)

    def take_in(self, name: str, path: str = "disk", body: str = "a") -> None:
        data = {"path": path, "method": "POST", "headers": {}, "query": {}, "body": {"name": body}}
        at = datetime.fromtimestamp(self.time(), UTC)
        event = Event(id=name, type="webhook", at=at, data=data)
        self.store.put_events([event], self.time()).result()

    def plan(self) -> None:
        while self.planner.step():
            pass


@pytest.fixture
def time(postgres: Postgres) -> Iterator[Time]:
    with closing(Time(postgres)) as time:
        yield time


@pytest.fixture
def thinker(time: Time) -> Iterator[Callable[[], Thinker]]:
    thinkers: list[Thinker] = []

    def begun(host: str = "") -> Thinker:
        thinkers.append(Thinker(time, host))
        thinkers[-1].look()
        return thinkers[-1]

    yield begun
    for each in thinkers:
        each.close()


def sent(of: Thinker) -> list[str]:
    return [delivery.message.message for delivery in of.store.queue(["queued"])]  # type: ignore[union-attr,arg-type]


def planned(time: Time) -> list[tuple[str, int]]:
    """Return how often each event was decided about by the last stage."""
    return time.rows(
        "select event_id, count(*) from decision where stage = 'send' group by event_id order by event_id"
    )


def test_what_one_daemon_planned_the_other_one_knows(thinker: Callable[[], Thinker]) -> None:
    one, two = thinker(), thinker()
    one.take_in("first")
    one.plan()
    two.take_in("second")
    two.plan()
    one.take_in("third", body="b")
    one.plan()
    assert sent(one) == ["a", "b"]


def test_calls_to_two_daemons_are_one_group_which_is_told_once(
    time: Time, thinker: Callable[[], Thinker]
) -> None:
    one, two = thinker(), thinker()
    for number in range(6):
        each = (one, two)[number % 2]
        each.take_in(f"e{number}", path="many")
        each.plan()
    for each in (two, one, two):
        time.go(5.0)
        one.look()
        two.look()
        each.plan()
    assert sent(one) == ["6 of a"]


def test_what_a_daemon_took_in_before_it_was_killed_is_planned_once_by_another_one(
    time: Time, thinker: Callable[[], Thinker]
) -> None:
    dead, other = thinker(), thinker()
    dead.take_in("left")
    other.take_in("own", body="b")
    assert dead.leases.begin(PLAN)
    other.plan()
    assert sent(other) == [], "the dead one could be planning"
    for _ in range(4):
        time.go(2.0)
        other.look()
        other.plan()
    assert sorted(sent(other)) == ["a", "b"]
    assert planned(time) == [("left", 1), ("own", 1)]


def test_who_was_frozen_while_planning_writes_nothing_and_goes_on_with_what_is_left(
    time: Time, thinker: Callable[[], Thinker]
) -> None:
    frozen, other = thinker(), thinker()
    frozen.take_in("first")
    keep = frozen.planner._keep

    def freeze(plan: object) -> object:
        for _ in range(4):
            time.go(2.0)
            other.look()
            other.plan()
        other.take_in("second", body="b")
        return plan

    frozen.planner._keep = freeze  # type: ignore[assignment] # in the middle of its work
    with pytest.raises(LateError):
        frozen.planner.step()
    frozen.planner._keep = keep
    assert planned(time) == [("first", 1)]
    frozen.look()
    frozen.plan()
    assert planned(time) == [("first", 1), ("second", 1)]


def test_the_turn_goes_on_to_who_has_waited_longest_however_busy_one_is(
    time: Time, thinker: Callable[[], Thinker]
) -> None:
    busy, one, two = thinker(), thinker(), thinker()
    turn = busy.leases.begin(PLAN)
    for each in (two, one):
        assert each.leases.begin(PLAN) is None
        time.go(0.1)
    for last, following in ((busy, two), (two, one), (one, busy)):
        last.store.put_plans([], time(), turn).result()
        assert last.leases.begin(PLAN) is None, "it has just had its turn"
        time.go(0.1)
        turn = following.leases.begin(PLAN)
    assert turn
    assert turn.number == 4


def test_who_queued_for_a_turn_and_has_nothing_left_to_plan_passes_it_on(
    time: Time, thinker: Callable[[], Thinker]
) -> None:
    one, two = thinker(), thinker()
    one.take_in("first", path="many")
    one.plan()
    for _ in range(3):
        time.go(4.0)
        one.look()
        two.look()

    def queue_up(plan: Plan) -> Plan:
        assert two.planner.step() == 0, "the group is due for both of them"
        return plan

    one.planner._keep = queue_up
    one.plan()
    assert sent(one) == ["1 of a"]
    two.plan()
    one.take_in("second")
    one.plan()
    assert sent(one) == ["1 of a", "a"]


def test_a_turn_whose_planning_fails_goes_to_the_next(thinker: Callable[[], Thinker]) -> None:
    one, two = thinker(), thinker()
    one.take_in("first")

    def fail(_plan: object) -> object:
        raise StoreError("the bucket is away")

    one.planner._keep = fail  # type: ignore[assignment] # as a bucket that cannot be reached
    with pytest.raises(StoreError, match="bucket"):
        one.planner.step()
    assert two.leases.begin(PLAN)


PICTURE = """
version: 1
rules:
  - id: picture
    trigger: {webhook: {path: picture, open: true}}
    to: "+905551112255"
    send: {media: {file: "drop/{{ body.name }}.png"}}
"""
HANGS = """
media: {{bucket: {{name: pictures, endpoint: "http://127.0.0.1:{port}", region: r, key_id: k, secret: s}}}}
secrets: {{s: {{env: BUCKET_KEY}}}}
"""


def test_while_the_bucket_of_one_daemon_hangs_the_others_plan(
    time: Time, thinker: Callable[[str], Thinker], tmp_path: Path
) -> None:
    one, two = thinker("one"), thinker("two")
    with socket.create_server(("127.0.0.1", 0)) as bucket, ThreadPoolExecutor(1) as pool:
        files = {"rules/a.yaml": PICTURE, "wbox-notify.yaml": HANGS.format(port=bucket.getsockname()[1])}
        found = project(tmp_path, files, BUCKET_KEY="x" * 24, WBOX_DATA_DIR=str(tmp_path / "data"))
        assert found.problems == ()
        (tmp_path / "drop").mkdir()
        (tmp_path / "drop" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        media = MediaFiles(Live(found), one.store.standings, serving=True, shared=True)
        one.planner = Planner(
            Live(found),
            one.store,
            is_copied=media.is_copied,
            copy=media.copy,
            keep=media.keep,
            clock=time,
            steady=time,
        )
        one.take_in("slow", path="picture")
        planning = pool.submit(one.plan)
        upload, _ = bucket.accept()
        two.take_in("quick")
        two.plan()
        assert planned(time) == [("quick", 1)]
        upload.close()
        bucket.close()
        planning.result(30)
    assert planned(time) == [("quick", 1), ("slow", 1)]
    media.close()
