"""Strict YAML 1.2: the value of a file, and a way from each part of it to its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wbox_notify.config.yaml.parser import Node, read
from wbox_notify.config.yaml.problems import Place, Problem, Severity, Source

MAX_BYTES = 1024 * 1024

_SEARCHED = 2000

_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff")


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: its value, None where it is empty or cannot be read, and what is wrong with it."""

    source: Source
    value: Any = field(default=None, repr=False)
    problems: tuple[Problem, ...] = ()
    root: Node | None = field(default=None, repr=False)

    def at(self, *path: str | int) -> "Location":
        """Return the spot that keys and indexes lead to."""
        return Location(self, path)


@dataclass(frozen=True, slots=True)
class Location:
    """A path in a document; a step that is not there (``[0]`` of a value that is no list) stays put."""

    document: Document = field(repr=False)
    path: tuple[str | int, ...]

    def at(self, *path: str | int) -> "Location":
        """Return the spot further down."""
        return Location(self.document, self.path + path)

    @property
    def steps(self) -> tuple[str | int, ...]:
        """The steps of the path that are there."""
        return tuple(step for _, step in self._steps())

    @property
    def value(self) -> Any:
        """The value here."""
        return self._node().value

    @property
    def place(self) -> Place:
        """Where the value stands: all of it, or its first line."""
        return self._node().place

    @property
    def key(self) -> Place:
        """Where the key of the value stands; in a list, the value itself."""
        place = self.place
        for node, step in self._steps():
            place = node.keys.get(step, node.parts[step].place)
        return place

    def problem(
        self, code: str, message: str, *, hint: str | None = None, severity: Severity = "error"
    ) -> Problem:
        """Return a problem with the value here."""
        return self.document.source.problem(self.place, code, message, hint=hint, severity=severity)

    def key_problem(self, code: str, message: str, *, hint: str | None = None) -> Problem:
        """Return a problem with the key here."""
        return self.document.source.problem(self.key, code, message, hint=hint)

    @property
    def written(self) -> str:
        """The text here as the file has it, without its quotes or ``|``."""
        return "\n".join(self._written()[1])

    def within(self, line: int, column: int | None) -> Place:
        """Return the place of a line of ``written``, from 1, or of a column in it."""
        start, lines = self._written()
        text = lines[min(line, len(lines)) - 1]
        shift = start.column if line == 1 else 1
        if column is None and start.line == self.place.line == start.line + len(lines) - 1:
            return self.place
        if column is None:
            blank = len(text) - len(text.lstrip())
            return Place(start.line + line - 1, shift + blank, shift + max(len(text.rstrip()), blank + 1))
        return Place(start.line + line - 1, shift + column - 1, shift + column)

    def find(self, pattern: str) -> Place:
        """Return where the first group of a pattern stands in the text here; if nowhere, all the text."""
        start, lines = self._written()
        for index, text in enumerate(lines):
            if len(text) <= _SEARCHED and (found := re.search(pattern, text)):
                shift = 1 if index else start.column
                return Place(start.line + index, found.start(1) + shift, found.end(1) + shift)
        return self.place

    def _written(self) -> tuple[Place, list[str]]:
        node, source = self._node(), self.document.source.lines
        place, below = node.place, list(source[node.place.line : node.last_line])
        if node.style in {"|", ">"}:
            return Place(place.line + 1, 1, 1), below or [""]
        quote = len(node.style)
        end = place.end_column - 1 - (0 if below else quote)
        start = Place(place.line, place.column + quote, place.end_column)
        return start, [source[place.line - 1][start.column - 1 : end], *below]

    def _node(self) -> Node:
        node = self.document.root or Node(None, Place(1, 1, 2), 1)
        for parent, step in self._steps():
            node = parent.parts[step]
        return node

    def _steps(self) -> Iterator[tuple[Node, str | int]]:
        node = self.document.root
        for step in self.path:
            if node is not None and step in node.parts:
                yield node, step
                node = node.parts[step]


def open_document(path: Path, file: str) -> Document:
    """Return the document in a file, which problems call ``file``; never raises."""
    try:
        if path.exists() and not path.is_file():
            return _unreadable(file, "WBX101", "this is not a file")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return _unreadable(file, "WBX101", f"the file cannot be read: {reason or error}")
    return parse(content, file)


def parse(content: bytes, file: str) -> Document:
    """Return the document in the bytes of a file, which problems call ``file``; never raises."""
    if len(content) > MAX_BYTES:
        return _unreadable(file, "WBX102", "the file is larger than 1 MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode("utf-8")
        return _unfit(
            content.decode("utf-8", "replace"), file, readable, "the file is not UTF-8 text from here on"
        )
    if found := _CONTROL.search(text):
        message = f"the control character U+{ord(found[0]):04X} stands in the file"
        return _unfit(text, file, text[: found.start()], message)
    # The parser places the end of a text on the line after the last one, so that there has to be one.
    text = text if _BREAK.search(text[-1:]) else f"{text}\n"
    source = Source(file, tuple(_BREAK.split(text)))
    root, problems = read(text, source)
    return Document(source, root.value if root else None, tuple(problems), root)


def _unfit(text: str, file: str, before: str, message: str) -> Document:
    *above, line = _BREAK.split(before)
    source = Source(file, tuple(_BREAK.split(text)))
    place = Place(len(above) + 1, len(line) + 1, len(line) + 2)
    hint = "save the file as UTF-8 text" if "UTF-8" in message else "delete it"
    return Document(source, None, (source.problem(place, "WBX104", message, hint=hint),))


def _unreadable(file: str, code: str, message: str) -> Document:
    return Document(Source(file, ()), None, (Problem(file=file, code=code, message=message),))
