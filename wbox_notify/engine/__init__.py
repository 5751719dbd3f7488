"""The engine: what an event calls for. Pure: it opens nothing and reads no clock."""

from wbox_notify.engine.clock import KINDS, reset
from wbox_notify.engine.plan import plan, wake
from wbox_notify.engine.rule_run import Overlay, StateReader

__all__ = ["KINDS", "Overlay", "StateReader", "plan", "reset", "wake"]
