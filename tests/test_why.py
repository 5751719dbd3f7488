"""``why`` and the filters of ``log``: what became of a file, a person's messages, a rule and a delivery."""

import os
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from workplace import Workplace, ended, until

from wbox_notify.cli import lines
from wbox_notify.simulator import Simulator
from wbox_notify.web.console import show

RULES = """
version: 1
contacts: {ayse: "+90 555 123 45 67", mert: "+90 555 765 43 21"}
rules:
  - id: invoice
    trigger: {file: {path: drop, match: "*.pdf", done: archive/}}
    to: ayse
    send: {text: "Invoice {{ file.name }}"}
  - id: large
    trigger: {file: {path: drop, match: "*.pdf"}}
    if: file.size > 999
    to: ayse
    send: {text: x}
  - id: together
    trigger: {file: {path: drop, match: "*.jpg"}}
    group: {wait: 1s}
    to: mert
    send: {text: "{{ group.items | length }} pictures"}
  - id: impossible
    trigger: {file: {path: drop, match: "*.txt"}}
    to: mert
    send: {text: "{{ [][file.size] }}"}
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A place where a file was told and put away, two were told together, and one could not be told."""
    with Simulator() as wbox:
        place = Workplace(tmp_path_factory.mktemp("why") / "project", wbox)
        place.rule(RULES)
        (place.drop / "A.pdf").write_text("pdf")
        (place.drop / "1.jpg").write_text("one")
        (place.drop / "2.jpg").write_text("two")
        (place.drop / "b.txt").write_text("text")
        daemon = place.start("run")
        wbox.wait_for(2)
        until((place.drop / "archive" / "A.pdf").exists)
        assert ended(daemon)[0] == 0
        yield place
        place.leave()


def test_decisions_that_are_alike_are_told_once_with_their_number() -> None:
    told = lines.together(["if: x", "send: 1", "if: x"])
    assert list(told) == ["if: x  (\N{MULTIPLICATION SIGN} 2)", "send: 1"]
    alike, other = {"stage": "if", "detail": "x"}, {"stage": "send", "detail": "1"}
    assert show.together([alike, other, alike]) == [(alike, 2), (other, 1)]


def test_a_turkish_sentence_begins_with_a_turkish_letter() -> None:
    turkish, english = (show.Show(lang, lambda: UTC, lambda: 0.0) for lang in ("tr", "en"))
    assert (turkish.sentence("iki harf"), english.sentence("it is so")) == ("İki harf.", "It is so.")


def test_a_file_that_was_told_shows_each_step_of_each_rule(told: Workplace) -> None:
    printed = told.run("why", str(told.drop / "A.pdf")).stdout
    lines = [line.strip() for line in printed.splitlines()]
    assert "A.pdf (3 B)" in lines[0]
    assert {"invoice", "large"} <= set(lines)
    assert "stopped if: if[0] file.size > 999 (file.size = 3)" in lines
    assert "message: Invoice A.pdf" in lines
    assert any(line.startswith("attempt 1 ") and "sent  HTTP 200" in line for line in lines)
    assert told.run("why", str(told.drop / "archive" / "A.pdf")).stdout == printed, "also where it lies now"


def test_a_turkish_reader_is_told_outcomes_and_states_in_turkish(told: Workplace) -> None:
    printed = told.run("why", str(told.drop / "A.pdf"), WBOX_LANG="tr").stdout
    lines = [line.strip() for line in printed.splitlines()]
    assert any(line.startswith("durdu     if: ") for line in lines), printed
    assert any("  gönderildi" in line for line in lines), printed


def test_both_members_of_a_group_lead_to_its_message(told: Workplace) -> None:
    for name in ("1.jpg", "2.jpg"):
        (event,) = told.json("why", str(told.drop / name))["events"]
        (delivery,) = event["deliveries"]
        assert delivery["message"] == {"message": "2 pictures"}
        assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["sent"]


def test_a_rule_a_person_and_a_delivery_each_lead_to_their_events(told: Workplace) -> None:
    def about(*words: str) -> set[str]:
        return {Path(event["about"]).name.split()[0] for event in told.json("why", *words)["events"]}

    assert about("large") == {"A.pdf"}
    assert about("ayse") == about("+905551234567") == {"A.pdf"}
    assert about("mert") == {"1.jpg", "2.jpg"}
    assert len(about("1")) == 1
    assert about() == {"A.pdf", "1.jpg", "2.jpg", "b.txt"}
    assert about("large", "--until", "2h") == set()


def test_a_file_that_no_rule_takes_is_explained(told: Workplace) -> None:
    (told.drop / "a.docx").write_text("no rule")
    ran = told.run("why", str(told.drop / "a.docx"))
    assert ran.returncode == 0
    assert "invoice: no pattern matches" in ran.stdout
    ran = told.run("why", str(told.drop / "gone.pdf"))
    assert "gone.pdf is not there, and no rule has seen it" in ran.stdout


def test_a_name_that_is_no_text_is_explained_and_asked_for(told: Workplace) -> None:
    name = os.fsdecode(b"\xe7ay.docx")
    (told.drop / name).touch()
    assert "invoice: no pattern matches" in told.run("why", str(told.drop / name)).stdout
    for words in (["log", "--rule", name], ["queue", "list", "--event", name], ["replay", "--rule", name]):
        assert told.run(*words).returncode in {0, 3}


def test_what_nobody_knows_is_said_with_an_exit_code(told: Workplace) -> None:
    assert told.run("why", "large", "--since", "2030-01-01").returncode == 3
    for unknown in ("nobody", "9999"):
        ran = told.run("why", unknown)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "error:" in ran.stderr
    assert told.run("why", "large", "--since", "yesterday").returncode == 2


def test_log_shows_a_rule_a_person_and_a_span_of_time(told: Workplace) -> None:
    assert "A.pdf" in told.run("log", "--rule", "large").stdout
    assert "jpg" not in told.run("log", "--rule", "large").stdout
    assert "A.pdf" not in told.run("log", "--to", "mert").stdout
    assert told.run("log", "--since", "2h").stdout == told.run("log").stdout
    assert told.run("log", "--until", "2h").stdout == ""
    failed = told.run("log", "--failed").stdout
    assert "b.txt" in failed
    assert "A.pdf" not in failed
