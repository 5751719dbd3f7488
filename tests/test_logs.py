"""The log: text or JSON, one event id through every line, and no phone or secret in any."""

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from workplace import running, settings_for

from wbox_notify.cli.logs import log_to_stderr
from wbox_notify.config.reading import read
from wbox_notify.errors import ConfigError
from wbox_notify.model.log_subject import about
from wbox_notify.model.reasons import notice
from wbox_notify.model.redaction import learn
from wbox_notify.model.texts import Wording, spoken
from wbox_notify.simulator import Simulator

RULES = """
version: 1
contacts: {me: "+905551234567"}
rules:
  - id: called
    trigger: {webhook: {path: call, open: true}}
    to: me
    send: {text: "number {{ body.number }}"}
  - id: failing
    trigger: {webhook: {path: call, open: true}}
    to: me
    send: {text: "{{ body.missing }}"}
"""


@pytest.fixture(autouse=True)
def log_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handlers, level, hook = logging.root.handlers[:], logging.root.level, threading.excepthook
    monkeypatch.setenv("WBOX_LOG_LEVEL", "info")
    yield
    logging.captureWarnings(capture=False)
    logging.root.handlers[:], threading.excepthook = handlers, hook
    logging.root.setLevel(level)


def test_one_event_id_goes_through_intake_planning_attempt_and_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES)
    (tmp_path / "wbox-notify.yaml").write_text('version: 1\nowner: "+905557654321"\n')
    log_to_stderr("json")
    with Simulator() as wbox, running(tmp_path, settings_for(wbox, tmp_path / "data")) as daemon:
        requests.post(f"{daemon.url}/hook/call", json={"number": 7}, timeout=10)
        wbox.wait_for(2)  # the message and the alarm
    text = capsys.readouterr().err
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    event = next(line["event"] for line in lines if line["message"] == "webhook event kept")
    of_event = [line for line in lines if line.get("event") == event]
    assert {line["logger"].removeprefix("wbox_notify.") for line in of_event} >= {
        "store.store",
        "daemon.planner",
        "dispatch.dispatcher",
    }
    attempts = [line for line in of_event if line["logger"].endswith("dispatcher")]
    assert {line["rule"] for line in attempts} == {"called"}
    assert len({line["delivery"] for line in attempts}) == 1
    assert [line["level"] for line in attempts] == ["info"]
    assert any(line.get("rule") == "failing" and "send" in line["message"] for line in of_event)
    assert any(line.get("event", "").startswith("alarm:") for line in lines)
    assert all(line["time"][10] == "T" and line["time"][-6] in "+-" for line in lines)
    assert "905551234567" not in text


def test_text_names_the_same_at_the_end_of_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("text")
    with about(event="webhook:1", rule=""), about(delivery=3):
        logging.getLogger("a").warning("refused")
    logging.getLogger("a").warning("over")
    first, second = capsys.readouterr().err.splitlines()
    assert first[8:] == "  WARNING  refused  (event=webhook:1 delivery=3)"
    assert second[8:] == "  WARNING  over"


def test_text_tells_wordings_in_the_language_of_the_project_and_json_in_english(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given_up = notice("given up", rule="siparis", many=1, why=Wording("not sent in time"))
    spoken.set("tr")
    for form in ("text", "json"):
        log_to_stderr(form)
        logging.getLogger("a").warning("%s", given_up)
    spoken.set("en")
    text, in_json = capsys.readouterr().err.splitlines()
    assert "siparis kuralının gönderilemeyen mesajları: 1 (zamanında gönderilemedi)" in text
    assert "Messages of rule siparis that could not be sent: 1 (not sent in time)" in in_json


def test_rules_that_were_read_anew_are_no_warning_and_are_seen_by_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WBOX_LOG_LEVEL")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES)
    log_to_stderr("text")
    with Simulator() as wbox, running(tmp_path, settings_for(wbox, tmp_path / "data")) as daemon:
        daemon.reload_and_log()
    assert "INFO  rules reloaded: 2" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_holds_no_secret_and_stays_one_line(capsys: pytest.CaptureFixture[str], form: str) -> None:
    learn('a "secret"\nof two lines')
    log_to_stderr(form)
    with about(event='a "secret"\nof two lines'):
        logging.getLogger("a").error("key sk_abcdef, a %s\n\udcff", 'a "secret"\nof two lines')
    (line,) = capsys.readouterr().err.splitlines()
    assert "two lines" not in line
    assert "sk_***" in line
    if form == "json":
        assert json.loads(line)["message"].startswith("key sk_***, a ***")


def test_what_repeats_within_seconds_is_one_line_for_each_event(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("json")
    for event in ("a", "a", "b"):
        with about(event=event):
            logging.getLogger("a").warning("refused")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["a", "b"]


def test_the_format_is_a_setting_that_a_variable_wins_over(tmp_path: Path) -> None:
    (tmp_path / "wbox-notify.yaml").write_text("log: {format: json}\n")
    assert read(tmp_path, {}).settings.log_format == "json"
    assert read(tmp_path, {"WBOX_LOG_FORMAT": "text"}).settings.log_format == "text"
    (problem,) = read(tmp_path, {"WBOX_LOG_FORMAT": "xml"}).problems
    assert "xml is not a format of the log" in problem.message


def test_an_unknown_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WBOX_LOG_LEVEL", "loud")
    with pytest.raises(ConfigError, match="unknown level loud"):
        log_to_stderr("json")
