"""Documents of strict YAML 1.2: the value of a file, and the place of each part of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from wbox_notify.config.yaml.parser import Node, read
from wbox_notify.config.yaml.problems import Place, Problem, Severity, Source
from wbox_notify.model.texts import Wording

MAX_BYTES = 1024 * 1024

_SEARCHED = 2000

_BREAK = re.compile(r"\r\n|[\r\n]")
# U+2028, U+2029 and U+0085 end lines for the parser only; U+202D and U+202E show text in another order.
_CONTROL = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029\u202d\u202e\ufeff]"
)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: its value, None where it is empty or cannot be read, and its problems.

    ``digest`` is the SHA-256 of its bytes; empty where they were not read.
    """

    source: Source
    value: Any = field(default=None, repr=False)
    problems: tuple[Problem, ...] = ()
    root: Node | None = field(default=None, repr=False)
    digest: bytes = field(default=b"", repr=False, compare=False)

    def at(self, *path: str | int) -> "Location":
        """Return the location that keys and indexes lead to."""
        return Location(self, path)


@dataclass(frozen=True, slots=True)
class Location:
    """A path in a document; a step that is not there (``[0]`` of a value that is no list) stays put."""

    document: Document = field(repr=False)
    path: tuple[str | int, ...]

    def at(self, *path: str | int) -> "Location":
        """Return the location further down."""
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
        """The place of the value: all of it, or its first line."""
        return self._node().place

    @property
    def key(self) -> Place:
        """The place of the key of the value; in a list, of the value itself."""
        place = self.place
        for node, step in self._steps():
            place = node.keys.get(step, node.parts[step].place)
        return place

    @property
    def where(self) -> str:
        """The file and the line of the key, such as ``rules/a.yaml:5``."""
        return f"{self.document.source.file}:{self.key.line}"

    def problem(
        self, code: str, message: str, *, hint: str | None = None, severity: Severity = "error"
    ) -> Problem:
        """Return a problem with the value here."""
        return self.document.source.problem(self.place, code, message, hint=hint, severity=severity)

    def warning(self, code: str, message: str, hint: str | None = None) -> Problem:
        """Return a warning about the value here."""
        return self.problem(code, message, hint=hint, severity="warning")

    def key_problem(self, code: str, message: str, *, hint: str | None = None) -> Problem:
        """Return a problem with the key here."""
        return self.document.source.problem(self.key, code, message, hint=hint)

    @property
    def written(self) -> str:
        """The text here as the file has it, without its quotes or ``|``."""
        return "\n".join(self._written()[1])

    def excerpt(self) -> tuple[int, tuple[str, ...]]:
        """Return the number of the first line of the value here, and its lines with stars for secrets."""
        node = self._node()
        first = node.place.line
        return first, self.document.source.safe[first - 1 : node.end]

    def within(self, line: int, column: int | None) -> Place:
        """Return the place of a line of ``written``, from 1, or of a column in it."""
        start, lines = self._written()
        shift = 1
        if line == 1:
            shift = start.column
        if column is not None:
            return Place(start.line + line - 1, shift + column - 1, shift + column)
        if start.line == self.place.line == start.line + len(lines) - 1:
            return self.place
        text = lines[min(line, len(lines)) - 1]
        blank = len(text) - len(text.lstrip())
        return Place(start.line + line - 1, shift + blank, shift + max(len(text.rstrip()), blank + 1))

    def find(self, pattern: str) -> Place:
        """Return the place of the first group of a pattern in the text here, else that of all the text."""
        start, lines = self._written()
        shift = start.column
        for index, text in enumerate(lines):
            match = re.search(pattern, text) if len(text) <= _SEARCHED else None
            if match:
                return Place(start.line + index, match.start(1) + shift, match.end(1) + shift)
            shift = 1
        return self.place

    def _written(self) -> tuple[Place, list[str]]:
        """Return the first place of the text and its lines as the file has them."""
        node, source = self._node(), self.document.source.lines
        place, below = node.place, list(source[node.place.line : node.last_line])
        if node.style in {"|", ">"}:
            return Place(place.line + 1, 1, 1), below or [""]
        quote = len(node.style)
        start = Place(place.line, place.column + quote, place.end_column)
        end = place.end_column - 1
        if not below:
            end -= quote
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


def open_document(
    path: Path, file: str, names: frozenset[str] = frozenset(), known: Document | None = None
) -> Document:
    """Return the document in a file, which problems call ``file``; never raises.

    ``names`` are those of secrets, which problems may show. Where the file is as it was when ``known`` was
    read, that is returned.
    """
    try:
        if path.exists() and not path.is_file():
            return _unreadable(file, "WBX101", "this is not a file")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(
            file, "WBX101", Wording("the file cannot be read: {reason}", reason=error.strerror or error)
        )
    except ValueError as error:
        return _unreadable(file, "WBX101", Wording("the file cannot be read: {error}", error=error))
    digest = sha256(content).digest()
    if known and known.digest == digest and known.source.names == names:
        return known
    return replace(parse(content, file, names), digest=digest)


def parse(content: bytes, file: str, names: frozenset[str] = frozenset()) -> Document:
    """Return the document in the bytes of a file, which problems call ``file``; never raises."""
    if len(content) > MAX_BYTES:
        return _unreadable(file, "WBX102", "the file is larger than 1 MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode("utf-8")
        text, message = content.decode("utf-8", "replace"), "the file is not UTF-8 text from here on"
        return _stray(text, file, len(readable), message, "save the file as UTF-8 text")
    if control := _CONTROL.search(text):
        code = f"{ord(control[0]):04X}"
        hint = Wording('delete it, or write it as "\\u{code}" in double quotes', code=code)
        return _stray(
            text,
            file,
            control.start(),
            Wording("the file holds the control character U+{code}", code=code),
            hint,
        )
    # The parser places the end of a text on the line after the last one, so that there has to be one.
    if not _BREAK.search(text[-1:]):
        text += "\n"
    source = Source(file, tuple(_BREAK.split(text)), names)
    root, problems = read(text, source)
    if root is None:
        return Document(source, None, tuple(problems))
    return Document(source, root.value, tuple(problems), root)


def _stray(text: str, file: str, index: int, message: str, hint: str) -> Document:
    """Return a document with a problem at one of its characters."""
    *above, line = _BREAK.split(text[:index])
    source = Source(file, tuple(_BREAK.split(text)))
    place = Place(len(above) + 1, len(line) + 1, len(line) + 2)
    return Document(source, None, (source.problem(place, "WBX104", message, hint=hint),))


def _unreadable(file: str, code: str, message: str) -> Document:
    return Document(Source(file, ()), None, (Problem(file=file, code=code, message=message),))
