"""``wbox-notify pair``: a device is linked from the terminal, and nothing of its code stays behind."""

import base64
import json
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import segno
from fault_server import FaultServer, Visit, answer, replying
from terminal import Terminal
from workplace import Workplace, ended, until

from wbox_notify.cli import qr
from wbox_notify.cli.pair import link
from wbox_notify.clients.wbox import ApiError, Client
from wbox_notify.errors import WboxError
from wbox_notify.model.outcomes import Outcome
from wbox_notify.simulator import Simulator


def waiting_code(wbox: Simulator, device: int = 1) -> str:
    """Return the text in the code that the simulator waits for somebody to scan."""
    return str(wbox._world.devices()[device])


def code_in(terminal: Terminal) -> list[str]:
    """Return the lines of the code that was drawn last."""
    return re.findall(r"\x1b\[30;107m.*\x1b\[0m", terminal.read().rpartition("\x1b[J")[2])


def drawn(wbox: Simulator, device: int = 1) -> list[str]:
    """Return the lines of the code of a device as its picture holds it."""
    made = segno.make(waiting_code(wbox, device), error="m", micro=False)
    return qr.lines(qr.Code(b"", [bytes(row) for row in made.matrix]))


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=str)
def test_the_code_is_drawn_scanned_and_gone(
    place: Workplace, wbox: Simulator, environment: dict[str, str]
) -> None:
    place.environment |= environment
    wbox.unlink()
    terminal = Terminal(place, "pair")
    until(lambda: code_in(terminal) == drawn(wbox))
    assert "WhatsApp > Linked devices" in terminal.shown
    wbox.scan()
    shown = terminal.end()
    height = shown.count("\x1b[30;107m") + 2
    after = shown.rpartition(f"\x1b[{height}F\x1b[J")[2]
    assert (terminal.process.returncode, after) == (0, "Device 1 is linked and ready.\n")
    assert not (place.folder / "data").exists()


def test_a_terminal_without_room_for_the_code_gets_a_picture_until_it_has_room(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.unlink()
    terminal = Terminal(place, "pair", lines=20)
    picture = place.folder / "data" / "qr.png"
    until(lambda: str(picture) in re.sub(r"\s", "", terminal.read()))
    assert code_in(terminal) == []
    assert "or make the terminal larger: 55 x " in terminal.shown
    terminal.resize(60, 40)
    until(lambda: code_in(terminal) == drawn(wbox))
    wbox.scan()
    terminal.end()
    assert not picture.exists()


def test_a_terminal_that_has_no_half_blocks_gets_a_picture(place: Workplace, wbox: Simulator) -> None:
    place.environment["PYTHONIOENCODING"] = "latin-1"
    wbox.unlink()
    terminal = Terminal(place, "pair")
    until(lambda: "Scan the picture" in terminal.read())
    wbox.scan()
    assert "larger" not in terminal.end()
    assert terminal.process.returncode == 0


def test_it_speaks_the_language_of_the_project(place: Workplace, wbox: Simulator) -> None:
    place.environment["WBOX_LANG"] = "tr"
    wbox.unlink()
    terminal = Terminal(place, "pair")
    until(lambda: code_in(terminal) == drawn(wbox))
    assert "WhatsApp > Bağlı cihazlar > Cihaz bağla" in terminal.shown
    wbox.scan()
    assert terminal.end().endswith("Cihaz 1 bağlandı ve hazır.\n")


def test_without_a_terminal_the_code_is_a_private_picture_that_goes_away(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.unlink(2)
    process = place.start("pair", "--device", "2", "--json")
    assert process.stdout
    state = json.loads(process.stdout.readline())
    picture = place.folder / "data" / "qr.png"
    assert state == {"device": 2, "ready": False, "picture": str(picture), "reason": None}
    assert picture.stat().st_mode & 0o777 == 0o600
    assert picture.parent.stat().st_mode & 0o777 == 0o700
    until(lambda: qr.lines(qr.read(picture.read_bytes())) == drawn(wbox, 2))
    wbox.scan(2)
    output, errors = process.communicate(timeout=30)
    assert json.loads(output) == {"device": 2, "ready": True, "picture": None, "reason": None}
    assert (process.returncode, errors, list(picture.parent.iterdir())) == (0, "", [])


def test_a_device_that_is_linked_is_left_alone(place: Workplace, wbox: Simulator) -> None:
    ran = place.run("pair")
    assert (ran.returncode, ran.stdout) == (0, "Device 1 is linked and ready.\n")
    assert wbox._world.status(1)["isReady"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_stops_it_is_told_how_to_go_on_and_leaves_no_code(
    place: Workplace, wbox: Simulator, number: int
) -> None:
    wbox.unlink()
    process = place.start("pair")
    picture = place.folder / "data" / "qr.png"
    until(picture.exists)
    code, errors = ended(process, number)
    assert (code, "wbox-notify pair" in errors) == (130, True)
    assert not picture.exists()


def test_what_is_wrong_at_the_start_is_said_as_elsewhere(place: Workplace, wbox: Simulator) -> None:
    away = place.run("pair", WBOX_API_URL="http://127.0.0.1:9")
    assert (away.returncode, "could not be reached" in away.stderr) == (69, True)
    unknown = place.run("pair", "--device", "99999999999")
    assert (unknown.returncode, "device_id" in unknown.stderr) == (1, True)
    assert place.run("pair", WBOX_API_KEY="").returncode == 78
    with Simulator(api_key="sk_other") as strict:
        refused = place.run("pair", "--json", WBOX_API_URL=strict.url)
    assert (refused.returncode, json.loads(refused.stderr)["exit"]) == (77, 77)
    assert wbox._world.linked(1)


def test_a_picture_that_cannot_be_written_is_an_error_that_says_where(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.unlink()
    ran = place.run("pair", WBOX_DATA_DIR="/proc/nowhere")
    assert (ran.returncode, "/proc/nowhere/qr.png cannot be written" in ran.stderr) == (74, True)


def test_a_running_daemon_sends_what_waits_as_soon_as_the_code_is_scanned(
    place: Workplace, wbox: Simulator, daemon: subprocess.Popen[str]
) -> None:
    until(place.card.exists)
    wbox.unlink()
    for text in ("first", "second"):
        assert place.run("send", "text", "+90 555 123 45 67", text).returncode == 75
    process = place.start("pair", "--json")
    assert process.stdout
    process.stdout.readline()
    wbox.scan()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert [message["body"]["message"] for message in wbox.wait_for(2)] == ["first", "second"]
    assert ended(daemon)[0] == 0


def test_the_code_is_in_no_log_and_no_store(place: Workplace, wbox: Simulator, tmp_path: Path) -> None:
    place.environment["WBOX_LOG_LEVEL"] = "debug"
    wbox.unlink()
    with (tmp_path / "log").open("wb") as log:
        daemon = place.start("run", log=log)
        until(place.card.exists)
        process = place.start("pair")
        until((place.folder / "data" / "qr.png").exists)
        code = waiting_code(wbox)
        wbox.scan()
        output, errors = process.communicate(timeout=30)
        daemon.terminate()
        assert daemon.wait(10) == 0
    picture = qr.read(code).picture
    kept = [path.read_bytes() for path in [tmp_path / "log", *(place.folder / "data").iterdir()]]
    for text in (output.encode(), errors.encode(), *kept):
        assert code.encode() not in text
        assert picture[-40:] not in text
        assert b"base64," not in text


class Clock:
    """The time of the simulator, which passes where ``link`` would wait."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 29, 9, tzinfo=UTC)
        self.pauses = 0
        self.happens: dict[int, Callable[[], object]] = {}

    def __call__(self) -> datetime:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.pauses += 1
        assert self.pauses < 100
        self.happens.get(self.pauses, lambda: None)()


Shown = list[qr.Code | str]


def linked(wbox: Simulator, clock: Clock, key: str = "sk_test") -> Shown:
    """Link the first device; return what was shown, without repetitions."""
    shown: Shown = []

    def show(device: int, code: qr.Code | str) -> None:
        assert device == 1
        if code not in shown[-1:]:
            shown.append(code)

    with closing(Client(wbox.url, key, deadline=5)) as client:
        assert link(client, None, show, clock.pause) == 1
    return shown


def test_a_code_that_wbox_renews_is_shown_again() -> None:
    clock = Clock()
    with Simulator(now=clock) as wbox:
        wbox.unlink()
        codes: list[str] = []
        clock.happens = {place: lambda: codes.append(waiting_code(wbox)) for place in range(1, 30)}
        clock.happens[30] = wbox.scan
        shown = linked(wbox, clock)
    expected = [[bytes(row) for row in segno.make(code, error="m").matrix] for code in dict.fromkeys(codes)]
    assert [list(code.modules) for code in shown if isinstance(code, qr.Code)] == expected
    assert len(shown) == 3


def test_wbox_may_be_away_for_a_while() -> None:
    clock = Clock()
    with Simulator(now=clock) as wbox:
        wbox.unlink()
        clock.happens = {2: wbox.stop, 6: wbox.start, 8: wbox.scan}
        shown = linked(wbox, clock)
    assert [type(code) for code in shown] == [qr.Code, str, qr.Code]
    assert "could not be reached" in str(shown[1])


def test_a_session_that_wbox_has_given_up_is_started_again() -> None:
    clock = Clock()
    with Simulator(now=clock) as wbox:
        wbox.unlink()

        def give_up() -> None:
            wbox.scan()
            wbox.unlink()

        clock.happens = {3: give_up, 25: wbox.scan}
        shown = linked(wbox, clock)
    assert [type(code) for code in shown] == [qr.Code, str, qr.Code]


def test_a_key_that_is_refused_meanwhile_ends_it() -> None:
    clock = Clock()
    with Simulator(now=clock) as wbox:
        wbox.unlink()

        def restart() -> None:
            wbox.stop()
            wbox._app = Simulator(api_key="sk_other")._app
            wbox.start()

        clock.happens = {2: restart}
        with pytest.raises(ApiError) as caught:
            linked(wbox, clock)
    assert caught.value.answer.outcome is Outcome.UNAUTHORIZED


TEXT = "2@k3/bQ==,Vt+x0=,b1c=," * 9
PICTURE = qr.read(TEXT).picture
BASE64 = base64.b64encode(PICTURE).decode()
NONE = answer(404, '{"message": "No QR code"}')
NOT_READY = answer(503, '{"message": "WhatsApp client not ready (Scan QR code)."}')


def as_json(**body: object) -> bytes:
    return answer(200, json.dumps(body))


def waiting(code: str | None = None) -> bytes:
    return as_json(device_id=1, isReady=False, state="INITIALIZING", qr=code, status="disconnected")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (waiting(), answer(200, PICTURE)),
        (waiting(), as_json(qr_base64=f"data:image/png;base64,{BASE64}")),
        (waiting(), as_json(qr_base64=BASE64)),
        (waiting(), as_json(qr_base64=TEXT)),
        (waiting("https://wbox.example/qr/1"), as_json(qr_base64=BASE64)),
        (waiting(TEXT), NONE),
        (waiting(f"data:image/png;base64,{BASE64}"), NOT_READY),
        (waiting(BASE64), as_json(qr_base64=None)),
        (NOT_READY, answer(200, PICTURE)),
    ],
    ids=["png", "url", "base64", "text", "not the status", "text of it", "url of it", "base64 of it", "503"],
)
def test_the_code_is_found_wherever_wbox_puts_it(status: bytes, code: bytes) -> None:
    statuses = [as_json(isReady=True, device_id=1), status, status]

    def play(visit: Visit) -> None:
        while asked := visit.request():
            if asked.path.startswith("/v1/session/qr"):
                visit.say(code)
            elif asked.path.startswith("/v1/session/status"):
                visit.say(statuses.pop())
            else:
                visit.say(as_json(success=True))

    shown: Shown = []
    with FaultServer(play) as server, closing(Client(server.url, "sk_test")) as client:
        assert link(client, 1, lambda _device, each: shown.append(each), lambda _seconds: None) == 1
    assert shown == [qr.read(TEXT)]


def test_a_first_device_without_a_number_is_asked_for() -> None:
    with (
        FaultServer(replying(as_json(isReady=False))) as server,
        closing(Client(server.url, "sk_test")) as client,
        pytest.raises(WboxError) as caught,
    ):
        link(client, None, lambda _device, _code: None)
    assert "--device 1" in str(caught.value.hint)
