"""A real borgmatic with a real borg: a backup that fails is told, and one that goes well is heard of."""

import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from pages import ROOT
from programs import found, installed, replaced
from workplace import Workplace, until

from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

EXAMPLES = ROOT / "examples" / "borgmatic"
SECRET = "a-secret-that-is-long-enough"
WITHIN = 110.0


def calls(place: Workplace) -> str:
    """Return what the store holds of the calls."""
    store = open_history(place.store)
    assert store
    with closing(store):
        return "\n".join(row["data"] for row in store.events(most=100))


@pytest.mark.timeout(300)
def test_a_backup_that_fails_is_told_and_one_that_goes_well_is_heard_of(
    place: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    found("borg")
    program = installed("borgmatic") / "venv" / "bin" / "borgmatic"
    rules = (EXAMPLES / "rules.yaml").read_text(encoding="utf-8")
    place.rule(replaced(rules, ('by: "07:00"', "by: 2099-12-31 09:00")))  # no deadline passes meanwhile
    place.environment["WBOX_SECRET_BORGMATIC"] = SECRET
    place.start("run")
    until(place.card.exists)
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv" / "a.txt").write_text("a")
    ours = replaced(
        (EXAMPLES / "borgmatic.yaml").read_text(encoding="utf-8"),
        ("SECRET@127.0.0.1:8725", f"{SECRET}@{place.url.removeprefix('http://')}"),
    )
    config = tmp_path / "config.yaml"
    config.write_text(
        f"source_directories: [{tmp_path}/srv]\nrepositories: [{{path: {tmp_path}/backup.borg}}]\n"
        f"encryption_passphrase: x\nuser_state_directory: {tmp_path}/state\n"
        f"borg_base_directory: {tmp_path}\n{ours}"
    )

    def borgmatic(*words: str) -> int:
        return subprocess.run(
            [program, "--config", config, "--verbosity", "0", *words],
            env={
                **place.environment,
                "HOME": str(tmp_path),
                "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            },
            check=False,
            timeout=WITHIN,
        ).returncode

    assert borgmatic("create") == 1
    message = wbox.wait_for(1)[0]["body"]["message"]
    assert message.startswith("❌ The backup failed\n")
    assert "backup.borg does not exist" in message
    assert borgmatic("repo-create", "--encryption", "none") == 0
    assert borgmatic("create") == 0
    until(lambda: '"path": "borgmatic"' in calls(place))
    assert len(wbox.messages()) == 1
