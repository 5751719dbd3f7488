"""From the call of a webhook, or from the queue, to the message at wbox."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import peers
from bench.daemon import Place, place
from bench.history import fill
from bench.load import BODY, PHONES, Answers, Calls, call, quantiles
from bench.processes import cpu, free_port, program, until_open
from bench.queued import a_queue
from bench.rounds import FLOOR, OURS, Contender, Figures, Rounds, Row, Size, delays, in_turn, rates, times
from bench.sink import Arrivals, Sink, sink

TICK = 0.05


class Way(NamedTuple):
    """Where calls go, and the process whose CPU counts."""

    port: int
    path: str
    pid: int = 0
    body: str = BODY


def way_out(size: Size) -> Iterator[Row]:
    """Compare with a loop of ``requests`` in one thread, to many phones and to one."""
    with sink() as out:
        for phones, aim in ((PHONES, 1.0), (1, 0.5)):
            contenders: dict[str, Contender] = {
                FLOOR: partial(_loop, size, out),
                OURS: partial(_ours, size, phones, out),
            }
            if phones > 1:
                contenders |= {name: partial(_peer, name, size, out) for name in peers.installed(*_PEERS)}
            done = in_turn(contenders, size)
            named = f"{phones} phones" if phones > 1 else "one phone"
            yield rates(f"webhook → message out, {named}", done, aim, _cost(done))


def drain(size: Size) -> Iterator[Row]:
    """Compare the end of a full queue with a loop of ``requests``."""
    with sink() as out, a_queue(size.queue) as queued:
        contenders = {FLOOR: partial(_loop, size, out), OURS: partial(_drained, size, out, queued)}
        done = in_turn(contenders, size)
        fifths = f"the last fifth x {done.median(OURS, 'last') / done.median(OURS, 'first'):.2f} of the first"
        title = f"queue of {size.queue:,} drained, {PHONES} phones"
        yield rates(title, done, 0.8, f"{_cost(done)}; {fifths}")


def paced(size: Size) -> Iterator[Row]:
    """Compare with a relay that keeps nothing on disk, at one call in 50 ms."""
    with sink() as out:
        contenders: dict[str, Contender] = {
            FLOOR: partial(_ticked, size, out, partial(_relay, out)),
            OURS: partial(_ticked, size, out, partial(_daemon, out)),
        }
        done = in_turn(contenders, size)
        yield delays("a webhook in 50 ms → message out, p50 / p99", done, (5, 20))


def history(size: Size) -> Iterator[Row]:
    """Compare a store with much history with one that has none."""
    settings = "history: forever\n"
    with sink() as out, place(out.url, settings=settings) as old, place(out.url, settings=settings) as new:
        fill(old.database, size.history, time.time())
        contenders = {FLOOR: partial(_on, new, size, out), OURS: partial(_on, old, size, out)}
        title = f"CPU a message with {size.history:,} rows of history; floor: with none"
        yield times(title, in_turn(contenders, size), "cpu", 1.1, "ms")


def _on(project: Place, size: Size, out: Sink) -> Figures:
    with project.running() as daemon:
        return _called(Way(daemon.port, "/hook/in", daemon.pid), size, PHONES, out)


def _cost(done: Rounds) -> str:
    lost = sum(one["lost"] for one in done.figures[OURS])
    late = f", {lost:.0f} not out in time" if lost else ""
    return f"cpu {done.median(OURS, 'cpu'):.2f} ms a message{late}"


def _loop(size: Size, out: Sink) -> Figures:
    out.empty()
    with program("floors", "loop", out.port, size.calls):
        return {"per s": _rate(out.take(size.calls, size.waits))}


def _rate(arrivals: Arrivals) -> float:
    return (len(arrivals) - 1) / (arrivals[-1][0] - arrivals[0][0])


def _ours(size: Size, phones: int, out: Sink) -> Figures:
    with _daemon(out) as way:
        return _called(way, size, phones, out)


def _peer(name: str, size: Size, out: Sink) -> Figures:
    with _PEERS[name](out) as way:
        return _called(way, size, PHONES, out)


def _called(way: Way, size: Size, phones: int, out: Sink) -> Figures:
    """Return how many messages a second came out, from the first call to the last message."""
    _warm(way, out)
    before = cpu(way.pid) if way.pid else 0.0
    answers = call(Calls(port=way.port, path=way.path, body=way.body, number=size.calls, phones=phones))
    arrivals = out.take(answers.accepted, size.waits)
    spent = cpu(way.pid) - before if way.pid else 0.0
    seconds = arrivals[-1][0] - min(answers.began.values())
    number = len(arrivals.marks)
    return {"per s": number / seconds, "cpu": spent / number * 1000, "lost": answers.accepted - number}


def _warm(way: Way, out: Sink) -> None:
    """Let the first call, for which much is imported and connected, pass."""
    out.empty()
    call(Calls(port=way.port, path=way.path, body=way.body, number=1, letter="w"))
    out.take(1, 10)
    out.empty()


def _drained(size: Size, out: Sink, queued: Path) -> Figures:
    out.empty()
    with place(out.url) as project:
        shutil.copyfile(queued, project.database)
        with project.running() as daemon:
            arrivals = out.take(size.queue, size.waits)
            spent = cpu(daemon.pid)
    first, *_, last = arrivals.rates()
    number = len(arrivals)
    return {
        "per s": _rate(arrivals),
        "cpu": spent / number * 1000,
        "lost": size.queue - len(arrivals.marks),
        "first": first,
        "last": last,
    }


def _ticked(size: Size, out: Sink, running: Callable[[], AbstractContextManager[Way]]) -> Figures:
    with running() as way:
        _warm(way, out)
        answers = call(Calls(port=way.port, path=way.path, number=size.ticks, every=TICK))
        return _delays(answers, out.take(size.ticks, 10).first())


def _delays(answers: Answers, arrived: dict[str, float]) -> Figures:
    p50, p99 = quantiles([arrived[mark] - began for mark, began in answers.began.items()])
    return {"p50": p50, "p99": p99}


@contextmanager
def _daemon(out: Sink) -> Iterator[Way]:
    with place(out.url) as project, project.running() as daemon:
        yield Way(daemon.port, "/hook/in", daemon.pid)


@contextmanager
def _relay(out: Sink) -> Iterator[Way]:
    port = free_port()
    with program("floors", "relay", port, out.port) as floor:
        until_open(port)
        yield Way(port, "/", floor.pid)


@contextmanager
def _alertmanager(out: Sink) -> Iterator[Way]:
    with peers.alertmanager(out.url) as port:
        yield Way(port, peers.ALERTS, body=peers.ALERT)


@contextmanager
def _node_red(out: Sink) -> Iterator[Way]:
    with peers.node_red(out.url) as port:
        yield Way(port, "/in")


_PEERS: dict[str, Callable[[Sink], AbstractContextManager[Way]]] = {
    peers.ALERTMANAGER: _alertmanager,
    peers.NODE_RED: _node_red,
}
