"""Whether the file of a store is what it was: there, whole, on a disk of this machine, and ours alone."""

import fcntl
import os
import re
import sys
from pathlib import Path
from typing import Self

from wbox_notify.errors import Exit, StoreError
from wbox_notify.model.texts import Wording

_MADE = "made"
_QUICKLY_READ = 32 << 20
_MOUNTS = Path("/proc/self/mounts")
_REMOTE = re.compile(
    r"9p|afs|beegfs|ceph|cifs|drvfs|(fuse\.)?glusterfs|lustre|nfs4?|smb3|smbfs|vboxsf|fuse\.(rclone|s3fs|sshfs)"
)
_OCTAL = re.compile(r"\\([0-7]{3})")


class BusyError(StoreError):
    """Another process owns the store."""

    exit_code = Exit.NOT_YET


class UnsoundError(StoreError):
    """The file is damaged, gone, or at a place where it cannot be kept safe."""

    retry = False
    exit_code = Exit.INVALID


class Owner:
    """The lock that makes this process the only one that writes; it is freed when the process ends.

    Its file stays, and says whether there has been a store beside it.

    Raises:
        BusyError: another process has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: int | None = None
        descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        self._file = os.fdopen(descriptor, "r+", encoding="ascii")
        words = self._file.read().split()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise BusyError(
                Wording(
                    "the store {path} is in use by process {process}",
                    path=path,
                    process=words[0] if words else "?",
                ),
                hint="one daemon for each store; stop the other one or set WBOX_DATA_DIR",
            ) from None
        self._write(*[_MADE] if _MADE in words else [])
        self.had_store = _MADE in words

    def made(self) -> None:
        """Remember that there is a store now."""
        self._write(_MADE)

    def hold(self) -> None:
        """Lock the database itself also, which may have another name, as by a hard link.

        Raises:
            BusyError: a process owns it under another name.
        """
        # Elsewhere this lock would keep SQLite itself out.
        if sys.platform != "linux":
            return
        self._database = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._database, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                Wording("the store {path} is in use by another process, under another name", path=self._path),
                hint="the file has two names (a hard link, or a link in its path): use one of them alone",
            ) from None

    def close(self) -> None:
        """Let another process have it; SQLite must have closed the file, or it would lose its own locks."""
        if self._database is not None:
            os.close(self._database)
        self._file.close()

    def _write(self, *words: str) -> None:
        text = " ".join([str(os.getpid()), *words])
        self._file.seek(0)
        self._file.write(text)
        self._file.truncate(len(text))
        self._file.flush()


class Identity:
    """Which file was opened, so that another one, or none, at its place is noticed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at_first = self._now()

    @classmethod
    def of(cls, path: Path, owner: Owner) -> Self:
        """Return it for a file that is opened now, and made where there never was one.

        Raises:
            UnsoundError: there was a store, and now there is none; or it would stand on another machine.
        """
        if system := remote(path):
            raise UnsoundError(
                Wording(
                    "the store {path} would stand on a file system of the network ({system})",
                    path=path,
                    system=system,
                ),
                hint="what is written there can be lost; name a folder on a disk of this machine",
            )
        if owner.had_store and not (path.exists() and path.stat().st_size):
            problem = Wording("the store {path} was here before and is gone now", path=path)
            if path.exists():
                problem = Wording("the store {path} was here before and is empty now", path=path)
            hint = Wording(
                "put it back from a backup; to begin with an empty one, remove {path}.lock", path=path
            )
            raise UnsoundError(problem, hint=hint)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return cls(path)

    def check(self) -> None:
        """Raise a StoreError where the file has been moved, removed or replaced."""
        try:
            now = self._now()
        except FileNotFoundError:
            now = None
        if now != self._at_first:
            problem = Wording(
                "the store {path} was removed or moved away while wbox-notify ran", path=self._path
            )
            if now:
                problem = Wording(
                    "the store {path} was replaced by another file while wbox-notify ran", path=self._path
                )
            raise StoreError(problem, hint="stop wbox-notify, put the file back, start it again")

    def _now(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_dev, status.st_ino


def suspicious(path: Path) -> bool:
    """Say whether to look a file over: its last owner did not close it, or that takes no time at all."""
    return Path(f"{path}-wal").exists() or path.stat().st_size < _QUICKLY_READ


def remote(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Return the kind of network file system that a path is on, or None where that is none or unknown."""
    try:
        lines = [_mount(line) for line in mounts.read_text("utf-8", "surrogateescape").splitlines()]
    except OSError:
        return None
    place = path.absolute().resolve()
    kind = max(
        ((len(at), number, kind) for number, (at, kind) in enumerate(lines) if place.is_relative_to(at)),
        default=(0, 0, ""),
    )[-1]
    return kind if _REMOTE.fullmatch(kind) else None


def _mount(line: str) -> tuple[str, str]:
    """Return where something is mounted, and its kind."""
    _, at, kind, *_ = line.split(" ")
    return _OCTAL.sub(lambda code: chr(int(code[1], 8)), at), kind
