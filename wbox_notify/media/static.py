"""A folder that a web server of somebody else's serves."""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

from wbox_notify.config.media import Static
from wbox_notify.config.private import sync
from wbox_notify.media.kinds import static_name
from wbox_notify.media.spool import Item


def place(static: Static, item: Item, copy: Path) -> str:
    """Put a copy there under a name that nobody can guess, unless it is there; return its address."""
    name = _name(item)
    target = static.folder / name
    if not target.exists():
        part = static.folder / f".{item.id}.part"
        part.unlink(missing_ok=True)  # what a crash left, or a link that somebody put there
        with copy.open("rb") as reading, part.open("xb") as writing:
            shutil.copyfileobj(reading, writing)
            os.fchmod(writing.fileno(), 0o644)
            writing.flush()
            os.fsync(writing.fileno())
        part.replace(target)
        sync(static.folder)
    return f"{static.url}/{quote(name)}"


def take_away(static: Static, item: Item) -> None:
    """Delete a copy from there."""
    # Version 0.1.0 kept all endings of a name.
    for name in (_name(item), f"{item.id}-{item.name}", f"{item.id}-{item.name}.bin"):
        (static.folder / name).unlink(missing_ok=True)


def _name(item: Item) -> str:
    return f"{item.id}-{static_name(item.name, item.family)}"
