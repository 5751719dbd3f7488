"""Text of a file: from bytes in any usual encoding to lines of bounded length."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NamedTuple, TextIO

from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording

LONGEST = 1024 * 1024
"""The most characters of one row."""

_BLOCK = 256 * 1024
_HEAD = 4096
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TURKISH = "cp1254"
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_END_OF_FILE = "\x1a"
"""The character with which DOS ends a text."""

# Bytes that are no character come as these from Python's ``surrogateescape``.
_ODD = re.compile("[\udc80-\udcff]")
_SPOILED = re.compile("[\0\udc80-\udcff]")


class Row(NamedTuple):
    """One row of a file: its number as a person counts from 1, and its value or what is wrong with it."""

    number: int
    value: Any
    problem: str = ""


def check_text(file: BinaryIO, encoding: str, *, strict: bool) -> None:
    """Refuse a file that is no text by its first bytes; ``strict`` also refuses one with NUL in it.

    Raises:
        WboxError: it is a workbook, or it holds NUL.
    """
    if not file.seekable():
        return
    head = file.read(_HEAD)
    file.seek(0)
    if head.startswith((_ZIP, _OLD_EXCEL)):
        hint = "call it .xlsx if it is one; or save it as CSV: CSV UTF-8 in Excel, Text CSV in LibreOffice"
        raise WboxError("this is an Excel workbook or another packed file, and not text", hint=hint)
    if strict and b"\0" in head and not wide_encoding(file, encoding):
        raise WboxError("this is not text: there are NUL bytes in it", hint="save it as UTF-8 text")


def check_workbook(file: BinaryIO) -> None:
    """Refuse a file that is no XLSX workbook by its first bytes. Raises WboxError."""
    head = file.read(len(_OLD_EXCEL))
    file.seek(0)
    if head == _OLD_EXCEL:
        hint = "save it as XLSX, without a password"
        raise WboxError("this is an old Excel workbook (XLS), or one with a password", hint=hint)
    if not head.startswith(_ZIP):
        hint = (
            "a CSV with this ending needs `read: csv`; in the test of a rule, `rows` are those of a workbook"
        )
        raise WboxError("this is no XLSX workbook", hint=hint)


def wide_encoding(file: BinaryIO, encoding: str) -> str:
    """Return the encoding of a file that has two or four bytes for each character, else nothing.

    It goes back to the beginning of the file.
    """
    if encoding:
        is_wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
        return encoding if is_wide else ""
    head = file.read(_HEAD)
    file.seek(0)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if len(head) < 4 or head.startswith(codecs.BOM_UTF8):  # noqa: PLR2004 - two letters
        return ""
    # Without a mark, every letter of Europe has a NUL beside it, and always on the same side.
    first, second = head[0::2].count(0), head[1::2].count(0)
    if min(first, second) > 0 or max(first, second) * 4 < len(head) // 2:
        return ""
    return "utf-16-be" if first else "utf-16-le"


def encoding_of(file: BinaryIO, *, whole: bool = True) -> str:
    """Return the encoding of a file: that of its mark, else UTF-8 if most of it is, else Windows-1254.

    It reads the file to its end and goes back to the beginning. Where that is not the end of the ``whole``
    text, the last character may be cut in two.
    """
    if wide := wide_encoding(file, ""):
        return wide
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=whole)
    except UnicodeDecodeError:
        file.seek(0)
        return "utf-8" if _is_mostly_utf8(iter(lambda: file.read(_BLOCK), b"")) else _TURKISH
    finally:
        file.seek(0)
    return "utf-8"


def decode(raw: bytes, *, whole: bool = True) -> str:
    """Return the text of bytes, in the encoding in which the rows of such a file are read.

    A mark at the beginning is left out, and so is a character cut in two where it is not the ``whole`` file.
    """
    encoding, errors = _codec(encoding_of(io.BytesIO(raw), whole=whole))
    return replace_odd(codecs.getincrementaldecoder(encoding)(errors).decode(raw, final=whole))


def decode_line(raw: bytes, encoding: str) -> str:
    """Return the text of a line: in the encoding if one is given, else in UTF-8 or Windows-1254."""
    with suppress(UnicodeDecodeError):
        return raw.decode(encoding or "utf-8")
    if not encoding:
        encoding = "utf-8" if _is_mostly_utf8([raw]) else _TURKISH
    return raw.decode(encoding, "replace")


def _is_mostly_utf8(blocks: Iterable[bytes]) -> bool:
    """Return whether bytes hold no fewer letters of UTF-8 than bytes that do not belong to it.

    In a text of any other encoding the letters beyond ASCII hardly ever make sense as UTF-8; so one odd byte
    is no reason to read a whole file in another way.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    right = wrong = 0
    for text in map(decoder.decode, blocks):
        odd = len(_ODD.findall(text))
        wrong += odd
        right += len(text) - len(text.encode("ascii", "ignore")) - odd
    return right >= wrong


def odd_byte(text: str) -> str:
    """Return the problem of a text with a byte that is no character; nothing where there is none."""
    odd = _SPOILED.search(text)
    if odd is None:
        return ""
    if odd[0] == "\0":
        return Wording("there is a NUL byte in it")
    byte = f"0x{ord(odd[0]) - 0xDC00:02X}"
    return Wording(
        "a byte of it ({byte}) is no character: save the file as UTF-8, or set its `encoding`", byte=byte
    )


def replace_odd(text: str) -> str:
    """Return a text with ``\ufffd`` for each byte that is no character."""
    return _ODD.sub("\ufffd", text)


def _codec(encoding: str) -> tuple[str, str]:
    """Return the name of a codec that leaves out a mark, and what it does with bytes of no character."""
    name = codecs.lookup(encoding).name
    if name == "utf-8":
        return "utf-8-sig", "surrogateescape"
    if name.startswith(("utf-16", "utf-32")):
        return encoding, "replace"
    return encoding, "surrogateescape"


@contextmanager
def open_text(file: BinaryIO, encoding: str) -> Iterator[TextIO]:
    """Give the text of a file with its line ends; see ``odd_byte``. The file stays open."""
    codec, errors = _codec(encoding or encoding_of(file))
    text = io.TextIOWrapper(file, codec, errors=errors, newline="")
    try:
        yield text
    finally:
        with suppress(ValueError):  # the file was closed first
            text.detach()


def characters(file: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield the text of a file in pieces."""
    with open_text(file, encoding) as text:
        while piece := text.read(_BLOCK):
            yield piece


def lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield the lines of a file with their ends; of one that is too long no more than its beginning."""
    with open_text(file, encoding) as text:
        while line := text.readline(LONGEST + 1):
            if bare := line.rstrip(_END_OF_FILE):
                yield bare
            while len(line) > LONGEST and not line.endswith(("\n", "\r")):
                line = text.readline(LONGEST + 1)


def raw_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file as bytes; of one that is too long no more than its beginning."""
    while line := file.readline(LONGEST + 1):
        yield line
        while len(line) > LONGEST and not line.endswith(b"\n"):
            line = file.readline(LONGEST + 1)


def numbered(text_lines: Iterator[str]) -> Iterator[Row]:
    """Yield lines with their numbers; one that is too long is a problem."""
    for number, line in enumerate(text_lines, 1):
        if len(line) > LONGEST:
            yield Row(number, "", Wording("is longer than {most} characters", most=LONGEST))
        else:
            yield Row(number, line)
