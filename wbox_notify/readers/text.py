"""Text: from bytes in any usual encoding to lines of bounded length."""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NamedTuple, TextIO

LONGEST = 1024 * 1024
"""How many characters one row may have."""

_BLOCK = 256 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TURKISH = "cp1254"


class Row(NamedTuple):
    """One row of a file: its number as a person counts from 1, and its value or what is wrong with it."""

    number: int
    value: Any
    problem: str = ""


def encoding_of(file: BinaryIO) -> str:
    """Return the encoding of a file: that of its mark, else UTF-8 if all of it is, else Windows-1254.

    It reads the file to its end and goes back to the beginning.
    """
    head = file.read(4)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            file.seek(0)
            return encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _TURKISH
    finally:
        file.seek(0)
    return "utf-8"


@contextmanager
def text_of(file: BinaryIO, encoding: str) -> Iterator[TextIO]:
    """Give the text of a file with its line ends; what is no character is ``\ufffd``. The file stays open."""
    found = encoding or encoding_of(file)
    if codecs.lookup(found).name == "utf-8":
        found = "utf-8-sig"
    text = io.TextIOWrapper(file, found, errors="replace", newline="")
    try:
        yield text
    finally:
        with suppress(ValueError):  # the file was closed first
            text.detach()


def characters(file: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield the text of a file in pieces."""
    with text_of(file, encoding) as text:
        while piece := text.read(_BLOCK):
            yield piece


def lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield the lines of a file with their ends; of one that is too long no more than its beginning."""
    with text_of(file, encoding) as text:
        while line := text.readline(LONGEST + 1):
            yield line
            while len(line) > LONGEST and not line.endswith(("\n", "\r")):
                line = text.readline(LONGEST + 1)


def ruled(found: Iterator[str]) -> Iterator[Row]:
    """Yield lines with their numbers; one that is too long is a problem."""
    for number, line in enumerate(found, 1):
        long = f"is longer than {LONGEST} characters" if len(line) > LONGEST else ""
        yield Row(number, "" if long else line, long)
