"""What the rules of the gallery send, in the inbox; WBOX_TEST_SCREENSHOTS names a folder for the pictures."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect
from test_gallery import project_of

from wbox_notify.cli.gallery import names
from wbox_notify.clients.wbox import ENDPOINTS
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_tests import _BEGINNING, _events, _local, _time_of
from wbox_notify.model.messages import Media, WhatsAppMessage
from wbox_notify.rules.project import Project
from wbox_notify.simulator import Simulator

OpenPage = Callable[..., Page]
SIZE = {"width": 390, "height": 420}
SCREENSHOTS = os.environ.get("WBOX_TEST_SCREENSHOTS", "")


def sent(project: Project, picture: str) -> Iterator[WhatsAppMessage]:
    """Yield what the first test of a rule sends; a file is a picture of the simulator."""
    [rule] = project.rules
    test = rule.tests[0]
    begin = next((given.at for given in test.when if given.at), _BEGINNING)
    store = ReplayStore(project, _local(begin, project.settings.tz))
    for number, given in enumerate(test.when):
        store.wait(_time_of(store, rule, given))
        for event in _events(store, rule, given, number):
            store.happen(event)
    store.wait_for(test.until)
    for _, planned in store.messages:
        message = planned.message
        if isinstance(message, Media):
            message = replace(message, url=picture, file=None)
        if isinstance(message, WhatsAppMessage):
            yield message


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_the_messages_of_a_rule_look_right_on_a_phone(
    name: str, tmp_path: Path, sim: Simulator, open_page: OpenPage
) -> None:
    messages = list(sent(project_of(name, tmp_path), f"{sim.url}/sim/sample.png"))
    assert messages
    for message in messages:
        headers = {"Authorization": "Bearer sk_test"}
        answer = requests.post(
            sim.url + ENDPOINTS[message.kind], json=message.body(), headers=headers, timeout=30
        )
        assert answer.ok, answer.text
    page = open_page(f"{sim.url}/?chat={messages[0].phone}", viewport=SIZE, reduced_motion="reduce")
    bubbles = page.locator("#log .bubble")
    expect(bubbles.first).to_be_visible()
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")
