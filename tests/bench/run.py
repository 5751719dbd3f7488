"""Measurements, run by hand or by ``make bench``. Each compares in one run, since machines are noisy."""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from wbox_notify.engine import Overlay, plan
from wbox_notify.engine.replay import ReplayStore
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.rules import Project, load
from wbox_notify.store import Store, open_store
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Watch

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ROUNDS = 7


def main() -> None:
    """Print all measurements."""
    rules_against_time()
    commits_together()
    files_when_closed()
    files_in_a_burst()


def files_when_closed(number: int = 500) -> None:
    """Time from the closing of a file to its event on disk, beside a bare commit on the same disk."""
    with watched() as (drop, store, kept):
        costs: dict[str, list[float]] = {"a commit alone": [], "closed to on disk": []}
        for count in range(number):
            began = time.perf_counter()
            store.put_events([an_event(f"bare{count}")], 1.0).result()
            costs["a commit alone"].append(time.perf_counter() - began)
            with (drop / f"{count}.pdf").open("wb") as file:
                file.write(b"x" * 100)
            began = time.perf_counter()
            kept.acquire(timeout=10)
            costs["closed to on disk"].append(time.perf_counter() - began)
            time.sleep(0.03)
    show(f"{number} files, one after the other", costs)
    for name, seconds in costs.items():
        p50, *_, p99 = statistics.quantiles(seconds, n=100)[49:]
        print(f"  {name:<20} p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")  # noqa: T201 - what it is for


def files_in_a_burst(number: int = 100_000) -> None:
    """Time from the first of many files that come at once to the last event on disk."""
    with watched() as (drop, store, kept):
        began = time.perf_counter()
        for count in range(number):
            if not count % 1000:
                (drop / str(count // 1000)).mkdir()
            (drop / str(count // 1000) / f"{count}.pdf").write_bytes(b"x")
        written = time.perf_counter() - began
        for _ in range(number):
            if not kept.acquire(timeout=60):
                raise SystemExit(f"{store.last_event()} of {number} files")
        taken = time.perf_counter() - began
        if store.last_event() != number:
            raise SystemExit(f"{store.last_event()} events of {number} files")
    show(f"{number} files at once", {"written": [written], "all on disk": [taken]})


@contextmanager
def watched() -> Iterator[tuple[Path, Store, threading.Semaphore]]:
    """Give a watched folder, its store, and a semaphore that is released for each file that is kept."""
    kept = threading.Semaphore(0)
    with tempfile.TemporaryDirectory() as folder:
        drop = Path(folder, "drop")
        drop.mkdir()
        store = open_store(f"sqlite:///{folder}/bench.db")

        def emit(events: Sequence[Event], versions: Sequence[FileVersion]) -> None:
            store.put_events(events, 1.0, files=dict.fromkeys(versions, FileState.SEEN)).result()
            kept.release(max(len(events), 1))

        watch = Watch(drop, lambda _path: True)
        source = FileSource([watch], known=store.files.known, emit=emit, report=print)
        source.start()
        source.listed(10)
        try:
            yield drop, store, kept
        finally:
            source.stop()
            store.close()


def rules_against_time() -> None:
    """Cost of one event with 10 and with 10,000 rules of which one can match."""
    few, many = a_project(10), a_project(10_000)
    call = an_event()
    costs = in_turn({"10 rules": lambda: planned(few, call), "10,000 rules": lambda: planned(many, call)})
    show("one event through the engine", costs)


def commits_together() -> None:
    """Cost of keeping an event alone, and of keeping 100 that come together."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/bench.db")
        counter = iter(range(10_000_000))

        def keep(number: int) -> None:
            kept = [store.put_events([an_event(f"e{next(counter)}")], 1.0) for _ in range(number)]
            for future in kept:
                future.result()

        costs = in_turn({"one event a commit": lambda: keep(1), "100 at once": lambda: keep(100)})
        costs["100 at once"] = [cost / 100 for cost in costs["100 at once"]]
        show("keeping an event on disk", costs)
        store.close()


def a_project(number: int) -> Project:
    """Return a project with so many rules, each with a path and a folder of its own."""
    rules = "".join(
        f"  - id: r{place}\n"
        f"    trigger: [{{webhook: {{path: p{place}, open: true}}}}, {{file: {{path: drop/{place}}}}}]\n"
        "    if: body.used > 90\n"
        "    to: '+905551234567'\n"
        "    send: {text: '{{ body.disk }} is full'}\n"
        for place in range(number)
    )
    with tempfile.TemporaryDirectory() as folder:
        # A file has a limit of nodes, so they are spread over several.
        lines = rules.splitlines(keepends=True)
        for part, start in enumerate(range(0, len(lines), 2500)):
            path = Path(folder, "rules", f"{part}.yaml")
            path.parent.mkdir(exist_ok=True)
            path.write_text("version: 1\nrules:\n" + "".join(lines[start : start + 2500]), encoding="utf-8")
        project = load(Path(folder), {})
    if len(project.rules) != number:
        raise SystemExit(f"{len(project.rules)} of {number} rules: {project.problems[:2]}")
    return project


def an_event(name: str = "e") -> Event:
    """Return a call of the path of the rule r7."""
    body = {"disk": "/var", "used": 91}
    data = {"path": "p7", "method": "POST", "headers": {}, "query": {}, "body": body}
    return Event(id=name, type="webhook", at=NOW, data=data)


def planned(project: Project, event: Event) -> None:
    """Plan an event a hundred times."""
    state = ReplayStore(project, NOW)
    for _ in range(100):
        plan(project, event, Overlay(state), NOW)


def in_turn(works: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Return the seconds that each work took, in rounds by turns after one that does not count."""
    costs: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if number:
                costs[name].append(time.perf_counter() - began)
    return costs


def show(title: str, costs: dict[str, list[float]]) -> None:
    """Print the median of each work and how it compares with the first."""
    print(title)  # noqa: T201 - what it is for
    base = statistics.median(next(iter(costs.values())))
    for name, seconds in costs.items():
        median = statistics.median(seconds)
        print(f"  {name:<20} {median * 1000:9.3f} ms   x {median / base:.2f}")  # noqa: T201 - likewise


if __name__ == "__main__":
    main()
