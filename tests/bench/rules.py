"""What thousands of rules cost: an event that one of them wants, and reading them all, or one file again."""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.daemon import RULE, Place, place
from bench.load import Calls, call, quantiles
from bench.processes import cpu
from bench.rounds import FLOOR, OURS, Figures, Row, Size, amount, in_turn, times
from bench.sink import sink

from wbox_notify.engine import Overlay, plan
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.model.events import Event
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

FEW, A_FILE, EVENTS = 10, 100, 100
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def events(size: Size) -> Iterator[Row]:
    """Compare an event's way through the engine with few and with many rules."""
    many = partial(_planned, _project(size.rules))
    done = in_turn({FLOOR: partial(_planned, _project(FEW)), OURS: many}, size)
    yield times(f"event with {size.rules:,} rules; floor: with {FEW}", done, "ms", 1.1, "ms")


def reading(size: Size) -> Iterator[Row]:
    """Measure ``check``, the start, and a saved file, also what it does to webhooks beside it."""
    with sink() as out, place(out.url, {**_files(size.rules), "call": RULE}) as project:
        checked = project.run("check")
        yield amount(f"`check` with {size.rules:,} rules", checked.wall, 5, "s", f"cpu {checked.cpu:.1f} s")
        with project.running() as daemon:
            title = f"ready after start with {size.rules:,} rules"
            yield amount(title, daemon.ready.wall, 5, "s", f"cpu {daemon.ready.cpu:.1f} s")
            calls = Calls(port=daemon.port, path="/hook/in", number=size.ticks, every=0.01)
            alone = quantiles(call(calls).latencies)[1]
            with ThreadPoolExecutor(1) as beside:
                called = beside.submit(call, calls)
                time.sleep(size.ticks * 0.01 / 2)
                (project.folder / "rules" / "0.yaml").write_text(_files(A_FILE, "saved")["0"])
                began, before = time.monotonic(), cpu(daemon.pid)
                daemon.reload()
                took, spent = time.monotonic() - began, cpu(daemon.pid) - before
                late = quantiles(called.result().latencies)[1]
    yield amount(f"one file of {A_FILE} rules saved, of {size.rules:,}", took, 0.3, "s", f"cpu {spent:.2f} s")
    note = f"p99 {alone:.1f} ms alone, {late:.1f} ms beside it"
    yield amount("p99 of webhooks beside it", late / alone, 3, "times", note)


def _files(number: int, state: str = "full") -> dict[str, str]:
    """Return the texts of files with so many rules, each with a path of its own."""
    rules = [
        f"  - id: r{count}\n"
        f"    trigger: {{webhook: {{path: p{count}, open: true}}}}\n"
        "    if: body.used > 90\n"
        "    to: '+905551234567'\n"
        f"    send: {{text: '{{{{ body.disk }}}} is {state}'}}\n"
        for count in range(number)
    ]
    return {
        f"{start // A_FILE}": "version: 1\nrules:\n" + "".join(rules[start : start + A_FILE])
        for start in range(0, number, A_FILE)
    }


def _project(number: int) -> Project:
    with tempfile.TemporaryDirectory() as folder:
        Place(Path(folder), "http://127.0.0.1:9", _files(number))
        project = load(Path(folder), {})
    if len(project.rules) != number:
        raise SystemExit(f"{len(project.rules)} of {number} rules: {project.problems[:2]}")
    return project


def _planned(project: Project) -> Figures:
    """Plan an event a hundred times."""
    body = {"disk": "/var", "used": 91}
    data = {"path": "p7", "method": "POST", "headers": {}, "query": {}, "body": body}
    event, state = Event(id="e", type="webhook", at=NOW, data=data), ReplayStore(project, NOW)
    began = time.process_time()
    for _ in range(EVENTS):
        plan(project, event, Overlay(state), NOW)
    return {"ms": (time.process_time() - began) / EVENTS * 1000}
