"""How files of this machine reach wbox, as the settings say it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wbox_notify.config.values import PREFIX

_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Static:
    """A folder, and the address at which a web server serves it."""

    folder: Path
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket, and who we are there.

    Attributes:
        name: What the bucket is called.
        endpoint: Where it is, without a path.
        region: The region that requests are signed for.
        key_id: Says who signs.
        secret: What signs.
        prefix: What the names of all our objects begin with.
    """

    name: str
    endpoint: str
    region: str
    key_id: str
    secret: str = field(repr=False)
    prefix: str = PREFIX


LARGEST = {"image": 5 * _MB, "video": 16 * _MB, "audio": 16 * _MB, "document": 100 * _MB}
"""What WhatsApp takes, in bytes, by what a file is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """How files of this machine reach wbox.

    Attributes:
        static: Where they are put for a web server; None leaves it to the daemon to serve them.
        bucket: Where they are uploaded to instead.
        quota: How many bytes the copies may take together.
        largest: How many bytes a file may have: an ``image``, a ``video``, ``audio`` or a ``document``.
        fetches: How often one link can be fetched whole.
    """

    static: Static | None = None
    bucket: Bucket | None = None
    quota: int = 1 << 30
    largest: Mapping[str, int] = field(default_factory=lambda: LARGEST)
    fetches: int = 20

    @property
    def elsewhere(self) -> str | None:
        """The address that lends files in place of the daemon, or None."""
        if self.bucket:
            return self.bucket.endpoint
        return self.static.url if self.static else None
