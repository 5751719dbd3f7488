"""Loading: from the files of a project folder to its project, with all its problems."""

import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from wbox_notify.config import reading
from wbox_notify.config.yaml.document import Document, Location
from wbox_notify.config.yaml.problems import errors, in_order
from wbox_notify.config.yaml.validation import validate
from wbox_notify.errors import ConfigError
from wbox_notify.model.text import AND, joined
from wbox_notify.model.texts import Wording
from wbox_notify.rules.compile import BuildContext, build
from wbox_notify.rules.directory import gather
from wbox_notify.rules.folder import owner_problems, rule_documents
from wbox_notify.rules.models.people import SECTIONS
from wbox_notify.rules.models.rules import RuleFile, RuleSpec
from wbox_notify.rules.models.triggers import WebhookSpec
from wbox_notify.rules.project import Project
from wbox_notify.rules.reading import Built, Ground, Reading
from wbox_notify.rules.rule import Rule

_OF_A_HOOK = ("preset", "secret", "verify", "open", "id", "methods", "cors", "redirect")


@contextmanager
def _keeping_all() -> Iterator[None]:
    """Let nobody look for objects that only hold each other: nearly all that is made here stays."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_keeping_all()
def load(
    folder: Path, environ: Mapping[str, str], copy: Path | None = None, before: Reading | None = None
) -> Project:
    """Return the project in a folder with ``wbox-notify.yaml``, ``rules`` and ``templates``; never raises.

    With ``copy`` these are read from there; relative paths in them still start in ``folder``. Of files that
    are as they were ``before``, nothing is built again.
    """
    setup = reading.read(folder, environ, copy or folder)
    settings = setup.settings
    known = before.files if before else {}
    earlier = {file: built.document for file, built in known.items()}
    documents, problems = rule_documents(copy or settings.folder, setup.secrets.names, earlier)
    problems += setup.problems
    everything = [setup.document, *documents]
    ground = Ground(settings, _people(everything), _template_files(copy or settings.folder))
    people, windows = gather(everything, settings.region, settings.tz, problems)
    context = BuildContext(settings, people, windows, setup.secrets, problems, copy)
    if before and before.ground != ground:
        known = {}
    loading = _Loading(context)
    RuleSpec.model_rebuild()  # first: a RuleFile would make it ready for itself, and it once more
    for document in documents:
        loading.read(document, known.get(document.source.file))
    problems += owner_problems(settings.owner, people, setup.document.at("owner"))
    return Project(
        settings=replace(settings, secrets=loading.secrets),
        rules=tuple(loading.rules),
        people=people,
        outlets=loading.outlets,
        problems=in_order(problems),
        reading=Reading(ground, loading.files),
    )


def _people(documents: Iterable[Document]) -> Mapping[tuple[str, str], Any]:
    """Return the sections about people of files."""
    return {
        (document.source.file, name): document.value[name]
        for document in documents
        if isinstance(document.value, dict)
        for name in SECTIONS
        if name in document.value
    }


def _template_files(folder: Path) -> frozenset[tuple[str, int, int, int, int]]:
    """Return the files of templates, with what shows that they have changed."""
    files = set()
    for above, _, names in os.walk(folder / "templates"):  # a link may lead to the whole disk, or back
        for name in names:
            path = Path(above, name)
            with suppress(OSError):
                status = path.stat()
                times = status.st_mtime_ns, status.st_ctime_ns  # the second one nobody can set
                files.add((str(path), status.st_ino, *times, status.st_size))
    return frozenset(files)


class _Loading:
    """The rules of the files read so far, the outlets and secrets that they name, and all problems."""

    def __init__(self, context: BuildContext) -> None:
        self.rules: list[Rule] = []
        self.files: dict[str, Built] = {}
        self.outlets = dict(context.settings.outlets)
        self.secrets = dict(context.settings.secrets)
        self._context = context
        self._problems = context.problems
        self._ids: dict[str, Location] = {}
        self._hooks: dict[str, tuple[WebhookSpec, Location]] = {}

    def read(self, document: Document, earlier: Built | None) -> None:
        """Add the rules of a file, all or none; ``earlier`` is what became of it on the same ground."""
        file = document.source.file
        if earlier and earlier.document is document and self._is_as_it_was(earlier):
            built = earlier
            self._problems += built.problems
        else:
            built = self._build(document)
        self.outlets.update(built.outlets)
        self.secrets.update(built.secrets)
        self.files[file] = built
        self._compare(built)
        if not errors(problem for problem in self._problems if problem.file == file):
            self.rules += built.rules

    def _is_as_it_was(self, built: Built) -> bool:
        """Return whether a file names secrets that have their values still; one with errors may lack some."""
        if errors(built.problems):
            return False
        self._forget_names()
        try:
            return all(self._context.secrets.find(name) == value for name, value in built.secrets.items())
        except ConfigError:
            return False

    def _forget_names(self) -> None:
        """Know the outlets and secrets of the settings alone, so that each file shows which it names."""
        context = self._context
        context.outlets.urls = dict(context.settings.outlets)
        context.secrets.values = dict(context.settings.secrets)

    def _build(self, document: Document) -> Built:
        before, context = len(self._problems), self._context
        self._forget_names()
        self._problems += document.problems
        specs = list(self._specs(document))
        rules = [build(context, spec, location) for spec, location in specs]
        return Built(
            document=document,
            rules=tuple(filter(None, rules)),
            problems=tuple(self._problems[before:]),
            ids=tuple((spec.id, location) for spec, location in specs),
            hooks=tuple(hook for spec, location in specs for hook in _named_hooks(spec, location)),
            outlets=_added(context.outlets.urls, context.settings.outlets),
            secrets=_added(context.secrets.values, context.settings.secrets),
        )

    def _specs(self, document: Document) -> Iterator[tuple[RuleSpec, Location]]:
        """Yield the rules of a file that can be read, and report the mistakes in the others."""
        for value, location in self._values(document):
            spec, problems = validate(RuleSpec, value, location)
            self._problems += problems
            if spec:
                yield spec, location

    def _values(self, document: Document) -> Iterator[tuple[Any, Location]]:
        """Yield the rules of a file as they are written, and report the mistakes around them."""
        value = document.value
        if value is None:
            if errors(document.problems):
                return
            value = {"version": 1}
        _, problems = validate(RuleFile, value, document.at())
        self._problems += problems
        if isinstance(value, dict) and isinstance(value.get("rules"), list):
            for index, rule in enumerate(value["rules"]):
                yield rule, document.at("rules", index)
        if not problems and not any(map(value.get, ("rules", *SECTIONS))):
            hint = "a rule stands under `rules:` and begins with `- id:`"
            problem = document.at().warning("WBX314", "this file has no rules", hint)
            self._problems.append(problem)

    def _compare(self, built: Built) -> None:
        """Report the ids of a file that others have too, and hooks that others describe otherwise."""
        for rule_id, location in built.ids:
            earlier = self._ids.setdefault(rule_id, location)
            if earlier is not location:
                hint = Wording("the other one is at {where}", where=earlier.where)
                self._context.report(
                    location.at("id"),
                    "WBX301",
                    Wording("two rules have the id `{id}`", id=rule_id),
                    hint,
                )
        for hook, location in built.hooks:
            self._compare_hook(hook, location)

    def _compare_hook(self, hook: WebhookSpec, location: Location) -> None:
        """Report a hook that differs from an earlier one with its path: they share a sender and a proof."""
        first, earlier = self._hooks.setdefault(hook.path, (hook, location))
        different = [name for name in _OF_A_HOOK if getattr(hook, name) != getattr(first, name)]
        if different:
            message = Wording(
                "the path `{path}` has another {keys} elsewhere",
                path=hook.path,
                keys=joined(different, AND),
            )
            hint = Wording("see {where}: give it the same, or another path", where=earlier.where)
            self._context.report(location.at("path"), "WBX319", message, hint)


def _named_hooks(spec: RuleSpec, location: Location) -> Iterator[tuple[WebhookSpec, Location]]:
    """Yield the webhooks that a rule names."""
    for index, trigger in enumerate(spec.trigger):
        place = location.at("trigger", index)
        if trigger.webhook:
            yield trigger.webhook, place.at("webhook")
        if trigger.missing and trigger.missing.of.webhook:
            yield trigger.missing.of.webhook, place.at("missing", "of", "webhook")


def _added(values: Mapping[str, str], before: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in values.items() if name not in before}
