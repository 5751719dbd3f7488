"""Schedules: when a rule is due, also across clock changes, holidays and missed runs."""

from wbox_notify.triggers.schedule.cron import Cron, Every
from wbox_notify.triggers.schedule.dates import EveryOtherWeek, Once, Pattern
from wbox_notify.triggers.schedule.parse import parse_times
from wbox_notify.triggers.schedule.schedule import Missed, Runs, Schedule, Skip, nominal_id

__all__ = [
    "Cron",
    "Every",
    "EveryOtherWeek",
    "Missed",
    "Once",
    "Pattern",
    "Runs",
    "Schedule",
    "Skip",
    "nominal_id",
    "parse_times",
]
