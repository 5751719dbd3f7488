"""What most commands begin with: the project folder, its settings, and the way to its queue."""

import http.client
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import click
from platformdirs import site_config_path, user_config_path

from wbox_notify.config import private
from wbox_notify.config.own import CARD
from wbox_notify.config.values import plain
from wbox_notify.config.yaml.problems import Problem, errors, render
from wbox_notify.dispatch.queue import Action, Control
from wbox_notify.errors import ConfigError, WboxError
from wbox_notify.media import MediaFiles
from wbox_notify.model.events import Event, event_fields
from wbox_notify.model.messages import Message, dump
from wbox_notify.model.redaction import redacted
from wbox_notify.rules import Live, Project, load
from wbox_notify.store import BusyError, Queries, Store, open_history, open_store

_SETTINGS = "wbox-notify.yaml"


class UnreachableError(WboxError):
    """The daemon holds the store, yet does not answer."""

    retry = True
    exit_code = 69


def folder(config: Path | None) -> Path:
    """Return the project folder: what was asked for, else here, else the user's, else the machine's."""
    if config is not None:
        chosen = config.parent if config.name == _SETTINGS else config
        if not chosen.is_dir():
            raise ConfigError(f"{chosen} is not a folder", hint="-c takes a folder or its wbox-notify.yaml")
        return plain(chosen)
    places = (
        Path.cwd(),
        user_config_path("wbox-notify"),
        site_config_path("wbox-notify"),
        Path("/etc/wbox-notify"),
    )
    for place in places:
        if (place / _SETTINGS).is_file() or (place / "rules").is_dir():
            return place
    return Path.cwd()


def open_project(config: Path | None) -> Project:
    """Return the project with all its problems."""
    return load(folder(config), os.environ)


def sound(project: Project) -> Project:
    """Return a project that has no errors; print those that it has and end with 78."""
    return _without(errors(project.problems), project)


def usable(project: Project) -> Project:
    """Return a project whose settings have no errors, for what needs no rules; else end with 78."""
    wrong = errors(project.problems)
    return _without([problem for problem in wrong if not is_of_rules(problem)], project)


def is_of_rules(problem: Problem) -> bool:
    """Return whether a problem stands in a rule file, and so keeps nothing from working but its rules."""
    return problem.file.split("/")[0] == "rules"


def _without(wrong: Sequence[Problem], project: Project) -> Project:
    if wrong:
        print_problems(wrong)
        raise ConfigError(
            f"{count(len(wrong), 'error')} in {project.settings.folder}", hint="wbox-notify check"
        )
    return project


def print_problems(problems: Sequence[Problem]) -> None:
    """Print problems on stderr, each with its place."""
    for problem in problems:
        click.echo(redacted(render(problem)), err=True)
        click.echo(err=True)


def count(number: int, noun: str) -> str:
    """Return ``1 error`` or ``2 errors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class Queue(Protocol):
    """The queue's verbs, wherever the queue is open."""

    def queue(self, action: Action, ids: Sequence[int] | None) -> list[int]:
        """Do it to deliveries, to all that it fits where ids is None; return the ids it was done to."""

    def send(self, message: Message, *, critical: bool) -> int:
        """Put one message into the queue; return the id of its delivery."""

    def accept(self, event: Event) -> bool:
        """Keep an event; False if it was known before."""


class Remote:
    """The queue of a running daemon, over its own address."""

    def __init__(self, data_dir: Path) -> None:
        try:
            card = json.loads(private.read(data_dir / CARD))
            self._address = urlsplit(str(card["url"]))
            self._token = str(card["token"])
        except private.ForeignError as error:
            raise UnreachableError(
                f"{error}, so it cannot tell where the daemon answers", hint="start the daemon again"
            ) from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UnreachableError(
                f"another process holds the store, but {data_dir}/{CARD} does not say where it answers",
                hint="it may be starting or stopping: try again",
            ) from error

    def queue(self, action: Action, ids: Sequence[int] | None) -> list[int]:
        """Ask the daemon to do it."""
        changed: list[int] = self._post("/-/queue", {"action": action, "ids": ids})["ids"]
        return changed

    def send(self, message: Message, *, critical: bool) -> int:
        """Ask the daemon to take a message."""
        return int(self._post(f"/-/send{'?critical' if critical else ''}", dump(message))["id"])

    def accept(self, event: Event) -> bool:
        """Ask the daemon to take an event."""
        return bool(self._post("/-/event", event_fields(event))["new"])

    def alive(self) -> bool:
        """Say whether the daemon answers."""
        try:
            return self._ask("GET", "/livez", None)[0] == HTTPStatus.OK
        except OSError:
            return False

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            status, text = self._ask("POST", path, json.dumps(body))
            said: dict[str, Any] = json.loads(text)
        except (OSError, ValueError) as error:
            raise UnreachableError(f"the daemon does not answer: {error}") from None
        if status >= HTTPStatus.BAD_REQUEST:
            raise WboxError(f"the daemon refused: {said.get('error')}")
        return said

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=10)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None
        finally:
            connection.close()


def daemon_answers(data_dir: Path) -> bool:
    """Say whether a daemon runs on this data folder."""
    try:
        return Remote(data_dir).alive()
    except UnreachableError:
        return False


@contextmanager
def open_queue(project: Project) -> Iterator[tuple[Queue, Store | None]]:
    """Give the queue, through the daemon if one runs; else also the store, opened for this command."""
    settings = project.settings
    os.umask(0o077)  # what the daemon keeps is for its own user's eyes, whoever makes it first
    try:
        store = open_store(settings.store)
    except BusyError:
        yield Remote(settings.data_dir), None
        return
    with closing(store), closing(media_files(project, store)) as files:
        yield Control(store, keep=files.keep), store


def media_files(project: Project, store: Store) -> MediaFiles:
    """Return the files that messages carry, for a command that serves none."""
    past = store.history
    return MediaFiles(Live(project), past.standings, serving=False, events=past.events_by_id)


def history(project: Project) -> Queries:
    """Return the past of the project's store.

    Raises:
        WboxError: there is none yet.
    """
    found = open_history(project.settings.store)
    if found is None:
        raise WboxError(
            f"there is no store yet at {project.settings.store}",
            hint="wbox-notify run makes one; WBOX_DATA_DIR says where it is",
        )
    return found
