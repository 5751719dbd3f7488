"""A start with a broken file goes on with the rules that were good last, and says so."""

import os
import shutil
from pathlib import Path

import pytest
import requests
from consoles import Visitor
from workplace import running, settings_for

from wbox_notify.config.yaml.problems import errors
from wbox_notify.daemon.last_good import keep, restore
from wbox_notify.rules.loading import load
from wbox_notify.simulator import Simulator

RULES = """
version: 1
rules:
  - id: called
    trigger: {webhook: {path: call, open: true}}
    to: "+905551110002"
    send: {text: "{% include 'text.txt' %} {{ body }}"}
"""
SETTINGS = 'owner: "+905551110009"\ndefaults: {lang: tr}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("rules", "templates"):
        (folder / name).mkdir(parents=True)
    (folder / "wbox-notify.yaml").write_text(SETTINGS)
    (folder / "rules" / "all.yaml").write_text(RULES)
    (folder / "templates" / "text.txt").write_text("Hello")
    return folder


@pytest.fixture
def environ(tmp_path: Path, wbox: Simulator) -> dict[str, str]:
    return settings_for(wbox, tmp_path / "data")


@pytest.mark.parametrize("broken", ["wbox-notify.yaml", "rules/all.yaml", "templates/text.txt"])
def test_a_start_with_a_broken_file_follows_the_last_good_rules_and_tells_the_owner(
    folder: Path, environ: dict[str, str], wbox: Simulator, broken: str
) -> None:
    with running(folder, environ):
        good = (folder / broken).read_text()
    (folder / broken).write_text("{% if %}: [")
    with running(folder, environ) as daemon:
        assert requests.post(f"{daemon.url}/hook/call", json="1", timeout=10).status_code == 202
        told = {message["body"]["phone"]: message["body"]["message"] for message in wbox.wait_for(2)}
        assert told["905551110002"] == "Hello 1"
        assert "wbox-notify son geçerli kurallarla başladı" in told["905551110009"]
        visitor = Visitor(daemon.url)
        visitor.get(daemon.console_link().removeprefix(daemon.url))
        assert '<section class="banner bad"' in visitor.get("/about").text
        assert daemon.reload() != []
        (folder / broken).write_text(good)
        assert daemon.reload() == []
        assert (
            wbox.wait_for(3)[2]["body"]["message"]
            == "Dosyalarda artık hata yok: wbox-notify kuralların son hâlini kullanıyor."
        )


def test_the_copy_is_private_and_leaves_out_keys(folder: Path, environ: dict[str, str]) -> None:
    key = folder / "templates" / "key"
    key.write_text("sk_secret\n")
    key.chmod(0o600)
    (folder / "wbox-notify.yaml").write_text(SETTINGS + "wbox: {api_key_file: templates/key}\n")
    with running(folder, environ):
        pass
    archive = Path(environ["WBOX_DATA_DIR"]) / "last-good.zip"
    assert archive.stat().st_mode & 0o777 == 0o600
    shutil.unpack_archive(archive, folder / "seen")
    seen = {path.relative_to(folder / "seen").as_posix() for path in (folder / "seen").rglob("*.*")}
    assert seen == {"wbox-notify.yaml", "rules/all.yaml", "templates/text.txt"}


def test_without_a_copy_or_with_a_damaged_one_there_is_nothing_to_follow(
    folder: Path, environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    settings = load(folder, environ).settings
    assert restore(settings, environ, settings.data_dir / "copy") is None
    assert caplog.messages == []
    settings.data_dir.mkdir()
    (settings.data_dir / "last-good.zip").write_bytes(bytes(100))
    assert restore(settings, environ, settings.data_dir / "copy") is None
    assert caplog.messages == ["the last good rules cannot be used: File is not a zip file"]


def test_no_damage_to_the_copy_is_an_error_of_its_own(folder: Path, environ: dict[str, str]) -> None:
    settings = load(folder, environ).settings
    keep(settings)
    archive = settings.data_dir / "last-good.zip"
    whole = archive.read_bytes()
    for place in range(len(whole)):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        project = restore(settings, environ, settings.data_dir / "copy")
        assert project is None or not errors(project.problems)


def test_a_name_that_no_archive_can_have_stops_no_start(folder: Path, environ: dict[str, str]) -> None:
    Path(os.fsdecode(os.fsencode(folder / "templates") + b"/\xe7ay.txt")).touch()
    with running(folder, environ) as daemon:
        assert requests.get(f"{daemon.url}/livez", timeout=10).status_code == 200
