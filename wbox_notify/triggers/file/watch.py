"""What is watched, and what is found there."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wbox_notify.triggers.file.contents import version_id


@dataclass(frozen=True, slots=True)
class Watch:
    """One folder that rules watch.

    Attributes:
        root: The folder; all below it is watched too. It may be a link, nothing below it is followed.
        accepts: Says of an absolute path whether some rule wants it.
        reads: What to read of a file: any of ``sha256`` and ``text``, or a function of the path.
        settle: Seconds that a file must rest where the kernel can not tell that it is finished.
        lease: False if writers come and go within one file (a folder that this machine serves to others).
    """

    root: Path
    accepts: Callable[[str], bool]
    reads: frozenset[str] | Callable[[str], frozenset[str]]
    settle: float = 2.0
    lease: bool = True

    def reads_of(self, path: str) -> frozenset[str]:
        """Return what to read of one file."""
        return self.reads(path) if callable(self.reads) else self.reads


@dataclass(slots=True)
class Place:
    """A folder given as a root, and all below it that is not below another root."""

    path: str
    watches: list[Watch]
    identity: tuple[int, int] | None = None
    due: float = -math.inf
    hinted: bool = False
    seen: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it was listed, and the watches that want it."""

    place: Place
    path: str
    status: os.stat_result
    watches: Sequence[Watch]

    @property
    def id(self) -> str:
        """The id of the event that would tell of it."""
        return version_id(self.path, self.status)

    @property
    def reads(self) -> frozenset[str]:
        """All that some watch wants to know of it."""
        return frozenset().union(*(watch.reads_of(self.path) for watch in self.watches))

    @property
    def lease(self) -> bool:
        """Whether a lease tells the truth about it."""
        return all(watch.lease for watch in self.watches)

    @property
    def settle(self) -> float:
        """Seconds that it must rest if a lease does not tell."""
        return max(watch.settle for watch in self.watches)
