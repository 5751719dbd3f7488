"""The overview and the queue of the console: what they show, and what their buttons do."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from consoles import WITHIN, House, Visitor
from workplace import until

from wbox_notify.dispatch.queue import Action
from wbox_notify.model.deliveries import State
from wbox_notify.model.messages import Text
from wbox_notify.web.console import charts

RULES = """
version: 1
contacts:
  ayse: {name: Ayşe, phone: "+90 555 123 45 67"}
  mert: {name: Mert, phone: "+90 555 765 43 21"}
  owl: {name: Owl, phone: "+90 555 765 43 22", quiet_hours: [00:00-23:59, 23:58-00:01]}
on_call:
  duty: {rotate: [ayse, mert], every: 1w, from: 2026-01-05 09:00, tz: UTC}
rules:
  - id: many
    trigger: {webhook: {path: many, open: true}}
    for_each: {name: body.names}
    to: mert
    send: {text: "Hello {{ name }}"}
  - id: night
    trigger: {webhook: {path: night, open: true}}
    to: owl
    send: {text: "Sleep well"}
  - id: morning
    trigger: {schedule: "09:00"}
    to: duty
    send: {text: "Good morning"}
  - id: impossible
    trigger: {webhook: {path: impossible, open: true}}
    to: ayse
    send: {text: "{{ body.nothing }}"}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    files = {"rules/rules.yaml": RULES, "wbox-notify.yaml": "version: 1\nstorm_guard: 5\n"}
    with House(tmp_path_factory.mktemp("queue") / "project", files) as made:
        yield made


@pytest.fixture(scope="module")
def visitor(house: House) -> Visitor:
    return house.login()


def call(house: House, path: str, **body: Any) -> None:
    assert requests.post(f"{house.url}/hook/{path}", json=body, timeout=WITHIN).status_code == 202


def overview(visitor: Visitor) -> dict[str, Any]:
    shown: dict[str, Any] = visitor.get("/overview.json").json()
    return shown


def queue(visitor: Visitor, **asked: Any) -> dict[str, Any]:
    """Return the model of the page, with what is asked for."""
    shown: dict[str, Any] = visitor.get("/queue.json", params=asked).json()
    return shown


def numbers(shown: dict[str, Any]) -> list[int]:
    return [delivery["id"] for delivery in shown["deliveries"]]


@pytest.fixture
def storm(house: House, visitor: Visitor) -> str:
    """The event of a storm of sixty messages to Mert, beside which nothing is in the queue."""
    house.daemon.control.queue(Action.DROP, None)
    call(house, "many", names=[f"number {number}" for number in range(60)])
    until(lambda: queue(visitor)["storms"])
    [found] = queue(visitor)["storms"]
    assert (found["rule"], found["messages"]) == ("many", 60)
    return str(found["event"])


def test_the_overview_tells_what_was_sent_waits_is_held_and_failed(house: House, visitor: Visitor) -> None:
    house.daemon.control.queue(Action.DROP, None)
    before = overview(visitor)
    call(house, "many", names=["a", "b"])
    call(house, "night")
    call(house, "impossible")
    sent = before["sent_today"] + 2
    until(lambda: (shown := overview(visitor))["failed"] == 1 and shown["sent_today"] == sent)
    shown = overview(visitor)
    assert (shown["waiting"], shown["held"], shown["failed"]) == (0, 0, 1)
    until(lambda: overview(visitor)["devices"] == [{"device": None, "state": "ready"}])
    assert [(step["rule"], step["kind"], step["to"]) for step in shown["holding"]] == [
        ("night", "quiet hours", "Owl")
    ]
    assert [step["rule"] for step in shown["schedules"]] == ["morning"]
    [turn] = shown["on_duty"]
    assert (turn["rotation"], turn["name"] in {"Ayşe", "Mert"}) == ("duty", True)
    assert {event["about"]: event["deliveries"] for event in shown["latest"][:3]} == {
        "/hook/many": {"sent": 2},
        "/hook/night": {},
        "/hook/impossible": {"dead": 1},
    }
    assert [len(day) for day in shown["week"]] == [24] * 7
    assert sum(hour["sent"] for hour in shown["hours"]) == sent
    assert shown["delays"]["p95"] >= shown["delays"]["p50"] >= 0
    page = visitor.get("/", headers={"accept-language": "tr"}).text
    assert "sessiz saatler" in page


def test_a_message_of_a_rule_that_is_not_there_leads_to_no_page_of_it(house: House, visitor: Visitor) -> None:
    house.daemon.control.queue(Action.DROP, None)
    house.wbox.fault(status=400, count=1)
    house.daemon.control.send(Text(phone="905551234567", message="by hand"))
    until(lambda: "send" in [delivery["rule"] for delivery in queue(visitor)["deliveries"]])
    assert 'href="/rules/send"' not in visitor.get("/queue").text
    house.daemon.control.queue(Action.DROP, None)


def test_the_queue_is_read_in_parts_and_filtered(storm: str, visitor: Visitor) -> None:
    first = queue(visitor)
    assert (first["total"], len(first["deliveries"]), first["counts"]["held"]) == (60, 50, 60)
    second = queue(visitor, after=first["next"])
    assert (len(second["deliveries"]), second["next"]) == (10, None)
    assert not set(numbers(first)) & set(numbers(second))
    assert queue(visitor, state="held", to="mert", rule="many", event=storm)["total"] == 60
    assert queue(visitor, state=["dead", "expired"])["total"] == 0
    assert queue(visitor, to="ayse")["total"] == 0
    assert "nobody" in queue(visitor, to="nobody")["problem"]
    assert queue(visitor, after="x")["error"] == "'x' is not the number of a delivery"
    delivery = first["deliveries"][0]
    assert (delivery["name"], delivery["message"]) == ("Mert", {"message": "Hello number 0"})
    assert delivery["reason"] == "storm guard: 60 messages at once"
    assert delivery["actions"] == ["release", "drop"]
    assert "905557654321" not in visitor.get("/queue").text


def test_one_and_some_are_dropped_or_sent(storm: str, house: House, visitor: Visitor) -> None:
    ids = numbers(queue(visitor))
    answer = visitor.press("/queue", "/queue", one=f"drop {ids[0]}", asked=f"event={storm}&state=held")
    assert answer.headers["location"] == f"/queue?event={storm}&state=held".replace(":", "%3A")
    assert "1 message was dropped." in visitor.get("/queue").text
    visitor.press("/queue", "/queue", action="drop", id=ids[1:4])
    assert numbers(queue(visitor))[0] == ids[4]
    before = len(house.wbox.messages())
    visitor.press("/queue", "/queue", one=f"release {ids[4]}")
    house.wbox.wait_for(before + 1)
    assert visitor.press("/queue", "/queue", one="drop x").status_code == 400
    assert visitor.press("/queue", "/queue", one="steal 1").status_code == 400
    assert visitor.press("/queue", "/queue").status_code == 400


def test_all_that_are_shown_are_dropped(storm: str, visitor: Visitor) -> None:
    visitor.press("/queue", "/queue", action="drop", all="1", asked="to=ayse")
    assert queue(visitor)["total"] == 60
    visitor.press("/queue", "/queue", action="release", all="1", asked="state=dead")
    assert "none to which this can be done" in visitor.get("/queue").text
    assert queue(visitor, event=storm)["total"] == 60
    visitor.press("/queue", "/queue", action="drop", all="1", asked="to=mert&state=held")
    assert queue(visitor)["total"] == 0


def test_a_storm_is_dropped_in_one_press(storm: str, visitor: Visitor) -> None:
    visitor.press("/queue", "/queue", storm=f"drop {storm}")
    assert "60 messages were dropped." in visitor.get("/queue").text
    assert (queue(visitor)["total"], queue(visitor)["storms"]) == (0, [])


def test_a_storm_is_sent_in_one_press(storm: str, house: House, visitor: Visitor) -> None:
    before = len(house.wbox.messages())
    visitor.press("/queue", "/queue", storm=f"release {storm}")
    house.wbox.wait_for(before + 60)
    assert queue(visitor)["storms"] == []


class Ended:
    """A store in which one message was sent in each quarter of an hour, each a second after its plan."""

    def ended(
        self, states: Sequence[State], seconds: float, first: int, last: int
    ) -> list[tuple[int, State, int]]:
        assert seconds == 900
        return [(slot, states[0], 1) for slot in range(first, last + 1)]

    def delays(self, since: float, _until: float, _most: int) -> list[float]:
        return [1.0, 2.0] if since % 7200 else []

    def waiting_since(self, times: Sequence[float]) -> list[int]:
        return [9, 8, 6, 6, 1, 1][: len(times)]


STORE: Any = Ended()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu"])
def test_hours_are_those_of_the_zone_also_where_they_begin_at_a_quarter(zone: str) -> None:
    now = datetime(2026, 11, 23, 9, 20, tzinfo=UTC).timestamp()
    hours = charts.by_hour(STORE, now, ZoneInfo(zone))
    assert [hour["sent"] for hour in hours[:-1]] == [4] * 23
    assert len({hour["hour"] for hour in hours}) == 24
    assert all(hour["hour"][14:16] == "00" for hour in hours)
    assert {many for day in charts.by_weekday(STORE, now, ZoneInfo(zone)) for many in day} == {16}


def test_both_hours_are_there_in_the_night_in_which_clocks_go_back() -> None:
    now = datetime(2026, 10, 25, 5, 20, tzinfo=UTC).timestamp()
    hours = charts.by_hour(STORE, now, ZoneInfo("Europe/Berlin"))
    twice = [hour for hour in hours if hour["hour"].startswith("2026-10-25T02")]
    assert [(hour["hour"][19:], hour["sent"]) for hour in twice] == [("+02:00", 4), ("+01:00", 4)]


def test_no_hour_is_left_out_where_clocks_go_back_by_half_an_hour() -> None:
    now = datetime(2026, 4, 4, 20, 20, tzinfo=UTC).timestamp()
    zone = ZoneInfo("Australia/Lord_Howe")
    hours = charts.by_hour(STORE, now, zone)
    assert [hour["sent"] for hour in hours if hour["hour"].startswith("2026-04-05T01")] == [6]
    assert [hour["sent"] for hour in hours[:-1] if hour["sent"] != 6] == [4] * 22
    assert [hour["hour"] for hour in charts.delays(STORE, now, zone)["hours"]] == [
        hour["hour"] for hour in hours
    ]


def test_delays_and_ages_are_told_in_shares() -> None:
    now = datetime(2026, 11, 23, 9, 20, tzinfo=UTC).timestamp()
    shown = charts.delays(STORE, now, UTC)
    assert (shown["p50"], shown["p95"]) == (1.0, 2.0)
    assert {(hour["p50"], hour["p95"]) for hour in shown["hours"]} == {(None, None), (1.0, 2.0)}
    assert [age["messages"] for age in charts.by_age(STORE, now)] == [1, 2, 0, 5, 0, 1]
    assert [age["below"] for age in charts.by_age(STORE, now)] == [60, 600, 3600, 21600, 86400, None]


def test_the_weeks_are_read_once_an_hour() -> None:
    read: list[float] = []

    def make(now: float, _zone: object) -> int:
        read.append(now)
        return len(read)

    week = charts.Hourly(make)
    begin = datetime(2026, 11, 23, 9, tzinfo=UTC).timestamp()
    assert [week(begin + minute * 60, UTC) for minute in (0, 10, 59, 60, 61)] == [1, 1, 1, 2, 2]
    assert week(begin + 3660, ZoneInfo("Asia/Tokyo")) == 3
