"""Parser of YAML into nodes, values with their places, in one pass with limits."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from wbox_notify.config.yaml.problems import Place, Problem, Source
from wbox_notify.config.yaml.syntax_errors import bare_template, explain, odd_blank
from wbox_notify.model.texts import Wording

MAX_NODES = 20_000
MAX_ALIASES = 50
MAX_DEPTH = 40

_TOO_DEEP = Wording("this is nested more than {most} deep", most=MAX_DEPTH)

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_GLUED = re.compile(r"\s+(#[^\s#].*)")
_INT = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+([eE][-+]?[0-9]{1,2})?|[eE][-+]?[0-9]{1,2})")
_IN_A_LINE = (yaml.ScalarEvent, yaml.AliasEvent)
_BEGINS_NUMBER = "-0123456789"
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}


@dataclass(slots=True)
class Node:
    """A value, its place and its parts; ``size`` and ``height`` count also what aliases repeat."""

    value: Any
    place: Place
    last_line: int
    style: str = ""
    parts: dict[str | int, "Node"] = field(default_factory=dict)
    keys: dict[str | int, Place] = field(default_factory=dict)
    size: int = 1
    height: int = 1

    @property
    def end(self) -> int:
        """The last line of the value with all its parts."""
        return max([self.last_line, *(part.end for part in self.parts.values())])

    def hold(self, step: str | int, part: "Node") -> None:
        """Take a part in."""
        self.parts[step] = part
        self.size += part.size
        self.height = max(self.height, part.height + 1)


def read(text: str, source: Source) -> tuple[Node | None, list[Problem]]:
    """Return the root of a YAML text, None where there is none, and its problems."""
    reading = _Reading(text, source)
    try:
        return reading.root(), reading.problems
    except _Stopped as stopped:
        return None, [*reading.problems, stopped.problem]
    except yaml.MarkedYAMLError as error:
        return None, [*reading.problems, _explained(error, source)]


def _explained(error: yaml.MarkedYAMLError, source: Source) -> Problem:
    # The parser reads ahead of us, and since PyYAML 6.0.4 it has a limit of its own, far beyond ours.
    if error.problem_mark and "maximum nesting depth" in (error.problem or ""):
        line, column = error.problem_mark.line + 1, error.problem_mark.column + 1
        return source.problem(Place(line, column, column + 1), "WBX102", _TOO_DEEP)
    return explain(error, source)


class _Stopped(Exception):  # noqa: N818 - it carries the problem
    """Reading cannot go on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Reading:
    """One pass over the events of PyYAML, which keeps no more of the text than it needs."""

    def __init__(self, text: str, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self.anchors: dict[str, Node | None] = {}
        self.nodes = self.aliases = 0
        self.ended: Any = None

    def root(self) -> Node | None:
        root = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._stopped(
                        event, "WBX110", "a second document starts here", "use a file for each"
                    )
                root = self._node(next(self.events), 1)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        self._room(event, 1, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.tag is not None:
            hint = "delete it, or quote the text that starts with `!`"
            raise self._stopped(
                event, "WBX107", Wording("the tag `{tag}` is not part of the language", tag=event.tag), hint
            )
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, depth)
        else:
            node = self._mapping(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, depth: int) -> Node:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise self._stopped(
                event,
                "WBX102",
                Wording("there are more than {most} aliases", most=MAX_ALIASES),
                None,
            )
        if event.anchor not in self.anchors:
            hint = "put the whole value in quotes if it is text"
            raise self._stopped(
                event,
                "WBX108",
                Wording("no anchor `&{anchor}` stands above this alias", anchor=event.anchor),
                hint,
            )
        node = self.anchors[event.anchor]
        if node is None:
            raise self._stopped(event, "WBX108", "an alias cannot be part of what it repeats", None)
        self._room(event, node.size, depth + node.height - 1)
        return node

    def _scalar(self, event: Any) -> Node:
        if event.style == '"' and _UNFIT.search(event.value):  # only there a sign can be written as another
            raise self._stopped(event, "WBX104", "the text holds an invalid character", "delete it")
        if event.style:
            return self._placed(event, event.value)
        if problem := odd_blank(self.source, event.start_mark.line, event.start_mark.column):
            raise _Stopped(problem)
        return self._placed(event, _resolved(event.value))

    def _sequence(self, event: Any, depth: int) -> Node:
        node = self._placed(event, [])
        for inner in self._until(yaml.SequenceEndEvent):
            part = self._node(inner, depth + 1)
            self._glued(part)
            node.hold(len(node.value), part)
            node.value.append(part.value)
        return self._closed(node)

    def _mapping(self, event: Any, depth: int) -> Node:
        start = event.start_mark
        if event.flow_style and self.source.lines[start.line][start.column :].startswith(("{{", "{%")):
            raise _Stopped(bare_template(self.source, start.line, start.column))
        node = self._placed(event, {})
        first: dict[str, Place] = {}
        for inner in self._until(yaml.MappingEndEvent):
            name, place = self._key(inner, depth + 1)
            part = self._node(next(self.events), depth + 1)
            self._glued(part)
            if event.flow_style and node.parts and self._is_cut(inner, part):
                message = Wording(
                    "a comma ends the text before `{name}`, which is taken for a key", name=name
                )
                hint = 'put a text with a comma in quotes: {text: "Hello, world"}'
                raise _Stopped(self.source.problem(place, "WBX105", message, hint=hint))
            if self._new(name, place, first):
                node.keys[name] = place
                node.hold(name, part)
                node.value[name] = part.value
        return self._closed(node)

    def _until(self, end: type[yaml.Event]) -> Iterator[Any]:
        for event in self.events:
            if isinstance(event, end):
                self.ended = event.end_mark
                return
            yield event

    def _closed(self, node: Node) -> Node:
        """Return a list or map that has just ended, with its end if it has one line."""
        if self.ended.line + 1 == node.place.line and self.ended.column >= node.place.column:
            node.place = Place(node.place.line, node.place.column, self.ended.column + 1)
        return node

    def _key(self, event: Any, depth: int) -> tuple[str, Place]:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._stopped(event, "WBX105", "a key must be plain text", None)
        place = self._node(event, depth).place
        if turning := _TURNING.search(event.value):
            message = Wording(
                "the key holds the invisible character U+{sign:04X}, which reverses text",
                sign=ord(turning[0]),
            )
            self.problems.append(self.source.problem(place, "WBX104", message, hint="type the key again"))
        return event.value, place

    def _new(self, name: str, place: Place, first: dict[str, Place]) -> bool:
        """Return whether a key may join those of a map; report a problem if not.

        ``first`` holds the places of the others, by their names in one form of Unicode.
        """
        form = name if name.isascii() else unicodedata.normalize("NFC", name)
        earlier = first.setdefault(form, place)
        if name == "<<":
            message = "`<<` (merge) is not part of YAML 1.2"
            self.problems.append(self.source.problem(place, "WBX108", message, hint="write the keys out"))
        elif earlier is not place:
            message = Wording(
                "key `{name}` is given twice (first on line {line})", name=name, line=earlier.line
            )
            self.problems.append(self.source.problem(place, "WBX103", message, hint="keep one of them"))
        else:
            return True
        return False

    def _is_cut(self, key: Any, part: Node) -> bool:
        """Return whether a key between braces is what follows a comma in an unquoted text."""
        rest = self.source.lines[key.end_mark.line][key.end_mark.column :].lstrip()
        return part.value is None and not part.style and not rest.startswith(":")

    def _glued(self, node: Node) -> None:
        """Warn of ``Alert #3``, which YAML cuts to ``Alert``."""
        if node.style or node.parts or not isinstance(node.value, str | None):
            return
        if node.last_line != node.place.line:
            return
        end = node.place.column - 1
        if node.value:
            end = node.place.end_column - 1
        if comment := _GLUED.match(self.source.lines[node.last_line - 1], end):
            place = Place(node.last_line, comment.start(1) + 1, len(comment[0].rstrip()) + end + 1)
            message = Wording("`{word}` is a comment here, not part of the value", word=comment[1].split()[0])
            hint = "put the value in quotes; if it is a comment, put a space after `#`"
            self.problems.append(self.source.problem(place, "WBX120", message, hint=hint, severity="warning"))

    def _placed(self, event: Any, value: Any) -> Node:
        return Node(value, self._place(event), _last_line(event), getattr(event, "style", None) or "")

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        line, column = start.line, start.column
        if end.line == line and end.column > column and isinstance(event, _IN_A_LINE):
            return Place(line + 1, column + 1, end.column + 1)
        stop = len(self.source.lines[line].rstrip())
        return Place(line + 1, column + 1, max(stop, column + 1) + 1)

    def _room(self, event: Any, nodes: int, depth: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self._stopped(
                event,
                "WBX102",
                Wording("there are more than {most} values in the file", most=MAX_NODES),
                None,
            )
        if depth > MAX_DEPTH:
            raise self._stopped(event, "WBX102", _TOO_DEEP, None)

    def _stopped(self, event: Any, code: str, message: str, hint: str | None) -> _Stopped:
        return _Stopped(self.source.problem(self._place(event), code, message, hint=hint))


def _resolved(text: str) -> Any:
    """Return the value of a plain scalar: a boolean, null, a number without a leading 0 or +, else text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _BEGINS_NUMBER:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _last_line(event: Any) -> int:
    end = event.end_mark
    if end.column == 0 and end.line > event.start_mark.line:
        return int(end.line)
    return int(end.line + 1)
