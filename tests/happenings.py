"""Rules that files and calls set off, and such a call, for the pages of the console about what happened."""

from datetime import UTC, datetime

from wbox_notify.model.events import Event

RULES = """
version: 1
contacts: {ayse: "+90 555 123 45 67"}
rules:
  - id: invoice
    trigger: {file: {path: drop, match: "*.pdf"}}
    if: file.size > 2
    to: ayse
    send: {text: "Invoice {{ file.name }}"}
  - id: large
    trigger: {file: {path: drop, match: "*.pdf"}}
    if: file.size > 999
    to: ayse
    send: {text: x}
  - id: alarm
    trigger: {webhook: {path: alarm, open: true}}
    to: ayse
    send: {text: "{{ body.text }}"}
    escalate:
      - {after: 1h, to: ayse, send: {text: "Nobody answers"}}
"""


def a_call(path: str, body: object, name: str = "webhook:alarm:1") -> Event:
    """Return a call of a hook."""
    return Event(id=name, type="webhook", at=datetime.now(UTC), data={"path": path, "body": body})
