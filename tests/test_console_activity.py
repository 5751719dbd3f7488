"""The console's pages about what happened: the list, the trace of an event, and the stream of changes."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from bench.history import NOW, an_event
from consoles import House, Visitor
from happenings import RULES, a_call
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message
from test_history_size import steps
from workplace import until

from wbox_notify.dispatch.queue import silencing
from wbox_notify.model.deliveries import Decision, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.store import Store, open_store, queries
from wbox_notify.store.database import Row
from wbox_notify.store.queries import Wanted
from wbox_notify.web.console.activity import address
from wbox_notify.web.console.changes import Changes


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("activity") / "project", {"rules/rules.yaml": RULES}) as a_house:
        yield a_house


@pytest.fixture(scope="module")
def visitor(house: House) -> Visitor:
    return house.login()


def follow(visitor: Visitor, last: str = "") -> Iterator[str]:
    """Yield the places that the stream tells as they come, after the one that was heard last."""
    headers = {"Last-Event-ID": last} if last else {}
    with visitor.get("/activity/stream", headers=headers, stream=True) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines(decode_unicode=True):
            name, _, value = line.partition(": ")
            if name == "id":
                yield value


def test_an_open_page_hears_of_each_change_and_goes_on_where_it_was(house: House, visitor: Visitor) -> None:
    stream = follow(visitor)
    first = next(stream)
    house.daemon.control.accept(silencing("large", 0.0))
    second = next(stream)
    assert second != first
    assert next(follow(visitor, first)) not in {"", first}


def test_nobody_who_is_not_logged_in_hears_of_anything(house: House) -> None:
    assert Visitor(house.url).get("/activity/stream").status_code == 303


def test_only_so_many_pages_are_followed_and_their_streams_end_with_the_daemon(tmp_path: Path) -> None:
    with House(tmp_path / "project") as crowded:
        visitor = crowded.login()
        streams = [follow(visitor) for _ in range(50)]
        for stream in streams:
            next(stream)
        answer = visitor.get("/activity/stream")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        crowded.daemon.control.accept(silencing("large", 0.0))
        next(streams[0])
    for stream in streams:
        list(stream)


def asks(method: str = "GET") -> Request:
    return Request({"type": "http", "method": method, "headers": [], "asgi": {"spec_version": "2.3"}})


def test_many_who_ask_at_once_are_not_more_than_are_followed() -> None:
    changes = Changes(lambda _request: True)

    async def ask() -> None:
        followed = [await changes.stream(asks()) for _ in range(50)]
        with pytest.raises(HTTPException):
            await changes.stream(asks())
        assert (await changes.stream(asks("HEAD"))).body == b""

        async def gone() -> Message:
            return {"type": "http.disconnect"}

        async def send(_message: Message) -> None:
            await asyncio.sleep(0)

        await followed[0](asks().scope, gone, send)
        await changes.stream(asks())

    asyncio.run(ask())


def test_who_logs_out_hears_of_nothing_more(house: House) -> None:
    visitor = house.login()
    stream = follow(visitor)
    next(stream)
    assert visitor.press("/about", "/logout").status_code == 303
    house.daemon.control.accept(silencing("large", 0.0))
    assert list(stream) == []


@pytest.fixture(scope="module")
def happened(house: House) -> House:
    """The house after a file was told and a call was made."""
    (house.folder / "drop" / "A.pdf").write_text("pdf")
    house.daemon.control.accept(a_call("alarm", {"text": "Fire in the <kitchen>"}))
    house.wbox.wait_for(2)
    return house


@pytest.fixture(scope="module")
def reader(happened: House) -> Visitor:
    """Somebody who looks at it."""
    return happened.login()


def events_of(visitor: Visitor, query: str = "") -> set[str]:
    """Return what the files and alarms of the page are about."""
    model = visitor.get(f"/activity.json{query}").json()
    assert model["problem"] is None
    abouts = {event["about"].rpartition("/")[2] for event in model["events"]}
    return abouts & {"A.pdf (3 B)", "alarm"}


def trail_of(visitor: Visitor, event: str, is_there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the model of an event's page once something is there."""
    model: dict[str, Any] = {}

    def look() -> bool:
        model.update(visitor.get(f"{address(event)}.json").json())
        return is_there(model)

    until(look)
    return model


def test_the_list_has_the_filters_of_the_log(reader: Visitor) -> None:
    assert events_of(reader) == {"A.pdf (3 B)", "alarm"}
    assert events_of(reader, "?rule=large") == {"A.pdf (3 B)"}
    assert events_of(reader, "?rule=alarm&to=ayse&since=2h") == {"alarm"}
    assert events_of(reader, "?until=2h") == set()
    assert events_of(reader, "?failed=1") == set()


@pytest.mark.parametrize("query", ["since=yesterday", "to=nobody", "until=9999999999d"])
def test_a_filter_that_means_nothing_is_told(reader: Visitor, query: str) -> None:
    answer = reader.get(f"/activity?{query}")
    assert answer.status_code == 200
    assert query.partition("=")[2] in answer.text.partition('role="alert"')[2]


@pytest.mark.parametrize(
    "query", ["before=x", "before=", "before=-1", f"before={'9' * 400}", "rule=%00", "before=0"]
)
def test_a_page_of_the_list_that_is_not_there_is_a_page(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/activity?{query}").status_code == 200


def test_the_trace_of_an_event_is_what_why_tells(reader: Visitor) -> None:
    model = trail_of(reader, "webhook:alarm:1", lambda model: model["deliveries"][0]["state"] == "sent")
    assert model["decisions"][-1] == {
        "rule": "alarm",
        "stage": "send",
        "outcome": "passed",
        "detail": "1 message",
    }
    [delivery] = model["deliveries"]
    assert delivery["message"] == {"message": "Fire in the <kitchen>"}
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["sent"]
    assert [wait["stage"] for wait in model["waiting"]] == ["escalate"]
    page = reader.get(address("webhook:alarm:1")).text
    assert "Fire in the &lt;kitchen&gt;" in page
    assert "905551234567" not in page


def test_a_condition_is_shown_with_its_values_whether_it_holds_or_not(reader: Visitor) -> None:
    [event] = [one for one in reader.get("/activity.json").json()["events"] if one["type"] == "file"]
    page = reader.get(event["href"]).text
    assert "if[0] file.size &gt; 2 (file.size = 3)" in page
    assert "if[0] file.size &gt; 999 (file.size = 3)" in page


def test_a_trouble_is_acknowledged_from_its_trace(reader: Visitor) -> None:
    here = address("webhook:alarm:1")
    [trouble] = trail_of(reader, "webhook:alarm:1", lambda model: bool(model["open"]))["open"]
    assert reader.press(here, here, do="ack", **trouble).headers["location"] == here
    trail_of(reader, "webhook:alarm:1", lambda model: not model["open"])


def test_an_event_is_followed_again_and_only_sent_again_when_that_is_asked(
    happened: House, visitor: Visitor
) -> None:
    here = address("webhook:alarm:2")
    happened.daemon.control.accept(a_call("alarm", {"text": "Again"}, "webhook:alarm:2"))
    trail_of(visitor, "webhook:alarm:2", lambda model: len(model["deliveries"]) == 1)
    assert visitor.press(here, here, do="replay").headers["location"] == here
    model = trail_of(visitor, "webhook:alarm:2", lambda model: len(model["decisions"]) == 2)
    assert len(model["deliveries"]) == 1
    there = visitor.press(here, here, do="replay", force="1").headers["location"]
    assert there != here
    again = unquote(there.removeprefix("/activity/"))
    trail_of(visitor, again, lambda model: len(model["deliveries"]) == 1)


@pytest.mark.parametrize(("span", "least"), [("1h", 3590), ("8h", 28790), ("tomorrow", 8 * 3600 - 10)])
def test_a_rule_is_silenced_for_a_while_and_speaks_again(
    house: House, visitor: Visitor, span: str, least: float
) -> None:
    def silence() -> float | None:
        for silent in house.daemon._store.memories(["silence"]):
            return silent.due
        return None

    answer = visitor.press("/activity", "/silence/large", back="/activity?rule=large", **{"for": span})
    assert answer.headers["location"] == "/activity?rule=large"
    until(lambda: silence() is not None)
    assert silence() >= time.time() + least
    assert "large tells nobody" in visitor.get("/activity").text
    visitor.press("/activity", "/silence/large", back="//evil.example/", **{"for": "off"})
    until(lambda: silence() is None)


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/silence/nothing", {"for": "1h"}, 404),
        ("/silence/large", {"for": "soon"}, 422),
        ("/activity/nothing", {"do": "replay"}, 404),
        ("/activity/webhook:alarm:1", {"do": "x"}, 400),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    reader: Visitor, path: str, fields: dict[str, str], status: int
) -> None:
    assert reader.press("/activity", path, **fields).status_code == status


def test_the_name_of_an_event_may_be_anything(house: House, visitor: Visitor) -> None:
    for name in ("webhook:alarm:../../x?y#z", "webhook:alarm:a/b c%2Fç<b>", "webhook:alarm:.json"):
        house.daemon.control.accept(
            Event(id=name, type="webhook", at=datetime.now(UTC), data={"path": "odd"})
        )
        assert visitor.get(f"{address(name)}.json").json()["event"] == name
        assert visitor.get(address(name)).status_code == 200


def test_old_events_are_found_page_by_page_and_none_twice(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/data.db")
    for number in range(25):
        event = an_event(f"e{number}")
        store.put_message(event, Plan(event_id=event.id), NOW - number % 3).result()
    found: list[str] = []
    before: int | None = None
    while True:
        page, before = store.events_before(before, Wanted(), most=10, looked_at=10)
        found += [row["id"] for row in page]
        if before is None:
            break
    assert len(found) == len(set(found)) == 25
    times = [row["received"] for name in found if (row := store.event(name))]
    assert times == sorted(times, reverse=True)
    store.close()


def test_a_page_looks_at_so_many_events_however_long_the_history_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_FEW", -1)  # as if the rule had told of thousands
    few, many = (a_history(tmp_path / f"{number}.db", number) for number in (200, 20_000))

    def ask(store: Store) -> tuple[list[Row], int | None]:
        return store.events_before(None, Wanted(rule="never"), most=30, looked_at=100)

    assert ask(many)[0] == []
    assert ask(many)[1] == 20_000 - 99
    assert steps(many, lambda: ask(many))[0] <= 1.5 * steps(few, lambda: ask(few))[0] + 100
    few.close()
    many.close()


def test_what_came_of_an_event_is_counted_however_much_it_is(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/data.db")
    many = tuple(a_message(f"m{number}", "storm") for number in range(250))
    decisions = tuple(
        Decision(rule="storm", stage="send", outcome="passed", detail=str(number)) for number in range(250)
    )
    group = a_message("group", "group", events=("one", "two"))
    for name, messages in (("one", many), ("two", (group,))):
        plan = Plan(event_id=name, messages=messages, decisions=decisions if name == "one" else ())
        store.put_message(an_event(name), plan, NOW).result()
    [storm, told] = store.outcomes(["one", "two"])["one"]
    assert (storm.rule, storm.states) == ("storm", {"queued": 250})
    assert storm.last
    assert storm.last.detail == "249"
    assert (told.rule, told.states, told.last) == ("group", {"queued": 1}, None)
    assert [made.rule for made in store.outcomes(["two"])["two"]] == ["group"]
    store.drop(None, NOW).result()
    assert store.outcomes(["two"])["two"][0].states == {"cancelled": 1}
    store.close()


def test_an_event_has_failed_where_the_message_has_that_told_of_it_too(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/data.db")
    failed = a_message("group", "group", events=("one", "two"), problem="no text")
    store.put_message(an_event("one"), Plan(event_id="one"), NOW).result()
    store.put_message(an_event("two"), Plan(event_id="two", messages=(failed,)), NOW).result()
    store.put_message(an_event("three"), Plan(event_id="three"), NOW).result()
    assert [row["id"] for row in store.events_where(failed=True)] == ["one", "two"]
    store.close()


def a_message(key: str, rule: str, **more: Any) -> PlannedMessage:
    """Return a text as a plan has it."""
    return PlannedMessage(key=key, rule=rule, message=Text(phone="905551234567", message=key), **more)


def a_history(path: Path, number: int) -> Store:
    """Return a store in which so many events were planned."""
    store = open_store(f"sqlite:///{path}")
    copies = """
        with recursive n (n) as (select 1 union all select n + 1 from n where n < :number)
        insert into event (id, type, at, data, received, planned) select n, 'send', n, '{}', n, n from n
    """
    store._database.write(lambda tx: tx.execute(copies, {"number": number})).result()
    return store
