"""A real Node-RED with our flow: what it sends becomes a message, once, also when the daemon comes later."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from pages import ROOT
from programs import answers, found, free_port, installed, replaced, running
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLES = ROOT / "examples" / "node-red"
SECRET = "a-secret-that-is-long-enough"
TRY_IT = "8f1c0de000000101"
"""The id of the node with the button."""


@pytest.fixture
def ruled(place: Workplace) -> Workplace:
    place.rule((EXAMPLES / "rules.yaml").read_text(encoding="utf-8"))
    place.environment["WBOX_SECRET_NODE_RED"] = SECRET
    return place


@contextmanager
def pressed(folder: Path, daemon: str, secret: str) -> Iterator[Path]:
    """Run Node-RED with our flow and press the button; give its log."""
    node, program = found("node"), installed("node_red") / "node_modules" / "node-red" / "red.js"
    flows = replaced(
        (EXAMPLES / "flows.json").read_text(encoding="utf-8"), ('"timeout": "30"', '"timeout": "1"')
    )
    (folder / "flows.json").write_text(flows, encoding="utf-8")
    (folder / "settings.js").write_text('module.exports = {flowFile: "flows.json", uiHost: "127.0.0.1"};\n')
    port, log = free_port(), folder / "log"
    with running(
        log,
        node,
        program,
        "--userDir",
        folder,
        "--port",
        str(port),
        WBOX_HOOK_URL=f"{daemon}/hook/node-red",
        WBOX_HOOK_TOKEN=secret,
    ):
        until(answers(f"http://127.0.0.1:{port}/"), 100)
        until(lambda: "Started flows" in log.read_text(), 60)
        assert requests.post(f"http://127.0.0.1:{port}/inject/{TRY_IT}", timeout=20).status_code == 200
        yield log


def test_what_a_flow_sends_becomes_a_message_when_the_daemon_is_there(
    ruled: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    ruled.environment["WBOX_LISTEN"] = f"127.0.0.1:{free_port()}"
    with pressed(tmp_path, f"http://{ruled.environment['WBOX_LISTEN']}", SECRET) as log:
        until(lambda: "ECONNREFUSED" in log.read_text(), 60)
        ruled.start("run")
        assert wbox.wait_for(1, 60)[0]["body"]["message"] == "*Boiler*: 58 °C: too cold"


def test_a_call_with_another_secret_is_refused_and_not_tried_again(
    ruled: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    ruled.start("run")
    until(ruled.card.exists)
    with pressed(tmp_path, ruled.url, "another secret of that length") as log:
        until(lambda: "the daemon refused the call: 401" in log.read_text(), 60)
    assert wbox.messages() == []
