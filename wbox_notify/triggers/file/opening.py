"""Opening of dropped files: without following links, with a test whether a process still writes one."""

import ctypes
import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_LIBC = ctypes.CDLL(None)
_PATH_MAX = 4096
PASSING = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
"""The flags to open a folder by which others are reached; only Linux can without the right to read it."""

# The numbers of statfs(2) for file systems whose writers are all known to this kernel. On any other (NFS,
# CIFS, 9p, FUSE ...) another machine may be writing, and neither lease nor inotify shows it.
_LOCAL = frozenset({
    0x0000EF53,  # ext2, ext3, ext4
    0x58465342,  # xfs
    0x9123683E,  # btrfs
    0xCA451A4E,  # bcachefs
    0x2FC12FC1,  # zfs
    0xF2F52010,  # f2fs
    0x01021994,  # tmpfs
    0x794C7630,  # overlayfs
})  # fmt: skip


@contextmanager
def opened(root: str, path: str, flags: int) -> Iterator[int]:
    """Give a descriptor of ``path``, reached from ``root`` following no link, and close it afterwards.

    Only ``root`` itself may be a link. Raises OSError, also where a link stands in the way.
    """
    if len(os.fsencode(path)) >= _PATH_MAX:  # it cannot be opened by its name
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    *folders, name = (path.removeprefix(root).strip("/") or ".").split("/")
    descriptor = os.open(root, PASSING | os.O_CLOEXEC)
    for folder in folders:
        descriptor = _step(descriptor, folder, PASSING)
    descriptor = _step(descriptor, name, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _step(folder: int, name: str, flags: int) -> int:
    """Open one name below a folder's descriptor, which is used up by it."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)


def has_no_writer(descriptor: int) -> bool | None:
    """Return whether no process has the file open for writing; None where the kernel does not tell.

    It takes a read lease, which the kernel grants only then, and returns it at once.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return None
    try:
        # A writer that comes at this very moment breaks the lease with a signal: SIGURG is ignored unless
        # asked for, while the usual SIGIO would end the process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return False if error.errno == errno.EAGAIN else None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def is_local(descriptor: int) -> bool:
    """Return whether the file system is one that only this machine writes to."""
    status = (ctypes.c_long * 64)()
    return _LIBC.fstatfs(descriptor, status) == 0 and status[0] & 0xFFFFFFFF in _LOCAL
