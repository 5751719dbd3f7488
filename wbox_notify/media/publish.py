"""Publishing of copies: the address at which wbox fetches one, and its withdrawal.

A copy is served by the daemon, put into a folder that a web server serves, or uploaded to a bucket.
"""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

from wbox_notify.config.media import Static
from wbox_notify.config.private import sync
from wbox_notify.config.settings import Settings
from wbox_notify.media.ingest import MediaError
from wbox_notify.media.kinds import static_name
from wbox_notify.media.spool import Item
from wbox_notify.model import signed_links
from wbox_notify.model.texts import Wording

LINK = "media"
"""The kind of the links that the daemon serves."""


def publish(settings: Settings, item: Item, copy: Path, now: float, ends: int, *, serving: bool) -> str:
    """Return the address at which wbox can fetch a copy until ``ends``.

    Raises:
        MediaError: there is none; ``retry`` says whether there may be later.
        OSError: the copy cannot be read, or not be put where a web server serves it.
    """
    if not copy.is_file() or copy.stat().st_size != item.size:
        raise MediaError(
            Wording("the copy of {name} is gone from {parent}", name=item.name, parent=copy.parent)
        )
    if settings.media.static:
        return _put(settings.media.static, item, copy)
    if settings.media.bucket:
        from wbox_notify.media import bucket  # noqa: PLC0415 - its library is an extra

        return bucket.upload(settings.media.bucket, item, copy, now, ends)
    if not serving or not settings.public_url:
        hint = "start `wbox-notify run`, or set `media.static` or `media.bucket` in wbox-notify.yaml"
        raise MediaError(Wording("no server can lend {name} to wbox", name=item.name), hint=hint, retry=True)
    token = signed_links.token(settings.link_key, LINK, f"{item.id}.{ends}")
    return f"{settings.public_url}/m/{token}/{quote(item.name)}"


def withdraw(settings: Settings, item: Item) -> None:
    """Delete a copy from the folder or the bucket that lends it. Raises MediaError or OSError."""
    if settings.media.static:
        _remove(settings.media.static, item)
    elif settings.media.bucket:
        from wbox_notify.media import bucket  # noqa: PLC0415 - its library is an extra

        bucket.remove(settings.media.bucket, item)


def _put(static: Static, item: Item, copy: Path) -> str:
    """Put a copy into the folder under a name that cannot be guessed, unless it is there."""
    name = _name(item)
    target = static.folder / name
    if not target.exists():
        part = static.folder / f".{item.id}.part"
        part.unlink(missing_ok=True)  # what a crash left, or a link that another user put there
        with copy.open("rb") as source, part.open("xb") as file:
            shutil.copyfileobj(source, file)
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync(static.folder)
    return f"{static.url}/{quote(name)}"


def _remove(static: Static, item: Item) -> None:
    # Version 0.1.0 kept all endings of a name.
    for name in (_name(item), f"{item.id}-{item.name}", f"{item.id}-{item.name}.bin"):
        (static.folder / name).unlink(missing_ok=True)


def _name(item: Item) -> str:
    return f"{item.id}-{static_name(item.name, item.family)}"
