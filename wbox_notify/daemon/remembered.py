"""What rules keep in mind, as the planner reads it."""

from collections.abc import Iterable, Mapping
from typing import Any

from wbox_notify.engine.state import SilenceState
from wbox_notify.model.deliveries import Plan, Remembered
from wbox_notify.store import Store


class PlannerMemory:
    """The store, asked whether a rule is silent only where it may be: each message of each rule asks that.

    The planner alone lets a rule be silent, so it knows which rules may be.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._maybe_silent = {memory.rule for memory in store.memories([SilenceState.KIND])}

    def note(self, plans: Iterable[Plan]) -> None:
        """Take note of what is about to be stored."""
        for plan in plans:
            kept = (memory for memory in plan.memories if memory.kind == SilenceState.KIND)
            self._maybe_silent.update(memory.rule for memory in kept)

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | Remembered | None:
        """Return what a rule keeps under a key, or None."""
        if kind == SilenceState.KIND and rule not in self._maybe_silent:
            return None
        return self._store.remembered(rule, kind, key)

    def sent(self, prefix: str) -> bool:
        """Return whether wbox took a message whose key begins with a prefix."""
        return self._store.sent(prefix)
