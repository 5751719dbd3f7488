"""Callers of a webhook, in a process of their own: kept connections, and bodies that are signed before."""

import hashlib
import hmac
import json
import re
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from bench.processes import environment

SECRET = "secret of the callers"  # as long as such secrets have to be
PHONES = 200
BODY = '{"mark": "%(mark)s", "phone": "%(phone)s"}'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What is called.

    Attributes:
        port: Where it is, on this machine.
        path: The path of the webhook, in which ``%(device)s`` is the number of a device.
        number: How many calls there are at most.
        connections: How many of them are under way at once.
        seconds: After which no more are begun.
        every: Seconds from the beginning of one call to that of the next; 0 lets each follow an answer.
        body: The body of a call, of which ``%(mark)s`` and ``%(phone)s`` are its own.
        phones: How many phones they are for.
        devices: How many devices they are for.
        letter: The first letter of their marks.
    """

    port: int
    path: str
    number: int
    connections: int = 16
    seconds: float = 60.0
    every: float = 0.0
    body: str = BODY
    phones: int = PHONES
    devices: int = 1
    letter: str = "m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came of calls: numbers by status, seconds in all and of each, and when each began by its mark."""

    statuses: dict[str, int]
    seconds: float
    latencies: list[float]
    began: dict[str, float] = field(repr=False)

    @property
    def accepted(self) -> int:
        """How many were answered with 2xx."""
        return sum(number for status, number in self.statuses.items() if status.startswith("2"))

    @property
    def rate(self) -> float:
        """How many were accepted in a second."""
        return self.accepted / self.seconds


def call(calls: Calls) -> Answers:
    """Make the calls, in another process; return what came of them."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.load", json.dumps(asdict(calls))],
        env=environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Answers(**json.loads(ran.stdout))


def quantiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the 50th and the 99th percentile in milliseconds."""
    p50, *_, p99 = statistics.quantiles(seconds, n=100)[49:]
    return p50 * 1000, p99 * 1000


def _requests(calls: Calls) -> Iterator[tuple[str, bytes]]:
    """Yield the mark and the bytes of each call."""
    for place in range(calls.number):
        mark = f"{calls.letter}{place}"
        phone = f"90555{place % calls.phones:07}"
        body = (calls.body % {"mark": f"#{mark}#", "phone": phone}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        path = calls.path % {"device": place % calls.devices + 1}
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{calls.port}\r\nUser-Agent: GitHub-Hookshot/1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-Hub-Signature-256: sha256={signature}\r\n\r\n"
        )
        yield mark, head.encode() + body


class _Caller:
    """One connection, and the call that is under way on it."""

    def __init__(self, port: int) -> None:
        self.wire = socket.create_connection(("127.0.0.1", port))
        self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self._unread = b""

    def begin(self, request: bytes) -> float:
        """Send a call; return when."""
        self._unread = b""
        self.began = time.monotonic()
        self.wire.sendall(request)
        return self.began

    def status(self) -> str | None:
        """Read on; return the status of the answer once it is whole."""
        data = self.wire.recv(65536)
        if not data:
            raise SystemExit("the connection was closed")
        self._unread += data
        head, end, body = self._unread.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(body) < int(length[1] if length else 0):
            return None
        return head[9:12].decode()


class _Tally:
    """What came of the calls so far."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.began: dict[str, float] = {}

    def note(self, caller: _Caller, status: str) -> None:
        """Take note of an answer."""
        self.statuses[status] += 1
        self.latencies.append(time.monotonic() - caller.began)


def _at_full_speed(calls: Calls, tally: _Tally) -> None:
    """Let a call follow each answer."""
    requests = _prepared(calls)
    end = time.monotonic() + calls.seconds
    with selectors.DefaultSelector() as ready:

        def begin(caller: _Caller) -> None:
            mark, request = next(requests, ("", b""))
            if request and time.monotonic() < end:
                tally.began[mark] = caller.begin(request)
            else:
                ready.unregister(caller.wire)

        for _ in range(calls.connections):
            caller = _Caller(calls.port)
            ready.register(caller.wire, selectors.EVENT_READ, caller)
            begin(caller)
        while ready.get_map():
            for key, _events in ready.select():
                status = key.data.status()
                if status:
                    tally.note(key.data, status)
                    begin(key.data)


def _one_by_one(calls: Calls, tally: _Tally) -> None:
    """Begin a call at each tick."""
    caller = _Caller(calls.port)
    tick = time.monotonic()
    for mark, request in _prepared(calls):
        time.sleep(max(tick - time.monotonic(), 0.0))
        tick += calls.every
        tally.began[mark] = caller.begin(request)
        while not (status := caller.status()):
            pass
        tally.note(caller, status)


def _prepared(calls: Calls) -> Iterator[tuple[str, bytes]]:
    return iter(list(_requests(calls)))


def _main() -> None:
    calls, tally = Calls(**json.loads(sys.argv[1])), _Tally()
    if calls.every:
        _one_by_one(calls, tally)
    else:
        _at_full_speed(calls, tally)
    first = min(tally.began.values())
    answers = Answers(
        statuses=dict(tally.statuses),
        seconds=time.monotonic() - first,
        latencies=tally.latencies,
        began=tally.began,
    )
    print(json.dumps(asdict(answers)))  # noqa: T201 - what the other process reads


if __name__ == "__main__":
    _main()
