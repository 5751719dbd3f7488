"""The project folder, its problems, and its queue, in the daemon or in the store."""

import http.client
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import click
from platformdirs import site_config_path, user_config_path

from wbox_notify.cli import staying
from wbox_notify.cli.output import zone
from wbox_notify.config import private
from wbox_notify.config.own import ENDPOINT
from wbox_notify.config.settings import FILE, Settings, has_project
from wbox_notify.config.stores import is_on_server
from wbox_notify.config.values import plain
from wbox_notify.config.yaml.problems import Problem, errors, render
from wbox_notify.dispatch.queue import Action, Control
from wbox_notify.errors import ConfigError, Exit, MessageError, WboxError
from wbox_notify.media import MediaFiles
from wbox_notify.model.events import Event, event_fields
from wbox_notify.model.messages import Message, dump
from wbox_notify.model.redaction import redacted
from wbox_notify.model.text import did_you_mean, printable
from wbox_notify.model.texts import Wording, _, known, language_of, spoken
from wbox_notify.rules.folder import without_rules
from wbox_notify.rules.project import Live, Project
from wbox_notify.store import BusyError, Queries, Store, open_history, open_store


class UnreachableError(WboxError):
    """The daemon has the store open but does not answer."""

    retry = True
    exit_code = Exit.UNREACHABLE


def folder(config: Path | None) -> Path:
    """Return the project folder: the given one, else this one, else the user's, else the machine's."""
    if config is not None:
        given = config.parent if config.name == FILE else config
        if not given.is_dir():
            raise ConfigError(
                Wording("{given} is not a folder", given=given),
                hint="-c takes a folder or its wbox-notify.yaml",
            )
        return plain(given)
    for usual in (
        Path.cwd(),
        user_config_path("wbox-notify"),
        site_config_path("wbox-notify"),
        Path("/etc/wbox-notify"),
    ):
        if has_project(usual):
            return usual
    return Path.cwd()


def open_project(config: Path | None) -> Project:
    """Return the project with all its problems; people read its zone and its language from now on."""
    with staying():
        from wbox_notify.rules.loading import load  # noqa: PLC0415 - the language takes long to load

        return _opened(load(folder(config), os.environ))


def open_without_rules(config: Path | None) -> Project:
    """Return the project, for a command that needs its settings and its people alone."""
    with staying():
        return _opened(without_rules(folder(config), os.environ))


def _opened(project: Project) -> Project:
    zone.set(project.settings.tz)
    spoken.set(_language(project.settings))
    return project


def _language(settings: Settings) -> str:
    """Return the language of the commands: that of the settings where they name one, else of the terminal."""
    return known(settings.lang) if "lang" in settings.sources else language_of(os.environ)


def phones(project: Project, name: str) -> list[str]:
    """Return the numbers of the people that a name, a tag or a number stands for.

    Raises:
        WboxError: nobody is known by it.
    """
    try:
        return [contact.phone for contact in project.people.find(name, datetime.now(UTC))]
    except MessageError as error:
        raise WboxError(Wording("`{name}` is not known", name=name), hint=error.hint) from None


def unknown_rule(project: Project, name: str) -> WboxError:
    """Return the error of a name that no rule has."""
    known = [rule.id for rule in project.rules]
    hint = did_you_mean(name, known) or Wording("there are {rules}", rules=", ".join(known))
    problem = Wording("there is no rule {name!r}", name=name)
    return WboxError(problem, hint=hint if known else "wbox-notify check")


def sound(project: Project, place: Path | None = None) -> Project:
    """Return a project without errors; else end with 78; ``place`` is where its files are."""
    return _without(errors(project.problems), project, place)


def usable(project: Project) -> Project:
    """Return a project whose settings have no errors, which is enough without rules; else end with 78."""
    wrong = [problem for problem in errors(project.problems) if problem.file.split("/")[0] != "rules"]
    return _without(wrong, project)


def _without(wrong: Sequence[Problem], project: Project, place: Path | None = None) -> Project:
    if wrong:
        print_problems(wrong)
        place = place or project.settings.folder
        message = Wording("errors: {number}, in {folder}", number=len(wrong), folder=place)
        raise ConfigError(message, hint="wbox-notify check")
    return project


def print_problems(problems: Sequence[Problem]) -> None:
    """Print problems on stderr, each with its place."""
    for problem in problems:
        click.echo(redacted(render(problem, spoken.get())), err=True)
        click.echo(err=True)


class Queue(Protocol):
    """The verbs of the queue, in this process or in the daemon."""

    def queue(self, action: Action, ids: Sequence[int] | None) -> list[int]:
        """Apply an action to deliveries, None for all that it applies to; return the ids that changed."""

    def send(self, message: Message, *, critical: bool) -> int:
        """Queue one message; return the id of its delivery."""

    def replay(self, ids: Sequence[str]) -> int:
        """Let events be planned once more; return how many."""

    def accept(self, event: Event) -> bool:
        """Store an event; False if it is known already."""


class Remote:
    """The queue of a running daemon, over its own address."""

    def __init__(self, data_dir: Path) -> None:
        try:
            card = json.loads(private.read(data_dir / ENDPOINT))
            self._address = urlsplit(str(card["url"]))
            self._token = str(card["token"])
            self.folder = Path(card.get("folder", ""))
        except private.ForeignError as error:
            raise UnreachableError(
                Wording("{error}, so the address of the daemon is unknown", error=error),
                hint="restart the daemon",
            ) from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UnreachableError(
                Wording(
                    "another process has the store open, but {path} holds no address of a daemon",
                    path=data_dir / ENDPOINT,
                ),
                hint="it may be starting or stopping: try again",
            ) from error

    def queue(self, action: Action, ids: Sequence[int] | None) -> list[int]:
        """Ask the daemon to apply an action."""
        changed: list[int] = self._post("/-/queue", {"action": action, "ids": ids})["ids"]
        return changed

    def send(self, message: Message, *, critical: bool) -> int:
        """Ask the daemon to queue a message."""
        path = "/-/send?critical" if critical else "/-/send"
        return int(self._post(path, dump(message))["id"])

    def replay(self, ids: Sequence[str]) -> int:
        """Ask the daemon to plan events once more."""
        return int(self._post("/-/replay", {"ids": list(ids)})["count"])

    def accept(self, event: Event) -> bool:
        """Ask the daemon to store an event."""
        return bool(self._post("/-/event", event_fields(event))["new"])

    def probe(self) -> None:
        """Have the daemon ask wbox now about the devices that cannot send."""
        self._post("/-/probe", {})

    def device(self) -> dict[str, Any]:
        """Return the state of the device, for which the daemon asks wbox."""
        return self._post("/-/device", {})

    def console_link(self) -> str:
        """Return an address that logs in one browser to the console, once and for 15 minutes."""
        return f"{self._address.geturl()}{self._post('/-/login', {})['path']}"

    def alive(self) -> bool:
        """Return whether the daemon answers."""
        try:
            return self._request("GET", "/livez", None)[0] == HTTPStatus.OK
        except OSError:
            return False

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            status, text = self._request("POST", path, json.dumps(body))
            result: dict[str, Any] = json.loads(text)
        except (OSError, ValueError) as error:
            raise UnreachableError(Wording("the daemon does not answer: {error}", error=error)) from None
        if status >= HTTPStatus.BAD_REQUEST:
            raise WboxError(Wording("the daemon refused: {error}", error=result.get("error")))
        return result

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=10)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None
        finally:
            connection.close()


def daemon_answers(data_dir: Path) -> bool:
    """Return whether a daemon runs on this data folder."""
    try:
        return Remote(data_dir).alive()
    except UnreachableError:
        return False


def warn_of_another(project: Project) -> None:
    """Say on stderr where the daemon on this data folder serves another project than this one."""
    here = project.settings.folder
    try:
        daemon = Remote(project.settings.data_dir)
    except UnreachableError:
        return
    if (
        daemon.folder.is_absolute()
        and has_project(here)
        and daemon.folder.resolve() != here.resolve()
        and daemon.alive()
    ):
        text = _(
            "the daemon that runs serves {folder}, not this project: give each its own WBOX_DATA_DIR",
            folder=printable(str(daemon.folder)),
        )
        click.echo(text, err=True)


class OpenStore(NamedTuple):
    """The store and the media files of a command that runs without a daemon."""

    store: Store
    files: MediaFiles
    live: Live


@contextmanager
def open_queue(project: Project) -> Iterator[tuple[Queue, OpenStore | None]]:
    """Give the queue of the running daemon; without a daemon also the store, opened for this command."""
    settings = project.settings
    os.umask(0o077)  # the files of the daemon are for its own user, whoever makes them first
    # A store on a server does not say that it is in use: several may have it.
    served = is_on_server(settings.store) and daemon_answers(settings.data_dir)
    try:
        store = None if served else open_store(settings.store)
    except BusyError:
        store = None
    if store is None:
        yield Remote(settings.data_dir), None
        return
    live = Live(project)
    files = MediaFiles(live, store.standings, serving=False, events=store.events_by_id)
    with closing(store), closing(files):
        yield Control(store, keep=files.keep), OpenStore(store, files, live)


def history(project: Project) -> Queries:
    """Return the queries of the project's store.

    Raises:
        WboxError: there is no store yet.
    """
    past = open_history(project.settings.store)
    if past is None:
        raise no_store(project.settings.store)
    return past


def no_store(url: str) -> WboxError:
    """Return the error of an address at which no daemon ever ran."""
    return WboxError(
        Wording("there is no store yet at {store}", store=url),
        hint="wbox-notify run makes one; WBOX_DATA_DIR sets its place",
    )
