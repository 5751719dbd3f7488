"""A simulator, a project folder with a shell in it, and a daemon that runs there."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from workplace import Workplace

from wbox_notify.simulator import Simulator

# No test has an opinion on how fast a shared machine is.
hypothesis.settings.register_profile("wbox", deadline=None)
hypothesis.settings.load_profile("wbox")


@pytest.fixture
def wbox() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def place(tmp_path: Path, wbox: Simulator) -> Workplace:
    return Workplace(tmp_path / "project", wbox)


@pytest.fixture
def daemon(place: Workplace) -> Iterator[subprocess.Popen[str]]:
    process = place.start("run")
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=10)
