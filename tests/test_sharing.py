"""Daemons that share a store: who may join the others, and how they are shown."""

import signal
from pathlib import Path

from test_postgres import called, office, running, url
from workplace import Workplace, ended, until

__all__ = ["office", "url"]


def another(folder: Path) -> dict[str, str]:
    """Return what makes a daemon one on another machine."""
    return {"WBOX_DATA_DIR": str(folder), "WBOX_HOST": "there", "WBOX_LISTEN": "127.0.0.1:0"}


def test_daemons_of_one_store_have_one_key_for_their_links_and_are_shown_together(
    office: Workplace, tmp_path: Path
) -> None:
    first = running(office)
    folder = tmp_path / "there"
    refused = office.run("run", **another(folder))
    assert refused.returncode == 78, refused.stderr
    assert "has another key for its links" in refused.stderr
    assert "copy link.key" in refused.stderr
    assert "Traceback" not in refused.stderr
    (folder / "link.key").write_bytes((office.card.parent / "link.key").read_bytes())
    here = dict(office.environment)
    office.environment.update(another(folder))
    second = office.start("run")
    office.environment.update(here)
    until((folder / "daemon.json").exists)
    status = office.json("status")
    assert [daemon["host"] for daemon in status["daemons"]][1:] == ["there"]
    assert "there (" in office.run("status").stdout
    ended(second, signal.SIGKILL)
    assert called(office, 1) == 202
    until(lambda: len(office.json("status")["daemons"]) == 1)
    ended(first)
    assert office.json("status")["daemons"] == []
