"""Schedules: when a rule is due, as people write it, right across clock changes, holidays and missed runs."""

from wbox_notify.times.parse import ScheduleError, parse, parse_missed
from wbox_notify.times.schedule import Missed, Schedule, nominal_id

__all__ = ["Missed", "Schedule", "ScheduleError", "nominal_id", "parse", "parse_missed"]
