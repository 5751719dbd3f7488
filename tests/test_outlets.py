"""Outlets: texts through the real Apprise, to real servers, and what is said where that fails."""

import logging
import re
import socket
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import apprise  # noqa: F401 - it logs while it is loaded, before any test is about that
import pytest
from fault_server import FaultServer, Visit, answer
from hypothesis import assume, given
from hypothesis import strategies as st
from rulebook import project, rule_file
from workplace import Workplace, until

from wbox_notify.clients.apprise import Outlets, _reason, name_of
from wbox_notify.engine.rule_tests import run_all
from wbox_notify.model.messages import CalendarEvent, Media, Notice, Poll, Text, notice_of
from wbox_notify.model.outcomes import Outcome
from wbox_notify.rules.loading import load
from wbox_notify.simulator import Simulator

PHONE = "905551234567"
NOTICE = Notice(outlet="ops", text="*disk* is <full> & _hot_", title="Disk rule")


@pytest.fixture(autouse=True)
def no_line_of_apprise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Apprise logs nothing while it works for us."""
    caplog.set_level(1)
    yield
    assert not [record for record in caplog.records if record.name == "apprise"]


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_text_goes_out_as_it_is_with_its_title() -> None:
    got: list[dict[str, str]] = []

    def keep(visit: Visit) -> None:
        while request := visit.request():
            got.append(request.json)
            visit.say(answer(200, ""))

    with FaultServer(keep) as server:
        sent = Outlets({"ops": f"json://{server.url.partition('//')[2]}"}).send(NOTICE)
    assert (sent.outcome, sent.detail) == (Outcome.SENT, "sent")
    assert [(one["title"], one["message"]) for one in got] == [("Disk rule", "*disk* is <full> & _hot_")]


def test_what_a_server_refuses_is_not_sent_and_its_status_is_told() -> None:
    def refuse(visit: Visit) -> None:
        while visit.request():
            visit.say(answer(503, "hunter2"))

    with FaultServer(refuse) as server:
        place = server.url.partition("//")[2]
        sent = Outlets({"ops": f"json://me:hunter2@{place}/hunter2"}).send(NOTICE)
    assert sent.outcome is Outcome.NOT_SENT
    assert sent.detail == "json answered 503 Service Unavailable"


def test_a_closed_port_is_not_sent_and_only_the_host_is_told() -> None:
    url = f"json://me:hunter2@127.0.0.1:{closed_port()}/hunter2?+X-Token=hunter2"
    sent = Outlets({"ops": url}).send(NOTICE)
    assert sent.outcome is Outcome.NOT_SENT
    assert sent.detail.startswith("Apprise: A Connection error occurred")
    assert sent.detail.endswith("127.0.0.1.")
    assert "hunter2" not in sent.detail


@pytest.mark.parametrize("url", ["ntyf://hunter2", "mailto://", "slack://hunter2", "json://["])
def test_an_address_that_has_gone_bad_is_not_sent_and_not_told(url: str) -> None:
    sent = Outlets({"ops": url}).send(NOTICE)
    assert sent.outcome is Outcome.NOT_SENT
    assert "hunter2" not in sent.detail


@given(secret=st.text(string.ascii_letters + string.digits + " ğ%", min_size=4).map(str.strip))
def test_no_reason_holds_a_part_of_an_address(secret: str) -> None:
    assume(len(secret) > 3 and secret.lower() not in "apprise: no way to *** or at 127.0.0.1")
    url = f"json://{quote(secret)}:{quote(secret)}@127.0.0.1/{quote(secret)}?+X-Key={quote(secret)}"
    line = f"no way to x{secret} or {quote(secret)} at 127.0.0.1"
    told = _reason([line], url)
    assert secret.lower() not in told.lower()
    assert quote(secret).lower() not in told.lower()


def test_an_outlet_that_is_gone_refuses() -> None:
    assert Outlets({}).send(NOTICE).outcome is Outcome.REFUSED


def test_the_name_of_a_url_is_its_scheme_and_six_digits_and_never_changes() -> None:
    assert name_of("ntfy://topic") == name_of("ntfy://topic") == "ntfy:d15123"
    assert name_of("ntfy://other") != name_of("ntfy://topic")
    assert name_of("ops-mail") == "ops-mail"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Text(phone=PHONE, message="*hi*"), "*hi*"),
        (Media(phone=PHONE, url="https://e.x/a.jpg", caption="look"), "look\nhttps://e.x/a.jpg"),
        (Media(phone=PHONE, url="https://e.x/a.jpg"), "https://e.x/a.jpg"),
        (Media(phone=PHONE, file="/srv/own/günaydın.jpg", caption="look"), "look\ngünaydın.jpg"),
        (Media(phone=PHONE, file="/srv/own/broken \udcff"), "broken ?"),
        (
            CalendarEvent(phone=PHONE, title="Meet", start="2026-12-01", description="Room"),
            "Meet\n2026-12-01\nRoom",
        ),
        (Poll(phone=PHONE, question="When?", options=("a", "b")), "When?\n- a\n- b"),
        (Text(phone=PHONE, message="broken \udcff"), "broken ?"),
    ],
)
def test_each_kind_of_message_can_be_read_elsewhere(message: Text, text: str) -> None:
    assert notice_of(message, "ops", "Title") == Notice(outlet="ops", text=text, title="Title")


def test_apprise_is_loaded_only_where_there_is_an_outlet(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    program = (
        "import sys; from pathlib import Path; import wbox_notify.daemon.daemon;"
        "from wbox_notify.rules.loading import load;"
        "found = load(Path(sys.argv[1]), {});"
        "print([one.code for one in found.problems], 'apprise' in sys.modules)"
    )
    for text, expected in (("version: 1", "[] False"), ("fallback: ntfy://topic", "[] True")):
        (tmp_path / "wbox-notify.yaml").write_text(text)
        words = [sys.executable, "-c", program, str(tmp_path)]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == expected


def test_the_examples_of_the_documentation_do_what_their_tests_say(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "apprise.md").read_text(encoding="utf-8")
    for file, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", page, re.DOTALL):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    mail = "mailto://user:password@example.com"
    found = load(tmp_path, {"OPS_MAIL": mail, "WBOX_SECRET_SITE": "x" * 32})
    assert found.problems == ()
    assert found.settings.fallback == ("ops-mail", name_of("ntfy://my-topic"))
    assert found.outlets == {"ops-mail": mail, name_of("ntfy://my-topic"): "ntfy://my-topic"}
    [rule] = found.rules
    assert rule.fallback == (name_of("ntfy://my-topic"),)
    assert [trial.complaints for trial in run_all(found, [rule])] == [(), ()]


def test_a_rule_tells_its_outlets_to_the_project_also_literal_ones_of_steps(tmp_path: Path) -> None:
    steps = "escalate: [{after: 1m, via: [json://127.0.0.1, ntfy://b]}]"
    found = project(tmp_path, {"rules/a.yaml": rule_file(f"via: ntfy://a\nfallback: ntfy://b\n{steps}")})
    assert found.problems == ()
    assert sorted(found.outlets.values()) == ["json://127.0.0.1", "ntfy://a", "ntfy://b"]
    assert found.settings.outlets == {}


RULE = """
version: 1
rules:
  - id: new-file
    name: New files
    trigger: {file: {path: drop}}
    to: "+90 555 123 45 67"
    via: ops-mail
    send: {text: "{{ file.name }} for {{ contact.name }}"}
"""


def test_the_daemon_tells_a_phone_and_an_outlet_and_no_command_shows_the_address(
    place: Workplace, wbox: Simulator
) -> None:
    got: list[str] = []

    def keep(visit: Visit) -> None:
        while request := visit.request():
            got.append(request.json["message"])
            visit.say(answer(200, ""))

    with FaultServer(keep) as server:
        url = f"json://me:hunter2@{server.url.partition('//')[2]}"
        place.environment["WBOX_SECRET_OPS_MAIL"] = url
        place.rule(RULE)
        dry = place.run("trigger", "new-file", "--file", "rules/rule.yaml", "--dry-run")
        assert '"outlet": "ops-mail"' in dry.stdout
        place.start("run")
        until(place.has_store)
        (place.drop / "a.txt").write_text("hello")
        until(lambda: got and wbox.messages())
        until(lambda: place.run("log").stdout.count(" sent ") == 2)
    assert got == ["a.txt for ops-mail"]
    assert [message["body"]["message"] for message in wbox.messages()] == ["a.txt for +905551234567"]
    printed = place.run("log").stdout
    assert "notice to ops-mail" in printed
    for words in (["log"], ["log", "--json"], ["queue", "list", "--state", "sent"], ["check"], ["status"]):
        ran = place.run(*words)
        assert "hunter2" not in ran.stdout + ran.stderr
    listed = place.json("queue", "list", "--state", "sent")
    assert [(one["kind"], one["to"]) for one in listed] == [("text", PHONE), ("notice", "ops-mail")]
    assert "hunter2" not in Path(place.folder, "data", "wbox-notify.db").read_bytes().decode("latin-1")


def test_what_others_do_with_apprise_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Outlets({"ops": f"json://127.0.0.1:{closed_port()}"}).send(NOTICE)
    logging.getLogger("apprise").warning("mine")
    assert [record.getMessage() for record in caplog.records if record.name == "apprise"] == ["mine"]
    caplog.clear()
