"""The archive: files whose messages are all final are moved to where their rule says, or deleted."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import NamedTuple

from wbox_notify.config.values import as_path
from wbox_notify.daemon.move import move, remove, write
from wbox_notify.engine.item import context, items_of
from wbox_notify.errors import StoreError, WboxError
from wbox_notify.model import reasons
from wbox_notify.model.deliveries import Decision, Delivery
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.log_subject import about
from wbox_notify.model.loop import PeriodicThread
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, translated
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, Target
from wbox_notify.store.files import Files, Final
from wbox_notify.templates import Template
from wbox_notify.triggers.health import Alarm, HealthReporter, no_alarm

_EVERY, _IN_TROUBLE = 1.0, 30.0
_DAY = 86400.0
_FORGOTTEN = 30 * _DAY
_ABOUT, _STORE = "putting files away", "the store"
_DEDUPE = "dedupe"

_ONE_AT_WORK = threading.Lock()
"""When the rules are edited, a new archive begins while the last one may still copy a large file."""


class Archive(PeriodicThread):
    """Moves or deletes files whose event is final, and forgets those that are gone for a month.

    ``may`` says whether no other daemon on this machine does.
    """

    def __init__(
        self,
        project: Project,
        files: Files,
        *,
        report: Callable[[str], None],
        alarm: Alarm = no_alarm,
        may: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("archive", self.step, "files are not put away")
        self._project = project
        self._files = files
        self._report = report
        self._may = may
        self._clock = clock
        self._health = HealthReporter(report, alarm)
        self._at = 0

    def step(self) -> float:
        """Put away some files that are final; return in how many seconds to look again.

        It is what the thread does, and not for calling beside it.
        """
        if not _ONE_AT_WORK.acquire(blocking=False):
            return _EVERY
        try:
            pause = self._put_some_away()
        except StoreError as error:
            self._health.tell(_STORE, f"Processed files stay where they are for now: {error}.")
            return _IN_TROUBLE
        finally:
            _ONE_AT_WORK.release()
        self._health.over(_STORE, "What becomes of processed files is known again.")
        return pause

    def _put_some_away(self) -> float:
        if not self._may():
            return _EVERY
        finals, self._at = self._files.finals(self._at)
        all_put = True
        for final in finals:
            if not self._stopping.is_set():
                all_put = self._put_away(final) and all_put
        self._forget()
        if not all_put:
            return _IN_TROUBLE
        if finals:
            self._health.over(_ABOUT, "Processed files are moved again.")
            if self._at:
                return 0.0
        return _EVERY

    def _put_away(self, final: Final) -> bool:
        """Return whether a file is where it is to be, or is left for good."""
        with about(event=final.version.id):
            return self._settle(final)

    def _settle(self, final: Final) -> bool:
        try:
            state, detail, path = self._put(final)
        except WboxError as error:
            if error.retry:
                raise
            self._report(f"A file stays where it is: {error}.")
            state, detail, path = FileState.LEFT, str(error), ""
        except OSError as error:
            problem = Wording(
                "Cannot move processed files of {folder!r}: {why}.",
                folder=final.version.root,
                why=error.strerror,
            )
            self._health.tell(_ABOUT, problem, grave=True)
            return False
        except Exception as error:  # noqa: BLE001 - one file must not stop all that come after it
            self._report(f"A file stays where it is: internal error: {error!r}.")
            state, detail, path = FileState.LEFT, repr(error), ""
        self._files.settle(final.version, state, self._clock(), detail=detail, moved_to=path).result()
        return True

    def _put(self, final: Final) -> tuple[FileState, str, str]:
        """Move or delete a file; return its state, a line about it, and its new path."""
        if part := self._project.settings.own.at(final.version.path):
            return FileState.LEFT, f"it belongs to the daemon ({part.what})", ""
        destination = destination_of(self._project, final)
        if destination is None:
            return FileState.LEFT, "no rule that wanted it says where it goes", ""
        version = replace(final.version, root=str(destination.trigger.root))
        if not isinstance(destination.target, Template):
            remove(version)
            return destination.state, "deleted", ""
        folder = folder_of(self._project, destination, destination.target, final.event)
        path = move(version, folder, self._announce)
        if destination.state is FileState.FAILED:
            lang = self._project.settings.lang
            lines = [_failure(delivery, lang) for delivery in final.failures]
            lines = lines or [Wording("the rule could not be followed; see `wbox-notify log`").to(lang)]
            text = "".join(f"{printable(line)}\n" for line in lines)
            write(version.root, f"{path}.why.txt", text, self._announce)
        if path == version.path:  # what is known of a file that lies there stays known
            return FileState.LEFT, "it lies there already", ""
        return destination.state, "", path

    def _announce(self, version: FileVersion) -> None:
        self._files.see({version: FileState.PUT}, self._clock()).result()

    def _forget(self) -> None:
        """Look for some versions that nobody has looked for since yesterday."""
        now = self._clock()
        versions = self._files.unlooked(now - _DAY)
        if versions:
            gone = {version for version in versions if _is_gone(version)}
            self._files.look(set(versions) - gone, gone, now, now - _FORGOTTEN).result()


def _failure(delivery: Delivery, lang: str) -> str:
    """Return one line about a message that was not sent; one that could not be made has no recipient."""
    recipient = delivery.message.recipient if delivery.message else ""
    who = ", ".join(filter(None, (delivery.rule, recipient)))
    return f"{who}: {translated(delivery.state.value, lang)}, {reasons.why(delivery, lang)}"


class Destination(NamedTuple):
    """What becomes of a file, as ``rule`` says; ``target`` is where it goes."""

    state: FileState
    rule: Rule
    trigger: FileTrigger
    target: Target


def is_archived(project: Project, event: Event) -> bool:
    """Return whether some rule says where the file of an event goes."""
    for rule in project.rules_for(event):
        for trigger in rule.triggers:
            if isinstance(trigger, FileTrigger) and any(trigger.targets):
                return True
    return False


def destination_of(project: Project, final: Final) -> Destination | None:
    """Return what becomes of a file; None where no rule that wanted it says so, and it stays.

    It is done when all messages of all rules were accepted, and has failed when one of them finally was not.
    A rule whose ``if`` said no does not count. It is a duplicate where no rule found anything new in it.
    """
    wanted, known = [], []
    for rule in project.rules_for(final.event):
        decisions = [decision for decision in final.decisions if decision.rule == rule.id]
        if _is_wanted(decisions):
            wanted.append(rule)
        elif any(decision.stage == _DEDUPE for decision in decisions):
            known.append(rule)
    if final.failures or _has_failed(final.decisions):
        return _first(FileState.FAILED, wanted, final.event)
    if wanted:
        return _first(FileState.DONE, wanted, final.event)
    return _first(FileState.DUPLICATE, known, final.event)


def folder_of(project: Project, destination: Destination, template: Template, event: Event) -> str:
    """Return the folder that a file goes to, absolute; ``now`` is when the file was taken, in it.

    Raises:
        WboxError: the template fails, or leads out of where it begins or to what is the daemon's own.
    """
    rule = replace(destination.rule, needs=frozenset())  # what is in the file has no say in it
    (item,) = items_of(rule, event)
    text = template.render(context(project, rule, item, event.at))
    if not text.strip("/ ") or _climbs(text) > _climbs(template.source.partition("{")[0]):
        raise WboxError(Wording("{text!r} is not a folder for {name!r}", text=text, name=event.data["name"]))
    path = str(as_path(text, destination.trigger.root))
    if part := project.settings.own.closed_at(path):
        raise WboxError(
            Wording(
                "{path!r} belongs to the daemon ({what}), so nothing is put there", path=path, what=part.what
            )
        )
    return path


def _climbs(path: str) -> int:
    """Return how often a path goes up: only what a rule begins with may, and nothing that is filled in."""
    return PurePath(path).parts.count("..")


def _has_failed(decisions: Sequence[Decision]) -> bool:
    return any(decision.outcome == "failed" for decision in decisions)


def _is_wanted(decisions: Sequence[Decision]) -> bool:
    """Return whether a rule went on after `if` and `dedupe`; one that decided nothing had an empty list."""
    if not decisions:
        return True
    return any(
        decision.outcome != "stopped" or decision.stage not in {"if", _DEDUPE} for decision in decisions
    )


def _first(state: FileState, rules: Sequence[Rule], event: Event) -> Destination | None:
    """Return what the first rule says that says anything about such a file."""
    for rule in rules:
        for trigger in rule.triggers:
            if not isinstance(trigger, FileTrigger) or not trigger.takes(event.data):
                continue
            targets = {FileState.DONE: trigger.done, FileState.FAILED: trigger.failed}
            target = targets.get(state, trigger.duplicate)
            if target is not None:
                return Destination(state, rule, trigger, target)
    return None


def _is_gone(version: FileVersion) -> bool:
    """Return whether a version is not there; where its disk may be missing, it is not gone."""
    try:
        if Path(version.root).stat().st_dev != version.device:
            return False
        status = os.lstat(version.path)
    except (FileNotFoundError, NotADirectoryError):
        return Path(version.root).is_dir()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) != (version.size, version.mtime_ns)
