"""A new version goes on with the store of an older one, and the older one can have its own back."""

import logging
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from faults.tracing import needs_strace
from workplace import Workplace, ended, until

from wbox_notify.config.stores import BEFORE_UPGRADE
from wbox_notify.errors import StoreError
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history, open_store
from wbox_notify.store.migrations import MIGRATIONS

OLD = (Path(__file__).parent / "data" / "store-0.1.0.sql").read_text(encoding="utf-8")
"""A store of version 0.1.0: two messages sent and two waiting, two open groups, a digest with two reports.

It is of the first schemas, five of those there are now.
"""
LATER = """
    update delivery set expires = 1e11 where state = 'queued';
    update memory set due = 1.0 where due is not null;
"""
"""What waits would have expired: the store is from 2026. What is remembered is due, whenever this runs."""

RULES = """
version: 1
contacts: {ayse: "+90 555 111 22 33"}
rules:
  - id: invoice
    trigger: {file: {path: drop, match: "*.txt"}}
    dedupe: file.sha256
    to: ayse
    send: {text: "invoice {{ file.name }}"}
  - id: order
    trigger: {webhook: {path: order, open: true}}
    to: ayse
    send: {text: "order {{ body.no }}"}
  - id: alarm
    trigger: {webhook: {path: alarm, open: true}}
    group: {by: body.host, wait: 1h}
    to: ayse
    send: {text: "{{ group.items | length }} alarms of {{ group.key | join }}"}
  - id: report
    trigger: {webhook: {path: report, open: true}}
    digest: {at: "18:00"}
    to: ayse
    send: {text: "{{ events | length }} reports"}
"""


def old_store(path: Path) -> Path:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD)
        connection.executescript(LATER)
        connection.execute("pragma journal_mode = wal")
    path.chmod(0o600)
    return path


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def kept(path: Path) -> Path:
    return Path(f"{path}{BEFORE_UPGRADE}")


def test_a_daemon_goes_on_with_the_store_of_0_1_0(place: Workplace, wbox: Simulator) -> None:
    place.rule(RULES)
    path = old_store(place.folder / "data" / "wbox-notify.db")
    before = dump(path)
    (place.drop / "again.txt").write_text("two\n")
    daemon = place.start("run")
    until(lambda: len(wbox.messages()) >= 5)
    (place.drop / "new.txt").write_text("new")
    until(lambda: len(wbox.messages()) == 6)
    _, said = ended(daemon)
    assert sorted(message["body"]["message"] for message in wbox.messages()) == [
        "1 alarms of web",
        "2 alarms of db",
        "2 reports",
        "invoice new.txt",
        "invoice two.txt",
        "order 2",
    ], "what waited and what it remembered; a content that is known already is no news"
    assert f"it is in {kept(path)}" in said
    assert dump(kept(path)) == before
    assert stat.S_IMODE(kept(path).stat().st_mode) == 0o600


def test_the_kept_store_has_its_name_on_disk_before_the_tables_change(tmp_path: Path) -> None:
    needs_strace()
    path = old_store(tmp_path / "data" / "wbox-notify.db")
    log = tmp_path / "calls"
    opening = f"from wbox_notify.store import open_store; open_store('sqlite:///{path}').close()"
    traced = ["strace", "-f", "-y", "-o", str(log), "-e", "trace=rename,fsync,pwrite64", "--"]
    subprocess.run([*traced, sys.executable, "-c", opening], check=True, capture_output=True, timeout=60)
    calls = log.read_text()
    _, named, after = calls.partition(f'.part", "{kept(path)}") = 0')
    assert named
    synced, _, changed = after.partition(f"<{path.parent}>) = 0")
    assert "fsync(" in synced
    assert "pwrite64" not in synced
    assert f"<{path}-wal>" in changed


def test_the_store_of_an_older_version_is_kept_once_for_each_upgrade(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = old_store(tmp_path / "data" / "wbox-notify.db")
    before = dump(path)
    kept(path).write_text("of the upgrade before")
    Path(f"{kept(path)}.part").write_text("of a start that was cut off")
    for _ in range(2):
        with caplog.at_level(logging.WARNING), closing(open_store(f"sqlite:///{path}")):
            pass
    assert len(caplog.records) == 1, "the second start finds all up to date"
    assert dump(kept(path)) == before
    assert not Path(f"{kept(path)}.part").exists()


def test_a_new_store_has_nothing_to_keep(tmp_path: Path) -> None:
    path = tmp_path / "data" / "wbox-notify.db"
    open_store(f"sqlite:///{path}").close()
    assert not kept(path).exists()


def test_who_goes_back_has_all_that_was_there(tmp_path: Path) -> None:
    path = old_store(tmp_path / "data" / "wbox-notify.db")
    before = dump(path)
    open_store(f"sqlite:///{path}").close()
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    kept(path).replace(path)
    assert dump(path) == before
    with pytest.raises(StoreError, match=f"has schema 5, this .* needs {len(MIGRATIONS)}"):
        open_history(f"sqlite:///{path}")


def test_a_store_that_cannot_be_kept_is_not_changed(tmp_path: Path) -> None:
    path = old_store(tmp_path / "data" / "wbox-notify.db")
    before = dump(path)
    kept(path).mkdir()
    (kept(path) / "in the way").touch()
    with pytest.raises(StoreError, match="cannot be used"):
        open_store(f"sqlite:///{path}")
    assert dump(path) == before
