"""Events, messages and deliveries as the commands and the console show them: texts and JSON values."""

from datetime import datetime
from typing import Any

from wbox_notify.model.deliveries import Delivery
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Message, dump
from wbox_notify.model.reasons import why
from wbox_notify.model.redaction import redacted
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, patterns, recognised

_CALLS = patterns(Wording("{path} from {address}"))
_ADDRESS = {"kind", "phone", "device_id", "outlet"}


def iso(seconds: float) -> str:
    """Return a time for a program: ISO 8601 with the zone of this machine."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat()


def subject(event: Event, lang: str = "en") -> str:
    """Return what an event is about, such as the file's path and size."""
    match event.type:
        case "file":
            return f"{printable(event.data['path'])} ({event.data['size']} B)"
        case "webhook":
            return f"/hook/{printable(event.data['path'])}"
        case "refused":
            return printable(recognised(str(event.data["call"]), _CALLS).to(lang))
        case "send":
            return printable(str(event.data["kind"]))
        case "alarm":
            return printable(str(event.data["text"]))
    return printable(str(event.data.get("rule", "")))


def content(message: Message | None) -> dict[str, Any]:
    """Return what a message says, without whom it is for."""
    fields = dump(message) if message else {}
    return {
        name: [redacted(part) for part in value] if isinstance(value, list | tuple) else redacted(str(value))
        for name, value in fields.items()
        if name not in _ADDRESS and value
    }


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
        "due": iso(delivery.due),
        "created": iso(delivery.created),
        "tries": delivery.tries,
        "reason": why(delivery, lang),
        "hold": delivery.hold,
        "left_out": delivery.left_out,
    }
