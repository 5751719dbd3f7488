"""The daemon's HTTP side: webhooks, the pages behind links, health, and the queue's verbs for commands."""
