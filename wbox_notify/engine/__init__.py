"""The engine: what an event calls for. Pure: it opens nothing and reads no clock."""

from wbox_notify.engine.driver import Driver, Planned
from wbox_notify.engine.plan import KINDS, plan, reset, wake
from wbox_notify.engine.rule_run import Overlay, StateReader

__all__ = ["KINDS", "Driver", "Overlay", "Planned", "StateReader", "plan", "reset", "wake"]
