"""From the shape of a rule to a rule that can run, with all that is wrong in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from wbox_notify.documents.problems import Place, Problem
from wbox_notify.documents.yamlfile import Spot
from wbox_notify.errors import ConfigError, MessageError
from wbox_notify.messages import KINDS
from wbox_notify.rules.globs import ignore_pattern, path_pattern
from wbox_notify.rules.models import SEND_KINDS, FileSpec, RuleSpec, SendSpec
from wbox_notify.rules.names import OFFERED, OFFERED_IN_SEND, Names, needs, unknown
from wbox_notify.rules.people import Contact, People, distinct, plain
from wbox_notify.rules.rule import Draft, FileTrigger, Rule
from wbox_notify.settings import Settings
from wbox_notify.settings.values import as_path
from wbox_notify.templates import Expression, Template, TemplateError, Templates

T = TypeVar("T")
Made = TypeVar("Made", Expression, Template)

_SOMEBODY = "905551234567"
_SOMEWHERE = "https://example.com/"


class Builder:
    """Builds the rules of a project; what is wrong with them joins ``problems``."""

    def __init__(
        self, settings: Settings, templates: Templates, people: People, problems: list[Problem]
    ) -> None:
        self.problems = problems
        self._settings = settings
        self._templates = templates
        self._people = people

    def rule(self, spec: RuleSpec, spot: Spot) -> Rule | None:
        """Return the rule, or None where something is wrong in it."""
        before = len(self.problems)
        trigger = self._trigger(spec.trigger.file, spot.at("trigger", "file"))
        conditions = self._expressions(spec.conditions, spot.at("if"))
        dedupe = self._expressions(spec.dedupe, spot.at("dedupe"))
        to = self._recipients(spec.to, spot.at("to"))
        send = [self._draft(part, spot.at("send", index)) for index, part in enumerate(spec.send)]
        if len(self.problems) > before or trigger is None:
            return None
        templates = [part for part in to if isinstance(part, Template)]
        templates += [template for draft in send for template in draft.templates()]
        return Rule(
            id=spec.id,
            name=spec.name or spec.id,
            trigger=trigger,
            conditions=conditions,
            dedupe=dedupe,
            to=to,
            send=tuple(send),
            needs=needs([*conditions, *dedupe, *templates]),
            file=spot.document.source.file,
            line=spot.place.line,
            spot=spot,
        )

    def _trigger(self, spec: FileSpec, spot: Spot) -> FileTrigger | None:
        before = len(self.problems)
        for index, glob in enumerate(spec.match):
            self._tried(path_pattern, glob, spot.at("match", index), "WBX309")
        for index, glob in enumerate(spec.ignore):
            self._tried(ignore_pattern, glob, spot.at("ignore", index), "WBX309")
        root = self._tried(self._root, spec.path, spot.at("path"), "WBX215")
        if root is None or len(self.problems) > before:
            return None
        return FileTrigger(root=root, match=tuple(spec.match), ignore=tuple(spec.ignore), settle=spec.settle)

    def _root(self, text: str) -> Path:
        if not text.strip():
            raise ConfigError("`path` is empty", hint="name the folder to watch")
        if _is_template(text):
            raise ConfigError("`path` is no template", hint="name the folder to watch")
        return as_path(text, self._settings.folder)

    def _tried(self, function: Callable[[str], T], text: str, spot: Spot, code: str) -> T | None:
        try:
            return function(text)
        except ConfigError as error:
            self.problems.append(spot.problem(code, str(error), hint=error.hint))
            return None

    def _expressions(self, texts: list[str], spot: Spot) -> tuple[Expression, ...]:
        found = (
            self._made(self._templates.expression, text, OFFERED, spot.at(index))
            for index, text in enumerate(texts)
        )
        return tuple(expression for expression in found if expression)

    def _recipients(self, texts: list[str], spot: Spot) -> tuple[Contact | Template, ...]:
        contacts: list[Contact] = []
        templates: list[Template] = []
        for index, text in enumerate(texts):
            at = spot.at(index)
            if not _is_template(text):
                contacts += self._named(text, at)
            elif template := self._made(self._templates.text, text, OFFERED, at):
                templates.append(template)
        return (*distinct(contacts), *templates)

    def _named(self, text: str, spot: Spot) -> tuple[Contact, ...]:
        try:
            return self._people.find(text)
        except MessageError as error:
            code = "WBX303" if error.field == "to" else "WBX302"
            self.problems.append(spot.problem(code, plain(error), hint=error.hint))
            return ()

    def _draft(self, spec: SendSpec, spot: Spot) -> Draft:
        kind = next(kind for kind in SEND_KINDS if getattr(spec, kind) is not None)
        device = spec.device or self._settings.device_id
        if kind == "template":
            template = self._made(self._templates.file, spec.template or "", OFFERED_IN_SEND, spot.at(kind))
            return Draft("text", {"message": template} if template else {}, device)
        texts = {"message": spec.text} if kind == "text" else dict(getattr(spec, kind))
        spots = {name: spot.at(kind) if kind == "text" else spot.at(kind, name) for name in texts}
        given = {name: text for name, text in texts.items() if text is not None}
        self._check(kind, given, spots)
        fields = {name: self._filled(text, spots[name]) for name, text in given.items()}
        return Draft(kind, {name: template for name, template in fields.items() if template}, device)

    def _filled(self, text: str | list[str], spot: Spot) -> Template | tuple[Template, ...] | None:
        if isinstance(text, str):
            return self._made(self._templates.text, text, OFFERED_IN_SEND, spot)
        found = (
            self._made(self._templates.text, part, OFFERED_IN_SEND, spot.at(index))
            for index, part in enumerate(text)
        )
        return tuple(template for template in found if template)

    def _check(self, kind: str, texts: dict[str, Any], spots: dict[str, Spot]) -> None:
        """Report what can be known to be unsendable before there is an event."""
        tried = {name: _stand_in(name, text) for name, text in texts.items()}
        try:
            KINDS[kind](phone=_SOMEBODY, **tried)
        except MessageError as error:
            spot, message = spots[error.field], plain(error)
            message = f"`{spot.steps[-1]}` {message}" if message.startswith("is ") else message
            self.problems.append(spot.problem("WBX311", message, hint=error.hint))

    def _made(self, make: Callable[[str], Made], text: str, offered: Names, spot: Spot) -> Made | None:
        try:
            made = make(text)
        except TemplateError as error:
            self.problems.append(_fault(error, make, spot))
            return None
        self.problems += unknown(made, offered, spot)
        return made


def _fault(error: TemplateError, make: Callable[[str], Any], spot: Spot) -> Problem:
    """Return the problem with a template; in a text of the rule file, at the very line and column."""
    if error.name:
        message = f"templates/{error.name}{f', line {error.line}' if error.line else ''}: {error.problem}"
        return spot.problem("WBX306", message, hint=error.hint)
    code = "WBX307" if error.problem.startswith("there is no template") else "WBX306"
    place = _place(error, make, spot)
    return spot.document.source.problem(place, code, error.problem, hint=error.hint)


def _place(error: TemplateError, make: Callable[[str], Any], spot: Spot) -> Place:
    """Find a fault again in the text as it is written, whose lines YAML has not joined."""
    try:
        make(spot.written)
    except TemplateError as again:
        if again.problem == error.problem and again.line and not again.name:
            return spot.within(again.line, again.column)
    return spot.place


def _stand_in(name: str, text: Any) -> Any:
    """Return a literal text as it is, and for a template something that could come of it."""
    if isinstance(text, list):
        return tuple(f"{index}: {part}" if _is_template(part) else part for index, part in enumerate(text))
    if _is_template(text):
        return _SOMEWHERE if name == "url" else text
    return text


def _is_template(text: str) -> bool:
    return any(sign in text for sign in ("{{", "{%", "{#"))
