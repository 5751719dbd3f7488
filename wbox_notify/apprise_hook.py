"""Registers ``wbox://`` in Apprise on ``import wbox_notify``, whichever is imported first.

Apprise takes half a second to load, so it is not loaded here: the provider is registered if Apprise is
loaded, or as soon as it is. Like the provider, this file also runs on Python 3.9, and works as a copy in a
package of another name.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_PLUGIN = f"{__package__}.apprise_plugin"


def watch_for_apprise() -> None:
    """Register the provider now if Apprise is imported, else when it is."""
    if "apprise" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _Watch())


class _Watch:
    """Finds only Apprise, once, to register the provider after it."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return Apprise's own spec with a loader that registers the provider at its end."""
        if name != "apprise":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            # Only of this loader, which belongs to this spec.
            vars(spec.loader)["exec_module"] = _and_register(spec.loader.exec_module)
        return spec


def _and_register(load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def load_and_register(module: ModuleType) -> None:
        load(module)
        _register()

    return load_and_register


def _register() -> None:
    try:
        importlib.import_module(_PLUGIN)
    except ImportError as error:
        # A host may change its Apprise at any time, and must start all the same.
        logging.getLogger("apprise").warning(
            "wbox:// is not available: it needs Apprise 1.9.1 or newer (%s)", error
        )
