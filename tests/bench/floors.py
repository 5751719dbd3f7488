"""The least that the same work costs, each as a program of its own: what it leaves out is what we add."""

import asyncio
import ctypes
import os
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import uvicorn
from watchdog.events import FileClosedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

SENDERS = 8
_IN_CLOSE_WRITE = 0x8
_EVENT = struct.Struct("iIII")


def asgi(port: str) -> None:
    """Answer 202 to each call, and do nothing else."""
    _serve(port, lambda _body: None)


def relay(port: str, sink: str) -> None:
    """Answer 202, and hand each call to the sink from memory."""
    waiting: asyncio.Queue[bytes] = asyncio.Queue()
    senders: list[asyncio.Task[None]] = []

    def take(body: bytes) -> None:
        if not senders:
            senders.extend(asyncio.ensure_future(_send(waiting, int(sink))) for _ in range(SENDERS))
        waiting.put_nowait(body)

    _serve(port, take)


def _serve(port: str, take: Any) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        take(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    uvicorn.run(
        app,
        port=int(port),
        loop="asyncio",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
    )


async def _send(waiting: asyncio.Queue[bytes], sink: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sink)
    while True:
        body = await waiting.get()
        writer.write(
            b"POST /v1/send/text HTTP/1.1\r\nHost: sink\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))


def loop(sink: str, number: str) -> None:
    """Send so many messages one after the other, as a script does."""
    with requests.Session() as session:
        for place in range(int(number)):
            _post(session, sink, f"m{place}")


def watchdog(folder: str, sink: str) -> None:
    """Send a message for each file that is closed, as a script does."""
    with requests.Session() as session:

        class Closed(FileSystemEventHandler):
            def on_closed(self, event: FileSystemEvent) -> None:
                if isinstance(event, FileClosedEvent):
                    _post(session, sink, Path(os.fsdecode(event.src_path)).stem)

        observer = Observer()
        observer.schedule(Closed(), folder)
        observer.start()
        threading.Event().wait()


def inotify(folder: str, sink: str) -> None:
    """Do what ``inotify.c`` does, where there is no compiler."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(0)
    libc.inotify_add_watch(watch, os.fsencode(folder), _IN_CLOSE_WRITE)
    with requests.Session() as session:
        while True:
            for name in _names(os.read(watch, 65536)):
                _post(session, sink, Path(name).stem)


def _names(events: bytes) -> Iterator[str]:
    place = 0
    while place < len(events):
        length = _EVENT.unpack_from(events, place)[3]
        place += _EVENT.size + length
        yield os.fsdecode(events[place - length : place].rstrip(b"\0"))


def _post(session: requests.Session, sink: str, mark: str) -> None:
    body = {"phone": "905550000000", "message": f"#{mark}# has been called"}
    session.post(f"http://127.0.0.1:{sink}/v1/send/text", json=body).json()


if __name__ == "__main__":
    {"asgi": asgi, "relay": relay, "loop": loop, "watchdog": watchdog, "inotify": inotify}[sys.argv[1]](
        *sys.argv[2:]
    )
