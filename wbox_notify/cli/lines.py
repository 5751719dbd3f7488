"""Events, decisions and deliveries as lines for a person."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache

import click

from wbox_notify.model.deliveries import Delivery, State
from wbox_notify.model.messages import Message, Notice
from wbox_notify.model.phones import masked
from wbox_notify.model.reasons import why
from wbox_notify.model.shown import content
from wbox_notify.model.text import printable
from wbox_notify.model.texts import _, spoken, told

_OUTCOMES = {"passed": "green", "stopped": "yellow", "waits": "yellow", "failed": "red"}
_STATES = {State.SENT: "green", State.DEAD: "red"}


def decision(step: str, outcome: str, detail: str) -> str:
    """Return one decision, its outcome in colour; ``step`` names the stage, and the rule before it."""
    detail = printable(told(detail, spoken.get()))
    return f"{click.style(f'{outcome:<7}', fg=_OUTCOMES.get(outcome))} {step}: {detail}"


def together(decisions: Iterable[str]) -> Iterator[str]:
    """Yield the lines of decisions, each once and how often: the rows of a file are often decided alike."""
    for line, times in Counter(decisions).items():
        yield f"{line}  (\N{MULTIPLICATION SIGN} {times})" if times > 1 else line


def target(message: Message | None) -> str:
    """Return a message's kind and masked phone, or its outlet."""
    if message is None:
        return _("no message could be made")
    recipient = message.outlet if isinstance(message, Notice) else masked(message.phone)
    return _("{kind:<5} to {recipient}", kind=message.kind, recipient=recipient)


def texts(message: Message | None) -> dict[str, str]:
    """Return what a message says as texts."""
    said = content(message)
    return {name: ", ".join(text) if isinstance(text, list) else text for name, text in said.items()}


@cache
def coloured(state: State) -> str:
    """Return a state in its colour."""
    return click.style(f"{state.value:<7}", fg=_STATES.get(state, "yellow"))


def delivery_line(delivery: Delivery, lang: str) -> str:
    """Return a delivery, with the reason where it was not sent."""
    line = f"{delivery.id:>6}  {target(delivery.message)}  {coloured(delivery.state)}  {delivery.rule}"
    reason = why(delivery, lang)
    if reason and delivery.state is not State.SENT:
        line += f"  {printable(reason)}"
    return line
