"""Hooks: a path that several rules share has one sender, one proof and one id for a delivery."""

from collections.abc import Iterator
from typing import Any

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.rules.models import RuleSpec
from wbox_notify.rules.models.triggers import WebhookSpec

_SHARED = ("preset", "secret", "verify", "open", "id")


class Hooks:
    """The hooks of all rules so far."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[dict[str, Any], Location]] = {}

    def take(self, spec: RuleSpec, spot: Location) -> Iterator[Problem]:
        """Yield a problem for each hook of a rule that differs from an earlier one with its path."""
        for index, trigger in enumerate(spec.trigger):
            at = spot.at("trigger").at(index)
            if trigger.webhook:
                yield from self._one(trigger.webhook, at.at("webhook"))
            if trigger.missing and trigger.missing.of.webhook:
                yield from self._one(trigger.missing.of.webhook, at.at("missing", "of", "webhook"))

    def _one(self, hook: WebhookSpec, spot: Location) -> Iterator[Problem]:
        settings = hook.model_dump(include={*_SHARED})
        first, earlier = self._first.setdefault(hook.path, (settings, spot))
        differs = [name for name in _SHARED if settings[name] != first[name]]
        if differs:
            message = f"the path `{hook.path}` has another {' and '.join(differs)} elsewhere"
            hint = (
                f"see {earlier.document.source.file}:{earlier.place.line}: give it the same, or another path"
            )
            yield spot.at("path").problem("WBX319", message, hint=hint)
