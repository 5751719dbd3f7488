"""The daemon: it puts all parts together, and is the only one that knows them all."""

import errno
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

from wbox_notify import dispatch
from wbox_notify.config import private
from wbox_notify.config.own import CONSOLE_PASSWORD, ENDPOINT, LINK_KEY
from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.problems import Problem, errors
from wbox_notify.daemon import last_good, planner
from wbox_notify.daemon.adoption import Adoption
from wbox_notify.daemon.file_intake import FileIntake, watches
from wbox_notify.daemon.housekeeping import Housekeeping
from wbox_notify.daemon.preview import UnwantedFiles
from wbox_notify.daemon.rush import Rush
from wbox_notify.daemon.watcher import ProjectWatcher
from wbox_notify.dispatch.devices import Devices
from wbox_notify.dispatch.fallback import Fallback
from wbox_notify.dispatch.queue import Control
from wbox_notify.errors import StoreError
from wbox_notify.media import MediaFiles
from wbox_notify.model import reasons, signed_links
from wbox_notify.model.deliveries import Delivery, Memory, NextStep, Plan
from wbox_notify.model.events import Event
from wbox_notify.model.outcomes import Answer
from wbox_notify.model.texts import Wording
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live, Project
from wbox_notify.store import open_store
from wbox_notify.triggers.file.rows import RowFiles
from wbox_notify.triggers.schedule.source import Mark, ScheduleSource
from wbox_notify.triggers.webhook.hooks import Hook
from wbox_notify.web.app import application
from wbox_notify.web.browsers import PageHosts
from wbox_notify.web.console import Console, Door
from wbox_notify.web.metrics import Metrics
from wbox_notify.web.protocol import Connection
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.requests import Limits
from wbox_notify.web.server import PortError, Server

log = logging.getLogger(__name__)

_STOP_WITHIN = 4.0
_LEAST_FOR_SENDING = 0.5
_LISTED_WITHIN = 10.0
_KEPT = Wording("{place}: {problem}; keeping the previous version")
_MARK = "schedule"
_PROJECT = "rules"
_KEY_BYTES = 32


class Daemon:
    """Sources, engine and dispatch over one store, in one process.

    ``url`` is where it answers, also before it has started. ``broken`` are the errors of the project's files
    as they are now, where ``project`` is what they were before.
    """

    def __init__(
        self,
        project: Project,
        environ: Mapping[str, str],
        *,
        broken: Sequence[Problem] = (),
        on_plan: planner.Observer | None = None,
        on_attempt: dispatch.Observer | None = None,
        on_turn: Callable[[str], None] = lambda _loop: None,
    ) -> None:
        settings = project.settings
        self._environ = environ
        self._broken = broken
        self._problems = broken or project.problems
        self._on_plan, self._on_attempt, self._on_turn = on_plan, on_attempt, on_turn
        self._rush = Rush()
        dispatch.connect(project).close()
        self._store = open_store(settings.store, settings.host_name)
        self._token = secrets.token_urlsafe(24)
        self._link_key = _own_key(settings.data_dir / LINK_KEY)
        self._store.leases.introduce(settings.host_name, signed_links.fingerprint(self._link_key))
        self._endpoint_file = settings.data_dir / ENDPOINT
        self._reloading = threading.Lock()
        self._live = Live(project)
        self._clock = self._store.clock
        self._media = MediaFiles(
            self._live,
            self._store.standings,
            serving=True,
            events=self._store.events_by_id,
            clock=self._clock,
            shared=self._store.leases.is_shared,
        )
        self._metrics = Metrics(self._live, self._store, self._clock)
        self.control = Control(self._store, self._wake, self._media.keep)
        self._devices = Devices(self._live, linked=self._probe)
        self._unwanted = UnwantedFiles(self._live)
        self._server = self._serve(settings, needed=bool(project.hooks))
        self._live.project = self._completed(project)
        self._fallback = Fallback(self._store, self._live, self._wake)
        self._dispatcher = dispatch.Dispatcher(
            self._store,
            self._live,
            publish=self._media.publish,
            fallback=self._fallback,
            clock=self._clock,
            observer=self._attempted,
            turned=partial(self._turned, "dispatch"),
        )
        self._planner = planner.Planner(
            self._live,
            self._store,
            rows=RowFiles(),
            is_copied=self._media.is_copied,
            copy=self._media.copy,
            keep=self._media.keep,
            clock=self._clock,
            observer=self._planned,
            turned=partial(self._turned, "planner"),
        )
        self._housekeeping = Housekeeping(
            self._store,
            lambda: self._live.project.settings.history,
            may=lambda: self._dispatcher.does_chores,
            sweep=self._media.sweep,
            clock=self._clock,
        )
        self._adoption = Adoption(self._store, self._watched, self._planner.wake)
        self._watcher = ProjectWatcher(settings.folder, changed=self.reload_and_log, report=log.warning)
        self._files, self._schedules = self._sources()

    @property
    def url(self) -> str:
        """The address of the daemon's own pages."""
        return self._server.url

    def console_link(self) -> str:
        """Return an address that logs in one browser to the console, once and for 15 minutes."""
        return f"{self.url}{self._door.link()}"

    def start(self) -> None:
        """Begin with what is open, then take what comes; a reload that is asked for meanwhile follows."""
        with self._reloading:
            self._start()

    def _start(self) -> None:
        self._store.leases.join()
        self._write_endpoint()
        self._store.follow_others(self._wake)
        self._dispatcher.start()
        self._planner.start()
        self._devices.start()
        self._server.start()
        self._files.start()
        # What came meanwhile is to be found before a rule says that it is missing.
        self._files.listed(_LISTED_WITHIN)
        self._schedules.start()
        self._watcher.start()
        self._unwanted.start()
        self._housekeeping.start()
        if self._store.leases.is_shared:
            self._adoption.start()
        if self._broken:
            self._fallback.trouble(_PROJECT, self._what_is_broken(), self._clock())
        else:
            self._keep()

    def stop(self) -> None:
        """Take nothing more, finish what is in flight, close; all of it within 5 seconds.

        A request that takes longer is left to the next start, for which its outcome is unknown.
        """
        deadline = time.monotonic() + _STOP_WITHIN
        self._housekeeping.stop()
        self._adoption.stop()
        self._unwanted.stop(0.0)
        self._watcher.stop()
        self._files.stop()
        self._schedules.stop()
        self._console.changes.end()
        self._server.stop()
        self._devices.stop(_LEAST_FOR_SENDING)
        self._planner.stop()
        if self._dispatcher.stop(max(deadline - time.monotonic(), _LEAST_FOR_SENDING)):
            self._store.close()
            self._media.close()
        else:
            log.warning("a request is still under way; its outcome will be listed as unknown")
        self._endpoint_file.unlink(missing_ok=True)

    def reload(self) -> list[Problem]:
        """Follow what the project folder says now; return what is wrong in it.

        A file with a mistake keeps the rules that it had; settings with a mistake change nothing. What rules
        remember (groups, digests, timers) stays.
        """
        with self._reloading:
            self._problems = self._follow_files()
        self._console.changes.note()
        return list(self._problems)

    def reload_and_log(self) -> None:
        """Reload, and write the result to the log."""
        broken = errors(self.reload())
        for problem in broken:
            place = f"{problem.file}:{problem.line}:{problem.column}"
            log.error("%s", _KEPT.about(place=place, problem=problem.message))
        if not broken:
            log.info("%s", Wording("rules reloaded: {number}", number=len(self._live.project.rules)))

    def _follow_files(self) -> Sequence[Problem]:
        """Follow the files as far as they are right; return what is wrong in them."""
        before = self._live.project
        project = load(before.settings.folder, self._environ, before=before.reading)
        broken = {problem.file for problem in errors(project.problems)}
        if any(not file.startswith("rules/") for file in broken):
            return project.problems
        ids = {rule.id for rule in project.rules}
        kept = [rule for rule in before.rules if rule.file in broken and rule.id not in ids]
        if kept:
            outlets = {**before.outlets, **project.outlets}
            project = replace(project, rules=(*project.rules, *kept), outlets=outlets)
        self._follow(self._completed(project))
        if not broken:
            self._mend()
        return project.problems

    def _mend(self) -> None:
        """Take note that no file of the project has an error."""
        if self._broken:
            self._fallback.trouble(_PROJECT, reasons.notice("mended"), self._clock())
        self._broken = ()
        self._keep()

    def _keep(self) -> None:
        try:
            last_good.keep(self._live.project.settings)
        except (OSError, ValueError) as error:
            log.warning("no copy of the rules can be kept for a start with a broken file: %s", error)

    def _what_is_broken(self) -> str:
        first = self._broken[0]
        place = f"{first.file}:{first.line}"
        return reasons.notice("broken", place=place, message=first.message)

    def _follow(self, project: Project) -> None:
        """Let all parts read another project; what cannot be used is refused before anything stops."""
        dispatch.connect(project).close()
        self._files.stop()
        self._schedules.stop()
        self._live.project = project
        self._wake()
        self._files, self._schedules = self._sources()
        self._files.start()
        self._schedules.start()

    def _completed(self, project: Project) -> Project:
        """Return a project that knows where this daemon answers and how it signs its links."""
        public = project.settings.public_url or self.url
        return replace(
            project, settings=replace(project.settings, public_url=public, link_key=self._link_key)
        )

    def _sources(self) -> tuple[FileIntake, ScheduleSource]:
        files = FileIntake(
            self._live.project, self._store, wake=self._planner.wake, report=log.warning, alarm=self._alarm
        )
        schedules = ScheduleSource(
            self._live.project.timetables(),
            last=self._last,
            emit=self._accept_times,
            report=log.warning,
            clock=self._clock,
        )
        return files, schedules

    def _watched(self) -> set[str]:
        return {str(watch.root) for watch in watches(self._live.project)}

    def _alarm(self, about: str, problem: str | None) -> None:
        self._fallback.trouble(about, problem, self._clock())

    def _serve(self, settings: Settings, *, needed: bool) -> Server:
        """Return the server; where its address is taken and no webhook is needed there, at a free port."""
        host, port = settings.listen
        refusals = Refusals(lambda event, plan: self._store.put_message(event, plan, self._clock()))
        names = ("127.0.0.1", "localhost", "[::1]", host)
        hosts = PageHosts(names, lambda: self._live.project.settings.public_url)
        self._door = Door(settings.data_dir / CONSOLE_PASSWORD, hosts)
        self._console = Console(
            live=self._live,
            store=self._store,
            control=self.control,
            devices=self._devices,
            door=self._door,
            problems=lambda: self._problems,
            unwanted=lambda: [folder._asdict() for folder in self._unwanted.found()],
            refusals=refusals,
            clock=self._clock,
        )
        app = application(
            control=self.control,
            hook_of=self._hook_of,
            accept=self._accept_soon,
            link_key=self._link_key,
            files=self._media,
            metrics=self._metrics,
            console=self._console,
            reload=lambda: [problem.as_json() for problem in self.reload()],
            probe=self._probe,
            token=self._token,
            hosts=hosts,
            limits=Limits(body=settings.body),
            refusals=refusals,
        )
        connection = partial(Connection, on_refusal=refusals.report_unreadable)
        try:
            return Server(app, host, port, protocol=connection)
        except PortError as error:
            if not error.taken or needed:
                raise
            log.warning("%s; listening on a free port instead", error)
            return Server(app, host, 0, protocol=connection)

    def _hook_of(self, path: str) -> Hook | None:
        return self._live.project.hooks.get(path)

    def _accept_soon(self, events: Sequence[Event]) -> Future[list[bool]]:
        self._rush.note(len(events))
        on_disk = self._store.put_events(events, self._clock())
        on_disk.add_done_callback(lambda _done: self._planner.wake())
        return on_disk

    def _accept_times(self, events: Sequence[Event], marks: Mapping[str, Mark]) -> None:
        memories = [
            Memory(rule=rule, kind=_MARK, key="", value=mark._asdict()) for rule, mark in marks.items()
        ]
        self._store.put_events(events, self._clock(), memories).result()
        self._planner.wake()

    def _last(self, rule: str) -> Mark | None:
        mark = self._store.remembered(rule, _MARK, "")
        return Mark(**mark) if mark else None

    def _turned(self, loop: str) -> None:
        self._on_turn(loop)
        self._rush.let_pass()

    def _planned(self, event: Event | None, plan: Plan) -> None:
        self._metrics.planned(event, plan)
        if self._on_plan:
            self._on_plan(event, plan)

    def _attempted(self, delivery: Delivery, answer: Answer, then: NextStep) -> None:
        self._metrics.attempted(delivery, answer, then)
        if self._on_attempt:
            self._on_attempt(delivery, answer, then)

    def _probe(self) -> None:
        self._dispatcher.probe()

    def _wake(self) -> None:
        self._planner.wake()
        self._dispatcher.wake()

    def _write_endpoint(self) -> None:
        """Write down where commands find this daemon, for its own user's eyes only."""
        endpoint = {
            "pid": os.getpid(),
            "url": self.url,
            "token": self._token,
            "folder": str(self._live.project.settings.folder),
        }
        _write(self._endpoint_file, json.dumps(endpoint).encode("utf-8"))


def _own_key(path: Path) -> bytes:
    """Return the key that signs this daemon's links, made when it first runs and where it cannot be trusted.

    A key of no bytes, which a crash can leave, would let anybody make links; so would one that others know.
    """
    flaw = ""
    try:
        key = private.read(path)
        if len(key) == _KEY_BYTES:
            return key
        flaw = f"{path} is damaged"
    except FileNotFoundError:
        pass
    except (private.ForeignError, PermissionError) as error:
        flaw = str(error)
    if flaw:
        log.warning("%s, so a new key is made: links in messages that were sent before no longer work", flaw)
    key = secrets.token_bytes(_KEY_BYTES)
    _write(path, key)
    return key


def _write(path: Path, content: bytes) -> None:
    try:
        private.write(path, content)
    except OSError as error:
        hint = "WBOX_DATA_DIR must name a folder that can be written"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = "free some space"
        raise StoreError(
            Wording("{path} cannot be written: {reason}", path=path, reason=error.strerror), hint=hint
        ) from error
