"""Rehearsal: events that a person makes up, and what would follow from one; nothing is stored or sent."""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_run import StateReader
from wbox_notify.errors import WboxError
from wbox_notify.model.events import Event
from wbox_notify.model.texts import Wording
from wbox_notify.rules.project import Project
from wbox_notify.triggers.file.rows import Slice, Wanted
from wbox_notify.triggers.webhook.hooks import Hook
from wbox_notify.triggers.webhook.signatures import Call

_LONGEST_WAIT = timedelta(days=8)


def rehearse(
    project: Project,
    event: Event,
    now: datetime,
    *,
    below: StateReader | None = None,
    rows: Callable[[Wanted], Slice] | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> ReplayStore:
    """Return what would follow from an event, its rows included, up to the first message that comes later.

    ``below`` knows what rules keep in mind; ``rows`` and ``contents`` are as in ``ReplayStore``.
    """
    replay = ReplayStore(project, now, rows=rows, below=below, contents=dict(contents or {}))
    replay.happen(event)
    replay.follow_rows()
    replay.wait_for_a_message(replay.now + _LONGEST_WAIT)
    return replay


def called(hook: Hook, call: Call) -> Event:
    """Return the event that a call of a hook is, as a new one.

    Raises:
        WboxError: It cannot be used, or only tests the hook.
    """
    event = hook.event(call)
    if not isinstance(event, Event):
        raise WboxError(
            Wording("such a call only tests the hook, which answers {answer}", answer=json.dumps(dict(event)))
        )
    return replace(event, id=f"webhook:{hook.path}:{uuid.uuid4()}")


def due(rule_id: str, kind: str, at: datetime) -> Event:
    """Return the event of a rule that is due now, as a new one; ``kind`` is ``schedule`` or ``missing``."""
    facts = {"rule": rule_id, "at": at.isoformat(), "late": 0.0}
    return Event(id=f"{kind}:{rule_id}:{uuid.uuid4()}", type=kind, at=at, data=facts)


def dropped(root: Path, name: str, text: str, at: datetime) -> dict[str, Any]:
    """Return the facts of a file in a folder that nobody has put there."""
    path = root / name
    return {
        "path": str(path),
        "name": path.name,
        "stem": path.stem,
        "ext": path.suffix,
        "folder": str(path.parent),
        "size": len(text.encode("utf-8", "surrogatepass")) or 1,
        "mtime": at.timestamp(),
        "sha256": hashlib.sha256((text or name).encode("utf-8", "surrogatepass")).hexdigest(),
        "text": text,
    }
