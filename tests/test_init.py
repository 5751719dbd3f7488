"""``wbox-notify init``: a project that works at once, from questions or without any."""

import json
import re
import signal
from pathlib import Path

import jsonschema
import pytest
import yaml
from terminal import Terminal
from workplace import Workplace, until

from wbox_notify.cli.init import _likely_zone
from wbox_notify.config.reading import read
from wbox_notify.rules.loading import load
from wbox_notify.simulator import Simulator

FILES = [
    ".gitignore",
    "schema/rules.json",
    "schema/settings.json",
    "templates/new-file.j2",
    "rules/new-file.yaml",
    "wbox-notify.yaml",
]
KEY = "sk_typed_0815"


@pytest.fixture
def new(place: Workplace) -> Workplace:
    """Return a shell in an empty folder, without a key."""
    place.folder = place.folder.with_name("new")
    place.folder.mkdir()
    for name in ("WBOX_API_KEY", "WBOX_DATA_DIR"):
        del place.environment[name]
    return place


def texts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("lang", ["en", "tr"])
def test_what_it_writes_without_a_question_passes_check_and_test(new: Workplace, lang: str) -> None:
    assert new.json("init", "--json") == {"folder": str(new.folder), "files": FILES, "next": NEXT}
    assert sorted(texts(new.folder)) == sorted(FILES)
    checked = new.run("check", "--strict", WBOX_LANG=lang)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert new.run("test").stdout.splitlines()[-1].startswith("2 passed, 0 failed")


NEXT = ["wbox-notify test", "wbox-notify pair", "wbox-notify run"]


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({"LANG": "tr_TR.UTF-8"}, "tr"),
        ({"LANG": "tr_TR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"WBOX_LANG": "tr", "LANG": "de_DE"}, "tr"),
        ({}, "en"),
    ],
    ids=str,
)
def test_it_speaks_the_language_of_the_user(new: Workplace, environment: dict[str, str], lang: str) -> None:
    ran = new.run("init", "--yes", **environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ("Sırada:" in ran.stdout, "Next:" in ran.stdout) == (lang == "tr", lang == "en")
    assert read(new.folder, {}).settings.lang == lang
    template = (new.folder / "templates" / "new-file.j2").read_text()
    assert ("Yeni dosya" in template) is (lang == "tr")


def test_the_first_file_arrives(new: Workplace, wbox: Simulator) -> None:
    new.run("init", "--yes")
    new.environment |= {"WBOX_API_KEY": "sk_any", "WBOX_DATA_DIR": str(new.folder / "data")}
    new.start("run")
    (new.folder / "drop" / "offer.pdf").write_text("12345")
    [message] = wbox.wait_for(1, 30)
    assert message["body"] == {"phone": "12025550100", "message": "📄 New file: *offer.pdf* (5 B)"}


def test_answers_make_the_settings_and_the_key_is_for_nobody_else(new: Workplace) -> None:
    terminal = Terminal(new, "init", "my shop")
    terminal.answer("Language, dil (en, tr) [en]: ", "tr")
    terminal.answer("WhatsApp numaranız", "555 12")
    terminal.answer("hata:", "0555 123 45 67")
    terminal.answer("Saat diliminiz", "istanbul")
    terminal.answer("şunu mu demek istediniz: `Europe/Istanbul`?", "Europe/Istanbull")
    terminal.answer("şunu mu demek istediniz: `Europe/Istanbul`?", "Europe/Istanbul")
    terminal.answer("wbox anahtarınız", "not a key")
    terminal.answer("sk_ ile başlar", KEY)
    shown = terminal.end()
    assert terminal.process.returncode == 0, shown
    assert KEY not in shown
    assert "cd 'my shop'" in shown
    folder = new.folder / "my shop"
    setup = read(folder, {})
    assert (setup.problems, setup.settings.api_key, setup.settings.region) == ((), KEY, "TR")
    assert (setup.settings.lang, str(setup.settings.tz)) == ("tr", "Europe/Istanbul")
    assert (folder / "api-key").stat().st_mode & 0o777 == 0o600
    assert [name for name, text in texts(folder).items() if KEY.encode() in text] == ["api-key"]
    assert new.run("-c", str(folder), "check", "--strict").returncode == 0
    assert [contact.phone for contact in load(folder, {}).recipients("me")] == ["905551234567"]


def test_a_key_that_is_set_already_is_not_asked_for(new: Workplace) -> None:
    new.environment["WBOX_API_KEY"] = "sk_set_before"
    terminal = Terminal(new, "init")
    terminal.answer("Language", "")
    terminal.answer("Your WhatsApp number", "+49 1512 3456789")
    terminal.answer("Your time zone", "")
    shown = terminal.end()
    assert (terminal.process.returncode, "wbox key" in shown) == (0, False)
    assert not (new.folder / "api-key").exists()
    assert read(new.folder, new.environment).settings.region == "DE"


@pytest.mark.parametrize(
    ("machine", "phone", "zone"),
    [
        ("UTC", "905551234567", "Europe/Istanbul"),
        ("Etc/UTC", "12125550100", "Etc/UTC"),
        ("Europe/Berlin", "905551234567", "Europe/Berlin"),
    ],
)
def test_a_server_that_keeps_utc_is_offered_the_zone_of_the_phone(
    machine: str, phone: str, zone: str
) -> None:
    assert _likely_zone(machine, phone) == zone


def test_who_breaks_off_leaves_nothing(new: Workplace) -> None:
    terminal = Terminal(new, "init", "shop")
    terminal.answer("Language", "")
    until(lambda: "Your WhatsApp number" in terminal.read())
    terminal.process.send_signal(signal.SIGINT)
    terminal.end()
    assert terminal.process.returncode == 130
    assert list(new.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["wbox-notify.yaml", "rules", "templates", "schema", "api-key"])
def test_nothing_is_overwritten(new: Workplace, name: str) -> None:
    (new.folder / name).write_text("mine")
    ran = new.run("init", "--yes")
    assert (ran.returncode, f"has {name} already" in ran.stderr) == (1, True)
    assert texts(new.folder) == {name: b"mine"}


@pytest.mark.parametrize("before", ["*.pyc", "*.pyc\n", "/drop/\n*.pyc\n", ""])
def test_what_git_ignores_already_stays(new: Workplace, before: str) -> None:
    (new.folder / ".gitignore").write_text(before)
    assert new.run("init").returncode == 0
    after = (new.folder / ".gitignore").read_text()
    assert after.startswith(before)
    ours = {"/api-key", "/drop/", "/data/", "/secrets/"}
    assert sorted(after.splitlines()) == sorted({*before.splitlines(), *ours})


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(new: Workplace) -> None:
    ran = new.run("init", "/proc/nowhere")
    assert (ran.returncode, ran.stderr) == (1, "error: /proc/nowhere: No such file or directory\n")
    named = new.run("-c", str(new.folder / "shop"), "init")
    assert (named.returncode, (new.folder / "shop" / "wbox-notify.yaml").exists()) == (0, True)


def test_the_documentation_names_what_it_writes() -> None:
    page = (Path(__file__).parent.parent / "docs" / "first-steps.md").read_text()
    named = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    assert named == {name for name in FILES if "schema/" not in name} | {"schema/", "api-key", "drop/"}


@pytest.mark.parametrize("lang", ["en", "tr"])
def test_the_first_line_of_each_file_leads_an_editor_to_its_schema(new: Workplace, lang: str) -> None:
    new.run("init", WBOX_LANG=lang)
    for name in ("wbox-notify.yaml", "rules/new-file.yaml"):
        path = new.folder / name
        [schema] = re.findall(r"\A# yaml-language-server: \$schema=(\S+)\n", path.read_text())
        document = json.loads((path.parent / schema).read_text())
        jsonschema.Draft202012Validator(document).validate(yaml.safe_load(path.read_text()))
