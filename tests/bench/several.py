"""What several daemons on one PostgreSQL do, with a thousand devices, beside one daemon on SQLite."""

import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from bench.daemon import Daemon, Place, place
from bench.load import Answers, Calls, call
from bench.processes import cpu, cpu_of_all
from bench.queued import fill
from bench.rounds import FLOOR, Contender, Figures, Rounds, Row, Size, in_turn
from bench.sink import Arrivals, Sink, sink
from databases import Postgres

from wbox_notify.store import open_store

DEVICES = 1_000
NUMBERS = (1, 2, 4)
CONNECTIONS = 64

_RULE = """
  - id: device-%(device)s
    trigger: {webhook: {path: in-%(device)s, secret: bench, verify: {scheme: github}}}
    to: "+{{ body.phone }}"
    send: {text: "{{ body.mark }} has been called", device: %(device)s}
"""
_RULES = {
    f"from-{first}": "version: 1\nrules:"
    + "".join(_RULE % {"device": number} for number in range(first, first + 100))
    for first in range(1, DEVICES, 100)
}
_LETTERS = "abcd"


@dataclass(frozen=True, slots=True)
class Office:
    """Daemons that share a store; ``server`` is the process of its database, where it has one."""

    daemons: Sequence[Daemon]
    out: Sink
    server: int = 0

    def cpu(self) -> tuple[float, float]:
        """Return the seconds of CPU that the daemons have taken, and those of the database."""
        return sum(cpu(daemon.pid) for daemon in self.daemons), cpu_of_all(
            self.server
        ) if self.server else 0.0

    def call(self, number: int, seconds: float) -> list[Answers]:
        """Call all daemons at once, so many times in all and so many seconds at most."""
        calls = [
            Calls(
                port=daemon.port,
                path="/hook/in-%(device)s",
                number=number // len(self.daemons),
                seconds=seconds,
                connections=CONNECTIONS // len(self.daemons),
                devices=DEVICES,
                letter=letter,
            )
            for daemon, letter in zip(self.daemons, _LETTERS, strict=False)
        ]
        with ThreadPoolExecutor(len(calls)) as callers:
            return list(callers.map(call, calls))

    def spent(self, before: tuple[float, float], number: int) -> Figures:
        """Return the milliseconds of CPU for each of so many, of daemons and database."""
        ours, database = (now - then for now, then in zip(self.cpu(), before, strict=True))
        return {"cpu": ours / number * 1000, "database": database / number * 1000}


def several(size: Size) -> Iterator[Row]:
    """Compare 1, 2 and 4 daemons on PostgreSQL with one on SQLite."""
    with sink() as out, Postgres({"listen_addresses": ""}) as server, place(out.url) as filled:
        file, database = f"sqlite:///{filled.database}", server.fresh()
        for url in (file, database):
            store = open_store(url)
            fill(store, size.queue, DEVICES)
            store.close()
        work: dict[str, Callable[[Office], Figures]] = {
            "webhook accepted": partial(_taken, size),
            "webhook → message out": partial(_called, size),
        }
        for name, measure in work.items():
            contenders = _contenders(out, server, measure)
            yield _row(f"{name}, {DEVICES:,} devices, {CONNECTIONS} connections", contenders, size)
        contenders = _contenders(out, server, partial(_drained, size), filled, database)
        yield _row(f"queue of {size.queue:,} drained, {DEVICES:,} devices", contenders, size)


def _contenders(
    out: Sink,
    server: Postgres,
    measure: Callable[[Office], Figures],
    filled: Place | None = None,
    like: str = "",
) -> dict[str, Contender]:
    def on_a_file() -> Figures:
        out.empty()
        with place(out.url, _RULES) as project:
            if filled:
                shutil.copyfile(filled.database, project.database)
            with project.running() as daemon:
                return measure(Office([daemon], out))

    def on_a_server(number: int) -> Figures:
        out.empty()
        with _several(out, server.fresh(like), number) as daemons:
            return measure(Office(daemons, out, server.process.pid))

    return {FLOOR: on_a_file, **{str(number): partial(on_a_server, number) for number in NUMBERS}}


@contextmanager
def _several(out: Sink, store: str, number: int) -> Iterator[Sequence[Daemon]]:
    """Run so many daemons, each in a project of its own, which know each other's links."""
    key = secrets.token_bytes(32)
    with ExitStack() as stack:
        places = [stack.enter_context(place(out.url, _RULES, store=store)) for _ in range(number)]
        for one in places:
            one.link_key(key)
        with ThreadPoolExecutor(number) as starters:
            yield list(starters.map(stack.enter_context, [one.running() for one in places]))


def _taken(size: Size, office: Office) -> Figures:
    before = office.cpu()
    answers = office.call(int(10_000 * size.seconds), size.seconds)
    number = sum(one.accepted for one in answers)
    return {"per s": sum(one.rate for one in answers), **office.spent(before, number)}


def _called(size: Size, office: Office) -> Figures:
    before = office.cpu()
    answers = office.call(size.calls, size.waits)
    arrivals = office.out.take(sum(one.accepted for one in answers), size.waits, size.waits)
    began = min(at for one in answers for at in one.began.values())
    return _arrived(office, arrivals, began, before)


def _drained(size: Size, office: Office) -> Figures:
    before = (sum(daemon.ready.cpu for daemon in office.daemons), office.cpu()[1])
    began = time.monotonic()
    arrivals = office.out.take(size.queue, size.waits, size.waits)
    return _arrived(office, arrivals, began, before)


def _arrived(office: Office, arrivals: Arrivals, began: float, before: tuple[float, float]) -> Figures:
    if not arrivals:
        raise SystemExit("nothing arrived in time: this machine is too busy to measure")
    number = len(arrivals.marks)
    return {"per s": number / (arrivals[-1][0] - began), **office.spent(before, number)}


def _row(work: str, contenders: dict[str, Contender], size: Size) -> Row:
    done = in_turn(contenders, size)
    return Row(
        work=f"{work}, PostgreSQL with {_listed(NUMBERS)} daemons; floor: SQLite",
        ours=f"{_listed(_each(done, 'per s', '{:,.0f}'))}/s",
        floor=f"{done.median(FLOOR, 'per s'):,.0f}/s",
        ratio=_listed(f"{done.ratio(str(number), FLOOR, 'per s'):.2f}" for number in NUMBERS),
        beside=f"cpu {_listed(_each(done, 'cpu', '{:.2f}'))} ms, of the database"
        f" {_listed(_each(done, 'database', '{:.2f}'))} ms; of SQLite {done.median(FLOOR, 'cpu'):.2f} ms",
    )


def _each(done: Rounds, figure: str, shape: str) -> Iterator[str]:
    return (shape.format(done.median(str(number), figure)) for number in NUMBERS)


def _listed(items: Iterator[str] | Sequence[int]) -> str:
    return " / ".join(map(str, items))
