"""The wheel: what a user installs, in an empty environment."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_in_an_empty_environment_runs_the_demo(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "-o", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    [wheel] = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    pip = str(tmp_path / "venv" / "bin" / "pip")
    for words in (
        ["install", "--quiet", "--require-hashes", "-r", str(ROOT / "locks" / "run.txt")],
        ["install", "--quiet", "--no-deps", str(wheel)],
        ["check"],
    ):
        subprocess.run([pip, *words], check=True)
    ran = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "wbox-notify"), "demo", "--once"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "What arrived at the simulator" in ran.stdout
