"""A real Uptime Kuma, set up as our page says, tells of a site that goes down and comes up."""

import subprocess
from pathlib import Path

import pytest
from pages import ROOT
from programs import answers, found, free_port, installed, replaced, running, website
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLES = ROOT / "examples" / "uptime-kuma"
TOKEN = "a token that is long enough"


def test_a_site_that_goes_down_and_comes_up_is_told_and_the_test_button_too(
    place: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    node, source = found("node"), installed("uptime_kuma") / "source"
    rules = (EXAMPLES / "rules.yaml").read_text(encoding="utf-8")
    place.rule(replaced(rules, ("wait: 10s, interval: 2m", "wait: 1s, interval: 1s")))
    place.environment["WBOX_SECRET_UPTIME_KUMA"] = TOKEN
    place.start("run")
    until(place.card.exists)
    headers = replaced((EXAMPLES / "headers.json").read_text(), ("TOKEN", TOKEN))
    port, target = free_port(), free_port()
    words = (node, Path(__file__).with_name("uptime_kuma.js"), f"http://127.0.0.1:{port}")
    with running(
        tmp_path / "log",
        node,
        "server/server.js",
        cwd=source,
        DATA_DIR=f"{tmp_path}/kuma/",
        UPTIME_KUMA_DB_TYPE="sqlite",
        UPTIME_KUMA_HOST="127.0.0.1",
        UPTIME_KUMA_PORT=str(port),
    ):
        until(answers(f"http://127.0.0.1:{port}/"), 120)
        subprocess.run(
            (*words, f"{place.url}/hook/uptime-kuma", headers, f"http://127.0.0.1:{target}"),
            cwd=source,
            check=True,
            timeout=100,
        )
        trial, down = (message["body"]["message"].rstrip() for message in wbox.wait_for(2, 60))
        with website(target):
            up = wbox.wait_for(3, 60)[2]["body"]["message"].rstrip()
    assert trial == "ℹ️ wbox-notify Testing"
    assert down.startswith("🔥 *Shop*: ")
    assert "ECONNREFUSED" in down
    assert up == "✅ *Shop* is up"
