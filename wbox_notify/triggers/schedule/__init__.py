"""Schedules: when a rule is due, also across clock changes, holidays and missed runs."""
