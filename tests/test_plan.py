"""``plan``: what edited rules would have sent of stored events, beside the rules in use."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rulebook import project as project_of
from workplace import Workplace, ended

from wbox_notify.engine.backtest import Happening, compare, happenings, said
from wbox_notify.model.events import Event
from wbox_notify.simulator import Simulator

RULES = """
version: 1
contacts: {ayse: "+90 555 123 45 67", mert: "+90 555 765 43 21"}
rules:
  - id: texts
    trigger: {file: {path: drop, match: "*.txt"}}
    to: ayse
    send: {text: "new: {{ file.name }}"}
  - id: morning
    trigger: {schedule: "09:00"}
    to: ayse
    send: {text: "good morning"}
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A place whose daemon has told of two files."""
    with Simulator() as wbox:
        place = Workplace(tmp_path_factory.mktemp("plan") / "project", wbox)
        place.rule(RULES)
        for name in ("a.txt", "b.txt"):
            (place.drop / name).write_text(name)
        daemon = place.start("run")
        wbox.wait_for(2)
        assert ended(daemon)[0] == 0
        sent = len(wbox.messages())
        yield place
        assert len(wbox.messages()) == sent, "nothing was sent"
        place.leave()


def edited(used: Workplace, folder: Path, text: str) -> str:
    """Return a copy of the project with other rules; its paths are of the place of the daemon's own."""
    shutil.copytree(used.folder, folder)
    (folder / "rules" / "rule.yaml").write_text(text)
    return str(folder)


def test_rules_that_are_as_they_were_differ_in_nothing(used: Workplace) -> None:
    ran = used.run("plan")
    assert ran.returncode == 0
    assert "0 added, 0 gone, 0 changed; nothing was sent" in ran.stdout
    assert used.json("plan")["messages"]["before"] == used.json("plan")["messages"]["after"] >= 2


def test_what_is_added_gone_and_changed_is_shown_with_its_text(used: Workplace, tmp_path: Path) -> None:
    text = RULES.replace('    to: ayse\n    send: {text: "new', '    to: mert\n    send: {text: "new')
    folder = edited(used, tmp_path / "other", text.replace("good morning", "Günaydın"))
    ran = used.run("plan", folder, "--since", "3d")
    assert ran.returncode == 1
    shown = used.json("plan", folder, "--since", "3d")
    assert [message["to"] for message in shown["added"]] == ["905557654321"] * 2
    assert [message["to"] for message in shown["gone"]] == ["905551234567"] * 2
    assert len(shown["changed"]) == 3
    assert shown["changed"][0]["after"]["message"] == {"message": "Günaydın"}
    assert "2 added, 2 gone, 3 changed" in ran.stdout
    assert "text  to +90555***4321  new: a.txt" in ran.stdout
    assert "905557654321" not in ran.stdout
    assert "texts" in ran.stdout
    text = RULES.replace("good morning", "Günaydın")
    assert "rule texts" not in used.run("plan", edited(used, tmp_path / "third", text)).stdout


def test_next_shows_schedules_and_what_is_held_until_when(used: Workplace) -> None:
    (step,) = used.json("plan", "--next")
    assert (step["what"], step["rule"]) == ("schedule", "morning")
    assert "09:00:00  schedule     morning" in used.run("plan", "--next").stdout


def test_a_broken_version_is_refused(used: Workplace, tmp_path: Path) -> None:
    folder = edited(used, tmp_path / "broken", "version: 1\nrules: [")
    ran = used.run("plan", folder)
    assert ran.returncode == 78
    assert f"in {folder}" in ran.stderr


def test_schedules_are_those_of_each_version_and_time_moves_on_to_the_end(tmp_path: Path) -> None:
    rules = """
version: 1
rules:
  - id: digest
    trigger: {webhook: {path: a, open: true}}
    digest: {at: "18:00"}
    to: "+905551234567"
    send: {text: "{{ events | length }} events"}
  - id: daily
    trigger: {schedule: "09:00"}
    to: "+905551234567"
    send: {text: "nine"}
"""
    begin = datetime(2026, 11, 2, tzinfo=UTC)
    settings = "defaults: {tz: UTC}\n"
    before = project_of(tmp_path / "a", {"rules/a.yaml": rules, "wbox-notify.yaml": settings})
    rules = rules.replace("09:00", "09:05")
    after = project_of(tmp_path / "b", {"rules/a.yaml": rules, "wbox-notify.yaml": settings})
    data = {"path": "a", "method": "POST", "headers": {}, "query": {}, "body": {}}
    stored = [
        Happening(begin + timedelta(hours=hour), Event(id=f"e{hour}", type="webhook", at=begin, data=data))
        for hour in range(5)
    ]
    until = begin + timedelta(days=1)
    older, newer = (
        said(part, happenings(part, stored, begin, until), begin, until) for part in (before, after)
    )
    assert sorted((f"{message.at:%H:%M}", message.planned.rule) for message in newer.values()) == [
        ("09:05", "daily"),
        ("18:00", "digest"),
    ]
    difference = compare(older, newer)
    assert [f"{message.at:%H:%M}" for message in difference.added] == ["09:05"]
    assert [f"{message.at:%H:%M}" for message in difference.gone] == ["09:00"]
