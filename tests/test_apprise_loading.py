"""Each way in which Apprise comes to know wbox://, in a process of its own."""

import os
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import entry_points
from pathlib import Path

import forked
import pytest

from wbox_notify.simulator import Simulator

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent
PLUGIN = ROOT / "wbox_notify" / "apprise_plugin.py"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return the Python of an environment with Apprise, in which wbox_notify is not installed."""
    return new_environment(tmp_path / "host", sysconfig.get_path("purelib"))


def new_environment(folder: Path, *places: str) -> Path:
    """Return the Python of a new environment that finds packages in these places too."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    (packages(python) / "places.pth").write_text("\n".join(places))
    return python


def packages(python: Path) -> Path:
    [folder] = python.parent.parent.glob("lib/python*/site-packages")
    return folder


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


def install(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``wbox-notify install apprise``."""
    return forked.run(["install", "apprise", *words], home, {"PATH": os.environ["PATH"], "HOME": str(home)})


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


def test_install_makes_the_command_know_it_and_remove_makes_it_forget(
    tmp_path: Path, home: Path, wbox: Simulator
) -> None:
    ours = str(new_environment(tmp_path / "ours", sysconfig.get_path("purelib"), str(ROOT)))
    installed = run(home, ours, "-m", "wbox_notify", "install", "apprise")
    target = home / ".config" / "apprise" / "plugins" / "wbox.py"
    assert str(target) in installed.stdout
    assert len(target.read_text().splitlines()) == 1
    assert run(home, str(BIN / "apprise"), "-b", "hi", url(wbox)).returncode == 0
    assert arrived(wbox) == ["hi"]
    assert "removed" in run(home, ours, "-m", "wbox_notify", "install", "apprise", "--remove").stdout
    assert not target.exists()
    assert "not there" in run(home, ours, "-m", "wbox_notify", "install", "apprise", "--remove").stdout
    assert run(home, str(BIN / "apprise"), "-b", "hi", url(wbox)).returncode != 0


PROGRAM = "import apprise, sys; a = apprise.Apprise(); sys.exit(not (a.add(sys.argv[1]) and a.notify('hi')))"
"""What a host such as borgmatic does: it knows Apprise, and no plugin folder."""


def test_install_makes_the_programs_of_its_own_environment_know_it(
    tmp_path: Path, home: Path, wbox: Simulator
) -> None:
    ours = new_environment(tmp_path / "ours", sysconfig.get_path("purelib"), str(ROOT))
    assert run(home, str(ours), "-c", PROGRAM, url(wbox)).returncode == 1
    assert run(home, str(ours), "-m", "wbox_notify", "install", "apprise").returncode == 0
    assert run(home, str(ours), "-c", PROGRAM, url(wbox)).returncode == 0
    assert arrived(wbox) == ["hi"]
    loaded = run(
        home, str(ours), "-c", "import apprise, sys; print('wbox_notify.apprise_plugin' in sys.modules)"
    )
    assert loaded.stdout == "True\n", "where all of it is installed, the copy stands back"


def test_an_environment_gets_the_provider_and_nothing_else_and_gives_it_back(
    home: Path, wbox: Simulator, host: Path
) -> None:
    before = sorted(packages(host).iterdir())
    done = install(home, "--python", str(host))
    assert (done.returncode, done.stderr) == (0, "")
    added = {path.name for path in packages(host).iterdir()} - {path.name for path in before}
    assert added == {"wbox_notify_apprise", "wbox_notify_apprise.pth"}
    assert not (home / ".config").exists()
    assert run(home, str(host), "-c", PROGRAM, url(wbox)).returncode == 0
    assert install(home, "--python", str(host)).returncode == 0, "again, after an update"
    assert "removed" in install(home, "--python", str(host), "--remove").stdout
    assert sorted(packages(host).iterdir()) == before
    assert run(home, str(host), "-c", PROGRAM, url(wbox)).returncode == 1
    assert arrived(wbox) == ["hi"]


def test_a_python_that_knows_it_does_not_load_apprise_when_it_starts(home: Path, host: Path) -> None:
    install(home, "--python", str(host))
    code = (
        "import sys; print([m for m in ('apprise', 'requests', 'wbox_notify_apprise') if m in sys.modules])"
    )
    assert run(home, str(host), "-c", code).stdout == "['wbox_notify_apprise']\n"


def test_a_host_starts_though_its_apprise_is_too_old(tmp_path: Path, home: Path, host: Path) -> None:
    install(home, "--python", str(host))
    (tmp_path / "old" / "apprise").mkdir(parents=True)
    (tmp_path / "old" / "apprise" / "__init__.py").write_text("__version__ = '1.4.5'\n")
    code = "import apprise; print(apprise.__version__)"
    done = run(home, str(host), "-c", code, PYTHONPATH=str(tmp_path / "old"))
    assert (done.returncode, done.stdout) == (0, "1.4.5\n")
    assert "wbox:// is not available: it needs Apprise 1.9.1 or newer" in done.stderr


@pytest.mark.parametrize(
    ("version", "said"),
    [(None, "has no Apprise"), ("1.4.5", "has Apprise 1.4.5"), ("1.9.0", "has Apprise 1.9.0")],
)
def test_an_environment_whose_apprise_can_not_work_is_left_alone(
    tmp_path: Path, home: Path, version: str | None, said: str
) -> None:
    python = new_environment(tmp_path / "host")
    if version:
        folder = packages(python) / f"apprise-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: apprise\nVersion: {version}\n")
    before = sorted(packages(python).iterdir())
    done = install(home, "--python", str(python))
    assert (done.returncode, said in done.stderr, "1.9.1" in done.stderr) == (1, True, True)
    assert sorted(packages(python).iterdir()) == before


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false", "/bin/echo", "."])
def test_what_is_not_a_python_is_an_error(home: Path, python: str) -> None:
    done = install(home, "--python", python)
    assert (done.returncode, "is not a working Python" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_a_package_of_somebody_else_stays_in_an_environment(home: Path, host: Path) -> None:
    theirs = packages(host) / "wbox_notify_apprise"
    theirs.mkdir()
    (theirs / "__init__.py").write_text("mine = 1\n")
    for words in ([], ["--remove"]):
        done = install(home, "--python", str(host), *words)
        assert (done.returncode, "is not ours" in done.stderr) == (1, True)
    assert (theirs / "__init__.py").read_text() == "mine = 1\n"


def test_a_folder_and_an_environment_at_once_are_a_mistake(home: Path) -> None:
    words = ["--to", "plugin", "--python", sys.executable]
    assert install(home, *words).returncode == 2


def test_install_to_a_folder_copies_the_whole_file_for_a_container(home: Path) -> None:
    install(home, "--to", "plugin")
    assert (home / "plugin" / "wbox.py").read_text() == PLUGIN.read_text()


def test_install_touches_no_file_of_somebody_else(home: Path) -> None:
    folder = home / "plugin"
    folder.mkdir()
    (folder / "wbox.py").write_text("mine = 1\n")
    for words in ([], ["--remove"]):
        done = install(home, "--to", "plugin", *words)
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
