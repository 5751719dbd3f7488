"""Schedules: when a rule is due, as people write it, right across clock changes, holidays and missed runs."""

from wbox_notify.triggers.schedule.parse import ScheduleError, parse, parse_missed
from wbox_notify.triggers.schedule.schedule import Missed, Schedule, nominal_id

__all__ = ["Missed", "Schedule", "ScheduleError", "nominal_id", "parse", "parse_missed"]
