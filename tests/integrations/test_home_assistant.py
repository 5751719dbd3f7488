"""A real Home Assistant with our configuration: what its automation tells becomes a message."""

import json
import shutil
from pathlib import Path

import pytest
from pages import ROOT
from programs import installed, running
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

EXAMPLES = ROOT / "examples" / "home-assistant"
SECRET = "a-secret-that-is-long-enough"

# A sensor that is wet when Home Assistant has started.
HOUSE = """
automation ours: !include automations.yaml
automation:
  - triggers: {trigger: homeassistant, event: start}
    actions:
      - {action: input_boolean.turn_on, target: {entity_id: input_boolean.wet}}
input_boolean:
  wet: {name: Wet, initial: false}
template:
  - binary_sensor:
      - name: Cellar moisture
        state: "{{ is_state('input_boolean.wet', 'on') }}"
"""


def test_what_an_automation_tells_becomes_a_message(
    place: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    program = installed("home_assistant") / "venv" / "bin" / "hass"
    place.rule((EXAMPLES / "rules.yaml").read_text(encoding="utf-8"))
    place.environment["WBOX_SECRET_HOME"] = SECRET
    place.start("run")
    until(place.card.exists)
    house = tmp_path / "house"
    house.mkdir()
    shutil.copy(EXAMPLES / "automations.yaml", house)
    ours = (EXAMPLES / "configuration.yaml").read_text(encoding="utf-8")
    (house / "configuration.yaml").write_text(ours + HOUSE, encoding="utf-8")
    secrets = {"wbox_hook": f"{place.url}/hook/home", "wbox_bearer": f"Bearer {SECRET}"}
    (house / "secrets.yaml").write_text(json.dumps(secrets))
    with running(tmp_path / "log", program, "--config", house, "--skip-pip"):
        message = wbox.wait_for(1, 180)[0]["body"]["message"]
    assert message.startswith("🏠 *Water in the cellar*\nCellar moisture since ")
