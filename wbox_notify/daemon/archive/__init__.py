"""Archive: files are put away when all their messages are final."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wbox_notify.daemon.archive.move import move, remove, write
from wbox_notify.daemon.archive.target import folder, follows, verdict
from wbox_notify.errors import StoreError, WboxError
from wbox_notify.model import reasons
from wbox_notify.model.deliveries import Delivery
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.model.text import printable
from wbox_notify.rules import Project
from wbox_notify.store.file_versions import Files, Final
from wbox_notify.templates import Template
from wbox_notify.triggers.health import Alarm, HealthReporter, unheard
from wbox_notify.triggers.loop import PeriodicThread

__all__ = ["Archive", "follows"]

_EVERY, _IN_TROUBLE = 1.0, 30.0
_DAY = 86400.0
_FORGOTTEN = 30 * _DAY
_ABOUT = "putting files away"

_ONE_AT_WORK = threading.Lock()
"""When the rules are edited, a new station begins while the last one may still copy a large file."""


class Archive(PeriodicThread):
    """Moves or deletes files whose event is final, and forgets those that are gone for a month."""

    def __init__(
        self,
        project: Project,
        files: Files,
        *,
        report: Callable[[str], None],
        alarm: Alarm = unheard,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("afterwards", self.step)
        self._project = project
        self._files = files
        self._report = report
        self._clock = clock
        self._troubles = HealthReporter(report, alarm)
        self._at = 0

    def step(self) -> float:
        """Put away some files that are final; return in how many seconds to look again.

        It is what the thread does, and not for calling beside it.
        """
        if not _ONE_AT_WORK.acquire(blocking=False):
            return _EVERY
        try:
            found, self._at = self._files.finals(self._at)
            left = [one for one in found if not self._stopping.is_set() and not self._put_away(one)]
            self._forget()
        except StoreError:  # whoever fills the store tells of it
            return _IN_TROUBLE
        finally:
            _ONE_AT_WORK.release()
        if left:
            return _IN_TROUBLE
        if found:
            self._troubles.over(_ABOUT, "Files are put away again.")
        return 0.0 if found and self._at else _EVERY

    def _put_away(self, final: Final) -> bool:
        """Return whether a file is where it is to be, or is left for good."""
        try:
            fate, detail, path = self._put(final)
        except WboxError as error:
            if error.retry:
                raise
            self._report(f"A file stays where it is: {error}.")
            fate, detail, path = FileState.LEFT, str(error), ""
        except OSError as error:
            problem = f"Files of {final.version.root!r} cannot be put away: {error.strerror}."
            self._troubles.tell(_ABOUT, problem, grave=True)
            return False
        except Exception as error:  # noqa: BLE001 - one file must not stop all that come after it
            self._report(f"A file stays where it is: internal error: {error!r}.")
            fate, detail, path = FileState.LEFT, repr(error), ""
        self._files.settle(final.version, fate, self._clock(), detail=detail, moved_to=path).result()
        return True

    def _put(self, final: Final) -> tuple[FileState, str, str]:
        """Put a file where it belongs; return its state, a line about it, and its new path."""
        if part := self._project.settings.own.at(final.version.path):
            return FileState.LEFT, f"it belongs to the daemon ({part.what})", ""
        chosen = verdict(self._project, final)
        if chosen is None:
            return FileState.LEFT, "no rule that wanted it says where it goes", ""
        version = replace(final.version, root=str(chosen.trigger.root))
        if not isinstance(chosen.target, Template):
            remove(version)
            return chosen.fate, "deleted", ""
        where = folder(self._project, chosen, chosen.target, final.event)
        path = move(version, where, self._announce)
        if chosen.fate is FileState.FAILED:
            lines = [_failure(delivery, self._project.settings.lang) for delivery in final.failures]
            lines = lines or ["the rule could not be followed; see `wbox-notify log`"]
            why = "".join(f"{printable(line)}\n" for line in lines)
            write(version.root, f"{path}.why.txt", why, self._announce)
        if path == version.path:  # what is known of a file that lies there stays known
            return FileState.LEFT, "it lies there already", ""
        return chosen.fate, "", path

    def _announce(self, version: FileVersion) -> None:
        self._files.see({version: FileState.PUT}, self._clock()).result()

    def _forget(self) -> None:
        """Look for some versions that nobody has looked for since yesterday."""
        now = self._clock()
        found = self._files.unlooked(now - _DAY)
        if found:
            gone = {version for version in found if _is_gone(version)}
            self._files.look(set(found) - gone, gone, now, now - _FORGOTTEN).result()


def _failure(delivery: Delivery, lang: str) -> str:
    """Return one line about a message that was not sent; one that could not be made has no recipient."""
    recipient = delivery.message.recipient if delivery.message else ""
    who = ", ".join(filter(None, (delivery.rule, recipient)))
    return f"{who}: {delivery.state}, {reasons.why(delivery, lang)}"


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
