"""Events, decisions and deliveries as lines for a person."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

import click

from wbox_notify.dispatch.lanes import ALL
from wbox_notify.model.deliveries import OPEN, Circuit, Delivery, State
from wbox_notify.model.messages import Message, Notice
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.phones import masked
from wbox_notify.model.reasons import circuit, why
from wbox_notify.model.shown import content
from wbox_notify.model.text import printable
from wbox_notify.model.texts import _, spoken, told

_OUTCOME_COLOURS = {"passed": "green", "stopped": "yellow", "waits": "yellow", "failed": "red"}
_STATE_COLOURS = {State.SENT: "green", State.DEAD: "red"}


def _outcomes() -> dict[str, str]:
    """Return what outcomes of decisions are called; in English as JSON calls them."""
    return {
        "passed": _("passed"),
        "stopped": _("stopped"),
        "waits": _("waits"),
        "failed": _("failed"),
    }


def _states() -> dict[str, str]:
    """Return what states are called; in English as `--state` and JSON call them."""
    return {
        "queued": _("queued"),
        "sending": _("sending"),
        "sent": _("sent"),
        "unknown": _("unknown"),
        "held": _("held"),
        "dead": _("dead"),
        "expired": _("expired"),
        "cancelled": _("cancelled"),
    }


def _parts() -> dict[str, str]:
    """Return what the parts of a message are called; in English as JSON calls them."""
    return {
        "message": _("message"),
        "caption": _("caption"),
        "url": _("url"),
        "file": _("file"),
        "title": _("title"),
        "description": _("description"),
        "start": _("start"),
        "question": _("question"),
        "options": _("options"),
        "text": _("text"),
    }


def named(state: State) -> str:
    """Return what a state is called, in the language of who reads."""
    return _states()[state.value]


def decision(step: str, outcome: str, detail: str) -> str:
    """Return one decision, its outcome in colour; ``step`` names the stage, and the rule before it."""
    detail = printable(told(detail, spoken.get()))
    shown = _in_column(outcome, _outcomes, spoken.get(), _OUTCOME_COLOURS.get(outcome))
    return f"{shown} {step}: {detail}"


def together(decisions: Iterable[str]) -> Iterator[str]:
    """Yield the lines of decisions, each once and how often: the rows of a file are often decided alike."""
    for line, times in Counter(decisions).items():
        yield f"{line}  (\N{MULTIPLICATION SIGN} {times})" if times > 1 else line


def target(message: Message | None) -> str:
    """Return a message's kind and masked phone, or its outlet."""
    if message is None:
        return _("no message could be made")
    return _("{kind:<5} to {recipient}", kind=message.kind, recipient=recipient(message))


def recipient(message: Message) -> str:
    """Return a message's masked phone, or its outlet."""
    return message.outlet if isinstance(message, Notice) else masked(message.phone)


def texts(message: Message | None) -> dict[str, str]:
    """Return what a message says as texts, by what its parts are called."""
    said, names = content(message), _parts()
    return {
        names.get(part, part): ", ".join(text) if isinstance(text, list) else text
        for part, text in said.items()
    }


def coloured(state: State) -> str:
    """Return a state in its colour, in the language of who reads."""
    return _in_column(state.value, _states, spoken.get(), _STATE_COLOURS.get(state, "yellow"))


def waits() -> str:
    """Return what stands in place of a state where something waits that is no delivery yet."""
    return click.style(f"{_('waits'):<{_width(_states)}}", fg="yellow")


@cache
def _in_column(name: str, names: Callable[[], dict[str, str]], _lang: str, colour: str | None) -> str:
    """Return a name in its colour, as wide as the widest; the language is there for the cache."""
    return click.style(f"{names().get(name, name):<{_width(names)}}", fg=colour)


def _width(names: Callable[[], dict[str, str]]) -> int:
    return max(map(len, names().values()))


def paused(circuits: Iterable[Circuit]) -> dict[str, Outcome]:
    """Return why devices cannot send, by their names."""
    return {opened.device: opened.reason for opened in circuits}


def reason(delivery: Delivery, stopped: Mapping[str, Outcome], lang: str) -> str:
    """Return why a delivery is not sent: for a reason of its own, or as its device cannot send."""
    own = why(delivery, lang)
    if own or delivery.state not in OPEN or isinstance(delivery.message, Notice):
        return own
    stop = stopped.get(ALL) or stopped.get(delivery.device)
    return circuit(stop, lang) if stop else ""


def delivery_line(delivery: Delivery, stopped: Mapping[str, Outcome], lang: str) -> str:
    """Return a delivery, with the reason where it was not sent."""
    line = f"{delivery.id:>6}  {target(delivery.message)}  {coloured(delivery.state)}  {delivery.rule}"
    why_not = reason(delivery, stopped, lang)
    if why_not and delivery.state is not State.SENT:
        line += f"  {printable(why_not)}"
    return line
