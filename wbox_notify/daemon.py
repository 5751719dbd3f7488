"""The daemon: puts the parts together; the only one that knows them all."""

import json
import logging
import os
import secrets
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from wbox_notify import dispatch, planner
from wbox_notify.client import Client
from wbox_notify.control import Control
from wbox_notify.errors import ConfigError
from wbox_notify.events import Event
from wbox_notify.rules import Project, Rule
from wbox_notify.serve import PortError, Server
from wbox_notify.store import open_store
from wbox_notify.triggers.file import FileSource, Watch
from wbox_notify.web import application

log = logging.getLogger(__name__)

_STOP_WITHIN = 4.5


class Daemon:
    """Sources, engine and dispatch over one store, in one process.

    ``url`` is where it answers, once it has started.
    """

    def __init__(
        self,
        project: Project,
        *,
        on_plan: planner.Observer | None = None,
        on_attempt: dispatch.Observer | None = None,
    ) -> None:
        settings = project.settings
        self._settings = settings
        connect(project)().close()
        self._store = open_store(settings.store)
        self._dispatcher = dispatch.Dispatcher(self._store, connect(project), observer=on_attempt)
        self._planner = planner.Planner(project, self._store, planned=self._dispatcher.wake, observer=on_plan)
        self._files = FileSource(
            watches(project.rules), known=self._store.known, emit=self._accept, report=log.warning
        )
        self._token = secrets.token_urlsafe(24)
        host, port = settings.listen
        control = Control(self._store, self._wake)
        app = application(control, self._token, ["127.0.0.1", "localhost", "[::1]", host])
        try:
            self._server = Server(app, host, port)
        except PortError as error:
            if not error.taken:
                raise
            log.warning("%s; it answers at a free port instead", error)
            self._server = Server(app, host, 0)

    @property
    def url(self) -> str:
        """The address of the daemon's own pages."""
        return self._server.url

    def start(self) -> None:
        """Begin with what is open, then take what comes."""
        self._server.start()
        self._leave_card()
        self._dispatcher.start()
        self._planner.start()
        self._files.start()

    def stop(self) -> bool:
        """Take nothing more, finish what is in flight, close; False where a request did not end in time."""
        self._files.stop()
        self._planner.stop()
        finished = self._dispatcher.stop(_STOP_WITHIN)
        self._server.stop()
        card_path(self._settings.data_dir).unlink(missing_ok=True)
        if finished:
            self._store.close()
        return finished

    def _accept(self, events: Sequence[Event]) -> None:
        """Keep events; once this returns they are on disk."""
        self._store.put_events(events, time.time()).result()
        self._planner.wake()

    def _wake(self) -> None:
        self._planner.wake()
        self._dispatcher.wake()

    def _leave_card(self) -> None:
        """Write down where commands find this daemon, for its own user's eyes only."""
        path = card_path(self._settings.data_dir)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as card:
            json.dump({"pid": os.getpid(), "url": self.url, "token": self._token}, card)


def card_path(data_dir: Path) -> Path:
    """Return the file that tells commands where the daemon of a data folder answers."""
    return data_dir / "daemon.json"


class connect:  # noqa: N801 - called like a function
    """Makes the clients of a project's wbox account.

    Raises:
        ConfigError: there is no key.
    """

    def __init__(self, project: Project) -> None:
        self._settings = project.settings
        if not self._settings.api_key:
            raise ConfigError(
                "there is no wbox key",
                hint="set WBOX_API_KEY or WBOX_API_KEY_FILE, or wbox.api_key_file in wbox-notify.yaml",
            )

    def __call__(self) -> Client:
        """Return a client for one thread."""
        return Client(self._settings.url, self._settings.api_key or "")


def watches(rules: Iterable[Rule]) -> list[Watch]:
    """Return one watch for each folder that rules name."""
    by_root: dict[Path, list[Rule]] = {}
    for rule in rules:
        by_root.setdefault(rule.trigger.root, []).append(rule)
    return [_watch(root, group) for root, group in by_root.items()]


def _watch(root: Path, rules: list[Rule]) -> Watch:
    def reads(path: str) -> frozenset[str]:
        return frozenset().union(*(rule.needs for rule in rules if rule.trigger.accepts(path)))

    return Watch(
        root=root,
        accepts=lambda path: any(rule.trigger.accepts(path) for rule in rules),
        reads=reads,
        settle=max(rule.trigger.settle for rule in rules),
    )
