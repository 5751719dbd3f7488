"""What a program logs as an error reaches a phone, in few messages, and never harms the program."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import blocks

from wbox_notify.log_handler import LogHandler
from wbox_notify.simulator import Simulator


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.Logger("shop")  # noqa: LOG001 - one that no other test knows
    yield logger
    for handler in logger.handlers:
        handler.close()


def url(wbox: Simulator) -> str:
    return f"wbox://sk_test@127.0.0.1:{wbox.url.rpartition(':')[2]}/905551234567?tls=no"


def messages(wbox: Simulator, many: int = 1) -> list[str]:
    return [sent["body"]["message"] for sent in wbox.wait_for(many)]


def test_errors_of_a_moment_are_one_message_and_less_is_none(log: logging.Logger, wbox: Simulator) -> None:
    handler = LogHandler(url(wbox), wait=3600)
    log.addHandler(handler)
    log.error("no space on %s", "/srv")
    log.warning("hot")
    try:
        int("bad")
    except ValueError:
        log.exception("failed")
    handler.flush()
    [message] = messages(wbox)
    assert "no space on /srv\nfailed\nTraceback" in message
    assert "ValueError: invalid literal" in message
    assert "hot" not in message


def test_the_first_record_waits_for_others_and_then_goes_by_itself(
    log: logging.Logger, wbox: Simulator
) -> None:
    log.addHandler(LogHandler(url(wbox), level=logging.INFO, wait=0.01))
    log.info("one")
    assert "one" in messages(wbox)[0]
    log.info("two")
    assert "two" in messages(wbox, 2)[1]


def test_a_flood_is_counted(log: logging.Logger, wbox: Simulator) -> None:
    handler = LogHandler(url(wbox), wait=3600)
    log.addHandler(handler)
    for number in range(1000):
        log.error("error %d", number)
    handler.flush()
    handler.flush()
    [message] = messages(wbox)
    assert message.endswith("error 19\n… and 980 more")


def test_what_the_sending_itself_logs_is_not_sent(wbox: Simulator) -> None:
    wbox.fault(status=500)
    root, handler = logging.getLogger(), LogHandler(url(wbox), level=logging.DEBUG, wait=3600)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        logging.getLogger("shop").error("mine")
        handler.flush()
        assert handler._lines == []
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def test_a_record_that_cannot_be_written_or_sent_does_no_harm(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = LogHandler("wbox://sk_test@127.0.0.1:9/905551234567?tls=no", wait=3600)
    log.addHandler(handler)
    log.error("%d", "no number")
    log.error("fine")
    handler.flush()
    assert "1 log records could not be sent to all" in capsys.readouterr().err


def test_what_has_gathered_is_sent_at_the_end_of_a_program(wbox: Simulator) -> None:
    program = f"""
import logging
import os
from wbox_notify.log_handler import LogHandler
logging.getLogger().addHandler(LogHandler({url(wbox)!r}, {url(wbox)!r}))
logging.error("the last word")
"""
    ran = subprocess.run([sys.executable, "-c", program], check=True, timeout=60, capture_output=True)
    assert ran.stderr == b""
    assert all("the last word" in message for message in messages(wbox, 2))


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    examples = "\n".join(block for block in blocks("python", "docs/python") if "requests.post" not in block)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WBOX_DATA_DIR": str(tmp_path / "data")}
    ran = subprocess.run(
        [sys.executable, "-c", examples], env=environ, timeout=60, capture_output=True, check=True
    )
    assert b"log records could not be sent" in ran.stderr, "no daemon runs"
