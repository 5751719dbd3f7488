"""Triggers: where events come from."""
