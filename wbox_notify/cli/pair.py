"""``wbox-notify pair``."""

import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli import qr
from wbox_notify.cli.output import fail, json_option, say, say_json
from wbox_notify.cli.project import Remote, open_without_rules, usable
from wbox_notify.cli.send import device_option
from wbox_notify.clients.pairing import ASK_EVERY, Pairing
from wbox_notify.clients.wbox import Client
from wbox_notify.config import private
from wbox_notify.dispatch import connect
from wbox_notify.errors import Exit, StoreError, WboxError
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _


@click.command("pair")
@device_option
@json_option
@click.pass_obj
def pair(config: Path | None, device: int | None, as_json: bool) -> int:
    """Link a device to a phone: show its QR code until the phone has scanned it.

    Where the terminal is too small for the code, or there is none, the code is a picture that only you can
    read, in the data folder. Exits with 0 when the device is ready, 69 when wbox cannot be reached, 77 when
    the key is refused, 130 on Ctrl-C.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that nothing is left of the code
    project = usable(open_without_rules(config))
    screen = _Screen(project.settings.data_dir / "qr.png", as_json=as_json)
    with closing(connect(project)) as client, closing(screen):
        try:
            device = link(client, device or project.settings.device_id, screen.show)
        except KeyboardInterrupt:
            screen.close()
            problem = Wording("the device is not linked yet")
            hint = "run wbox-notify pair again"
            return fail(problem, hint, Exit.INTERRUPTED, as_json=as_json)
    with suppress(WboxError):  # without a daemon nobody waits
        Remote(project.settings.data_dir).probe()
    if as_json:
        say_json(_state(device, ready=True))
    else:
        say(_("Device {number} is linked and ready.", number=device))
    return 0


def link(
    client: Client,
    device: int | None,
    show: Callable[[int, qr.Code | str], None],
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Wait until a device, by default the first, is linked to a phone; return its number.

    Args:
        client: The way to wbox.
        device: The number of the device.
        show: Is called at each look with the code to scan, or with the reason why there is none.
        pause: Waits for seconds.

    Raises:
        WboxError: there is no such device, the key is refused, or wbox does not answer at the start.
    """
    pairing = Pairing(device, qr.read)
    number = pairing.begin(client)
    while not (look := pairing.look(client)).ready:
        if look.code or look.problem:
            show(number, look.code or str(look.problem))
        pause(ASK_EVERY)
    return number


class _Screen:
    """Shows the code in the terminal if it fits there, else as a picture in a file; neither stays behind.

    Args:
        picture: The path of the picture.
        as_json: Whether a program reads what is printed.
    """

    def __init__(self, picture: Path, *, as_json: bool) -> None:
        self._picture = picture
        self._as_json = as_json
        self._can_draw = sys.stdout.isatty() and "utf" in sys.stdout.encoding.lower() and not as_json
        self._shown: object = None
        self._state: object = None
        self._height = 0

    def show(self, device: int, code: qr.Code | str) -> None:
        """Show the code, or the reason why there is none; what is shown already stays as it is."""
        fits = isinstance(code, qr.Code) and self._fits(code)
        if (code, fits) == self._shown:
            return
        self._shown = code, fits
        self._erase()
        if isinstance(code, str):
            self._say(_state(device, reason=code), _("No QR code yet: {reason}", reason=printable(code)))
        elif fits:
            lines = [_on_the_phone(), *qr.lines(code), _("Waiting for the scan. Ctrl-C ends.")]
            click.echo("\n".join(lines), color=True)  # it is no decoration
            self._height = len(lines)
        else:
            self._write(code.picture)
            text = _("Scan the picture {path}", path=self._picture)
            if self._can_draw and code.modules:
                columns, rows = self._size(code)
                text = _(
                    "Scan the picture {path}, or make the terminal larger: {columns} x {rows}",
                    path=self._picture,
                    columns=columns,
                    rows=rows,
                )
            self._say(_state(device, picture=str(self._picture)), f"{_on_the_phone()}\n{text}")

    def close(self) -> None:
        """Remove the code from the screen and from the disk."""
        self._erase()
        with suppress(OSError):
            self._picture.unlink()

    def _fits(self, code: qr.Code) -> bool:
        """Return whether the terminal can show a code as a whole."""
        room, (columns, lines) = shutil.get_terminal_size(), self._size(code)
        has_room = columns <= room.columns and lines <= room.lines
        return self._can_draw and bool(code.modules) and has_room

    def _size(self, code: qr.Code) -> tuple[int, int]:
        """Return the columns and the lines that it takes to show a code in a terminal."""
        return max(qr.width(code), len(_on_the_phone())), len(qr.lines(code)) + 3

    def _erase(self) -> None:
        if self._height:
            click.echo(f"\x1b[{self._height}F\x1b[J", nl=False, color=True)
        self._height = 0

    def _write(self, picture: bytes) -> None:
        try:
            private.write(self._picture, picture)
        except OSError as error:
            problem = f"{self._picture} cannot be written: {error.strerror}"
            raise StoreError(problem, hint="WBOX_DATA_DIR names the data folder") from error

    def _say(self, state: dict[str, Any], text: str) -> None:
        """Print a new state, for a program or for a person."""
        if state == self._state:
            return
        self._state = state
        if self._as_json:
            say_json(state)
        else:
            say(text)


def _on_the_phone() -> str:
    return _("On the phone: WhatsApp > Linked devices > Link a device")


def _state(
    device: int, *, ready: bool = False, picture: str | None = None, reason: str | None = None
) -> dict[str, Any]:
    return {"device": device, "ready": ready, "picture": picture, "reason": reason}
