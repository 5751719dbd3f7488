"""How many webhooks are accepted a second, signed and on disk, while others are planned and sent."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.daemon import place
from bench.load import Answers, Calls, call, quantiles
from bench.peers import WEBHOOK, installed, webhook
from bench.processes import cpu, free_port, program, until_open
from bench.queued import a_queue
from bench.rounds import FLOOR, OURS, Contender, Figures, Row, Size, in_turn, rates
from bench.sink import Sink, sink

_AT_MOST = 25_000  # calls a second, for which bodies are made


def intake(size: Size) -> Iterator[Row]:
    """Compare with a bare ASGI application, at 16 and at 64 connections."""
    with sink() as out:
        for connections in (16, 64):
            contenders: dict[str, Contender] = {
                FLOOR: partial(_bare, size, connections),
                OURS: partial(_ours, size, connections, out),
            }
            if installed(WEBHOOK):
                contenders["webhook running true"] = partial(_webhook, size, connections)
            done = in_turn(contenders, size)
            p50, p99, spent = (done.median(OURS, figure) for figure in ("p50", "p99", "cpu"))
            note = f"cpu {spent:.2f} ms, p50 / p99 {p50:.0f} / {p99:.0f} ms"
            yield rates(f"webhook accepted, signed, on disk, {connections} connections", done, 0.15, note)


def queue(size: Size) -> Iterator[Row]:
    """Compare a full queue with an empty one."""
    with sink() as out, a_queue(size.queue) as queued:
        contenders = {
            FLOOR: partial(_ours, size, 16, out),
            OURS: partial(_ours, size, 16, out, queued),
        }
        yield rates(
            f"the same with a queue of {size.queue:,}; floor: an empty one", in_turn(contenders, size), 0.9
        )


def _bare(size: Size, connections: int) -> Figures:
    port = free_port()
    with program("floors", "asgi", port) as floor:
        until_open(port)
        return _called(size, connections, port, "/", floor.pid)


def _webhook(size: Size, connections: int) -> Figures:
    with webhook() as port:
        return {"per s": call(_calls(size, connections, port, "/hooks/in")).rate}


def _ours(size: Size, connections: int, out: Sink, queued: Path | None = None) -> Figures:
    with place(out.url) as project:
        if queued:
            shutil.copyfile(queued, project.database)
        with project.running() as daemon:
            return _called(size, connections, daemon.port, "/hook/in", daemon.pid)


def _called(size: Size, connections: int, port: int, path: str, pid: int) -> Figures:
    before = cpu(pid)
    answers = call(_calls(size, connections, port, path))
    p50, p99 = quantiles(answers.latencies)
    spent = (cpu(pid) - before) / answers.accepted * 1000
    return {"per s": _whole(answers).rate, "cpu": spent, "p50": p50, "p99": p99}


def _calls(size: Size, connections: int, port: int, path: str) -> Calls:
    return Calls(
        port=port,
        path=path,
        number=int(_AT_MOST * size.seconds),
        seconds=size.seconds,
        connections=connections,
    )


def _whole(answers: Answers) -> Answers:
    if answers.accepted != sum(answers.statuses.values()):
        raise SystemExit(f"not all calls were accepted: {answers.statuses}")
    return answers
