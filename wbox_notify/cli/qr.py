"""The QR code of a device, drawn in a terminal or kept as a picture."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from wbox_notify.clients.pairing import picture_of
from wbox_notify.errors import WboxError

_LARGEST = 4096
"""Pixels of a side; a small file can hold a picture that fills the memory."""
_FINDER = [bytes(max(abs(x - 3), abs(y - 3)) != 2 for x in range(7)) for y in range(7)]  # noqa: PLR2004
"""The square in three corners of each code."""
_QUIET = 2
_BLACK_ON_WHITE, _AS_BEFORE = "\x1b[30;107m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code; it is worth as much as the phone that scans it.

    Attributes:
        picture: It as a PNG image.
        modules: Its rows, each with 1 for a dark module and 0 for a light one; none where the picture does
            not show them plainly.
    """

    picture: bytes = field(repr=False)
    modules: Sequence[bytes] = field(repr=False)


def read(code: str | bytes) -> Code:
    """Return the code in any form of which ``picture_of`` makes a picture; raises the same."""
    picture = picture_of(code)
    return Code(picture, _modules(picture))


def width(code: Code) -> int:
    """Return the columns that a code needs in a terminal."""
    return len(code.modules) + 2 * _QUIET


def lines(code: Code) -> list[str]:
    """Return a code as lines for a terminal, in black on white whatever its colours, two rows on a line."""
    margin = bytes(_QUIET)
    rows = [margin + row + margin for row in code.modules]
    blank = bytes(width(code))
    rows = [blank, blank, *rows, blank, blank, blank]  # codes have an odd number of rows
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return [f"{_BLACK_ON_WHITE}{_halves(*pair)}{_AS_BEFORE}" for pair in pairs]


def _halves(above: bytes, below: bytes) -> str:
    return "".join(" ▀▄█"[top + 2 * bottom] for top, bottom in zip(above, below, strict=True))


def _modules(picture: bytes) -> Sequence[bytes]:
    size = max(int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24]))  # where each PNG has it
    if size > _LARGEST:
        return ()
    try:
        with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
            if max(image.size) > _LARGEST:  # it says so once more, further on
                return ()
            paper = Image.new("RGBA", image.size, "white")
            paper.alpha_composite(image.convert("RGBA"))
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise WboxError("wbox gave a QR code in a damaged image") from error
    ink = paper.convert("L").point([1] * 128 + [0] * 128)
    ink = ink.crop(ink.getbbox())
    for size in range(21, 178, 4):  # codes have these sizes alone
        pixels = ink.resize((size, size), Image.Resampling.NEAREST).tobytes()
        rows = tuple(pixels[start : start + size] for start in range(0, size * size, size))
        if _is_code(rows):
            return rows
    return ()


def _is_code(rows: Sequence[bytes]) -> bool:
    """Return whether rows have the marks of a QR code: three finders, and dots between two of them."""
    far = len(rows) - 7
    finders = [[row[x : x + 7] for row in rows[y : y + 7]] for x, y in ((0, 0), (far, 0), (0, far))]
    dots = bytes((place + 1) % 2 for place in range(8, far - 1))
    return all(finder == _FINDER for finder in finders) and rows[6][8 : far - 1] == dots
