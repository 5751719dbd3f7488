"""Events, decisions and deliveries as lines for a person, and as JSON values."""

from typing import Any

import click

from wbox_notify.model.deliveries import Delivery, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, Notice, dump
from wbox_notify.model.phones import masked
from wbox_notify.model.reasons import why
from wbox_notify.model.redaction import redacted
from wbox_notify.model.text import printable

_OUTCOMES = {"passed": "green", "stopped": "yellow", "waits": "yellow", "failed": "red"}
_ADDRESS = {"kind", "phone", "device_id", "outlet"}
_STATES = {State.SENT: "green", State.DEAD: "red"}


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


def decision(step: str, outcome: str, detail: str) -> str:
    """Return one decision, its outcome in colour; ``step`` names the stage, and the rule before it."""
    return f"{click.style(f'{outcome:<7}', fg=_OUTCOMES.get(outcome))} {step}: {printable(detail)}"


def target(message: Message | None) -> str:
    """Return a message's kind and masked phone, or its outlet."""
    if message is None:
        return "no message could be made"
    recipient = message.outlet if isinstance(message, Notice) else masked(message.phone)
    return f"{message.kind:<5} to {recipient}"


def content(message: Message | None) -> dict[str, Any]:
    """Return what a message says, without whom it is for."""
    fields = dump(message) if message else {}
    said = {name: value for name, value in fields.items() if name not in _ADDRESS and value}
    return {
        name: redacted(", ".join(value) if isinstance(value, list | tuple) else str(value))
        for name, value in said.items()
    }


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


def delivery_fields(delivery: Delivery, lang: str) -> dict[str, object]:
    """Return a delivery as JSON values, with the whole phone number and without the text."""
    kind, recipient = None, None
    if delivery.message:
        kind, recipient = delivery.message.kind, delivery.message.recipient
    return {
        "id": delivery.id,
        "event": delivery.event_id,
        "rule": delivery.rule,
        "kind": kind,
        "to": recipient,
        "state": delivery.state,
        "due": delivery.due,
        "created": delivery.created,
        "tries": delivery.tries,
        "reason": why(delivery, lang),
        "hold": delivery.hold,
        "left_out": delivery.left_out,
    }
