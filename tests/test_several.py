"""Several daemons, real processes, on one PostgreSQL: what happens once, and what is taken over."""

import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from databases import Postgres
from psycopg.rows import namedtuple_row
from workplace import Workplace, ended, until

from wbox_notify.simulator import Simulator

TAKEN_OVER_WITHIN = 10.0

RULES = """
version: 1
rules:
  - id: file
    trigger: {{file: {{path: {drop}}}}}
    to: "+905551234567"
    send: {{text: "{{{{ file.name }}}}", device: 1}}
  - id: hook
    trigger: {{webhook: {{path: hook, open: true}}}}
    to: "+90555{{{{ body.to }}}}"
    on_unknown: hold
    send: {{text: "call {{{{ body.n }}}}", device: 2}}
  - id: clock
    trigger: {{schedule: {{every: 10s}}}}
    to: "+905551234569"
    send: {{text: "{{{{ event.id }}}}", device: 3}}
"""

SENDER = """
select since from daemon join lease on lease.daemon = daemon.id where name = 'device:2'
"""
BEGUN = "select since from daemon order by since"
CALLS = """
select d.id, d.state, d.hold, a.started, a.outcome
from delivery d join attempt a on a.delivery_id = d.id where rule = 'hook' order by a.started
"""
OPEN = "select id from delivery where rule = 'hook' and state in ('queued', 'sending', 'unknown')"


class Several:
    """Two project folders with the same rules, store and wbox, whose daemons watch one folder."""

    def __init__(self, folder: Path, wbox: Simulator, url: str) -> None:
        self.wbox = wbox
        self.url = url
        self.drop = folder / "shared"
        self.drop.mkdir()
        self.places = [Workplace(folder / name, wbox) for name in ("one", "two")]
        self.daemons: list[subprocess.Popen[str]] = []
        key = secrets.token_bytes(32)
        for place in self.places:
            place.environment["WBOX_STORE"] = place.store = url
            place.environment["WBOX_HOST"] = place.folder.name
            place.rule(RULES.format(drop=self.drop))
            place.card.parent.mkdir(mode=0o700)
            file = place.card.with_name("link.key")
            file.touch(0o600)
            file.write_bytes(key)

    def start(self) -> None:
        """Run the daemons, one after the other; they answer when this returns."""
        for place in self.places:
            place.card.unlink(missing_ok=True)
            self.daemons.append(place.start("run"))
            until(place.card.exists)

    def end(self) -> None:
        """End the daemons."""
        assert [ended(daemon, within=30)[0] for daemon in self.daemons] == [0, 0]
        self.daemons.clear()

    def call(self, place: Workplace, number: int, to: str = "1234568") -> int:
        """Return what a daemon answers to a call, which comes again under the same name."""
        said = {"n": number, "to": to}
        headers = {"Idempotency-Key": f"call-{number}"}
        return requests.post(f"{place.url}/hook/hook", json=said, headers=headers, timeout=30).status_code

    def texts(self, rule_of: str = "") -> list[str]:
        """Return the texts that wbox got and that begin so."""
        said = (str(entry["body"]["message"]) for entry in self.wbox.messages())
        return [text for text in said if text.startswith(rule_of)]

    def sender(self) -> int:
        """Return which of the daemons sends through the device of the calls."""
        self.call(self.places[0], 0)
        until(lambda: self.texts("call 0"))
        [holder] = self.rows(SENDER)
        return [row.since for row in self.rows(BEGUN)].index(holder.since)

    def rows(self, statement: str) -> list[Any]:
        """Return what stands in the store."""
        with psycopg.connect(self.url, row_factory=namedtuple_row) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture
def several(tmp_path: Path, wbox: Simulator, postgres: Postgres) -> Iterator[Several]:
    several = Several(tmp_path, wbox, postgres.fresh())
    several.start()
    yield several
    for place in several.places:
        place.leave()


def test_M01_a_schedule_of_two_daemons_fires_once(several: Several) -> None:
    until(lambda: len(several.texts("schedule:")) >= 2)
    several.end()
    fired = several.texts("schedule:")
    assert len(fired) == len({*fired})


def test_M02_a_call_that_reaches_two_daemons_at_once_is_one_event(several: Several) -> None:
    numbers = range(20)
    with ThreadPoolExecutor(2) as callers:
        answers = [list(callers.map(several.call, several.places, [number] * 2)) for number in numbers]
    assert [sorted(answer) for answer in answers] == [[200, 202]] * len(numbers)
    until(lambda: len({*several.texts("call")}) == len(numbers))
    several.end()
    told = [int(text.split()[1]) for text in several.texts("call")]
    assert sorted(told) == [*numbers]
    for place in (0, 1):
        taken_in = [number for number in numbers if answers[number][place] == 202]
        assert [number for number in told if number in taken_in] == taken_in, "each in its order"


def test_M03_a_file_on_a_folder_that_two_daemons_watch_is_one_event(several: Several) -> None:
    names = {f"file {number}" for number in range(20)}
    for name in names:
        (several.drop / name).write_text(name)
    until(lambda: {*several.texts("file")} == names)
    several.end()
    # At its start each daemon looks at all that lies there, and only then at what comes.
    several.start()
    (several.drop / "file after them").write_text("x")
    until(lambda: "file after them" in several.texts())
    several.end()
    assert Counter(several.texts("file")) == Counter([*names, "file after them"])


def test_M04_what_a_killed_daemon_was_sending_is_unknown_and_the_rest_is_sent_by_another_one(
    several: Several,
) -> None:
    sender = several.sender()
    other = several.places[1 - sender]
    several.wbox.fault(delay=20.0, count=1)
    several.call(other, 1)
    until(lambda: [row for row in several.rows(CALLS) if row.state == "sending"])
    several.call(other, 2, to="7654321")
    killed = time.monotonic()
    ended(several.daemons[sender], signal.SIGKILL)
    until(lambda: "call 2" in several.texts(), within=TAKEN_OVER_WITHIN)
    until(lambda: [row for row in several.rows(CALLS) if row.hold == "unknown"], within=TAKEN_OVER_WITHIN)
    assert time.monotonic() - killed < TAKEN_OVER_WITHIN
    until(lambda: [row.outcome for row in several.rows(CALLS)] == ["sent", "unknown", "sent"])
    assert several.texts("call").count("call 1") <= 1


def test_M05_a_frozen_daemon_that_wakes_sends_nothing_that_it_no_longer_owns(several: Several) -> None:
    sender = several.sender()
    other = several.places[1 - sender]
    several.wbox.fault(delay=0.2, count=100)
    numbers = range(1, 60)
    for number in numbers:
        assert several.call(other, number, to=f"{number % 4:07}") == 202
    until(lambda: len(several.texts("call")) > 10)
    several.daemons[sender].send_signal(signal.SIGSTOP)
    until(lambda: not several.rows(OPEN), within=60.0)
    several.daemons[sender].send_signal(signal.SIGCONT)
    several.call(other, 60)
    until(lambda: "call 60" in several.texts())
    several.end()
    once = Counter(several.texts("call"))
    assert set(once.values()) == {1}
    unknown = [row for row in several.rows(CALLS) if row.outcome == "unknown"]
    assert len(once) + len(unknown) >= 61
    assert {row.outcome for row in several.rows(CALLS)} <= {"sent", "unknown", "not sent"}
    for phone in range(4):
        told = [int(text.split()[1]) for text in several.texts("call")]
        to_them = [number for number in told if 0 < number < 60 and number % 4 == phone]
        assert to_them == sorted(to_them)
