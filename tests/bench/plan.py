"""What ``plan`` costs: the stored events of a week run through a project's rules, in seconds of CPU."""

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from wbox_notify.engine.backtest import Happening, happenings, said
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project
from wbox_notify.store import Queries, open_history, open_store, rows

EVENTS = 100_000
WEEK = timedelta(days=7)
HEAD = """
version: 1
contacts: {ayse: {phone: "+90 555 123 45 67", quiet_hours: "22:00-07:00"}, mert: "+90 555 765 43 21"}
rules:
"""
RULE = """
  - id: %s
    trigger: {webhook: {path: disk, open: true}}
    to: ayse
    send: {text: "{{ body.disk }} of {{ body.host }} is {{ body.used }} %% full"}
"""
RULES = {
    "if": "    if: body.used >= 90\n",
    "if-never": "    if: body.host == 'nowhere'\n",
    "dedupe": "    dedupe: {key: body.disk, for: 1h}\n",
    "throttle": "    throttle: {max: 3, per: 1h}\n",
    "group": "    group: {by: body.host, wait: 30s, interval: 1h}\n",
    "digest": "    digest: {at: '18:00'}\n",
    "queue": "    throttle: {max: 3, per: 1h, overflow: queue}\n",
    "escalate": "    escalate: {after: 15m, to: mert, send: {text: '{{ ack_url }}'}}\n",
}


def main() -> None:
    """Print the cost of each kind of rule for itself, and of all together."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    end = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        project = a_project(Path(folder))
        past = a_history(Path(folder), number, end)
        show(f"{number:,} stored events through one version of the rules, in s of CPU")
        for rule in project.rules:
            measure(rule.id, project.only(rule), past, end)
        measure("all of them", project, past, end)
        past.close()


def a_project(folder: Path) -> Project:
    """Return a project with a rule of each kind, all of which each event sets off."""
    (folder / "rules").mkdir()
    text = HEAD + "".join(RULE % name + line for name, line in RULES.items())
    (folder / "rules" / "all.yaml").write_text(text)
    project = load(folder, {})
    if project.problems:
        raise SystemExit(str(project.problems))
    return project


def a_history(folder: Path, number: int, end: datetime) -> Queries:
    """Return a store with so many planned calls of a webhook in the week before its end."""
    path = folder / "store.db"
    open_store(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    columns = "id, type, at, data, received, planned"
    connection.executemany(f"insert into event ({columns}) values (?, ?, ?, ?, ?, ?)", calls(number, end))
    connection.commit()
    connection.close()
    past = open_history(f"sqlite:///{path}")
    if past is None:
        raise SystemExit("there is no store")
    return past


def calls(number: int, end: datetime) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of calls that tell of forty disks on twenty machines."""
    for place in range(number):
        at = (end - WEEK + (place + 1) * WEEK / (number + 1)).timestamp()
        body = {
            "disk": f"/d{place % 40}",
            "used": place % 100,
            "host": f"server-{place % 20}",
            "more": "x" * 200,
        }
        data = {"method": "POST", "path": "disk", "headers": {}, "query": {}, "body": body}
        yield f"webhook:disk:{place}", "webhook", at, json.dumps(data), at, at


def measure(title: str, project: Project, past: Queries, end: datetime) -> None:
    """Print what it costs to run all events through the rules of a project."""
    began, begin = time.process_time(), end - WEEK
    stored = (
        Happening(datetime.fromtimestamp(row["received"], UTC), rows.event(row))
        for row in past.events_from(begin.timestamp())
    )
    messages = said(project, happenings(project, stored, begin, end), begin, end)
    show(f"  {title:<12} {time.process_time() - began:7.1f}   {len(messages):,} messages")


def show(line: str) -> None:
    """Print a line."""
    print(line, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
