"""A real mailrise takes mail by SMTP, and what it says becomes a message."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests
from pages import ROOT
from programs import free_port, installed, replaced, running
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

EXAMPLES = ROOT / "examples" / "mailrise"
SECRET = "a-secret-that-is-long-enough"


@pytest.fixture
def port(place: Workplace, tmp_path: Path) -> Iterator[int]:
    """Run mailrise beside a daemon; give the port of its SMTP."""
    program = installed("mailrise") / "venv" / "bin" / "mailrise"
    text = (EXAMPLES / "mailrise.conf").read_text(encoding="utf-8")
    place.rule((EXAMPLES / "rules.yaml").read_text(encoding="utf-8"))
    place.environment["WBOX_SECRET_MAILRISE"] = SECRET
    place.start("run")
    until(place.card.exists)
    port = free_port()
    (tmp_path / "mailrise.conf").write_text(replaced(text, ("port: 8025", f"port: {port}")))
    url = replaced(
        next(line for line in text.splitlines() if "WBOX_HOOK_URL is" in line).split()[-1],
        ("SECRET", SECRET),
        ("127.0.0.1:8725", place.url.removeprefix("http://")),
    )
    with running(tmp_path / "log", program, "-v", tmp_path / "mailrise.conf", WBOX_HOOK_URL=url):
        until(lambda: answers(port))
        yield port


def answers(port: int) -> bool:
    try:
        smtplib.SMTP("127.0.0.1", port, timeout=20).quit()
    except OSError:
        return False
    return True


def mail(to: str, subject: str, text: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "ups@example.com", to, subject
    made.set_content(text)
    return made


def test_mail_becomes_a_message_and_its_files_are_left_out(port: int, wbox: Simulator) -> None:
    plain = mail("phone@mailrise.xyz", "USV auf Batterie – şimdi", "12 minutes left")
    failure = mail("phone.failure@mailrise.xyz", "Camera 2", "is offline")
    failure.add_attachment(b"\xff\xd8" * 100_000, maintype="image", subtype="jpeg", filename="last.jpg")
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as server:
        server.send_message(plain)
        [first] = wbox.wait_for(1)
        server.send_message(failure)
    assert first["body"]["message"] == "✉️ *USV auf Batterie – şimdi (ups@example.com)*\n12 minutes left"
    second = wbox.wait_for(2)[1]["body"]["message"]
    assert second == "🔴 *Camera 2 (ups@example.com)*\nis offline"


def test_mail_that_the_daemon_refuses_is_refused_and_so_sent_again_later(place: Workplace, port: int) -> None:
    place.rule("version: 1\nrules: []\n")
    until(
        lambda: (
            requests.head(f"{place.url}/hook/mail", auth=("mailrise", SECRET), timeout=20).status_code == 401
        )
    )
    with (
        smtplib.SMTP("127.0.0.1", port, timeout=60) as server,
        pytest.raises(smtplib.SMTPDataError) as caught,
    ):
        server.send_message(mail("phone@mailrise.xyz", "x", "y"))
    assert caught.value.smtp_code == 450
