"""WhatsApp messages from a dropped file, a webhook or a clock, sent through wbox."""

from wbox_notify.apprise_hook import watch_for_apprise

__version__ = "0.1.0"

watch_for_apprise()
