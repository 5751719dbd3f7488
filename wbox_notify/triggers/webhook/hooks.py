"""Hooks: which paths are served below ``/hook/``, and how each is guarded."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wbox_notify.triggers.webhook.presets import Preset
from wbox_notify.triggers.webhook.signatures import Scheme


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One path and how it is guarded.

    Attributes:
        path: What stands after ``/hook/``.
        scheme: How a call proves itself; None lets anybody in.
        preset: What is known of the sender.
        id: Returns what makes two deliveries the same, from ``body``, ``headers`` and ``query``; where it
            gives nothing, the sender's own id counts. A WboxError from it refuses the call.
        named: The headers that rules name, in lower case; they are kept besides those that all senders have.
    """

    path: str
    scheme: Scheme | None
    preset: Preset
    id: Callable[[Mapping[str, Any]], str | None] | None = None
    named: frozenset[str] = frozenset()

    @property
    def secret_headers(self) -> frozenset[bytes]:
        """The headers that hold the proof of a call, in lower case."""
        return self.scheme.secret_headers if self.scheme else frozenset()


class Hooks:
    """The hooks that are served now; a reload swaps all of them at once."""

    def __init__(self, hooks: Iterable[Hook]) -> None:
        self._by_path: Mapping[str, Hook] = {}
        self.replace(hooks)

    def replace(self, hooks: Iterable[Hook]) -> None:
        """Serve these from now on; a call that has begun ends as it began."""
        self._by_path = {hook.path: hook for hook in hooks}

    def find(self, path: str) -> Hook | None:
        """Return the hook of exactly this path."""
        return self._by_path.get(path)
