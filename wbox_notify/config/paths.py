"""Paths as people write them, made plain once, so that they mean the same wherever they are compared."""

import os
from pathlib import Path
from posixpath import dirname, join


def plain(path: Path) -> Path:
    """Return an absolute path without ``..``, ``.`` and slashes at its end; what it leads to stays the same.

    A link stays as it is written, but for one that ``..`` leaves: the folder above is that of what it leads
    to, as it is for the kernel.
    """
    found = "/"
    for part in path.absolute().parts[1:]:
        found = dirname(os.path.realpath(found)) if part == ".." else join(found, part)
    return Path(found)
