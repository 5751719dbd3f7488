"""Each step of the daemon as a line on the screen, as it happens."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from functools import wraps
from typing import ParamSpec

import click

from wbox_notify.cli.output import clock, lasted, say, say_json
from wbox_notify.model.deliveries import Delivery, NextStep, Plan, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.phones import masked
from wbox_notify.model.reasons import why
from wbox_notify.model.text import printable

P = ParamSpec("P")


def _to_whom_it_reaches(printing: Callable[P, None]) -> Callable[P, None]:
    @wraps(printing)
    def printed(*words: P.args, **named: P.kwargs) -> None:
        with suppress(OSError):
            printing(*words, **named)

    return printed


class Feed:
    """Prints events, what was decided and attempts; as NDJSON if asked to.

    Where nobody takes what is printed, nothing is printed, and the work goes on.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    @_to_whom_it_reaches
    def planned(self, event: Event | None, plan: Plan) -> None:
        """Print an event and what the rules made of it; without an event, what became due."""
        if self._as_json:
            decisions = [asdict(made) for made in plan.decisions]
            kind = event.type if event else "due"
            say_json({"at": _at(event), "event": plan.event_id, "type": kind, "decisions": decisions})
            return
        at = clock(_at(event))
        if event:
            say(f"{at}  {click.style('-->', fg='cyan')} {event.type:<8} {subject(event)}")
        for made in plan.decisions:
            say(f"{at}      {decision(made.rule, made.stage, made.outcome, made.detail)}")

    @_to_whom_it_reaches
    def attempted(self, delivery: Delivery, answer: Answer, then: NextStep) -> None:
        """Print how an attempt ended and what follows."""
        if self._as_json:
            say_json(
                {
                    "delivery": delivery.id,
                    "event": delivery.event_id,
                    "rule": delivery.rule,
                    "outcome": answer.outcome,
                    "status": answer.status,
                    "detail": answer.detail,
                    "state": then.state,
                    "due": then.due,
                }
            )
            return
        words = [f"{delivery.id:>6} ", target(delivery.message), state(then.state)]
        words.append(f"{answer.status or '-'}  {lasted(answer.latency)}  {delivery.rule}")
        if answer.outcome is not Outcome.SENT:
            words.append(f"  {printable(answer.detail)}")
        say(f"{clock(then.due)}  {click.style('<--', fg='green')} {'  '.join(words)}")


def _at(event: Event | None) -> float:
    return event.at.timestamp() if event else time.time()


def subject(event: Event) -> str:
    """Return what an event is about, such as the file's path and size."""
    match event.type:
        case "file":
            return f"{printable(event.data['path'])} ({event.data['size']} bytes)"
        case "webhook":
            return f"/hook/{printable(event.data['path'])}"
        case "refused":
            return printable(str(event.data["call"]))
        case "send":
            return printable(str(event.data["kind"]))
    return printable(str(event.data.get("rule", "")))


def decision(rule: str, stage: str, outcome: str, detail: str) -> str:
    """Return a line about one decision."""
    colour = {"passed": "green", "stopped": "yellow", "waits": "yellow", "failed": "red"}.get(outcome)
    return f"{click.style(f'{outcome:<7}', fg=colour)} {rule} {stage}: {printable(detail)}"


def target(message: Message | None) -> str:
    """Return a message's kind and masked phone, or its outlet."""
    if message is None:
        return "no message could be made"
    recipient = message.outlet if isinstance(message, Notice) else masked(message.phone)
    return f"{message.kind:<5} to {recipient}"


def state(reached: State) -> str:
    """Return a state in its colour."""
    colour = "green" if reached is State.SENT else "red" if reached is State.DEAD else "yellow"
    return click.style(f"{reached.value:<7}", fg=colour)


def listed(deliveries: Iterable[Delivery], lang: str) -> None:
    """Print deliveries, a line each."""
    for delivery in deliveries:
        text = why(delivery, lang) if delivery.state is not State.SENT else ""
        reason = f"  {printable(text)}" if text else ""
        say(f"{delivery.id:>6}  {target(delivery.message)}  {state(delivery.state)}  {delivery.rule}{reason}")
