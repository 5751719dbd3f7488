"""The names that expressions and templates of a rule see."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wbox_notify.errors import WboxError
from wbox_notify.events import Event
from wbox_notify.rules import Project, Rule


def context(project: Project, rule: Rule, event: Event, now: datetime) -> Mapping[str, Any]:
    """Return the values of all names but ``contact``, times in the project's zone."""
    zone = project.settings.tz
    return {
        "event": {"id": event.id, "type": event.type, "at": event.at.astimezone(zone)},
        "rule": {"id": rule.id, "name": rule.name},
        "now": now.astimezone(zone),
        event.type: {**event.data, **_file(rule, event, project)},
    }


def _file(rule: Rule, event: Event, project: Project) -> dict[str, Any]:
    fields: dict[str, Any] = {"mtime": datetime.fromtimestamp(event.data["mtime"], project.settings.tz)}
    if "json" in rule.needs:
        try:
            fields["json"] = json.loads(event.data["text"])
        except (ValueError, RecursionError) as error:
            raise WboxError(f"file.json: {event.data['name']} is not JSON: {error}") from None
    return fields
