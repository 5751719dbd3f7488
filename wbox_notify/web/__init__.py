"""The daemon's HTTP side: webhooks, the pages behind links, health, and the queue's verbs for commands."""

from wbox_notify.triggers.webhook.hooks import Hook, Hooks
from wbox_notify.web.app import application
from wbox_notify.web.links import Links
from wbox_notify.web.protocol import Guarded
from wbox_notify.web.refusals import Refusals
from wbox_notify.web.requests import Limits

__all__ = ["Guarded", "Hook", "Hooks", "Limits", "Links", "Refusals", "application"]
