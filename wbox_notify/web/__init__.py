"""The daemon's HTTP side: health, and the queue's verbs for the commands."""

from wbox_notify.web.app import application

__all__ = ["application"]
