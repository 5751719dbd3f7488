"""The daemon's HTTP side over a real store, and a way to say anything to it."""

import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Self

import requests

from wbox_notify.dispatch.queue import Control
from wbox_notify.media import MediaFiles
from wbox_notify.model import signed_links
from wbox_notify.model.events import Event
from wbox_notify.store import open_store
from wbox_notify.triggers.webhook.hooks import Hook
from wbox_notify.triggers.webhook.presets import PRESETS
from wbox_notify.triggers.webhook.signatures import scheme
from wbox_notify.web.app import application
from wbox_notify.web.browsers import PageHosts
from wbox_notify.web.protocol import Connection
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.requests import Accept, Limits
from wbox_notify.web.server import Server

SECRET = b"a secret of more than 24 bytes"
TOKEN = "token-of-the-daemon"
LINK_KEY = b"the key of the links of a test"
WITHIN = 20.0

GITHUB = Hook(path="push", scheme=scheme("github", [SECRET], {}), preset=PRESETS["github"])
OPEN = Hook(path="open", scheme=None, preset=PRESETS["json"])
BEARER_JSON = Hook(path="alerts", scheme=scheme("bearer", [SECRET], {}), preset=PRESETS["json"])
BEARER = Hook(path="alerts", scheme=scheme("bearer", [SECRET], {}), preset=PRESETS["alertmanager"])


class Hasty(Connection):
    """The connection of a test that does not want to wait for seconds."""

    head_timeout = 0.3
    idle_timeout = 0.3
    write_timeout = 0.3
    linger = 0.3


class Doorway:
    """A server on a free port whose events end in a store of its own."""

    def __init__(  # noqa: PLR0913 - each by its name
        self,
        folder: Path,
        hooks: Iterable[Hook] = (GITHUB, OPEN, BEARER),
        *,
        accept: Accept | None = None,
        limits: Limits | None = None,
        protocol: type[Connection] = Connection,
        reload: Callable[[], list[dict[str, Any]]] | None = None,
        files: MediaFiles | None = None,
    ) -> None:
        self.store = open_store(f"sqlite:///{folder}/store.db")
        self.hooks = {hook.path: hook for hook in hooks}
        refusals = Refusals(lambda event, plan: self.store.put_message(event, plan, 1.0))
        app = application(
            control=Control(self.store),
            hook_of=self.hooks.get,
            accept=accept or (lambda events: self.store.put_events(events, 1.0)),
            link_key=LINK_KEY,
            files=files,
            reload=reload,
            token=TOKEN,
            hosts=PageHosts(["127.0.0.1", "localhost", "[::1]"], lambda: "https://notify.example.com/wbox"),
            limits=limits or Limits(),
            refusals=refusals,
        )
        connection = partial(protocol, on_refusal=refusals.report_unreadable)
        self.server = Server(app, "127.0.0.1", 0, protocol=connection)
        self.url = self.server.url

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.stop()
        self.store.close()

    def events(self) -> list[Event]:
        """Return all that was kept."""
        return self.store.unplanned(10_000)

    def refusals(self) -> list[str]:
        """Return what was kept of the calls that were refused: what was called, and why it was not taken."""
        past = self.store
        return [
            f"{json.loads(row['data'])['call']}: {past.decisions(row['id'])[0].detail}"
            for row in past.events(most=1000)
            if row["type"] == "refused"
        ]

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Post bytes as they are, and all else as JSON."""
        if not isinstance(body, bytes):
            body = json.dumps({} if body is None else body).encode()
            headers = {"Content-Type": "application/json", **headers}
        return requests.post(self.url + path, body, headers=headers, timeout=WITHIN)

    def push(self, body: bytes = b"{}", delivery: str = "", **headers: str) -> requests.Response:
        """Post to the hook of GITHUB as GitHub would."""
        mine = {"Content-Type": "application/json", "X-GitHub-Event": "push", **signed(body)}
        if delivery:
            mine["X-GitHub-Delivery"] = delivery
        return self.post("/hook/push", body, **mine, **headers)

    def connect(self) -> socket.socket:
        """Return a fresh connection."""
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=WITHIN)

    def wire(self, *parts: bytes) -> bytes:
        """Send bytes; return all that comes until the server hangs up."""
        with self.connect() as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return rest(connection)


def signed_token(kind: str, value: str) -> str:
    """Return the token of a link that the daemon signed."""
    return signed_links.token(LINK_KEY, kind, value)


def signed(body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    """Return GitHub's proof for a body."""
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()}


def rest(connection: socket.socket) -> bytes:
    """Return what comes until the other side hangs up, in whichever way."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def status(answer: bytes) -> int:
    """Return the status of an answer, 0 where there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
