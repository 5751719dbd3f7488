"""Completion of the word that is typed in a shell: the rules, people, events and messages of the project."""

from collections.abc import Callable, Iterator
from contextlib import closing

import click
from click.shell_completion import CompletionItem

from wbox_notify.cli import gallery as shipped
from wbox_notify.cli.lines import target
from wbox_notify.cli.output import moment
from wbox_notify.cli.project import history, open_project
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import OPEN, STUCK
from wbox_notify.model.shown import subject
from wbox_notify.model.texts import spoken
from wbox_notify.rules.project import Project
from wbox_notify.store import rows

_MOST = 50

Offer = tuple[str, str]
"""A word, and what it stands for."""
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(offers: Callable[[Project], Iterator[Offer]]) -> Completer:
    """Return what gives click the words that begin as what is typed; none where nothing can be read."""

    def complete(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
        try:
            project = open_project(ctx.find_root().params.get("config"))
            offered = [CompletionItem(word, help=text) for word, text in offers(project)]
        except WboxError:
            return []
        return [item for item in offered if item.value.startswith(typed)]

    return complete


def _rules(project: Project) -> Iterator[Offer]:
    for rule in project.rules:
        yield rule.id, rule.name


def _people(project: Project) -> Iterator[Offer]:
    people = project.people
    for kind, names in (("contact", people.contacts), ("group", people.groups), ("on call", people.on_call)):
        yield from ((name, kind) for name in names)


def _events(project: Project) -> Iterator[Offer]:
    with closing(history(project)) as past:
        for row in reversed(past.events(most=_MOST)):
            yield row["id"], f"{moment(row['received'])} {subject(rows.event(row), spoken.get())}"


def _unsent(project: Project) -> Iterator[Offer]:
    with closing(history(project)) as past:
        for delivery in past.queue([*OPEN, *STUCK], _MOST):
            yield str(delivery.id), f"{delivery.state.value} {target(delivery.message)} {delivery.rule}"


def _sent(project: Project) -> Iterator[Offer]:
    with closing(history(project)) as past:
        for row in reversed(past.events(most=_MOST)):
            for delivery in past.deliveries(row["id"]):
                yield str(delivery.id), f"{delivery.state.value} {target(delivery.message)} {delivery.rule}"


def _anything(project: Project) -> Iterator[Offer]:
    yield from _rules(project)
    yield from _people(project)
    yield from _events(project)


rules = _completer(_rules)
people = _completer(_people)
events = _completer(_events)
unsent = _completer(_unsent)
messages = _completer(_sent)
anything = _completer(_anything)


def gallery(_ctx: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the rules of the gallery that begin as what is typed."""
    offers = shipped.names().items()
    return [CompletionItem(name, help=path.parent.name) for name, path in offers if name.startswith(typed)]
