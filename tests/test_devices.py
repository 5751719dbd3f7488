"""Devices: wbox is asked while somebody looks, tells of the scan at once, and nothing is kept afterwards."""

import pytest
from workplace import a_live

from wbox_notify.clients.wbox import ApiError
from wbox_notify.dispatch.devices import Devices, look_once
from wbox_notify.errors import Exit
from wbox_notify.model.outcomes import Outcome
from wbox_notify.rules.project import Live
from wbox_notify.simulator import Simulator


class Desk:
    """Devices whose thread does a step when it is told to, and a clock that stands."""

    def __init__(self, live: Live) -> None:
        self.time = 0.0
        self.linked = 0
        self.devices = Devices(live, self._note, steady=lambda: self.time)

    def _note(self) -> None:
        self.linked += 1

    def seen(self, device: int | None = None) -> str:
        """Return how a device looks after one more step."""
        self.devices.see([device], 0)
        self.devices.step()
        sight = self.devices.see([device], 0)[device]
        if sight.code:
            return "code"
        if sight.problem:
            return "pairing" if sight.pairing else "problem"
        return "ready" if sight.ready else "unlinked"


@pytest.fixture
def desk(wbox: Simulator) -> Desk:
    return Desk(a_live(wbox.url))


def test_the_scan_is_told_at_once_and_once(desk: Desk, wbox: Simulator) -> None:
    assert desk.seen() == "ready"
    wbox.unlink()
    assert desk.seen() == "unlinked"
    desk.devices.pair(None)
    assert desk.seen() == "code"
    assert desk.linked == 0
    wbox.scan()
    assert [desk.seen(), desk.seen()] == ["ready", "ready"]
    assert desk.linked == 1


def test_a_device_that_is_linked_elsewhere_is_told_too(desk: Desk, wbox: Simulator) -> None:
    wbox.unlink(2)
    assert desk.seen(2) == "unlinked"
    wbox.scan(2)
    assert desk.seen(2) == "ready"
    assert desk.linked == 1


def test_when_nobody_looks_any_more_the_code_is_forgotten_and_wbox_left_alone(
    desk: Desk, wbox: Simulator
) -> None:
    wbox.unlink()
    desk.devices.pair(None)
    assert desk.seen() == "code"
    assert desk.devices.step() < 5
    desk.time += 31
    assert desk.devices.step() > 5
    wbox.stop()
    assert desk.devices.see([None], 0) == {}
    assert desk.devices.step() < 5


def test_a_pairing_outlasts_a_wbox_that_is_away(desk: Desk, wbox: Simulator) -> None:
    wbox.unlink()
    wbox.stop()
    desk.devices.pair(None)
    assert desk.seen() == "pairing"
    wbox.start()
    assert desk.seen() == "code"


def test_a_code_does_not_show_in_what_is_printed(desk: Desk, wbox: Simulator) -> None:
    wbox.unlink()
    desk.devices.pair(None)
    desk.seen()
    assert "PNG" not in repr(desk.devices.see([None], 0))


def test_one_look_tells_the_state_with_the_exit_code(wbox: Simulator) -> None:
    live = a_live(wbox.url)
    assert look_once(live.project, None).fields() == {
        "number": 1,
        "ready": True,
        "problem": None,
        "exit": 0,
    }
    wbox.unlink()
    assert look_once(live.project, 1).fields()["exit"] == Exit.NOT_YET
    with Simulator(api_key="sk_other") as strict:
        sight = look_once(a_live(strict.url).project, 1)
    assert isinstance(sight.problem, ApiError)
    assert sight.problem.answer.outcome is Outcome.UNAUTHORIZED
    assert sight.fields()["exit"] == 77
