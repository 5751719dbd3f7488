"""Dispatch: from the store to wbox, in order, at pace, and never twice without need."""

from wbox_notify.dispatch.circuits import ALL, Circuits
from wbox_notify.dispatch.dispatcher import Dispatcher, Means, Observer
from wbox_notify.dispatch.retry import After, after, back_off, probe_pause

__all__ = ["ALL", "After", "Circuits", "Dispatcher", "Means", "Observer", "after", "back_off", "probe_pause"]
