"""A real apprise-api, with our providers and the files of our page, hands on what it is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from pages import ROOT
from programs import answers, free_port, installed, replaced, running
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLES = ROOT / "examples" / "apprise-api"
TOKEN = "a-token-that-is-long-enough"


@pytest.fixture
def server(place: Workplace, wbox: Simulator, tmp_path: Path) -> Iterator[str]:
    """Run the program beside a daemon; give its address."""
    folder = installed("apprise_api")
    rules = (EXAMPLES / "rules.yaml").read_text(encoding="utf-8")
    place.rule(replaced(rules, ('unless: body.type == "failure"', 'unless: "true"')))  # at any hour
    place.environment["WBOX_SECRET_APPRISE"] = TOKEN
    place.start("run")
    until(place.card.exists)
    assert place.run("install", "apprise", "--to", str(tmp_path / "plugin")).returncode == 0
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "wbox.yml").write_text(
        replaced(
            (EXAMPLES / "wbox.yml").read_text(),
            ("json://host.docker.internal:8725", place.url.replace("http", "json")),
            ("TOKEN", TOKEN),
            ("wbox://KEY/", f"{wbox.url.replace('http://', 'wbox://sk_canary_4711@')}/"),
            ("?attach", "?tls=no&attach"),
        )
    )
    compose = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())
    port = free_port()
    with running(
        tmp_path / "log",
        folder / "venv" / "bin" / "gunicorn",
        f"--bind=127.0.0.1:{port}",
        "core.wsgi:application",
        cwd=folder / "source" / "apprise_api",
        HOME=str(tmp_path),  # where gunicorn keeps a socket
        APPRISE_WORKER_COUNT="1",
        APPRISE_CONFIG_DIR=str(tmp_path / "config"),
        APPRISE_ATTACH_DIR=str(tmp_path / "attach"),
        APPRISE_PLUGIN_PATHS=str(tmp_path / "plugin"),
        **compose["services"]["apprise"]["environment"],
    ):
        url = f"http://127.0.0.1:{port}"
        until(answers(url), 120)
        yield url


def test_what_it_is_told_goes_by_a_rule_or_straight(server: str, wbox: Simulator) -> None:
    notice = {"title": "Backup", "body": "no space", "type": "failure"}
    for tag in ("rules", "direct"):
        answer = requests.post(f"{server}/notify/wbox", {**notice, "tag": tag}, timeout=60)
        assert answer.status_code == 200, answer.text
    by_rule, straight = (message["body"] for message in wbox.wait_for(2))
    assert by_rule["message"] == "🔥 *Backup*\nno space"
    assert straight["message"] == "*Backup*\nno space"
    assert straight["phone"] == "905551112233"


def test_its_addresses_are_not_told_by_the_network(server: str) -> None:
    answer = requests.post(f"{server}/get/wbox", timeout=60)
    assert answer.status_code == 403
    assert TOKEN not in answer.text
