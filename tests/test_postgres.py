"""The store on PostgreSQL: what is true of this engine alone."""

import os
import re
import select
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psycopg
import pytest
import requests
from databases import Postgres
from programs import found
from programs import running as program
from psycopg.conninfo import conninfo_to_dict
from workplace import Workplace, ended, until

from wbox_notify.errors import ConfigError, StoreError
from wbox_notify.model.deliveries import Decision, Memory, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.texts import told
from wbox_notify.simulator import Simulator
from wbox_notify.store import BusyError, Store, UnsoundError, open_history, open_store
from wbox_notify.store.postgres.session import parameters

NAME = ".s.PGSQL.5432"

RULES = """
version: 1
rules:
  - id: file
    trigger: {file: {path: drop}}
    to: "+90 555 123 45 67"
    send: {text: "{{ file.name }}"}
  - id: hook
    trigger: {webhook: {path: hook, open: true}}
    to: "+90 555 123 45 68"
    send: {text: "call {{ body.n }}"}
  - id: group
    trigger: {webhook: {path: many, open: true}}
    group: {by: body.place, wait: 1s}
    to: "+90 555 123 45 69"
    send: {text: "{{ group.items | length }} of a group"}
"""


def an_event(name: str, **data: object) -> Event:
    return Event(id=name, type="webhook", at=datetime(2026, 11, 30, 9, tzinfo=UTC), data=data)


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.fresh()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


def texts(wbox: Simulator) -> list[str]:
    return sorted(message["body"]["message"] for message in wbox.messages())


@pytest.fixture
def office(place: Workplace, url: str) -> Workplace:
    place.environment["WBOX_STORE"] = place.store = url
    place.rule(RULES)
    return place


def called(place: Workplace, number: int) -> int:
    """Return what the daemon answers to a call, which comes again under the same name."""
    headers = {"X-Request-Id": f"call-{number}"}
    return requests.post(
        f"{place.url}/hook/hook", json={"n": number}, headers=headers, timeout=30
    ).status_code


def running(office: Workplace) -> subprocess.Popen[str]:
    process = office.start("run")
    until(office.card.exists)
    return process


def test_a_daemon_does_on_postgresql_what_it_does_on_sqlite(office: Workplace, wbox: Simulator) -> None:
    assert "no store yet" in office.run("log").stderr
    process = running(office)
    (office.drop / "a.txt").write_text("hello")
    assert called(office, 1) == 202
    for _ in range(2):
        assert requests.post(f"{office.url}/hook/many", json={"place": "attic"}, timeout=30).ok
    until(lambda: texts(wbox) == ["2 of a group", "a.txt", "call 1"])
    assert office.run("send", "text", "+905551234560", "by hand").returncode == 0
    assert ended(process)[0] == 0
    status = office.json("status")
    assert (status["daemon"], status["queue"]["sent_24h"]) == (False, 4)
    log = office.run("log").stdout
    assert all(what in log for what in ("a.txt", "/hook/hook", "/hook/many"))
    assert "call 1" in office.run("why", "2").stdout + office.run("why", "1").stdout
    assert office.run("send", "text", "+905551234560", "alone").returncode == 0
    assert texts(wbox) == ["2 of a group", "a.txt", "alone", "by hand", "call 1"]
    assert office.run("store", "check").returncode == 0


def test_beside_a_daemon_of_a_version_that_had_to_be_alone_nothing_is_written(url: str) -> None:
    open_store(url).close()
    lock = "select pg_advisory_lock(%s + oid::bigint) from pg_namespace where nspname = current_schema()"
    with psycopg.connect(url) as older:
        older.execute(lock, (int.from_bytes(b"wbox") << 32,))
        with pytest.raises(BusyError, match="in use by an older version"):
            open_store(url)
    open_store(url).close()


def test_M06_while_the_database_is_away_calls_are_refused_and_nothing_accepted_is_lost(
    office: Workplace, wbox: Simulator, postgres: Postgres
) -> None:
    process = running(office)
    accepted = [number for number in range(10) if called(office, number) == 202]
    postgres.stop()
    assert called(office, 90) == 503
    (office.drop / "late.txt").write_text("x")
    postgres.start()
    until(lambda: called(office, 91) in {200, 202})
    expected = {"late.txt", *(f"call {number}" for number in [*accepted, 91])}
    until(lambda: expected <= {*texts(wbox)})
    code, errors = ended(process)
    assert code == 0
    assert "cannot be used" in errors
    assert "psycopg" not in errors
    # A call may be stored though it was refused, where its end came too late; repeated, it counts once.
    assert sorted({*texts(wbox)} - {"call 90"}) == sorted(expected)
    assert len(texts(wbox)) == len({*texts(wbox)})


class Line:
    """A line to the server through a socket of its own, which is lost with a commit or the answer to one."""

    def __init__(self, server: Path) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.lose: Literal["commit", "answer"] | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self._server = str(server / NAME)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(f"{self.folder.name}/{NAME}")
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._server)
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(65536)
                    lost = self.lose if end is client and b"commit" in data else None
                    if lost == "answer":
                        server.sendall(data)
                        server.recv(65536)
                    if lost:
                        self.meanwhile()
                    if lost or not data:
                        self.lose = None if lost else self.lose
                        return
                    (server if end is client else client).sendall(data)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.folder.cleanup()


@pytest.fixture
def line(postgres: Postgres) -> Iterator[Line]:
    line = Line(postgres.folder)
    yield line
    line.close()


def test_whether_a_commit_came_about_is_known_also_when_its_session_is_lost(
    url: str, line: Line, postgres: Postgres
) -> None:
    store = open_store(url.replace(str(postgres.folder), line.folder.name))
    line.lose = "answer"
    assert store.put_events([an_event("a")], 1.0).result() == [True]
    line.lose = "commit"
    with pytest.raises(StoreError, match="cannot be used"):
        store.put_events([an_event("b")], 1.0).result()
    assert store.put_events([an_event("a"), an_event("c")], 1.0).result() == [False, True]
    assert [event.id for event in store.unplanned()] == ["a", "c"]
    store.close()


def test_what_a_crash_of_the_server_undid_is_not_taken_for_what_another_wrote_under_its_number(
    url: str, line: Line, postgres: Postgres
) -> None:
    store = open_store(url.replace(str(postgres.folder), line.folder.name))
    store.put_events([an_event("a")], 1.0).result()

    on_its_way, crashed = threading.Event(), threading.Event()
    line.meanwhile = lambda: (on_its_way.set(), crashed.wait(30))
    line.lose = "commit"
    kept = store.put_events([an_event("b")], 1.0)
    assert on_its_way.wait(30)
    postgres.stop()
    postgres.start()
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(100):
            connection.execute("select pg_current_xact_id()")
    crashed.set()
    with pytest.raises(StoreError, match="cannot be used"):
        kept.result()
    line.meanwhile = lambda: None
    line.lose = "answer"
    assert store.put_events([an_event("b")], 1.0).result() == [True]
    assert [event.id for event in store.unplanned()] == ["a", "b"]
    store.close()
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from written").fetchone() == (0,)


def cut(url: str) -> None:
    """End all sessions of a database, and wait until they are gone."""
    ours = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"select pg_terminate_backend(pid, 5000) {ours}")


def test_statements_are_not_compiled_which_would_take_longer_than_they_do(store: Store) -> None:
    asked = "select current_setting('jit') as jit"
    assert store._database.read(asked)[0]["jit"] == "off"
    written = store._database.write(lambda tx: tx.execute(asked).fetchone()["jit"])
    assert written.result() == "off"


def test_cut_sessions_are_begun_again(url: str, store: Store) -> None:
    for name in "abc":
        store.put_events([an_event(name)], 1.0).result()
        assert store.known_events("abc") >= {name}
        cut(url)
    assert store.known_events("abc") == {"a", "b", "c"}


def test_a_nul_in_a_text_is_kept_as_its_symbol_and_in_data_as_it_is(store: Store) -> None:
    odd = an_event("odd", text="a\0b \udcff \\u0000")
    store.put_events([odd], 1.0).result()
    [kept] = store.unplanned()
    assert kept.data == odd.data
    memory = Memory(rule="r", kind="dedupe", key="a\0b", value={"n": "\0"})
    why = Decision(rule="r", stage="if", outcome="stopped", detail="it is a\0b")
    store.put_plans([Plan(event_id="odd", decisions=(why,), memories=(memory,))], 1.0).result()
    assert store.remembered("r", "dedupe", "a\0b") == {"n": "\0"}
    assert [decision.detail for decision in store.decisions("odd")] == ["it is a␀b"]
    assert store.known_events(["odd", "\0", "\udcff", "\\u0000"]) == {"odd"}


def test_texts_are_in_the_order_of_their_bytes_whatever_the_database_says(url: str, store: Store) -> None:
    assert store.counts() == {}
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "select table_name, column_name, collation_name from information_schema.columns"
            " where table_schema = 'public' and data_type = 'text'"
        ).fetchall()
    assert len(columns) > 30
    assert {collation for _, _, collation in columns} == {"C"}


def test_a_commit_is_on_disk_also_where_the_server_would_not_wait_for_it(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "do $$ begin execute format("
            "'alter database %I set synchronous_commit = off', current_database()); end $$"
        )
    store = open_store(url)
    setting = store._database.write(lambda tx: tx.execute("show synchronous_commit").fetchone()).result()
    assert setting == {"synchronous_commit": "on"}
    store.close()


@pytest.mark.parametrize(
    ("address", "mode"),
    [
        ("postgresql:///db", None),
        ("postgresql://u@/db?host=/run/postgresql", None),
        ("postgresql://localhost/db", None),
        ("postgresql://127.0.0.1:5433/db", None),
        ("postgresql://[::1]/db", None),
        ("postgresql://db.example.com/db", "verify-full"),
        ("postgresql://10.0.0.7/db", "verify-full"),
        ("postgresql://localhost,db.example.com/db", "verify-full"),
        ("postgresql://db/db?hostaddr=10.0.0.7", "verify-full"),
        ("postgresql://db.example.com/db?sslmode=disable", "disable"),
    ],
)
def test_another_machine_is_spoken_to_with_tls_unless_the_address_says_otherwise(
    address: str, mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGSSLMODE", "PGHOST"):
        monkeypatch.delenv(name, raising=False)
    found = parameters(address)
    assert found.get("sslmode") == mode
    assert ("sslrootcert" in found) == (mode == "verify-full")
    monkeypatch.setenv("PGSSLMODE", "require")
    assert parameters(address).get("sslmode") == (mode if "sslmode" in address else None)


def test_a_password_comes_from_a_file_and_is_in_no_message(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "create role keyed login password 'open-sesame'; grant create on schema public to keyed"
        )
    address = url.replace("wbox@", "keyed@")
    with pytest.raises(StoreError) as refused:
        open_store(address)
    assert "PGPASSFILE" in told(refused.value.hint, "en")
    passwords = tmp_path / "passwords"
    for password, is_right in (("open-barley", False), ("open-sesame", True)):
        passwords.write_text(f"*:*:*:keyed:{password}\n")
        passwords.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(passwords))
        if is_right:
            open_store(address).close()
        else:
            with pytest.raises(StoreError) as refused:
                open_store(address)
            assert password not in f"{refused.value}{refused.value.hint}{refused.value.__cause__}"
    for with_password in (url.replace("wbox@", "keyed:open-sesame@"), f"{url}&password=open-sesame"):
        with pytest.raises(ConfigError, match="does not belong in the address"):
            open_store(with_password)


POOL = """
[databases]
* = host={folder} user=wbox
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
"""


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pool_has_a_session_for_each_of_ours_or_is_refused(
    mode: str, url: str, postgres: Postgres, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(POOL.format(folder=postgres.folder, port=port, mode=mode))
    as_user = [] if os.geteuid() else ["-u", "nobody"]
    pooled = f"postgresql://wbox@127.0.0.1:{port}/{conninfo_to_dict(url)['dbname']}"
    with program(tmp_path / "log", found("pgbouncer"), *as_user, settings):
        until(lambda: is_open(port))
        if mode == "session":
            store = open_store(pooled)
            assert store.put_events([an_event("a")], 1.0).result() == [True]
            store.close()
        else:
            with pytest.raises(UnsoundError, match="shares its sessions out"):
                open_store(pooled)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_database_that_cannot_hold_a_store_is_refused_with_the_way_out(
    url: str, postgres: Postgres
) -> None:
    with postgres.connect() as connection:
        connection.execute("create role poor login")
        connection.execute("create role clerk login")
        connection.execute("create database narrow encoding 'SQL_ASCII' template template0")
    made = postgres.fresh()
    open_store(made).close()
    with psycopg.connect(made) as owner:
        owner.execute("grant create on schema public to clerk")
        owner.execute("grant all on all tables in schema public to clerk")
        owner.execute("grant all on all sequences in schema public to clerk")
    for address, problem, hint in (
        (url.replace("wbox@", "poor@"), "permission denied", "grant create on schema public"),
        (made.replace("wbox@", "clerk@"), "must be owner", "one user"),
        (re.sub("/store_[0-9]+", "/narrow", url), "encoding SQL_ASCII", "-E UTF8"),
        (re.sub("/store_[0-9]+", "/nowhere", url), "does not exist", "createdb"),
        (f"{url}/elsewhere", "No such file", "whether PostgreSQL runs"),
        (f"{url}&sslmode=nonsense", "nonsense", ""),
    ):
        with pytest.raises(StoreError, match=problem) as refused:
            open_store(address)
        assert hint in told(refused.value.hint or "", "en")
    assert open_history(url) is None
