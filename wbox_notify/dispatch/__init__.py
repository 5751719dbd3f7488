"""Dispatch: from the store to wbox, in order, at pace, and never twice without need."""

from wbox_notify.dispatch.circuits import Circuits
from wbox_notify.dispatch.dispatcher import Dispatcher, Observer, connect
from wbox_notify.dispatch.lanes import ALL
from wbox_notify.dispatch.retry import after, back_off, probe_pause

__all__ = [
    "ALL",
    "Circuits",
    "Dispatcher",
    "Observer",
    "after",
    "back_off",
    "connect",
    "probe_pause",
]
