"""The promise, shown on the real daemon: kill -9 loses nothing, SIGTERM finishes what is in flight."""

import itertools
import json
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from faults.powercut import CALLS, Disk, recorded
from faults.tracing import killed_at, killing, needs_strace, tracing
from faults.walks import NUMBERED, POLL, SETTLED, SILENT, Calls, Drops, begun, drop, sweep, url
from workplace import TEXT_RULE, Workplace, ended, until

from wbox_notify.model.deliveries import State
from wbox_notify.model.events import Event
from wbox_notify.model.outcomes import Outcome
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history, open_store
from wbox_notify.store.migrations import MIGRATIONS


def test_kill_9_at_any_moment_loses_nothing_and_doubles_only_what_is_listed_as_unknown(
    place: Workplace, wbox: Simulator
) -> None:
    """Each file goes to a phone of its own: an unknown outcome keeps back what follows to the same phone."""
    place.rule(TEXT_RULE.replace("+90 555 123 45 67", "+90 555 123 45 {{ file.stem }}"))
    chance = random.Random(4711)
    names = [f"{number:02}.txt" for number in range(40)]
    for number in range(8):
        process = place.start("run")
        drop(place, *names[number * 5 : number * 5 + 5])
        wbox.clear_faults()
        wbox.fault(delay=round(chance.uniform(0.0, 0.05), 3))
        wbox.wait_for(len(wbox.messages()) + chance.randint(1, 4), 30)
        process.kill()
        process.communicate(timeout=10)
    wbox.clear_faults()
    last = place.start("run")
    history = open_history(place.store)
    assert history
    until(
        lambda: [delivery.state in SETTLED for delivery in history.queue(list(State))] == [True] * len(names)
    )
    assert ended(last)[0] == 0

    told = Counter(message["idempotency_key"] for message in wbox.messages())
    deliveries = history.queue(list(State), 1000)
    assert len(deliveries) == len(names), "each file has its delivery"
    for delivery in deliveries:
        outcomes = [row["outcome"] for row in history.attempts(delivery.id)]
        unknown = outcomes.count(Outcome.UNKNOWN)
        assert told[delivery.key] >= (delivery.state is State.SENT)
        assert told[delivery.key] <= 1 + unknown, "handed over again without an unknown outcome before"
    assert sum(told.values()) >= len(names) - sum(delivery.state is not State.SENT for delivery in deliveries)
    history.close()


def test_P07_a_daemon_that_takes_over_sends_nothing_again(place: Workplace, wbox: Simulator) -> None:
    drop(place, "a.txt", "b.txt")
    first = place.start("run")
    wbox.wait_for(2, 20)
    assert ended(first)[0] == 0
    second = place.start("run")
    drop(place, "c.txt")
    wbox.wait_for(3, 20)
    assert ended(second)[0] == 0
    assert sorted(message["body"]["message"][:5] for message in wbox.messages()) == [
        "a.txt",
        "b.txt",
        "c.txt",
    ]


def test_P01_sigterm_finishes_what_is_in_flight_and_ends_with_0(place: Workplace, wbox: Simulator) -> None:
    wbox.fault(delay=1.0)
    process = place.start("run")
    drop(place, "a.txt")
    history = None
    assert process.stdout
    while history is None or not history.queue([State.SENDING]):
        assert process.poll() is None
        history = open_history(place.store) if history is None else history
    code, _ = ended(process)
    assert code == 0
    assert history.counts() == {State.SENT: 1}
    assert len(wbox.messages()) == 1
    history.close()


def test_P02_a_request_that_outlives_the_daemon_is_unknown_at_the_next_start(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.fault(delay=60.0)
    process = place.start("run")
    drop(place, "a.txt")
    wbox.wait_for(1, 20)
    code, errors = ended(process, within=40)
    assert code == 0
    assert "its outcome will be listed as unknown" in errors
    wbox.clear_faults()
    process = place.start("run")
    until(lambda: [one["state"] for one in place.json("queue", "list")] == ["unknown"])
    assert ended(process)[0] == 0
    assert len(wbox.messages()) == 1


def test_ctrl_c_ends_it_as_well(place: Workplace, wbox: Simulator) -> None:
    process = place.start("run")
    drop(place, "a.txt")
    wbox.wait_for(1, 20)
    assert ended(process, signal.SIGINT)[0] == 0


@pytest.mark.parametrize(("system_call", "number"), [("pwrite64", 2), ("fdatasync", 1)])
def test_C01_killed_at_a_write_or_a_sync_of_an_intake_it_keeps_what_it_answered(
    place: Workplace, wbox: Simulator, system_call: str, number: int
) -> None:
    calls = Calls(place, wbox)
    assert sweep(place, system_call, [number], walk=calls.walk, again=calls.again) == 1


def test_C02_killed_before_its_answer_it_keeps_the_event_and_knows_the_second_call(
    place: Workplace, wbox: Simulator
) -> None:
    """The answer is sent after that of /livez and, where the commit was quick, a byte that wakes the loop."""
    calls = Calls(place, wbox)
    deaths = sweep(place, "sendto", [3], walk=calls.walk, again=calls.again)
    if not deaths:
        deaths = sweep(place, "sendto", [2], walk=calls.walk, again=calls.again)
    assert deaths == 1


def test_C03_killed_before_the_connection_the_message_is_unknown(place: Workplace, wbox: Simulator) -> None:
    drops = Drops(place, wbox)
    assert sweep(place, "connect", [1], walk=drops.walk, again=drops.again) == 1
    assert drops.states() == {State.UNKNOWN: 1}
    assert wbox.messages() == []


def test_C04_killed_before_it_reads_the_answer_a_poll_is_held_and_never_goes_twice(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.fault(delay=0.3)
    drops = Drops(place, wbox, POLL)
    assert sweep(place, "recvfrom", [1], walk=drops.walk, again=drops.again) == 1
    assert drops.states() == {State.HELD: 1}
    assert len(wbox.wait_for(1)) == 1


def test_C05_killed_before_the_outcome_is_on_disk_the_message_is_unknown(
    place: Workplace, wbox: Simulator
) -> None:
    """From the moment that wbox has the message, the first write is the one of the outcome."""
    needs_strace()
    wbox.fault(delay=1.0)
    drops = Drops(place, wbox)
    process = begun(place)
    drops.walk(1)
    wbox.wait_for(1)
    with tracing(process.pid, killing("pwrite64", 1)):
        until(lambda: process.poll() is not None)
    process.communicate(timeout=10)
    begun(place)
    drops.again(1)
    assert drops.states() == {State.UNKNOWN: 1}
    assert len(wbox.messages()) == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("system_call", "least"),
    [
        pytest.param("pwrite64", 8, id="C01 each write"),
        pytest.param("fdatasync", 2, id="C01 each sync"),
        pytest.param("sendto", 2, id="C02 whatever is sent"),
        pytest.param("recvfrom", 2, id="C01 whatever is read"),
    ],
)
def test_an_intake_survives_kill_9_at_every_call(
    place: Workplace, wbox: Simulator, system_call: str, least: int
) -> None:
    calls = Calls(place, wbox)
    assert sweep(place, system_call, itertools.count(1), walk=calls.walk, again=calls.again) >= least


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("system_call", "least"),
    [
        pytest.param("pwrite64", 20, id="C03 C05 each write"),
        pytest.param("fdatasync", 4, id="C03 C05 each sync"),
        pytest.param("connect", 1, id="C03 the connection"),
        pytest.param("sendto", 1, id="C03 the request"),
        pytest.param("recvfrom", 1, id="C04 the answer"),
    ],
)
@pytest.mark.parametrize("rule", [NUMBERED, POLL], ids=["text", "poll"])
def test_a_send_survives_kill_9_at_every_call(
    place: Workplace, wbox: Simulator, system_call: str, least: int, rule: str
) -> None:
    drops = Drops(place, wbox, rule)
    assert sweep(place, system_call, itertools.count(1), walk=drops.walk, again=drops.again) >= least
    told = Counter(message["idempotency_key"] for message in wbox.messages())
    assert rule == NUMBERED or set(told.values()) == {1}, "a poll that may have been sent never goes twice"


PUTTING = """
import sys
from datetime import UTC, datetime
from wbox_notify.model.events import Event
from wbox_notify.store import open_store
store = open_store("sqlite:///" + sys.argv[1])
for number in range(int(sys.argv[2])):
    event = Event(id=f"event-{number}", type="file", at=datetime.now(UTC), data={"text": "x" * 2000})
    store.put_events([event], 1.0).result()
    sys.stdout.write(f"<event-{number}>")
    sys.stdout.flush()
store.close()
"""


def known(path: Path) -> set[str]:
    """Return the events in a database, which must be whole."""
    database = sqlite3.connect(path)
    assert database.execute("pragma quick_check").fetchall() == [("ok",)]
    tables = {name for (name,) in database.execute("select name from sqlite_master")}
    found = {name for (name,) in database.execute("select id from event")} if "event" in tables else set()
    database.close()
    return found


def lost(log: Path, folder: Path, every: int = 1) -> list[int]:
    """Cut the power after each ``every``-th call of a log; return how much that was answered each cut loses.

    -1 stands for a database that is damaged.
    """
    disk, answered, found = Disk(), set[str](), []
    chance = random.Random(4711)
    for number, step in enumerate(recorded(log)):
        disk.take(step)
        if step.call == "said":
            answered |= {name.decode() for name in re.findall(rb"event-\d+|webhook:hook:\d+", step.data)}
        for luck in (0.0, 0.5, 1.0) if number % every == 0 else ():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for file, content in disk.cut(chance, luck).items():
                if ".db" in file and not file.endswith(("-shm", ".lock")):
                    (folder / Path(file).name).write_bytes(content)
            [path] = [file for file in folder.iterdir() if file.suffix == ".db"] or [None]
            try:
                found.append(len(answered - (known(path) if path else set())))
            except (sqlite3.DatabaseError, AssertionError):
                found.append(-1)
    return found


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_C07_a_power_cut_at_any_write_loses_no_row_that_was_committed(tmp_path: Path, every: int) -> None:
    """Of the real process and its SQLite; without its syncs the same cuts lose rows, so it would be seen."""
    needs_strace()
    path, log = tmp_path / "wbox.db", tmp_path / "log"
    strace = ["strace", "-f", "-y", "-xx", "-s", "2000000", "-e", CALLS, "-o", str(log)]
    subprocess.run([*strace, sys.executable, "-c", PUTTING, str(path), "40"], check=True, capture_output=True)
    cuts = lost(log, tmp_path / "cut", every)
    assert len(cuts) > 600 / every
    assert set(cuts) == {0}
    unsynced = tmp_path / "unsynced"
    unsynced.write_text("\n".join(line for line in log.read_text().splitlines() if "sync" not in line))
    assert set(lost(unsynced, tmp_path / "cut", every)) != {0}


@pytest.mark.parametrize(
    ("most", "every"), [(6, 5), pytest.param(30, 1, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_C06_a_power_cut_under_the_whole_daemon_loses_no_call_that_was_answered(
    place: Workplace, wbox: Simulator, tmp_path: Path, most: int, every: int
) -> None:
    needs_strace()
    calls = Calls(place, wbox)
    process = begun(place)
    log = tmp_path / "log"
    # What is there already is on the disk: the record begins with it.
    before = {file: file.read_bytes() for file in (place.folder / "data").glob("wbox-notify.db*")}
    with tracing(process.pid, CALLS, log=log):
        for number in range(1, most + 1):
            assert calls.answer(number).status_code == 202
        until(lambda: calls.planned(most))
        assert ended(process)[0] == 0
    hexed = {file: "".join(f"\\x{byte:02x}" for byte in str(file).encode()) for file in before}
    lines = []
    for file, content in before.items():
        if content and not file.name.endswith(("-shm", ".lock")):
            data = "".join(f"\\x{byte:02x}" for byte in content)
            lines += [
                f'pwrite64(3<{hexed[file]}>, "{data}", {len(content)}, 0) = 1',
                f"fsync(3<{hexed[file]}>) = 0",
            ]
    log.write_text("\n".join([*lines, log.read_text()]))
    cuts = lost(log, tmp_path / "cut", every)
    assert len(cuts) > 50
    assert set(cuts) == {0}


def an_old_store(path: Path) -> None:
    """Make a store of the first version of the tables, with an event in it."""
    old = sqlite3.connect(path)
    old.executescript(MIGRATIONS[0].replace("$key", "integer primary key"))
    old.execute("create table schema_version (version integer not null)")
    old.execute("insert into schema_version values (1)")
    old.execute("insert into event values (1, 'a', 'file', 1.0, '{}', 1.0, null)")
    old.commit()
    old.close()


@pytest.mark.parametrize("system_call", ["pwrite64", "fdatasync"])
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_C08_killed_in_a_migration_there_are_the_old_tables_or_the_new_ones(
    tmp_path: Path, system_call: str, step: int
) -> None:
    needs_strace()
    path = tmp_path / "wbox.db"
    deaths = 0
    for number in itertools.count(1, step):
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        an_old_store(path)
        ran = killed_at(system_call, number, sys.executable, "-c", PUTTING, str(path), "0")
        if ran.returncode == 0:
            break
        deaths += 1
        database = sqlite3.connect(path)
        [(version,)] = database.execute("select max(version) from schema_version").fetchall()
        columns = [row[1] for row in database.execute("pragma table_info(memory)")]
        database.close()
        assert ("due" in columns) == (version > 1), "whole"
        assert known(path) == {"a"}
        store = open_store(f"sqlite:///{path}")
        assert [event.id for event in store.unplanned()] == ["a"]
        store.close()
    assert deaths >= 1


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_C09_killed_while_the_log_is_folded_into_the_file_nothing_is_lost(tmp_path: Path, step: int) -> None:
    """Closing folds the log back, so the last writes are those."""
    needs_strace()
    path = tmp_path / "wbox.db"
    deaths = 0
    for number in itertools.count(step, step):
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        ran = killed_at("pwrite64", number, sys.executable, "-c", PUTTING, str(path), "12")
        said = set(re.findall(r"<(event-\d+)>", ran.stdout))
        assert said <= (known(path) if path.exists() else set())
        if ran.returncode == 0:
            break
        deaths += 1
        store = open_store(f"sqlite:///{path}")
        assert said <= {event.id for event in store.unplanned()}
        store.close()
    assert deaths >= 3


@pytest.mark.parametrize(
    "numbers",
    [[3], pytest.param(None, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
    ids=["one", "all"],
)
def test_C10_killed_at_any_file_that_a_reload_opens_the_next_start_has_whole_rules(
    place: Workplace, wbox: Simulator, numbers: list[int] | None
) -> None:
    drops = Drops(place, wbox)
    place.rule(NUMBERED.replace("new-file", "second").replace("drop}", "other}"), "rules/second.yaml")
    (place.folder / "other").mkdir()

    def walk(number: int) -> Callable[[], bool]:
        drops.walk(number)
        place.rule(NUMBERED.replace("file.text", f"'{number}'"))
        token = json.loads((place.folder / "data" / "daemon.json").read_text())["token"]
        headers = {"Authorization": f"Bearer {token}"}
        try:
            done = requests.post(f"{url(place)}/-/reload", headers=headers, timeout=20).ok
        except requests.RequestException:
            done = False
        return lambda: done

    assert sweep(place, "openat", numbers or itertools.count(1), walk=walk, again=drops.again) >= 1


DEADLY = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from wbox_notify.daemon.planner import Planner
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live
from wbox_notify.store import open_store

class Deadly:
    source = "deadly"
    def truth(self, context):
        if context["body"]["n"] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return True
    def seen(self, context):
        return {}

project = load(Path(sys.argv[1]), {"WBOX_API_KEY": "sk_canary_4711", "WBOX_DATA_DIR": sys.argv[1] + "/data"})
project = replace(project, rules=tuple(replace(rule, conditions=(Deadly(),)) for rule in project.rules))
store = open_store(project.settings.store)
planner = Planner(Live(project), store)
while planner.step():
    pass
store.close()
"""


def test_C12_an_event_that_ends_the_process_is_put_aside_and_the_others_are_planned(place: Workplace) -> None:
    place.rule(SILENT)
    (place.folder / "data").mkdir()
    store = open_store(place.store)
    now = datetime.now(UTC)
    events = [
        Event(id=f"{n}", type="webhook", at=now, data={"path": "hook", "body": {"n": n}}) for n in range(6)
    ]
    store.put_events(events, 1.0).result()
    store.close()
    codes = []
    while codes[-1:] != [0]:
        ran = subprocess.run(
            [sys.executable, "-c", DEADLY, str(place.folder)], capture_output=True, text=True, check=False
        )
        codes.append(ran.returncode)
        assert len(codes) < 9, ran.stderr
    assert codes == [-signal.SIGKILL] * 3 + [0]
    history = open_history(place.store)
    assert history
    assert all(row["planned"] for row in history.events())
    assert [step.detail for step in history.decisions("3")] == [
        "quarantined: wbox-notify crashed each time it processed this event"
    ]
    assert len(history.queue(list(State))) == 6
    assert [(dead.event_id, dead.reason) for dead in history.queue([State.DEAD])] == [
        ("3", "quarantined: wbox-notify crashed each time it processed this event")
    ]
    assert history.remembered("-", "planning", "") is None
    history.close()
    store = open_store(place.store)
    assert len(store.requeue(None, [State.DEAD], 2.0).result()) == 1
    assert [event.id for event in store.unplanned()] == ["3"]
    store.close()
