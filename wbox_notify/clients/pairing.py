"""The pairing of a device with a phone: the session is started, its code asked for until it is scanned."""

import base64
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from wbox_notify.clients.wbox import PNG, ApiError, Client, SessionStatus
from wbox_notify.errors import WboxError
from wbox_notify.model.outcomes import Outcome

ASK_EVERY = 2.0
"""Seconds between two looks at a device."""

_START_AGAIN = 15
"""After so many looks without a code the session is started again: wbox may have given it up."""

Code = TypeVar("Code")


@dataclass(frozen=True, slots=True)
class Look(Generic[Code]):
    """A device at one moment: it is ready, or there is a code to scan, or a problem; else nothing is known.

    Attributes:
        ready: Whether it can send.
        code: What the phone has to scan; whoever has it can read the messages.
        problem: Why there is no code.
    """

    ready: bool = False
    code: Code | None = field(default=None, repr=False)
    problem: WboxError | None = None


class Pairing(Generic[Code]):
    """The pairing of one device, by default the first, whose number it knows after ``begin``.

    ``read`` makes of a code what is to be shown; it raises WboxError for what is none. ``begun`` says whether
    the session was started.
    """

    def __init__(self, device: int | None, read: Callable[[str | bytes], Code]) -> None:
        self.device = device
        self.begun = False
        self._read = read
        self._without = 0
        self._last: Look[Code] = Look()

    def begin(self, client: Client) -> int:
        """Start the session of a device that is not linked; return the number of the device.

        Raises:
            WboxError: there is no such device, the key is refused, or wbox does not answer.
        """
        session = session_of(client, self.device)
        if session.device_id is None:
            raise WboxError("wbox does not name its first device", hint="wbox-notify pair --device 1")
        self.device = session.device_id
        if not session.ready:
            client.session_start(self.device)
        self.begun = True
        return self.device

    def look(self, client: Client) -> Look[Code]:
        """Ask wbox for the code. Raises ApiError where the key is refused."""
        look = self._look(client)
        if look.ready or look.code:
            self._without = 0
        else:
            self._without += 1
            if self._without % _START_AGAIN == 0 and self.device is not None:
                with suppress(ApiError):
                    client.session_start(self.device)
        if self._without != 1:  # once is no trouble: the phone may have scanned between two questions
            self._last = look
        return self._last

    def _look(self, client: Client) -> Look[Code]:
        try:
            session = session_of(client, self.device)
            if session.ready:
                return Look(ready=True)
            return Look(code=self._code(client, session))
        except WboxError as error:
            if isinstance(error, ApiError) and error.answer.outcome is Outcome.UNAUTHORIZED:
                raise
            return Look(problem=error)

    def _code(self, client: Client, session: SessionStatus) -> Code:
        try:
            return self._read(client.session_qr(session.device_id or self.device or 0))
        except WboxError:
            if session.qr:
                return self._read(session.qr)
            raise


def session_of(client: Client, device: int | None) -> SessionStatus:
    """Return the state of a session, also where wbox answers that it is not ready."""
    try:
        return client.session_status(device)
    except ApiError as error:
        if error.answer.outcome is not Outcome.NOT_READY:
            raise
        return SessionStatus(device_id=device, ready=False, state=None, status=None, qr=None)


def picture_of(code: str | bytes) -> bytes:
    """Return a code as a PNG image: it is one, a data URL, Base64, or the text that is to be in the code.

    Raises:
        WboxError: it is something else; the error does not quote it.
    """
    picture = code if isinstance(code, bytes) else _decoded(code.strip())
    return picture or _drawn(str(code).strip())


def _drawn(text: str) -> bytes:
    import segno  # noqa: PLC0415 - a daemon whose devices are linked never draws one

    try:
        made = segno.make(text, error="l", micro=False)
    except ValueError as error:
        raise WboxError("wbox gave a QR code that no QR code can hold") from error
    drawn = io.BytesIO()
    made.save(drawn, kind="png", scale=8)
    return drawn.getvalue()


def _decoded(text: str) -> bytes | None:
    """Return the image in a data URL or in Base64; None for a text that is to be in the code itself."""
    is_url = text.startswith("data:")
    if is_url:
        text = text.partition(",")[2]
    try:
        picture = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        picture = b""
    if picture.startswith(PNG):
        return picture
    if is_url:
        raise WboxError("wbox gave a QR code that is no PNG image")
    return None
