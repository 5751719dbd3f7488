"""Scanner of the watched folders: finds the files that have not been seen yet."""

import errno
import math
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from posixpath import dirname, join, split
from typing import Protocol

from wbox_notify.model.texts import Wording
from wbox_notify.triggers.file.opening import PASSING, is_local, opened
from wbox_notify.triggers.file.watch import ListedFile, Root, Watch, mark
from wbox_notify.triggers.health import HealthReporter

HINTED = 60.0
"""Seconds between two listings of a folder of which inotify reports all changes."""

UNHINTED = 2.0
"""Seconds between two listings of a folder of which inotify reports no, or not all, changes."""

_MISSES = 100
"""The most files that a rule nearly takes and that are reported."""

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Hints(Protocol):
    """What tells of changes in folders, so that they are looked at before their time."""

    @property
    def alive(self) -> bool:
        """Whether hints still come."""

    @property
    def awaits_closing(self) -> bool:
        """Whether all that has changed was just made, so that it is most likely being written."""

    def watch(self, path: str, descriptor: int) -> None:
        """Watch the folder open as ``descriptor``. Raises OSError."""

    def leave(self, paths: Iterable[str]) -> None:
        """Stop watching these folders."""

    def take(self) -> set[str] | None:
        """Return the paths that have changed since the last call; None where all may have."""

    def close(self) -> None:
        """Stop listening."""


class Scanner:
    """All files below the roots whose present version is not marked as seen."""

    hints: Hints | None = None

    def __init__(
        self,
        watches: Iterable[Watch],
        health: HealthReporter,
        *,
        clock: Callable[[], float],
        going: Callable[[], bool],
    ) -> None:
        self._health = health
        self._clock = clock
        self._going = going
        self._roots: dict[str, Root] = {}
        self._missed: set[str] = set()
        watched = [(str(watch.root), watch) for watch in watches]
        for path, _ in watched:
            above = [path, *map(str, Path(path).parents)]
            self._roots[path] = Root(path, [watch for other, watch in watched if other in above])

    def expect(self) -> None:
        """List every root again at the next look."""
        for root in self._roots.values():
            root.due = -math.inf

    @property
    def due(self) -> float:
        """When a root is to be listed again."""
        return min((root.due for root in self._roots.values()), default=math.inf)

    def find(self, hinted: Iterable[str]) -> Iterator[ListedFile]:
        """Yield the unseen files among the hinted paths, below hinted folders and in roots that are due."""
        listed: set[str] = set()
        for path in hinted:
            if path not in listed:
                listed |= yield from self._at(path)
        for root in self._roots.values():
            if root.identity != _identity(root.path):
                root.due = -math.inf
            if root.due <= self._clock() and self._going():
                yield from self._whole(root)

    def begin(self) -> None:
        """Note that all is kept of the roots whose first listing is over. Raises what ``begun`` raises."""
        for root in self._roots.values():
            if root.listed and not root.begun:
                root.begin()

    def mark(self, file: ListedFile) -> None:
        """Note that this version has been seen."""
        folder, name = split(file.path)
        file.root.seen.setdefault(folder, {})[name] = mark(file.status)

    def _at(self, path: str) -> Generator[ListedFile, None, set[str]]:
        """Yield what is unseen at or below a path; return the folders that were listed for it."""
        folder, name = split(path)
        root = self._root_of(folder)
        if path in self._roots:
            self._roots[path].due = -math.inf
        elif root is not None:
            try:
                with opened(root.path, folder, PASSING) as descriptor:
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except OSError:
                root.seen.get(folder, {}).pop(name, None)
                return set()
            if stat.S_ISDIR(status.st_mode):
                return (yield from self._tree(root, path))
            seen = root.seen.get(folder, {}).get(name)
            if not _is_seen(seen, status) and (file := self._file(root, path, status)):
                yield file
        return set()

    def _root_of(self, folder: str) -> Root | None:
        while folder not in self._roots and folder != dirname(folder):
            folder = dirname(folder)
        return self._roots.get(folder)

    def _whole(self, root: Root) -> Iterator[ListedFile]:
        began = self._clock()
        root.hinted = self.hints is not None
        root.identity = _identity(root.path)
        self._look_at_mount(root)
        root.listed = True
        folders = yield from self._tree(root, root.path)
        root.listed = root.listed and self._going()
        for folder in root.seen.keys() - folders:
            self._forget(root, folder)
        if root.hinted:
            self._health.over(f"inotify {root.path}")
        ended = self._clock()
        # A long listing is not begun again at once, so that listing takes a tenth of the time at most.
        root.due = ended + self._pause(root, 9 * (ended - began))

    def _pause(self, root: Root, least: float = 0.0) -> float:
        if root.poll:
            return root.poll
        if root.hinted:
            return HINTED
        return min(HINTED, max(UNHINTED, least))

    def _look_at_mount(self, root: Root) -> None:
        """Report when a share or a disk is gone: the empty folder that is left shows none of its files."""
        about, mounted = f"mount {root.path}", os.path.ismount(root.path)
        if mounted:
            self._health.over(about, f"A file system is mounted at {root.path!r} again.")
        elif root.mounted and root.identity:
            problem = Wording(
                "Nothing is mounted at {path!r} any more: what lies there now is taken instead.",
                path=root.path,
            )
            self._health.tell(about, problem, grave=True)
        root.mounted = root.mounted or mounted

    def _tree(self, root: Root, top: str) -> Generator[ListedFile, None, set[str]]:
        """Yield the unseen files below a folder; return the folders that are there."""
        there: set[str] = set()
        todo = [top]
        while todo and self._going():
            folder = todo.pop()
            there.add(folder)
            root.seen.setdefault(folder, {})
            try:
                with opened(root.path, folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
                    self._watch(root, folder, descriptor)
                    todo += yield from self._folder(root, folder, descriptor)
            except OSError as error:
                self._unlisted(root, folder, error)
            else:
                self._health.over(_about(folder), f"The folder {folder!r} can be read again.")
        return there

    def _folder(self, root: Root, folder: str, descriptor: int) -> Generator[ListedFile, None, list[str]]:
        """Yield the unseen files in a folder; return the folders in it, but not those that are roots."""
        seen = root.seen[folder]
        gone = set(seen)
        folders = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if not self._going():
                    return []
                if _is_seen(seen.get(entry.name), entry):  # first: most files of a listing are known
                    gone.discard(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(join(folder, entry.name))
                elif entry.is_file(follow_symlinks=False):
                    gone.discard(entry.name)
                    if file := self._file(root, join(folder, entry.name), entry):
                        yield file
        for name in gone:
            seen.pop(name, None)
        return [path for path in folders if path not in self._roots]

    def _file(self, root: Root, path: str, entry: os.stat_result | os.DirEntry[str]) -> ListedFile | None:
        """Return a file if a watch wants it."""
        watches = root.accepting(path)
        if not watches:
            if not root.begun or isinstance(entry, os.stat_result):  # at first, and when a hint names it
                self._pass_over(root, path)
            return None
        status = _status(entry)
        return status and _wanted(root, path, status, watches)

    def _pass_over(self, root: Root, path: str) -> None:
        """Report a file that a rule nearly takes, once."""
        if path in self._missed or len(self._missed) >= _MISSES:
            return
        for watch in root.watches:
            if why := watch.miss(path):
                self._missed.add(path)
                self._health.tell(f"miss {path}", f"No rule takes the file {path!r}: {why}.")
                return

    def _watch(self, root: Root, folder: str, descriptor: int) -> None:
        """Place the watch before the folder is listed, so that nothing comes in between."""
        if self.hints is None:
            return
        try:
            self.hints.watch(folder, descriptor)
            root.hinted = root.hinted and is_local(descriptor)
        except OSError as error:
            root.hinted = False
            # EBADF: the reader of inotify is about to end, which the source reports.
            if self.hints.alive and error.errno != errno.EBADF:
                self._health.tell(
                    f"inotify {root.path}",
                    f"inotify cannot watch all folders below {root.path!r} ({error.strerror}), so they are"
                    f" listed every {self._pause(root):g} seconds. Raise fs.inotify.max_user_watches to be"
                    " quick again.",
                )
        if not root.hinted:
            root.due = min(root.due, self._clock() + self._pause(root))

    def _unlisted(self, root: Root, folder: str, error: OSError) -> None:
        is_root, is_gone = folder == root.path, error.errno in _GONE
        if is_root:
            root.identity = None
            root.listed = is_gone
        if not is_gone:
            problem = Wording(
                "The folder {folder!r} cannot be read: {why}.", folder=folder, why=error.strerror
            )
        elif is_root:
            problem = Wording(
                "The folder {folder!r} is missing: {why}. It is watched once it appears.",
                folder=folder,
                why=error.strerror,
            )
        else:
            return
        self._health.tell(_about(folder), problem, grave=True)

    def _forget(self, root: Root, folder: str) -> None:
        root.seen.pop(folder, None)
        self._health.over(_about(folder))
        if self.hints is not None:
            self.hints.leave([folder])


def _status(entry: os.stat_result | os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of an entry of a folder; None where it is gone."""
    if isinstance(entry, os.stat_result):
        return entry
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_seen(seen: tuple[int, ...] | None, entry: os.stat_result | os.DirEntry[str]) -> bool:
    """Return whether a file still has the mark that it was seen with."""
    if seen is None:
        return False
    status = _status(entry)
    return status is not None and seen == mark(status)


def _wanted(root: Root, path: str, status: os.stat_result, watches: Sequence[Watch]) -> ListedFile | None:
    """Return a plain file that is large enough, and does not belong to the daemon."""
    if not stat.S_ISREG(status.st_mode) or any(watch.own(status) for watch in watches):
        return None
    want = reduce(or_, [watch.want(path) for watch in watches])
    if status.st_size < want.least:
        return None
    return ListedFile(root, path, status, want)


def _about(folder: str) -> str:
    return f"folder {folder}"


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - called for each root at each look
    except OSError:
        return None
    return status.st_dev, status.st_ino
