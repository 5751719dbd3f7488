"""A simulator, a project folder with a shell in it, a daemon that runs there, and a PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from databases import Files, Postgres
from workplace import Workplace

from wbox_notify.model import redaction
from wbox_notify.model.redaction import Redaction
from wbox_notify.simulator import Simulator

pytest_plugins = ["faults.reliability"]

EXAMPLES = int(os.environ.get("WBOX_TEST_EXAMPLES", "40"))
"""How often each property is tried; `make test-slow` takes a thousand."""

# Tests wait for thousands of commits, which are at once where the files are in memory.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2**30:
    tempfile.tempdir = str(MEMORY)

# No test has an opinion on how fast a shared machine is.
hypothesis.settings.register_profile("wbox", deadline=None, max_examples=EXAMPLES)
hypothesis.settings.load_profile("wbox")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test know no secret of another one, whose words would be masked in its log."""
    monkeypatch.setattr(redaction._redaction, "_written", set())
    monkeypatch.setattr(redaction._redaction, "_pattern", Redaction()._pattern)


@pytest.fixture
def wbox() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def place(tmp_path: Path, wbox: Simulator) -> Iterator[Workplace]:
    workplace = Workplace(tmp_path / "project", wbox)
    yield workplace
    workplace.leave()


@pytest.fixture
def daemon(place: Workplace) -> subprocess.Popen[str]:
    return place.start("run")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    try:
        server = Postgres()
    except OSError as error:
        pytest.skip(f"NOTHING OF THE STORE ON POSTGRESQL IS TESTED: its server cannot be started: {error}")
    with server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Files | Postgres:
    """Give stores of each engine in turn: what a test says of one is true of the other."""
    if request.param == "sqlite":
        return Files(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return server
