"""Each way in which Apprise comes to know wbox://, in a process of its own."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from wbox_notify.simulator import Simulator

BIN = Path(sys.executable).parent
PLUGIN = Path(__file__).parent.parent / "wbox_notify" / "apprise_plugin.py"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def run(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    outside = {"PATH": os.environ["PATH"], "HOME": str(home), **environment}
    return subprocess.run(
        words, cwd=home, env=outside, capture_output=True, text=True, check=False, timeout=60
    )


def url(wbox: Simulator) -> str:
    return f"wbox://sk_key@{wbox.url.partition('//')[2]}/905551234567?tls=no"


def arrived(wbox: Simulator) -> list[str]:
    return [message["body"]["message"] for message in wbox.messages()]


@pytest.mark.parametrize(
    "imports",
    [
        "import apprise, wbox_notify",
        "import wbox_notify, apprise",
        "import wbox_notify.apprise_plugin, apprise",
        "import wbox_notify; from apprise import plugins; import apprise",
    ],
)
def test_importing_wbox_notify_is_enough_in_any_order(home: Path, wbox: Simulator, imports: str) -> None:
    code = f"{imports}; a = apprise.Apprise(); print(a.add({url(wbox)!r}), bool(a.notify('hi')), a.add('json://h'))"
    assert run(home, sys.executable, "-c", code).stdout == "True True True\n"
    assert arrived(wbox) == ["hi"]


def test_importing_wbox_notify_or_its_commands_loads_no_apprise(home: Path) -> None:
    code = "import sys, wbox_notify.cli; print([m for m in sys.modules if m in ('apprise', 'requests')])"
    assert run(home, sys.executable, "-c", code).stdout == "[]\n"


def test_the_command_takes_the_file_as_a_plugin(home: Path, wbox: Simulator) -> None:
    done = run(home, str(BIN / "apprise"), "-P", str(PLUGIN), "-b", "hi", url(wbox))
    assert (done.returncode, arrived(wbox)) == (0, ["hi"]), done.stderr


def test_the_environment_names_the_file(home: Path, wbox: Simulator) -> None:
    done = run(home, str(BIN / "apprise"), "-b", "hi", url(wbox), APPRISE_PLUGIN_PATH=str(PLUGIN))
    assert (done.returncode, arrived(wbox)) == (0, ["hi"]), done.stderr


def test_install_makes_the_command_know_it_and_remove_makes_it_forget(home: Path, wbox: Simulator) -> None:
    installed = run(home, str(BIN / "wbox-notify"), "install", "apprise")
    target = home / ".config" / "apprise" / "plugins" / "wbox.py"
    assert str(target) in installed.stdout
    assert len(target.read_text().splitlines()) == 1
    assert run(home, str(BIN / "apprise"), "-b", "hi", url(wbox)).returncode == 0
    assert arrived(wbox) == ["hi"]
    assert "removed" in run(home, str(BIN / "wbox-notify"), "install", "apprise", "--remove").stdout
    assert not target.exists()
    assert "not there" in run(home, str(BIN / "wbox-notify"), "install", "apprise", "--remove").stdout
    assert run(home, str(BIN / "apprise"), "-b", "hi", url(wbox)).returncode != 0


def test_install_to_a_folder_copies_the_whole_file_for_a_container(home: Path) -> None:
    run(home, str(BIN / "wbox-notify"), "install", "apprise", "--to", "plugin")
    assert (home / "plugin" / "wbox.py").read_text() == PLUGIN.read_text()


def test_install_touches_no_file_of_somebody_else(home: Path) -> None:
    folder = home / "plugin"
    folder.mkdir()
    (folder / "wbox.py").write_text("mine = 1\n")
    for words in ([], ["--remove"]):
        done = run(home, str(BIN / "wbox-notify"), "install", "apprise", "--to", "plugin", *words)
        assert "is not ours" in done.stderr
        assert done.returncode != 0
    assert (folder / "wbox.py").read_text() == "mine = 1\n"


def test_changedetection_finds_the_entry_point_and_loads_it(home: Path) -> None:
    [point] = entry_points(group="changedetectionio", name="wbox")
    assert point.load().__name__ == "wbox_notify.apprise_plugin"
    code = "from importlib.metadata import entry_points as e; import apprise; "
    code += (
        "e(group='changedetectionio')['wbox'].load(); print(apprise.Apprise().add('wbox://k/905551234567'))"
    )
    assert run(home, sys.executable, "-c", code).stdout == "True\n"


def test_the_jsons_form_needs_nothing_of_ours(home: Path, wbox: Simulator) -> None:
    form = f"json://{wbox.url.partition('//')[2]}/v1/send/text?+Authorization=Bearer%20sk_key"
    form += "&:phone=905551234567&:version=&:title=&:type=&:attachments="
    assert run(home, str(BIN / "apprise"), "-b", "hi", form).returncode == 0
    assert [message["body"] for message in wbox.messages()] == [{"phone": "905551234567", "message": "hi"}]
