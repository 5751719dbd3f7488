"""Listing: what lies in the watched folders and has not been seen yet. It is the truth about them."""

import errno
import math
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from posixpath import dirname, join, split

from wbox_notify.triggers.file.facts import mark
from wbox_notify.triggers.file.inotify import Inotify
from wbox_notify.triggers.file.opening import is_local, opened
from wbox_notify.triggers.file.watch import ListedFile, Place, Watch
from wbox_notify.triggers.health import HealthReporter

HINTED = 60.0
"""Seconds between two listings of a folder that inotify tells all about."""

UNHINTED = 2.0
"""Seconds between two listings of a folder that inotify tells nothing, or not all, about."""

_MISSES = 100
"""So many files that a rule hardly misses are told of; then it is known."""

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Scanner:
    """All files below the roots whose present version is not marked as seen."""

    hints: Inotify | None = None

    def __init__(
        self,
        watches: Iterable[Watch],
        troubles: HealthReporter,
        *,
        clock: Callable[[], float],
        going: Callable[[], bool],
    ) -> None:
        self._troubles = troubles
        self._clock = clock
        self._going = going
        self._places: dict[str, Place] = {}
        self._missed: set[str] = set()
        roots = [(str(watch.root), watch) for watch in watches]
        for root, _ in roots:
            above = [root, *map(str, Path(root).parents)]
            self._places[root] = Place(root, [watch for path, watch in roots if path in above])

    def expect(self) -> None:
        """Let every place be listed again at the next look."""
        for place in self._places.values():
            place.due = -math.inf

    @property
    def due(self) -> float:
        """When a place is to be listed again."""
        return min((place.due for place in self._places.values()), default=math.inf)

    def find(self, hinted: Iterable[str]) -> Iterator[ListedFile]:
        """Give the unseen files among the hinted paths, below hinted folders and in due places."""
        listed: set[str] = set()
        for path in hinted:
            if path not in listed:
                listed |= yield from self._at(path)
        for place in self._places.values():
            if place.identity != _identity(place.path):
                place.due = -math.inf
            if place.due <= self._clock() and self._going():
                yield from self._whole(place)

    def begin(self) -> None:
        """Note that all is kept of the places whose first listing is over. Raises what ``begun`` raises."""
        for place in self._places.values():
            if place.listed and not place.begun:
                place.begin()

    def mark(self, found: ListedFile) -> None:
        """Note that this version has been seen."""
        folder, name = split(found.path)
        found.place.seen.setdefault(folder, {})[name] = mark(found.status)

    def _at(self, path: str) -> Generator[ListedFile, None, set[str]]:
        """Give what is unseen at or below a path; return the folders that were listed for it."""
        folder, name = split(path)
        place = self._place_of(folder)
        if path in self._places:
            self._places[path].due = -math.inf
        elif place is not None:
            try:
                with opened(place.path, folder, os.O_PATH | os.O_DIRECTORY) as descriptor:
                    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except OSError:
                place.seen.get(folder, {}).pop(name, None)
                return set()
            if stat.S_ISDIR(status.st_mode):
                return (yield from self._tree(place, path))
            yield from self._unseen(place, path, status)
        return set()

    def _place_of(self, folder: str) -> Place | None:
        while folder not in self._places and folder != dirname(folder):
            folder = dirname(folder)
        return self._places.get(folder)

    def _whole(self, place: Place) -> Iterator[ListedFile]:
        began = self._clock()
        place.hinted = self.hints is not None
        place.identity = _identity(place.path)
        self._look_at_mount(place)
        place.listed = True
        there = yield from self._tree(place, place.path)
        place.listed = place.listed and self._going()
        for folder in place.seen.keys() - there:
            self._forget(place, folder)
        if place.hinted:
            self._troubles.over(f"inotify {place.path}")
        ended = self._clock()
        # A long listing is not begun again at once, so that listing takes a tenth of the time at most.
        place.due = ended + self._pause(place, 9 * (ended - began))

    def _pause(self, place: Place, least: float = 0.0) -> float:
        return place.poll or (HINTED if place.hinted else min(HINTED, max(UNHINTED, least)))

    def _look_at_mount(self, place: Place) -> None:
        """Tell when a share or a disk is gone: the empty folder in its place says nothing about its files."""
        about, mounted = f"mount {place.path}", os.path.ismount(place.path)
        if mounted:
            self._troubles.over(about, f"There is something mounted at {place.path!r} again.")
        elif place.mounted and place.identity:
            problem = f"Nothing is mounted at {place.path!r} any more: what lies there now is taken instead."
            self._troubles.tell(about, problem, grave=True)
        place.mounted = place.mounted or mounted

    def _tree(self, place: Place, top: str) -> Generator[ListedFile, None, set[str]]:
        """Give the unseen files below a folder; return the folders that are there."""
        there: set[str] = set()
        todo = [top]
        while todo and self._going():
            folder = todo.pop()
            there.add(folder)
            place.seen.setdefault(folder, {})
            try:
                with opened(place.path, folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
                    self._watch(place, folder, descriptor)
                    todo += yield from self._folder(place, folder, descriptor)
            except OSError as error:
                self._unlisted(place, folder, error)
            else:
                self._troubles.over(_about(folder), f"The folder {folder!r} can be read again.")
        return there

    def _folder(self, place: Place, folder: str, descriptor: int) -> Generator[ListedFile, None, list[str]]:
        """Give the unseen files in a folder; return the folders in it, but not those that are roots."""
        seen = place.seen[folder]
        gone = set(seen)
        folders = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if not self._going():
                    return []
                path = join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif entry.is_file(follow_symlinks=False):
                    gone.discard(entry.name)
                    yield from self._unseen(place, path, entry)
        for name in gone:
            seen.pop(name, None)
        return [path for path in folders if path not in self._places]

    def _unseen(
        self, place: Place, path: str, status: os.stat_result | os.DirEntry[str]
    ) -> Iterator[ListedFile]:
        watches = [watch for watch in place.watches if watch.accepts(path)]
        if not watches:
            if not place.begun or isinstance(status, os.stat_result):  # at first, and when a hint tells of it
                self._pass_over(place, path)
            return
        if isinstance(status, os.DirEntry):
            try:
                status = status.stat(follow_symlinks=False)
            except FileNotFoundError:
                return
        folder, name = split(path)
        is_new = place.seen.get(folder, {}).get(name) != mark(status)
        if (
            is_new
            and stat.S_ISREG(status.st_mode)
            and status.st_size >= min(one.least(path) for one in watches)
            and not any(one.own(status) for one in watches)
        ):
            yield ListedFile(place, path, status, watches)

    def _pass_over(self, place: Place, path: str) -> None:
        """Tell once of a file that some rule hardly misses."""
        if path in self._missed or len(self._missed) >= _MISSES:
            return
        if why := next((why for watch in place.watches if (why := watch.miss(path))), None):
            self._missed.add(path)
            self._troubles.tell(f"miss {path}", f"No rule takes the file {path!r}: {why}.")

    def _watch(self, place: Place, folder: str, descriptor: int) -> None:
        """Place the watch before the folder is listed, so that nothing comes in between."""
        if self.hints is None:
            return
        try:
            self.hints.watch(folder, descriptor)
            place.hinted = place.hinted and is_local(descriptor)
        except OSError as error:
            place.hinted = False
            if self.hints.alive:
                self._troubles.tell(
                    f"inotify {place.path}",
                    f"inotify cannot watch all folders below {place.path!r} ({error.strerror}), so they are"
                    f" listed every {self._pause(place):g} seconds. Raise fs.inotify.max_user_watches to be"
                    " quick again.",
                )
        if not place.hinted:
            place.due = min(place.due, self._clock() + self._pause(place))

    def _unlisted(self, place: Place, folder: str, error: OSError) -> None:
        is_root, is_gone = folder == place.path, error.errno in _GONE
        if is_root:
            place.identity = None
            place.listed = is_gone
        if not is_gone:
            problem = f"The folder {folder!r} cannot be read: {error.strerror}."
        elif is_root:
            problem = f"The folder {folder!r} is not there: {error.strerror}. It is waited for."
        else:
            return
        self._troubles.tell(_about(folder), problem, grave=True)

    def _forget(self, place: Place, folder: str) -> None:
        place.seen.pop(folder, None)
        self._troubles.over(_about(folder))
        if self.hints is not None:
            self.hints.leave([folder])


def _about(folder: str) -> str:
    return f"folder {folder}"


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
