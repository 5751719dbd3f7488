"""The gallery: each rule loads beside the settings of a new project, and does what its tests say."""

from pathlib import Path

import pytest
from pages import ROOT, page
from reference import gallery_reference
from workplace import Workplace

from wbox_notify.cli.gallery import names, rule_file
from wbox_notify.engine.rule_tests import run_all
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

SETTINGS = """\
version: 1
public_url: https://notify.example.com
contacts: {me: "+90 555 123 45 67"}
defaults: {tz: Europe/Istanbul, lang: LANG, region: TR}
"""


def project_of(name: str, folder: Path, lang: str = "en") -> Project:
    """Return a project with one rule of the gallery."""
    (folder / "rules").mkdir()
    (folder / "rules" / f"{name}.yaml").write_text(rule_file(name, lang), encoding="utf-8")
    (folder / "wbox-notify.yaml").write_text(SETTINGS.replace("LANG", lang), encoding="utf-8")
    return load(folder, {})


def test_there_are_thirty_and_each_name_is_that_of_its_rule() -> None:
    assert len(names()) == len(list(ROOT.glob("examples/gallery/*/*.yaml"))) >= 30
    assert [name for name, path in names().items() if f"  - id: {name}\n" not in path.read_text()] == []


@pytest.mark.parametrize("lang", ["en", "tr"])
@pytest.mark.parametrize("name", names())
def test_a_rule_loads_without_a_warning_and_does_what_its_tests_say(
    name: str, lang: str, tmp_path: Path
) -> None:
    project = project_of(name, tmp_path, lang)
    assert [problem.message for problem in project.problems] == []
    results = list(run_all(project, project.rules))
    assert results
    assert [result.complaints for result in results if not result.passed] == []


@pytest.mark.parametrize("name", names())
def test_a_rule_is_there_in_turkish_and_differs_in_its_words_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "tr").mkdir()
    [english] = project_of(name, tmp_path / "en").rules
    [turkish] = project_of(name, tmp_path / "tr", "tr").rules
    assert turkish.name != english.name
    assert (turkish.id, len(turkish.tests)) == (english.id, len(english.tests))
    assert [type(trigger) for trigger in turkish.triggers] == [type(trigger) for trigger in english.triggers]


def test_the_page_is_made_of_the_files_and_shows_a_picture_of_each() -> None:
    assert page("docs/gallery") == f"{gallery_reference()}\n"


def test_a_project_begins_with_rules_of_the_gallery(place: Workplace) -> None:
    place.folder = place.folder.with_name("new")
    place.folder.mkdir()
    made = place.json("init", "--from", "new-order", "--from", "power")["files"]
    assert {"rules/new-order.yaml", "rules/power.yaml"} <= set(made)
    assert "rules/new-file.yaml" not in made
    assert place.run("test").returncode == 0
    assert (
        (place.folder / "rules/power.yaml")
        .read_text()
        .startswith("# yaml-language-server: $schema=../schema")
    )


def test_a_project_in_turkish_begins_with_rules_in_turkish(place: Workplace) -> None:
    place.run("init", str(place.folder / "new"), "--from", "new-order", WBOX_LANG="tr")
    assert "name: Yeni sipariş" in (place.folder / "new" / "rules" / "new-order.yaml").read_text("utf-8")


def test_only_the_rule_that_watches_drop_is_begun_by_a_file_in_drop(place: Workplace) -> None:
    said = [
        place.run("init", str(place.folder / f"new{number}"), *words).stdout
        for number, words in enumerate([(), ("--from", "recall")])
    ]
    assert ["drop/\n" in text for text in said] == [True, False]


def test_a_name_that_the_gallery_has_not_is_an_error_that_writes_nothing(place: Workplace) -> None:
    ran = place.run("init", str(place.folder / "new"), "--from", "new-ordr")
    assert ran.returncode == 1
    assert "did you mean `new-order`?" in ran.stderr
    assert not (place.folder / "new").exists()
