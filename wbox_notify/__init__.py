"""WhatsApp messages from a dropped file, a webhook or a clock, sent through wbox."""

__version__ = "0.1.0"
