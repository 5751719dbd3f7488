"""The soak and the chaos, for a minute."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(name: str) -> None:
    ran = subprocess.run(
        [sys.executable, Path(__file__).with_name(f"{name}.py")],
        env={**os.environ, "MINUTES": "0.7"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "events acknowledged" in ran.stdout


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_P09_a_minute_of_random_faults_and_kills_breaks_no_promise() -> None:
    run("soak")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_M07_a_minute_of_chaos_among_three_daemons_breaks_no_promise() -> None:
    run("chaos")
