"""The watcher of a project: it tells when its rules, templates or settings were edited."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wbox_notify.config import settings
from wbox_notify.errors import WboxError
from wbox_notify.model.loop import PeriodicThread

_EVERY = 1.0
_RULES = (".yaml", ".yml")

_Mark = tuple[str, int, int, int, int]


class ProjectWatcher(PeriodicThread):
    """Looks at the files of a project each second, and tells when they have changed and rest again."""

    def __init__(
        self,
        folder: Path,
        *,
        changed: Callable[[], None],
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        quiet: float = 0.3,
    ) -> None:
        """Look for the first time; edits after this are told. So build it before loading the project.

        Args:
            folder: The project's folder.
            changed: Is called after each change, also where the whole folder is gone; once more each second
                while it raises an error that may pass.
            report: Takes one line for a person: why ``changed`` failed, once for each change.
            clock: Gives seconds that only ever grow.
            quiet: Seconds without a further change before ``changed`` is called.
        """
        self._folder = folder
        self._changed = changed
        self._clock = clock
        self._quiet = quiet
        super().__init__("watcher", self.step, "edits are not noticed")
        self._report = report
        self._problem = ""
        self._told = self._files = _look(folder)
        self._since = clock()

    def step(self) -> float:
        """Look once, and tell of a change that rests; return in how many seconds to look again.

        It is what the thread does, and not for calling beside it.
        """
        now, files = self._clock(), _look(self._folder)
        if files != self._files:
            self._files, self._since, self._problem = files, now, ""
        if files == self._told:
            return _EVERY
        if (left := self._since + self._quiet - now) > 0:
            return left
        if self._tell():
            self._told = files
        return _EVERY

    def _tell(self) -> bool:
        """Return False where it has to be told once more."""
        try:
            self._changed()
        except WboxError as error:
            self._complain(str(error))
            return not error.retry
        except Exception as error:  # noqa: BLE001 - once more would not help
            self._complain(f"internal error: {error!r}")
        return True

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._report(f"Reload failed, the previous rules stay active: {problem}")


def _look(folder: Path) -> frozenset[_Mark]:
    """Return what tells this state of the files from another; one that cannot be reached is left out."""
    return frozenset(
        # ino tells a renamed file or a swapped link, ctime that a file may be read by now
        (str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        for path, status in _files(folder)
    )


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    file = folder / settings.FILE
    if status := _status(file):
        yield file, status
    for path, status in _listed(folder / "rules"):
        if path.suffix.lower() in _RULES:
            yield path, status
    yield from _below(folder / "templates", set())


def _below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files at any depth; ``seen`` are the folders above and before, for links that go round."""
    for path, status in _listed(folder):
        identity = (status.st_dev, status.st_ino)
        if not stat.S_ISDIR(status.st_mode):
            yield path, status
        elif identity not in seen:
            seen.add(identity)
            yield from _below(path, seen)


def _listed(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is in a folder, but for hidden names (``..data`` among them) and an editor's leftovers."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if path.name.startswith((".", "#")) or path.name.endswith("~"):
            continue
        if status := _status(path):
            yield path, status


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
