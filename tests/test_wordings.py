"""Decisions in the language of their reader: how they are kept, and how a Turkish reader sees them."""

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextvars import copy_context
from html import unescape
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click import unstyle
from consoles import House, Visitor
from happenings import a_call
from hypothesis import given, settings
from hypothesis import strategies as st
from workplace import until

from wbox_notify.cli import main
from wbox_notify.cli.run import Feed
from wbox_notify.dispatch.queue import silencing
from wbox_notify.model.deliveries import Decision, Plan
from wbox_notify.model.texts import Wording, spoken, told
from wbox_notify.store import Store, open_store
from wbox_notify.store.migrations import MIGRATIONS
from wbox_notify.web.console.activity import address

HELD = Wording("held until {end} (quiet hours of {reader})", end="07:30", reader="ayse")
IN_TURKISH = "07:30 saatine kadar bekletiliyor (sessiz saatler; alıcı: ayse)"
FACTS = st.text(max_size=20) | st.integers(-(2**53), 2**53)


def a_plan(detail: str, event: str = "a") -> Plan:
    decision = Decision(rule="r", stage="quiet_hours", outcome="waits", detail=detail)
    return Plan(event_id=event, decisions=(decision,))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('wordings')}/data/wbox-notify.db")
    yield store
    store.close()


@settings(max_examples=20)
@given(reader=FACTS, end=FACTS, place=FACTS)
def test_a_wording_comes_back_from_the_store_with_all_its_facts(
    store: Store, *, reader: object, end: object, place: object
) -> None:
    kept = Wording("{place}: {text}", place=place, text=HELD.about(reader=reader, end=end))
    event = repr((reader, end, place))
    store.put_plans([a_plan(kept, event)], 1.0).result()
    [step, *_] = store.decisions(event)
    assert step.detail == kept
    assert [told(step.detail, lang) for lang in ("en", "tr")] == [kept, kept.to("tr")]


def test_what_is_no_wording_and_what_an_older_version_kept_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "data" / "wbox-notify.db"
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    for migration in MIGRATIONS[:11]:
        connection.executescript(migration.replace("$key", "integer primary key"))
    connection.execute("create table schema_version (version integer not null)")
    connection.execute("insert into schema_version values (11)")
    row = ("a", "r", "quiet_hours", "waits", "held until 07:30", 1.0)
    connection.execute(
        "insert into decision (event_id, rule, stage, outcome, detail, at) values (?, ?, ?, ?, ?, ?)", row
    )
    connection.commit()
    connection.close()
    store = open_store(f"sqlite:///{path}")
    store.put_plans([a_plan("if[0] x > 1 (x = 2)")], 2.0).result()
    details = [step.detail for step in store.decisions("a")]
    store.close()
    assert details == ["held until 07:30", "if[0] x > 1 (x = 2)"]
    assert [told(detail, "tr") for detail in details] == details


class Flushed(StringIO):
    """An output that counts how often it is printed to."""

    flushes = 0

    def flush(self) -> None:
        self.flushes += 1


def test_the_feed_of_run_is_in_the_language_of_the_project_in_each_of_its_threads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def made() -> Feed:
        spoken.set("tr")
        return Feed(as_json=False)

    with copy_context().run(made) as feed:
        thread = Thread(target=feed.planned, args=(None, a_plan(HELD)))
        thread.start()
        thread.join()
    assert f"bekliyor  r quiet_hours: {IN_TURKISH}" in unstyle(capsys.readouterr().out)


def test_the_feed_of_run_prints_lines_that_wait_together(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = Flushed()
    monkeypatch.setattr(sys, "stdout", printed)
    feed = Feed(as_json=False)
    for _ in range(50):
        feed.planned(None, a_plan(HELD))
    with feed:
        pass
    assert (printed.getvalue().count("quiet_hours"), printed.flushes) == (50, 1)


RULE = """
  - id: {id}
    trigger: {{webhook: {{path: alarm, open: true}}}}
    to: ayse
    send: {{text: "x"}}
    {how}
"""
STAGES = {
    "sent": "if: body.t > 0",
    "quiet": 'quiet_hours: ["00:00-12:00", "12:00-00:00"]',
    "group": "group: {wait: 1h}",
    "digest": 'digest: {at: "18:00"}',
    "throttle": "throttle: 1/1h",
    "queued": "throttle: {max: 1, per: 1h, overflow: queue}",
    "dedupe": "dedupe: body.t",
    "status": "status: {firing: body.t > 0, key: body.id}",
    "remind": 'remind: {at: "{{ body.at }}", before: 1d, key: body.id}',
    "silent": "",
}
FILES = """
  - id: rows
    trigger: {file: {path: drop, match: "*.csv"}}
    for_each: {row: file.rows}
    if: row.a == "1"
    to: ayse
    send: {text: "x"}
  - id: burst
    trigger: {file: {path: drop, match: "*.csv", burst: {over: 2, within: 1h}}}
    to: ayse
    send: {text: "x"}
"""
RULES = (
    'version: 1\ncontacts: {ayse: "+90 555 123 45 67"}\nrules:\n'
    + "".join(RULE.format(id=name, how=how) for name, how in STAGES.items())
    + FILES
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("turkish") / "project", {"rules/rules.yaml": RULES}) as a_house:
        yield a_house


@pytest.fixture(scope="module")
def events(house: House) -> list[str]:
    """The names of events about which each stage has decided something."""
    house.daemon.control.accept(silencing("silent", time.time() + 3600.0))
    for number in (1, 2):
        body = {"t": 5, "id": "a", "at": "2099-01-01T09:00:00Z"}
        house.daemon.control.accept(a_call("alarm", body, f"webhook:alarm:{number}"))
    (house.folder / "drop" / "a.csv").write_text("a,b\n1,2\n2,3\n")
    visitor = house.login()

    def names() -> list[str]:
        return [event["event"] for event in visitor.get("/activity.json").json()["events"]]

    def has_read() -> bool:
        return any(step["outcome"] == "passed" for step in steps(visitor, names()) if step["stage"] == "rows")

    until(has_read)
    return names()


def steps(visitor: Visitor, events: list[str], lang: str = "en") -> list[dict[str, Any]]:
    found = (visitor.get(f"{address(event)}.json?lang={lang}").json()["decisions"] for event in events)
    return [step for decisions in found for step in decisions]


def test_the_trace_and_why_tell_each_stage_in_turkish(
    house: House, events: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    visitor = house.login()
    english, turkish = (steps(visitor, events, lang) for lang in ("en", "tr"))
    assert {step["stage"] for step in english} == {
        *("burst", "dedupe", "digest", "group", "if", "quiet_hours", "remind", "rows"),
        *("send", "silence", "status", "throttle"),
    }
    texts = {one["detail"]: other["detail"] for one, other in zip(english, turkish, strict=True)}
    same = [text for text, other in texts.items() if text == other]
    assert [text for text in same if " = " not in text] == [], "a condition with its values is told as it is"
    for name, value in {**house.environ, "WBOX_LANG": "tr", "LANGUAGE": ""}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main(["-c", str(house.folder), "why", "-n", "99"])
    page = unescape("".join(visitor.get(f"{address(event)}?lang=tr").text for event in events))
    for shown in (page, unstyle(capsys.readouterr().out)):
        assert [text for text in turkish if text["detail"] not in shown] == []
        assert [text for text, other in texts.items() if text != other and text in shown] == []
