"""How much memory and time a CSV takes, from the file to its deliveries, in a process of its own.

``PYTHONPATH=tests python -m bench.rows 1000000`` prints one JSON line; every tenth row is a message.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.processes import most_memory

from wbox_notify.daemon.planner import Planner
from wbox_notify.model.events import Event
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live
from wbox_notify.store import open_store
from wbox_notify.triggers.file.rows import RowFiles
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Want, Watch

RULES = """
version: 1
contacts: {boss: "+905559990011"}
rules:
  - id: orders
    trigger: {file: {path: drop, match: "*.csv"}}
    for_each: {row: file.rows}
    if: row.status == "shipped"
    to: "{{ row.phone }}"
    send: {text: "Hello {{ row.name }}, your order {{ row.order }} is on its way."}
"""


def main(number: int) -> None:
    """Print what a file of so many rows took."""
    with tempfile.TemporaryDirectory() as folder:
        report = measured(Path(folder), number)
    print(json.dumps(report))  # noqa: T201 - what it is for


def measured(folder: Path, number: int) -> dict[str, float]:
    """Return the rows, messages, seconds, and the largest memory of this process in MB."""
    path = a_csv(folder, number)
    project = load(folder, {"WBOX_API_KEY": "sk_x"})
    store = open_store(f"sqlite:///{folder}/wbox.db")
    store.put_events([event_of(path)], time.time()).result()
    files = RowFiles()
    planner = Planner(Live(project), store, rows=files)
    began = time.perf_counter()
    while planner.step():
        pass
    seconds = time.perf_counter() - began
    files.close()
    made = sum(store.counts().values())
    store.close()
    size = path.stat().st_size / 1e6
    return {"rows": number, "file_mb": size, "deliveries": made, "seconds": seconds, "peak_mb": most_memory()}


def a_csv(folder: Path, number: int) -> Path:
    """Return a project folder's CSV of so many rows."""
    (folder / "rules").mkdir()
    (folder / "drop").mkdir()
    (folder / "rules" / "all.yaml").write_text(RULES, encoding="utf-8")
    (folder / "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\nowner: boss\n")
    path = folder / "drop" / "orders.csv"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_lines(number))
    return path


def _lines(number: int) -> Iterator[str]:
    yield "order;name;phone;status\n"
    for place in range(number):
        status = "packed" if place % 10 else "shipped"
        yield f"{place};Ayşe {place};+90555{place:07};{status}\n"


def event_of(path: Path) -> Event:
    """Return what the file source tells of a file."""
    found: list[Event] = []
    watch = Watch(root=path.parent, accepts=lambda one: one == os.fspath(path), want=lambda _: Want(settle=0))
    source = FileSource(
        [watch],
        known=lambda _versions: {},
        emit=lambda events, _versions: found.extend(events),
        report=lambda _line: None,
    )
    source.sweep()
    return found[0]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
