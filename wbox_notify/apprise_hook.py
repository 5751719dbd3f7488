"""Makes ``import wbox_notify`` enough for ``wbox://`` in Apprise, whichever is imported first.

Apprise takes half a second to load, so it is not loaded here: the provider is registered when Apprise is
there, or as soon as somebody imports it.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_PLUGIN = "wbox_notify.apprise_plugin"


def watch_for_apprise() -> None:
    """Register the provider now if Apprise is imported, else when it is."""
    if "apprise" in sys.modules:
        importlib.import_module(_PLUGIN)
    else:
        sys.meta_path.insert(0, _Watch())


class _Watch:
    """Finds nothing but Apprise, once, and only to come after it."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return Apprise's own spec with a loader that registers the provider at its end."""
        if name != "apprise":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            # Of this one loader, which nobody else has.
            vars(spec.loader)["exec_module"] = _and_register(spec.loader.exec_module)
        return spec


def _and_register(load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def load_and_register(module: ModuleType) -> None:
        load(module)
        importlib.import_module(_PLUGIN)

    return load_and_register
