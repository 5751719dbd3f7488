"""The console's pages about what happened: the list, the trace of an event, and the stream of changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from consoles import House, Visitor

from wbox_notify.dispatch.queue import silencing

RULES = """
version: 1
contacts: {ayse: "+90 555 123 45 67"}
rules:
  - id: invoice
    trigger: {file: {path: drop, match: "*.pdf"}}
    if: file.size > 2
    to: ayse
    send: {text: "Invoice {{ file.name }}"}
  - id: large
    trigger: {file: {path: drop, match: "*.pdf"}}
    if: file.size > 999
    to: ayse
    send: {text: x}
  - id: alarm
    trigger: {webhook: {path: alarm}}
    to: ayse
    send: {text: "{{ body.text }}"}
    escalate:
      - {after: 1h, to: ayse, send: {text: "Nobody answers"}}
"""


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
