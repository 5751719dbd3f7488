"""The engine: what an event calls for. Pure: it opens nothing and reads no clock."""

from wbox_notify.engine.plan import Overlay, Remembers, plan

__all__ = ["Overlay", "Remembers", "plan"]
