"""Moving a file to another folder, whole and over nothing; after a crash it is in one of the two.

A folder that is made for it is for those who may use the watched folder.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from posixpath import basename, dirname, join, relpath, splitext
from typing import BinaryIO, NamedTuple

from wbox_notify.errors import WboxError
from wbox_notify.model.file_version import FileVersion
from wbox_notify.model.texts import Wording
from wbox_notify.triggers.file.identity import is_still
from wbox_notify.triggers.file.opening import opened

Announce = Callable[[FileVersion], None]
"""Keeps that a file is ours, on disk, before it appears, so that it sets off no rule."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_RENAMEAT2 = getattr(_LIBC, "renameat2", None)
_UNSHARE = getattr(_LIBC, "unshare", None)
_NOREPLACE, _CLONE_FS = 1, 0x200
_NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_RIGHTS = 0o777  # neither set-uid nor set-gid nor sticky
_RIGHTS_BELOW = 0o775  # below the root no link is followed, so its group may change what is there
_RIGHTS_ELSEWHERE = 0o755
_BLOCK = 1024 * 1024
_LONGEST, _LONGEST_EXT = 255, 32


class ChangedError(WboxError):
    """The file is not any more what it was."""


def move(version: FileVersion, folder: str, announce: Announce) -> str:
    """Move a file into a folder, which is made where there is none; return the path that it has there.

    A file that has the name already stays, and a number is added. One that was moved before is found again.

    Raises:
        ChangedError: it is gone, or another version.
        OSError: it cannot be moved now.
    """
    name = basename(version.path)
    with _source(version) as source, _made(version.root, folder) as descriptor:
        shelf = _Shelf(version.root, folder, descriptor, announce)
        if os.path.samestat(os.fstat(source), os.fstat(descriptor)):
            return version.path
        try:
            _check(version, source)
        except ChangedError:
            if path := shelf.find(version):
                return path
            raise
        try:
            return shelf.put(source, name, name)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        return _copied(version, source, shelf)


def remove(version: FileVersion) -> None:
    """Delete a file. Raises the errors of ``move``."""
    with _source(version) as source:
        _check(version, source)
        os.unlink(basename(version.path), dir_fd=source)


def write(root: str, path: str, text: str, announce: Announce) -> None:
    """Write a new file, with a number added to its name where there is one. Raises OSError."""
    with _made(root, dirname(path)) as descriptor:
        shelf = _Shelf(root, dirname(path), descriptor, announce)
        rights = os.fstat(descriptor).st_mode & 0o664
        with _exact_modes(), shelf.begin(0o600 | rights) as file:
            file.write(text.encode("utf-8", "backslashreplace"))
        shelf.put(descriptor, shelf.spare, basename(path))


class _Shelf(NamedTuple):
    """A folder that files are put into."""

    root: str
    path: str
    descriptor: int
    announce: Announce
    spare: str = ".wbox-notify.part"

    def begin(self, mode: int) -> BinaryIO:
        """Open a new spare file; delete what a crash or another program left in its place."""
        with suppress(FileNotFoundError):
            os.unlink(self.spare, dir_fd=self.descriptor)
        return os.fdopen(os.open(self.spare, _NEW, mode, dir_fd=self.descriptor), "wb")

    def put(self, source: int, name: str, wanted: str) -> str:
        """Rename a file into this folder, over nothing; return its path."""
        names = _names(wanted)
        while True:
            path = join(self.path, candidate := next(names))
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
            self.announce(FileVersion.of(path, self.root, status))
            try:
                _rename(source, name, self.descriptor, candidate)
            except FileExistsError:
                if not self._holds(candidate, source, name):
                    continue
                os.unlink(name, dir_fd=source)  # a crash came before this
            return path

    def find(self, version: FileVersion) -> str | None:
        """Return where a file lies that was put here before, by its size and time."""
        for candidate in _names(basename(version.path)):
            try:
                status = os.stat(candidate, dir_fd=self.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return None
            if (status.st_size, status.st_mtime_ns) == (version.size, version.mtime_ns):
                return join(self.path, candidate)
        return None

    def _holds(self, candidate: str, source: int, name: str) -> bool:
        """Return whether a file here is that other one: the same, or a copy with all that it has."""
        here = os.stat(candidate, dir_fd=self.descriptor, follow_symlinks=False)
        there = os.stat(name, dir_fd=source, follow_symlinks=False)
        if os.path.samestat(here, there):
            return True
        alike = (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns)
        return alike and stat.S_ISREG(here.st_mode) and _same(self.descriptor, candidate, source, name)


def _check(version: FileVersion, folder: int) -> None:
    try:
        status = os.stat(basename(version.path), dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        raise ChangedError(Wording("{path!r} is gone", path=version.path)) from None
    if not stat.S_ISREG(status.st_mode) or not is_still(version, folder, basename(version.path), status):
        raise ChangedError(Wording("{path!r} has changed since", path=version.path))


def _copied(version: FileVersion, source: int, shelf: _Shelf) -> str:
    """Move a file to another file system: a copy comes to the disk, gets its name, and the old one goes."""
    name = basename(version.path)
    with (
        os.fdopen(os.open(name, _READ, dir_fd=source), "rb") as old,
        shelf.begin(0o600) as new,
    ):
        while block := old.read(_BLOCK):
            new.write(block)
        new.flush()
        status = os.fstat(old.fileno())
        # The copy belongs to us: what ran as whoever dropped the file must not begin to run as us.
        os.fchmod(new.fileno(), status.st_mode & _RIGHTS)
        os.utime(new.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(new.fileno())
    try:
        _check(version, source)
        path = shelf.put(shelf.descriptor, shelf.spare, name)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(shelf.spare, dir_fd=shelf.descriptor)
        raise
    os.fsync(shelf.descriptor)
    os.unlink(name, dir_fd=source)
    return path


def _rename(source: int, name: str, target: int, wanted: str) -> None:
    """Give a file a new name. Raises FileExistsError where that is taken."""
    if _RENAMEAT2:
        if not _RENAMEAT2(source, os.fsencode(name), target, os.fsencode(wanted), _NOREPLACE):
            return
        code = ctypes.get_errno()
        if code not in _NOT_HERE:
            raise OSError(code, os.strerror(code))
    os.link(name, wanted, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    os.unlink(name, dir_fd=source)


def _same(here: int, mine: str, there: int, yours: str) -> bool:
    """Return whether two files have the same content."""
    with (
        os.fdopen(os.open(mine, _READ, dir_fd=here), "rb") as first,
        os.fdopen(os.open(yours, _READ, dir_fd=there), "rb") as second,
    ):
        while block := first.read(_BLOCK):
            if block != second.read(_BLOCK):
                return False
        return not second.read(1)


def _names(name: str) -> Iterator[str]:
    """Yield a name, and then with numbers: ``a.pdf``, ``a (2).pdf`` and so on; too long a one is cut."""
    stem, ext = splitext(name)
    if len(os.fsencode(ext)) > _LONGEST_EXT:
        stem, ext = name, ""
    for number in count(1):
        rest = os.fsencode(f" ({number}){ext}" if number > 1 else ext)
        yield os.fsdecode(os.fsencode(stem)[: _LONGEST - len(rest)] + rest)


@contextmanager
def _opened(root: str, folder: str) -> Iterator[int]:
    with opened(root, folder, _FOLDER) as descriptor:
        yield descriptor


@contextmanager
def _source(version: FileVersion) -> Iterator[int]:
    """Give a descriptor of the folder that a file lies in; a root that is away may come back."""
    folder = dirname(version.path)
    if Path(version.root).is_dir() and not os.path.lexists(folder):
        raise ChangedError(Wording("{path!r} is gone", path=version.path))
    with _opened(version.root, folder) as descriptor:
        yield descriptor


@contextmanager
def _made(root: str, folder: str) -> Iterator[int]:
    """Give a descriptor of a folder, made where there is none; below the root no link is followed."""
    rights = Path(root).stat().st_mode
    with _exact_modes():
        if f"{folder}/".startswith(f"{root.rstrip('/')}/"):
            _make_below(root, folder, 0o700 | (rights & _RIGHTS_BELOW))
        else:
            absent = [path for path in (Path(folder), *Path(folder).parents) if not path.exists()]
            for path in reversed(absent):
                path.mkdir(0o700 | (rights & _RIGHTS_ELSEWHERE), exist_ok=True)
            root = folder
    with _opened(root, folder) as descriptor:
        yield descriptor


def _make_below(root: str, folder: str, mode: int) -> None:
    path = root
    for part in relpath(folder, root).split("/"):
        with _opened(root, path) as above, suppress(FileExistsError):
            os.mkdir(part, mode, dir_fd=above)
        path = join(path, part)


@contextmanager
def _exact_modes() -> Iterator[None]:
    """Make files and folders with the modes that are asked for.

    The umask of the process keeps all that the daemon makes for its own user. This thread gets one of its
    own. A chmod afterwards would take set-gid away, by which a folder hands its group on: a unit of systemd
    lets no process set that.
    """
    if _UNSHARE is None or _UNSHARE(_CLONE_FS):
        yield
        return
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)
