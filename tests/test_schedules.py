"""Schedules: what can be written, when it is due, and what fires after a pause."""

import calendar
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rulebook import missed_runs, parse_schedule, runs

from wbox_notify.errors import ConfigError
from wbox_notify.triggers.schedule.schedule import Missed, Schedule, nominal_id

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CRON_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def local(moments: list[datetime], zone: str) -> list[str]:
    return [f"{moment.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M}" for moment in moments]


def first(written: object, count: int, since: str = "2026-11-23 00:00") -> list[str]:
    start = at(since) - MINUTE
    return local(runs(parse_schedule(written), start, start + 4000 * DAY, count), "UTC")


FORMS = [
    ("09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("9:05", ["Mon 2026-11-23 09:05", "Tue 2026-11-24 09:05"]),
    ("09:00, 18:30", ["Mon 2026-11-23 09:00", "Mon 2026-11-23 18:30"]),
    ("Mon-Fri 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("Sat,Sun 10:00", ["Sat 2026-11-28 10:00", "Sun 2026-11-29 10:00"]),
    ("Sun-Mon 10:00", ["Mon 2026-11-23 10:00", "Sun 2026-11-29 10:00"]),
    ("weekends 10:00", ["Sat 2026-11-28 10:00", "Sun 2026-11-29 10:00"]),
    ("friday 17:00", ["Fri 2026-11-27 17:00", "Fri 2026-12-04 17:00"]),
    ("weekdays 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("Fri 17:00, Sat 10:00", ["Fri 2026-11-27 17:00", "Sat 2026-11-28 10:00"]),
    (["Fri 17:00", "Sat 10:00", "Sat 10:00"], ["Fri 2026-11-27 17:00", "Sat 2026-11-28 10:00"]),
    ("1st 08:00", ["Tue 2026-12-01 08:00", "Fri 2027-01-01 08:00"]),
    ("15th 08:00", ["Tue 2026-12-15 08:00", "Fri 2027-01-15 08:00"]),
    ("1st, 15th 08:00", ["Tue 2026-12-01 08:00", "Tue 2026-12-15 08:00"]),
    ("31st 08:00", ["Thu 2026-12-31 08:00", "Sun 2027-01-31 08:00", "Wed 2027-03-31 08:00"]),
    ("last day 17:00", ["Mon 2026-11-30 17:00", "Thu 2026-12-31 17:00"]),
    ("last weekday 17:00", ["Mon 2026-11-30 17:00", "Thu 2026-12-31 17:00", "Fri 2027-01-29 17:00"]),
    ("first Monday 09:00", ["Mon 2026-12-07 09:00", "Mon 2027-01-04 09:00"]),
    ("2nd tue 09:00", ["Tue 2026-12-08 09:00", "Tue 2027-01-12 09:00"]),
    ("last Sunday 09:00", ["Sun 2026-11-29 09:00", "Sun 2026-12-27 09:00"]),
    ("Pzt-Cum 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("hafta içi 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("hafta içi saat 9'da", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("her gün sabah 9, akşam 6", ["Mon 2026-11-23 09:00", "Mon 2026-11-23 18:00"]),
    ("her gün akşam saat 6:30'da", ["Mon 2026-11-23 18:30", "Tue 2026-11-24 18:30"]),
    ("her gün saat 14", ["Mon 2026-11-23 14:00", "Tue 2026-11-24 14:00"]),
    ("9:00 hafta içi", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("her gün akşam 18:00", ["Mon 2026-11-23 18:00", "Tue 2026-11-24 18:00"]),
    ("her sabah 9", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("her gece 03:00", ["Mon 2026-11-23 03:00", "Tue 2026-11-24 03:00"]),
    ("Cuma akşamı 18.30'da", ["Fri 2026-11-27 18:30", "Fri 2026-12-04 18:30"]),
    ("öğleden sonra 3", ["Mon 2026-11-23 15:00", "Tue 2026-11-24 15:00"]),
    ("öğlen 12", ["Mon 2026-11-23 12:00", "Tue 2026-11-24 12:00"]),
    ("every evening at 6:30", ["Mon 2026-11-23 18:30", "Tue 2026-11-24 18:30"]),
    ("hafta içi 9", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("hafta içi 9'da", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("weekdays at 17", ["Mon 2026-11-23 17:00", "Tue 2026-11-24 17:00"]),
    ("Mon 9, Fri 17", ["Mon 2026-11-23 09:00", "Fri 2026-11-27 17:00"]),
    ("her pazartesi ve cuma 9", ["Mon 2026-11-23 09:00", "Fri 2026-11-27 09:00"]),
    ("ayın ilk pazartesi günü 10", ["Mon 2026-12-07 10:00", "Mon 2027-01-04 10:00"]),
    ("ayın 15i 9:00", ["Tue 2026-12-15 09:00", "Fri 2027-01-15 09:00"]),
    ("9:00 weekends", ["Sat 2026-11-28 09:00", "Sun 2026-11-29 09:00"]),
    ("HAFTA SONU 10:00", ["Sat 2026-11-28 10:00", "Sun 2026-11-29 10:00"]),
    ("SALI, çarşamba 09:00", ["Tue 2026-11-24 09:00", "Wed 2026-11-25 09:00"]),
    ("her gün 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("ilk Cumartesi 09:00", ["Sat 2026-12-05 09:00", "Sat 2027-01-02 09:00"]),
    ("son iş günü 17:00", ["Mon 2026-11-30 17:00", "Thu 2026-12-31 17:00"]),
    ("@hourly", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 01:00"]),
    ("@daily", ["Mon 2026-11-23 00:00", "Tue 2026-11-24 00:00"]),
    ("@midnight", ["Mon 2026-11-23 00:00", "Tue 2026-11-24 00:00"]),
    ("@weekly", ["Sun 2026-11-29 00:00", "Sun 2026-12-06 00:00"]),
    ("@Monthly", ["Tue 2026-12-01 00:00", "Fri 2027-01-01 00:00"]),
    ("@yearly", ["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00"]),
    ("@annually", ["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00"]),
    ({"every": "15m"}, ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:15"]),
    ({"every": "1h30m"}, ["Mon 2026-11-23 00:00", "Mon 2026-11-23 01:30"]),
    ("every: 15m", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:15"]),
    ("every 15m", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:15"]),
    ({"cron": "30 9 * * 1-5"}, ["Mon 2026-11-23 09:30", "Tue 2026-11-24 09:30"]),
    ("0 9 * * mon#1", ["Mon 2026-12-07 09:00", "Mon 2027-01-04 09:00"]),
    ("0 9 1 jan,feb *", ["Fri 2027-01-01 09:00", "Mon 2027-02-01 09:00"]),
    ("0 9 * * MON-SUN", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("0 9 * * SAT-SUN", ["Sat 2026-11-28 09:00", "Sun 2026-11-29 09:00"]),
    ("0 9 * * FRI-MON", ["Mon 2026-11-23 09:00", "Fri 2026-11-27 09:00", "Sat 2026-11-28 09:00"]),
    ("0 9 * * 5-1", ["Mon 2026-11-23 09:00", "Fri 2026-11-27 09:00", "Sat 2026-11-28 09:00"]),
    ("0 9 * * FRI-MON/2", ["Fri 2026-11-27 09:00", "Sun 2026-11-29 09:00", "Fri 2026-12-04 09:00"]),
    ("0 9 * * 7", ["Sun 2026-11-29 09:00", "Sun 2026-12-06 09:00"]),
    ("0 9 * * 0-7", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("0 9 ? * FRI", ["Fri 2026-11-27 09:00", "Fri 2026-12-04 09:00"]),
    ("0 9 * * L5", ["Fri 2026-11-27 09:00", "Fri 2026-12-25 09:00"]),
    ("0 9 * * 5L", ["Fri 2026-11-27 09:00", "Fri 2026-12-25 09:00"]),
    ("0 9 * * FRIL", ["Fri 2026-11-27 09:00", "Fri 2026-12-25 09:00"]),
    ("0 9 * * SAL", ["Tue 2026-11-24 09:00", "Tue 2026-12-01 09:00"]),
    ("0 9 L * ?", ["Mon 2026-11-30 09:00", "Thu 2026-12-31 09:00"]),
    ("0 9 LW * ?", ["Mon 2026-11-30 09:00", "Thu 2026-12-31 09:00", "Fri 2027-01-29 09:00"]),
    ("0 9 1 * MON", ["Mon 2026-11-23 09:00", "Mon 2026-11-30 09:00", "Tue 2026-12-01 09:00"]),
    ("0 9 */2 * MON", ["Mon 2026-11-23 09:00", "Mon 2026-12-07 09:00"]),
    ("every Monday 09:00", ["Mon 2026-11-23 09:00", "Mon 2026-11-30 09:00"]),
    ("Mondays 09:00", ["Mon 2026-11-23 09:00", "Mon 2026-11-30 09:00"]),
    ("09:00 every Monday", ["Mon 2026-11-23 09:00", "Mon 2026-11-30 09:00"]),
    ("her pazartesi 09:00", ["Mon 2026-11-23 09:00", "Mon 2026-11-30 09:00"]),
    ("Pazartesileri saat 09.00'da", ["Mon 2026-11-23 09:00", "Mon 2026-11-30 09:00"]),
    ("pazartesi günleri 09:00", ["Mon 2026-11-23 09:00", "Mon 2026-11-30 09:00"]),
    ("Mon-Fri at 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("at 09:00 on Monday through Friday", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("daily at 9:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("every day 9am and 6:30 pm", ["Mon 2026-11-23 09:00", "Mon 2026-11-23 18:30"]),
    ("12am", ["Mon 2026-11-23 00:00", "Tue 2026-11-24 00:00"]),
    ("12pm", ["Mon 2026-11-23 12:00", "Tue 2026-11-24 12:00"]),
    ("noon", ["Mon 2026-11-23 12:00", "Tue 2026-11-24 12:00"]),
    ("@noon", ["Mon 2026-11-23 12:00", "Tue 2026-11-24 12:00"]),
    ("Mon Wed Fri 09:00", ["Mon 2026-11-23 09:00", "Wed 2026-11-25 09:00", "Fri 2026-11-27 09:00"]),
    ("pzt çar ve cum 09:00", ["Mon 2026-11-23 09:00", "Wed 2026-11-25 09:00", "Fri 2026-11-27 09:00"]),
    ("Mon 09:00 and Fri 17:00", ["Mon 2026-11-23 09:00", "Fri 2026-11-27 17:00"]),
    ("every weekday 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("workdays 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("iş günleri 09:00", ["Mon 2026-11-23 09:00", "Tue 2026-11-24 09:00"]),
    ("her hafta sonu 10:00", ["Sat 2026-11-28 10:00", "Sun 2026-11-29 10:00"]),
    ("first day 09:00", ["Tue 2026-12-01 09:00", "Fri 2027-01-01 09:00"]),
    ("first weekday 09:00", ["Tue 2026-12-01 09:00", "Fri 2027-01-01 09:00", "Mon 2027-02-01 09:00"]),
    ("ilk iş günü 09:00", ["Tue 2026-12-01 09:00", "Fri 2027-01-01 09:00", "Mon 2027-02-01 09:00"]),
    ("ayın son iş günü 17:00", ["Mon 2026-11-30 17:00", "Thu 2026-12-31 17:00"]),
    ("1st and 15th 09:00", ["Tue 2026-12-01 09:00", "Tue 2026-12-15 09:00"]),
    ("monthly on the 1st and the 15th at 09:00", ["Tue 2026-12-01 09:00", "Tue 2026-12-15 09:00"]),
    ("ayın 15'i 09:00", ["Tue 2026-12-15 09:00", "Fri 2027-01-15 09:00"]),
    ("her ayın 1’i ve 15’i 09:00", ["Tue 2026-12-01 09:00", "Tue 2026-12-15 09:00"]),
    ("ayın 15. günü 09:00", ["Tue 2026-12-15 09:00", "Fri 2027-01-15 09:00"]),
    ("first Monday of the month 09:00", ["Mon 2026-12-07 09:00", "Mon 2027-01-04 09:00"]),
    ("first and third Monday 09:00", ["Mon 2026-12-07 09:00", "Mon 2026-12-21 09:00"]),
    ("every second Monday of the month 09:00", ["Mon 2026-12-14 09:00", "Mon 2027-01-11 09:00"]),
    ("fifth Monday 09:00", ["Mon 2026-11-30 09:00", "Mon 2027-03-29 09:00"]),
    ("ayın ilk pazartesi günü 09:00", ["Mon 2026-12-07 09:00", "Mon 2027-01-04 09:00"]),
    ("her ayın son cuması 17:00", ["Fri 2026-11-27 17:00", "Fri 2026-12-25 17:00"]),
    ("every other Monday 09:00", ["Mon 2026-11-23 09:00", "Mon 2026-12-07 09:00"]),
    ("every other Monday 09:00 from 2026-11-30", ["Mon 2026-11-30 09:00", "Mon 2026-12-14 09:00"]),
    ("every 2 weeks on Mon and Fri 09:00 from 2026-11-25", ["Fri 2026-11-27 09:00", "Mon 2026-12-07 09:00"]),
    ("iki haftada bir salı 09:00, 30.11.2026'dan itibaren", ["Tue 2026-12-01 09:00", "Tue 2026-12-15 09:00"]),
    ("every other Monday 09:00 from 2028-12-25", ["Mon 2028-12-25 09:00", "Mon 2029-01-08 09:00"]),
    ("2026-12-31 09:00", ["Thu 2026-12-31 09:00"]),
    ("2026-12-31T09:00", ["Thu 2026-12-31 09:00"]),
    ("31.12.2026 09.00", ["Thu 2026-12-31 09:00"]),
    ("on 31 December 2026 at 9pm", ["Thu 2026-12-31 21:00"]),
    ("31 Aralık 2026 09:00", ["Thu 2026-12-31 09:00"]),
    ("15 January 09:00", ["Fri 2027-01-15 09:00", "Sat 2028-01-15 09:00"]),
    ("January 15th 09:00", ["Fri 2027-01-15 09:00", "Sat 2028-01-15 09:00"]),
    ("haftada bir cuma 09:00", ["Fri 2026-11-27 09:00", "Fri 2026-12-04 09:00"]),
    ("every week on Friday 09:00", ["Fri 2026-11-27 09:00", "Fri 2026-12-04 09:00"]),
    ("her yıl 15 Ocak 09:00", ["Fri 2027-01-15 09:00", "Sat 2028-01-15 09:00"]),
    ("1 May and 1 July 09:00", ["Sat 2027-05-01 09:00", "Thu 2027-07-01 09:00"]),
    ("every 15 minutes", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:15"]),
    ("@every 15m", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:15"]),
    ("her 15 dakika", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:15"]),
    ("15 dakikada bir", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:15"]),
    ("yarım saatte bir", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:30"]),
    ("every half hour", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 00:30"]),
    ("every hour", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 01:00"]),
    ("saatte bir", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 01:00"]),
    ("every 1 hour 30 minutes", ["Mon 2026-11-23 00:00", "Mon 2026-11-23 01:30"]),
    ("L-3 09:00", ["Fri 2026-11-27 09:00", "Mon 2026-12-28 09:00", "Thu 2027-01-28 09:00"]),
    ("0 9 L-3 * *", ["Fri 2026-11-27 09:00", "Mon 2026-12-28 09:00"]),
    ("15W 09:00", ["Tue 2026-12-15 09:00", "Fri 2027-01-15 09:00"]),
    ("0 9 14W,20 8 *", ["Fri 2027-08-13 09:00", "Fri 2027-08-20 09:00"]),
    ("0 9 15W 8 *", ["Mon 2027-08-16 09:00", "Tue 2028-08-15 09:00"]),
    ("0 9 1W 5 *", ["Mon 2027-05-03 09:00", "Mon 2028-05-01 09:00"]),
    ("0 9 31W 1,2,10 *", ["Fri 2027-01-29 09:00", "Fri 2027-10-29 09:00"]),
    pytest.param("0 0 29 2 *", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"], id="T06 29 February"),
]


@pytest.mark.parametrize(("written", "times"), FORMS, ids=[str(form[0]) for form in FORMS])
def test_a_form_is_due_when_it_says(written: object, times: list[str]) -> None:
    assert first(written, len(times)) == times


PARTS_OF_THE_DAY = {
    "sabah": range(4, 12),
    "öğlen": range(11, 15),
    "öğleden sonra": range(12, 19),
    "akşam": range(16, 24),
    "gece": range(20, 24),
}


@given(
    days=st.sampled_from(["her gün", "hafta içi", "Pzt-Cum", "Salı", "pazartesi ve cuma", "Pazar günleri"]),
    part=st.sampled_from(list(PARTS_OF_THE_DAY)),
    minute=st.integers(0, 59),
    data=st.data(),
)
def test_a_part_of_the_day_says_which_half_of_the_clock_is_meant(
    days: str, part: str, minute: int, data: st.DataObject
) -> None:
    hour = data.draw(st.sampled_from(PARTS_OF_THE_DAY[part]))
    said = data.draw(st.sampled_from([hour, (hour - 1) % 12 + 1]))
    meant = parse_schedule(f"{days} {hour}:{minute:02}")
    assert parse_schedule(f"{days} {part} {said}:{minute:02}") == meant


@given(day=st.sampled_from(["Mon-Fri", "weekdays", "hafta sonu", "her gün", "Salı"]), hour=st.integers(0, 23))
def test_a_lone_hour_after_days_counts_where_only_one_half_of_the_clock_can_be_meant(
    day: str, hour: int
) -> None:
    if hour >= 9:
        assert parse_schedule(f"{day} {hour}") == parse_schedule(f"{day} {hour:02}:00")
    else:
        with pytest.raises(ConfigError):
            parse_schedule(f"{day} {hour}")


MISTAKES: list[tuple[object, str, str]] = [
    ("* * * * * *", "six fields", "every: 10s"),
    ("0 9 * * 1 2 3", "is not a schedule", "Mon-Fri 09:00"),
    ("0 9 *", "is not a schedule", "@daily"),
    ("Mon-Fri", "is not a schedule", "Mon-Fri 09:00"),
    ("hafta içi 6", "is not a schedule", "`06:00` or `18:00`"),
    ("her gün akşam 3", "is not a schedule", "Mon-Fri 09:00"),
    ("her gün saat 24", "is not a schedule", "Mon-Fri 09:00"),
    ("Monday at 8", "is not a schedule", "`06:00` or `18:00`"),
    ("Cuma gece 2", "is not a schedule", "Mon-Fri 09:00"),
    ("akşam 14:00", "is not a day of the week", ""),
    ("15 January 9", "is not a schedule", "Mon-Fri 09:00"),
    ("every Monday", "`every Monday` is not a schedule", "add the time: `every Monday 09:00`"),
    ("every other Monday", "is not a schedule", "add the time: `every other Monday 09:00`"),
    ("ayın 15'i", "is not a schedule", "add the time: `ayın 15'i 09:00`"),
    ("every second Monday 09:00", "can mean two things", "`second monday of the month`, or `every other"),
    ("her üçüncü pazartesi 09:00", "can mean two things", "every other pazartesi"),
    ("6th Monday 09:00", "`6th` is not a day of the week", "no month has more than five"),
    ("every day except Sunday 09:00", "`day` is not a day of the week", "`skip`"),
    ("her gün pazar hariç 09:00", "`gün` is not a day of the week", "`skip`"),
    ("every 15 minutes from 09:00 to 17:00", "`15` is not a day of the week", "*/30 9-16"),
    ("every 15 minutes from 9 to 17", "is not a duration", "*/30 9-16"),
    ("every 3 weeks on Monday 09:00", "`3` is not a day of the week", "every other Monday"),
    ("every 3 months", "is not a duration", "0 9 1 */3 *"),
    ("31.12.26 09:00", "`31.12.26` is not a day of the week", "31.12.2026"),
    ("her Çarşmba 09:00", "`Çarşmba` is not a day of the week", "did you mean `Çarşamba`?"),
    ("iş günlri 09:00", "`iş` is not a day of the week", ""),
    ("biweekly Monday 09:00", "`biweekly` is not a day of the week", "every other Monday"),
    ("every other day 09:00", "`day` is not a day of the week", "Mon,Wed,Fri"),
    ("every 3 days", "another time of day after the clocks change", "Mon,Wed,Fri"),
    ("3 günde bir 09:00", "is not a day of the week", "Mon,Wed,Fri"),
    ("every 2 weeks", "is not a schedule", "Mon-Fri 09:00"),
    ("every year 09:00", "does not name a day", "every Monday"),
    ("monthly Monday 09:00", "`Monday` is not a day of the month", "first Monday"),
    ("her ay pazartesi 09:00", "`pazartesi` is not a day of the month", "first Monday"),
    ("yearly on the 15th 09:00", "`15th` is not a day of the year", "15 January"),
    ("weekly on the 15th 09:00", "`15th` is not a day of the week", ""),
    ("every week on the first Monday of the month 09:00", "does not name a day", "every Monday"),
    ("quarterly 09:00", "`quarterly` is not a day", "1,4,7,10"),
    ("12/31/2026 09:00", "is not a day of the week", "2026-12-31"),
    ("2026-02-30 09:00", "`2026-02-30` is not a date", "2026-12-31"),
    ("31.02.2026 09:00", "`31.02.2026` is not a date", "2026-12-31"),
    ("1999-12-31 09:00", "`1999-12-31` is not a date", "2026-12-31"),
    ("30 February 09:00", "never due", ""),
    ("15 09:00", "`15` is not a day of the week", ""),
    ("ayın 32'si 09:00", "no month has a day 32", "last day"),
    ("Monday of the month 09:00", "is not a day of the month", "first Monday"),
    ("Mon-Fri 09:00-17:00", "is not a schedule", "*/30 9-16"),
    ("Mon-Fri 09:00-17:00 every 30m", "is not a schedule", "*/30 9-16"),
    ("09:00 Europe/Istanbul", "is not a schedule", "tz: Europe/Istanbul"),
    ("pazartesiden cumaya 09:00", "`pazartesiden` is not a day", "Pazartesi"),
    ("pazartesi'den cuma'ya 09:00", "is not a day of the week", "Pazartesi"),
    ("09:00 from 2026-12-01", "`from` has no effect", "every other Monday"),
    ("09:00 (not on Monday)", "is not a schedule", "Mon-Fri 09:00"),
    ("0 9 * * 1-5/2 (at 09:00)", "is not a schedule", "Mon-Fri 09:00"),
    ("13pm", "`13pm` is not a time of day", "09:00"),
    ("0am", "`0am` is not a time of day", "09:00"),
    ("9.75", "`9.75` is not a time of day", "09:00"),
    ("32W 09:00", "`32W` cannot be the day of the month", "15W"),
    ("0 9 L-31 * *", "`L-31` cannot be the day of the month", "L-3"),
    ("0 9 15W * MON", "and a day of the week", "write `*`"),
    ("0 9 31W 2 *", "never due", ""),
    ("09:00 foo", "is not a schedule", "Mon-Fri 09:00"),
    ("09:00:30", "is not a schedule", "Mon-Fri 09:00"),
    ("", "is not a schedule", "Mon-Fri 09:00"),
    (None, "must be text", ""),
    (900, "must be text", "in quotes"),
    ("0 9 * * 1-5" + " " * 999, "is not a schedule", "Mon-Fri 09:00"),
    ([], "the list is empty", ""),
    ("25:00", "`25:00` is not a time of day", "09:00"),
    ("24:00", "`24:00` is not a time of day", "09:00"),
    ("Mom 09:00", "`Mom` is not a day of the week", "did you mean `Mon`?"),
    ("Mon- 09:00", "is not a day of the week", "Mon-Fri"),
    ("32nd 09:00", "no month has a day 32", "last day"),
    ("first weekdays 09:00", "is not a day of the week", "weekdays"),
    pytest.param("0 0 30 2 *", "never due", "L is the last day", id="T06 30 February"),
    ("0 0 31 4,6 *", "never due", "L is the last day"),
    ("60 9 * * *", "`60` cannot be the minute", "0-59"),
    ("0 22-6 * * *", "`22-6` cannot be the hour", "22-23,0-6"),
    ("0 9 * NOV-FEB *", "`NOV-FEB` cannot be the month", "11-12,1-2"),
    ("0 9 * * 8", "`8` cannot be the day of the week", "MON-FRI"),
    ("0 9 * * L", "`L` cannot be the day of the week", "5L"),
    ("0 9 * * \N{SUPERSCRIPT TWO}", "cannot be the day of the week", "MON-FRI"),
    ("? 9 * * *", "`?` cannot be the minute", "0-59"),
    ("*/90 * * * *", "a step of the minute is at most 59", "every: 90m"),
    ("0 9 * * FRI-MON/0", "cannot be the day of the week", "MON-FRI"),
    ("@dayly", "`@dayly` is not a schedule", "did you mean `@daily`?"),
    ("@reboot", "`@reboot` is not a schedule", "@hourly"),
    ({"every": "1d"}, "another time of day after the clocks change", "at: 09:00"),
    ({"every": "5s"}, "every 5s is not possible", "10s at least"),
    ({"every": "10s500ms"}, "every 10s500ms is not possible", "whole seconds"),
    ({"every": 15}, "must be text", "in quotes"),
    ({"every": "soon"}, "`soon` is not a duration", "15m"),
    ({}, "needs one of at, cron, every", "Mon-Fri 09:00"),
    ({"at": "09:00", "every": "1h"}, "takes one of at and every", "a trigger for each"),
    ({"att": "09:00"}, "unknown key `att`", "did you mean `at`?"),
    pytest.param(
        {"at": "09:00", "tz": "Europe/Istambul"},
        "no time zone Europe/Istambul",
        "`Europe/Istanbul`",
        id="T07 a zone that is not known",
    ),
    ({"at": "09:00", "tz": 3}, "must be text", "in quotes"),
    ({"at": "09:00", "skip": "TR"}, "must be a map", ""),
    ({"at": "09:00", "skip": {"holiday": "TR"}}, "unknown key `holiday`", "`holidays`"),
    ({"at": "09:00", "skip": {"holidays": "Turkey"}}, "holidays of `Turkey` are not known", "TR"),
    ({"at": "09:00", "skip": {"holidays": "XX"}}, "holidays of `XX` are not known", "TR"),
    ({"at": "09:00", "skip": {"holidays": "DE-XX"}}, "holidays of `DE-XX` are not known", "DE-BY"),
    ({"at": "09:00", "skip": {"days": ["31.12.2026"]}}, "`31.12.2026` is not a day", "2026-12-31"),
    ({"at": "09:00", "skip": {"days": ["2026-02-30"]}}, "`2026-02-30` is not a day", "2026-12-31"),
    ({"at": "0 0 1 1 *", "skip": {"holidays": "TR"}}, "never due", "skip fewer days"),
    ({"at": "09:00", "skip": {"holidays": "TR", "half_days": "no"}}, "on half days", "until 13:00"),
    ({"at": "09:00", "skip": {"holidays": "TR", "half_days": "until 25:00"}}, "on half days", "until 13:00"),
    ({"at": "09:00", "skip": {"half_days": "skip"}}, "`half_days` needs `holidays`", "holidays: TR"),
    (
        {"at": "09:00", "skip": {"holidays": "DE", "half_days": "skip"}},
        "half days of DE are not known",
        "days",
    ),
    ({"at": "09:00", "skip": {"holidays": "TR", "move": "back"}}, "`back` is not known", ""),
    ({"every": "1h", "skip": {"holidays": "TR", "move": "next"}}, "fixed times of day", "Mon-Fri 09:00"),
    ({"at": "*/5 9 * * *", "skip": {"holidays": "TR", "move": "next"}}, "fixed times of day", "leave out"),
]


@pytest.mark.parametrize(("written", "problem", "hint"), MISTAKES, ids=[str(row[0])[:80] for row in MISTAKES])
def test_a_mistake_is_named_and_put_right(written: object, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_schedule(written)
    assert problem in str(caught.value)
    assert hint in (caught.value.hint or "")


CHANGES = [
    # What clocks do in these nights: Berlin skips 02:00 on 2027-03-28 and repeats it on 2027-10-31.
    ("Europe/Berlin", "30 2 * * *", "2027-03-28", ["03:00"]),
    ("Europe/Berlin", "02:30", "2027-10-31", ["02:30"]),
    ("Europe/Berlin", "0 2,3 * * *", "2027-03-28", ["03:00"]),
    ("Europe/Berlin", "0 2,3 * * *", "2027-10-31", ["02:00", "03:00"]),
    ("Europe/Berlin", "02:15, 02:45", "2027-03-28", ["03:00"]),
    ("Europe/Berlin", "02:15, 02:45", "2027-10-31", ["02:15", "02:45"]),
    ("Europe/Berlin", "01:59, 02:00, 03:00", "2027-03-28", ["01:59", "03:00"]),
    ("Europe/Berlin", "01:59, 02:00, 03:00", "2027-10-31", ["01:59", "02:00", "03:00"]),
    ("Europe/Berlin", "*/30 2 * * *", "2027-03-28", []),
    ("Europe/Berlin", "*/30 2 * * *", "2027-10-31", ["02:00", "02:30", "02:00", "02:30"]),
    ("Europe/Berlin", "30 */3 * * *", "2027-10-31", [f"{hour:02}:30" for hour in range(0, 24, 3)]),
    ("Europe/Berlin", "09:00", "2027-03-28", ["09:00"]),
    ("Europe/Berlin", "09:00", "2027-10-31", ["09:00"]),
    ("Europe/Istanbul", "02:30, 03:30", "2027-03-28", ["02:30", "03:30"]),
    ("Europe/Istanbul", "02:30, 03:30", "2027-10-31", ["02:30", "03:30"]),
    ("Africa/Cairo", "0 0 * * *", "2027-04-30", ["01:00"]),
    ("Africa/Cairo", "23:30", "2027-10-28", ["23:30"]),
    ("America/Havana", "@daily", "2027-03-14", ["01:00"]),
    ("America/Havana", "00:30", "2027-11-07", ["00:30"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2027-04-04", ["01:45"]),
    ("Australia/Lord_Howe", "15 2 * * *", "2027-10-03", ["02:30"]),
    ("Australia/Lord_Howe", "*/15 2 * * *", "2027-04-04", ["02:00", "02:15", "02:30", "02:45"]),
    ("Australia/Lord_Howe", "*/15 3 * * *", "2027-10-03", ["03:00", "03:15", "03:30", "03:45"]),
]


@pytest.mark.parametrize(("zone", "written", "day", "times"), CHANGES)
def test_on_the_day_clocks_change(zone: str, written: str, day: str, times: list[str]) -> None:
    midnight = at(day, zone)
    due = runs(parse_schedule(written, ZoneInfo(zone)), midnight - DAY, midnight + 2 * DAY)
    assert [shown[-5:] for shown in local(due, zone) if day in shown] == times


@pytest.mark.parametrize(("day", "hours"), [("2027-03-28", 23), ("2027-10-31", 25)])
def test_every_real_hour_is_due_once_on_the_day_clocks_change(day: str, hours: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    midnight = at(day, "Europe/Berlin")
    for written in ("30 * * * *", {"every": "1h"}):
        due = runs(parse_schedule(written, berlin), midnight, midnight + hours * HOUR)
        assert len(due) == hours
        assert {later - earlier for earlier, later in pairwise(due)} == {HOUR}


def test_seen_from_the_second_pass_a_time_of_the_first_does_not_come_back() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    second_pass = datetime(2027, 10, 31, 2, 15, tzinfo=berlin, fold=1)
    assert local([parse_schedule("02:30", berlin).after(second_pass) or second_pass], "Europe/Berlin") == [
        "Mon 2027-11-01 02:30"
    ]


ZONES = [
    *("Europe/Berlin", "Europe/Istanbul", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe"),
    *("Africa/Casablanca", "America/St_Johns", "America/Nuuk", "Antarctica/Troll", "Asia/Kathmandu"),
]


@settings(max_examples=25)
@given(zone=st.sampled_from(ZONES), time=st.times(), year=st.integers(2020, 2036))
@example(zone="America/Nuuk", time=datetime(2000, 1, 1, 23, 30).time(), year=2027)  # noqa: DTZ001
def test_a_fixed_time_fires_once_for_each_day_of_any_year(zone: str, time: object, year: int) -> None:
    schedule = parse_schedule(f"{time:%H:%M}", ZoneInfo(zone))
    days = 366 if calendar.isleap(year) else 365
    start = at(f"{year}-01-01", zone) - MINUTE
    due = runs(schedule, start, start + (days + 1) * DAY, days)
    assert len(due) == days
    assert {round((later - earlier) / DAY) for earlier, later in pairwise(due)} == {1}


NIGHTS = [at(change[2], change[0]) for change in CHANGES]


@given(
    zone=st.sampled_from(ZONES),
    night=st.sampled_from(NIGHTS),
    expression=st.sampled_from(
        ["*/7 * * * *", "*/15 0-3 * * *", "5 */2 * * *", "* 1,23 * * *", "*/30 0 * * 5"]
    ),
)
def test_a_wildcard_fires_whenever_the_clock_shows_it(zone: str, night: datetime, expression: str) -> None:
    start, end = night - 3 * HOUR, night + 6 * HOUR
    minutes = (start + step * MINUTE for step in range(1, 9 * 60 + 1))
    shown = [minute for minute in minutes if matches(expression, minute.astimezone(ZoneInfo(zone)))]
    assert runs(parse_schedule(expression, ZoneInfo(zone)), start, end, 999) == shown


def matches(expression: str, moment: datetime) -> bool:
    """Read cron minute by minute, as its manual says: the slow and simple way."""
    minute, hour, day, month, weekday = expression.split()
    if not (
        reads(minute, moment.minute, 0, 59)
        and reads(hour, moment.hour, 0, 23)
        and reads(month, moment.month, 1, 12)
    ):
        return False
    right_day = reads(day, moment.day, 1, 31)
    right_weekday = any(
        reads(weekday, number, 0, 7) for number in (moment.isoweekday(), moment.isoweekday() % 7)
    )
    if day.startswith("*") or weekday.startswith("*"):
        return right_day and right_weekday
    return right_day or right_weekday


def reads(field: str, value: int, least: int, most: int) -> bool:
    for term in field.split(","):
        span, _, step = term.partition("/")
        low, dash, high = span.partition("-")
        start = least if span == "*" else number(low)
        end = number(high) if dash else most if span == "*" or step else start
        if start <= value <= end and (value - start) % int(step or 1) == 0:
            return True
    return False


def number(name: str) -> int:
    return CRON_DAYS.index(name) if name in CRON_DAYS else int(name)


def fields(least: int, most: int) -> st.SearchStrategy[str]:
    values = st.integers(least, most)
    ranges = st.tuples(values, values).map(lambda ends: f"{min(ends)}-{max(ends)}")
    steps = st.tuples(st.just("*") | ranges, st.integers(1, 7)).map(lambda parts: f"{parts[0]}/{parts[1]}")
    terms = values.map(str) | ranges | steps
    return st.just("*") | st.lists(terms, min_size=1, max_size=3).map(",".join)


days_of_week = fields(0, 7) | st.sampled_from(["MON-FRI", "SAT,SUN", "TUE", "MON-FRI/2"])
instants = st.datetimes(datetime(1971, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(minute=fields(0, 59), hour=fields(0, 23), weekday=days_of_week, start=instants)
def test_random_times_agree_with_reading_minute_by_minute(
    minute: str, hour: str, weekday: str, start: datetime
) -> None:
    expression = f"{minute} {hour} * * {weekday}"
    whole = start.replace(second=0, microsecond=0)
    shown = [moment for step in range(1, 1441) if matches(expression, moment := whole + step * MINUTE)]
    assert runs(parse_schedule(expression), start, whole + DAY, 50) == shown[:50]


@given(day=fields(1, 28), month=fields(1, 12), weekday=days_of_week, start=instants)
def test_random_days_agree_with_reading_day_by_day(
    day: str, month: str, weekday: str, start: datetime
) -> None:
    expression = f"30 9 {day} {month} {weekday}"
    days = [start.replace(hour=9, minute=30, second=0, microsecond=0) + step * DAY for step in range(400)]
    shown = [moment for moment in days if moment > start and matches(expression, moment)]
    assert runs(parse_schedule(expression), start, days[-1], 50) == shown[:50]


schedules = st.builds(
    parse_schedule,
    st.sampled_from(
        [
            *(
                "09:00",
                "02:30, 00:00, 03:00",
                "Mon-Fri 09:00, Sat 10:15",
                "@hourly",
                "*/30 2 * * *",
                "last day 23:59",
            ),
            *({"every": "10s"}, {"every": "7m"}, {"every": "23h"}, "*/7 */5 * * *", "first Monday 01:30"),
            {"at": "*/20 1-2 * * *", "skip": {"holidays": "TR", "days": ["2027-03-28", "2027-10-31"]}},
        ]
    ),
    st.sampled_from(ZONES).map(ZoneInfo),
)
moments = instants | st.builds(
    lambda night, seconds: night + timedelta(seconds=seconds),
    st.sampled_from(NIGHTS),
    st.floats(-90_000, 90_000),
)


@given(schedule=schedules, moment=moments, later=st.floats(0, 1))
def test_the_next_time_is_after_now_and_the_same_from_anywhere_before(
    schedule: Schedule, moment: datetime, later: float
) -> None:
    due = schedule.after(moment)
    assert due is not None
    assert due > moment
    between = moment + (due - moment) * later
    assert between == due or schedule.after(between) == due


@given(day=st.integers(1, 31), before=st.integers(1, 30), start=instants)
def test_15W_and_L_3_agree_with_reading_day_by_day(day: int, before: int, start: datetime) -> None:
    for text, is_due in (
        (f"{day}W 09:30", lambda moment: nearest_weekday(moment, day) == moment.day),
        (f"L-{before} 09:30", lambda moment: moment.day == days_in(moment) - before),
    ):
        days = [start.replace(hour=9, minute=30, second=0, microsecond=0) + step * DAY for step in range(400)]
        shown = [moment for moment in days if moment > start and is_due(moment)]
        assert runs(parse_schedule(text), start, days[-1], 50) == shown


def days_in(moment: datetime) -> int:
    return calendar.monthrange(moment.year, moment.month)[1]


def nearest_weekday(moment: datetime, day: int) -> int | None:
    if day > days_in(moment):
        return None
    weekdays = [other for other in range(1, days_in(moment) + 1) if moment.replace(day=other).weekday() < 5]
    return min(weekdays, key=lambda other: abs(other - day))


@given(times=st.sampled_from(["Mon-Fri 15:00", "Sat 10:00", "1st, 15th 09:00", "LW 23:59"]), start=moments)
def test_moved_runs_agree_with_moving_each_run(times: str, start: datetime) -> None:
    skip = {"holidays": "TR", "half_days": "until 13:00", "weekends": True}
    moved = parse_schedule({"at": times, "skip": {**skip, "move": "next"}})
    skipping = parse_schedule({"at": "09:00", "skip": skip})
    expected = set()
    for due in runs(parse_schedule(times), start - 40 * DAY, start + 100 * DAY, 200):
        while skipping.skips(due):
            due += DAY  # noqa: PLW2901 - it is moved
        expected.add(due)
    reach = start + 100 * DAY
    assert runs(moved, start, reach, 200) == sorted(due for due in expected if start < due <= reach)


policies = st.builds(
    missed_runs, st.sampled_from(["last", "all", "none"]), st.timedeltas(timedelta(0), timedelta(days=3))
)


@given(schedule=schedules, last=moments, passed=st.timedeltas(timedelta(0), 9 * DAY), missed=policies)
def test_what_is_due_lies_between_and_is_due_once(
    schedule: Schedule, last: datetime, passed: timedelta, missed: Missed
) -> None:
    now = last + passed
    due = schedule.due(last, now, missed)
    assert due == sorted(set(due))
    assert len(due) <= 100
    assert all(
        last < moment <= now and now - moment <= max(timedelta(seconds=missed.within), MINUTE)
        for moment in due
    )
    assert schedule.due(due[-1] if due else last, now, missed) == []
    assert schedule.due(now, now, missed) == []


@given(
    schedule=schedules, start=moments, steps=st.lists(st.integers(-3600, 3600), max_size=12), missed=policies
)
def test_a_clock_that_jumps_fires_no_nominal_time_twice(
    schedule: Schedule, start: datetime, steps: list[int], missed: Missed
) -> None:
    last = now = start
    fired: Counter[str] = Counter()
    for step in steps:
        now += timedelta(seconds=step)
        for due in schedule.due(last, now, missed):
            fired[nominal_id("r", due)] += 1
            last = due
    assert all(count == 1 for count in fired.values())


HOURLY = parse_schedule("@hourly")
DOWN = [
    ("nothing was missed", "12:00", "12:40", Missed(), []),
    ("on time", "11:00", "12:00", missed_runs("none"), ["12:00"]),
    ("a minute late is on time", "11:00", "12:01", missed_runs("none"), ["12:00"]),
    ("later is missed", "11:00", "12:02", missed_runs("none"), []),
    ("the last one, and no flood", "03:00", "12:20", missed_runs("last"), ["12:00"]),
    ("the last one, if still sensible", "03:00", "12:20", missed_runs("last", 10 * MINUTE), []),
    ("just within", "03:00", "12:10", missed_runs("last", 10 * MINUTE), ["12:00"]),
    ("on time stands for the missed ones", "03:00", "12:00", missed_runs("last", DAY), ["12:00"]),
    ("all", "09:00", "12:20", missed_runs("all", DAY), ["10:00", "11:00", "12:00"]),
    ("all that are sensible", "03:00", "12:20", missed_runs("all", 90 * MINUTE), ["11:00", "12:00"]),
    ("a clock set back", "12:00", "11:30", missed_runs("all", DAY), []),
]


@pytest.mark.parametrize(("case", "last", "now", "missed", "times"), DOWN, ids=[row[0] for row in DOWN])
def test_after_a_pause(case: str, last: str, now: str, missed: Missed, times: list[str]) -> None:
    del case
    due = HOURLY.due(at(f"2026-11-23 {last}"), at(f"2026-11-23 {now}"), missed)
    assert [f"{moment:%H:%M}" for moment in due] == times


def test_all_missed_ones_are_the_newest_hundred_even_after_years() -> None:
    now = at("2026-11-23 12:00")
    due = parse_schedule({"every": "10s"}).due(at("1999-01-01"), now, missed_runs("all", 3650 * DAY))
    assert len(due) == 100
    assert due[-1] == now
    assert due[0] == now - 99 * timedelta(seconds=10)


def test_every_keeps_its_phase_whenever_it_starts() -> None:
    schedule = parse_schedule({"every": "7m"})
    start = at("2026-11-23 12:00")
    due = runs(schedule, start, start + HOUR)
    assert due == runs(schedule, start - DAY, start + HOUR, 999)[-len(due) :]


def test_a_run_on_a_holiday_is_skipped_and_says_why() -> None:
    schedule = parse_schedule({"at": "Mon-Fri 09:00", "tz": "Europe/Istanbul", "skip": {"holidays": "TR"}})
    due = runs(schedule, at("2026-10-27 05:00"), at("2026-11-04"))
    assert [f"{moment:%m-%d %H:%M}" for moment in due] == [
        *("10-27 06:00", "10-28 06:00", "10-30 06:00", "11-02 06:00", "11-03 06:00")
    ]
    assert schedule.skips(at("2026-10-29 06:00")) == "holiday: Republic Day"
    assert schedule.skips(at("2026-10-30 06:00")) is None


def test_both_eids_of_turkey_are_skipped() -> None:
    schedule = parse_schedule({"at": "09:00", "skip": {"holidays": "tr"}})
    due = {moment.date() for moment in runs(schedule, at("2026-03-01"), at("2026-06-30"), 200)}
    eids = {date(2026, 3, 20), date(2026, 3, 21), date(2026, 3, 22)} | {
        date(2026, 5, day) for day in range(27, 31)
    }
    assert not due & eids
    assert date(2026, 3, 23) in due


def test_holidays_may_be_those_of_a_part_of_a_country() -> None:
    epiphany = at("2026-01-06 09:00")
    assert (
        parse_schedule({"at": "09:00", "skip": {"holidays": "DE-BY"}}).skips(epiphany) == "holiday: Epiphany"
    )
    assert parse_schedule({"at": "09:00", "skip": {"holidays": "DE"}}).skips(epiphany) is None


# 2026-10-28 (Wednesday) is half a holiday from 13:00, 2026-10-29 is one; 2027-01-01 is a Friday.
SKIPPED = [
    ("10:00, 15:00", {}, ["10-28 10:00", "10-28 15:00", "10-30 10:00"]),
    ("10:00, 15:00", {"half_days": "until 13:00"}, ["10-28 10:00", "10-30 10:00", "10-30 15:00"]),
    ("13:00, 12:59", {"half_days": "until 13:00"}, ["10-28 12:59", "10-30 12:59", "10-30 13:00"]),
    ("10:00, 15:00", {"half_days": "skip"}, ["10-30 10:00", "10-30 15:00", "10-31 10:00"]),
    ("10:00", {"weekends": True}, ["10-28 10:00", "10-30 10:00", "11-02 10:00"]),
    ("Thu 10:00", {"move": "next"}, ["10-30 10:00", "11-05 10:00", "11-12 10:00"]),
    ("Wed, Thu 15:00", {"move": "next", "half_days": "skip"}, ["10-30 15:00", "11-04 15:00", "11-05 15:00"]),
    (
        "28th 15:00",
        {"move": "next", "half_days": "until 13:00"},
        ["10-30 15:00", "11-28 15:00", "12-28 15:00"],
    ),
    (
        "28th 12:00",
        {"move": "next", "half_days": "until 13:00"},
        ["10-28 12:00", "11-28 12:00", "12-28 12:00"],
    ),
    ("28th 15:00", {"move": "next", "weekends": True}, ["10-28 15:00", "11-30 15:00", "12-28 15:00"]),
    ("daily 10:00", {"move": "next"}, ["10-28 10:00", "10-30 10:00", "10-31 10:00"]),
    ("1 January 09:00", {"move": "next"}, ["01-04 09:00", "01-03 09:00", "01-02 09:00"]),
    ("ilk iş günü 09:00", {"move": "next"}, ["11-02 09:00", "12-01 09:00", "01-04 09:00"]),
    ("2026-10-29 09:00", {"move": "next"}, ["10-30 09:00"]),
    (
        "every other Thu 09:00 from 2026-10-29",
        {"move": "next"},
        ["10-30 09:00", "11-12 09:00", "11-26 09:00"],
    ),
    ("Thu 10:00", {"move": "next", "days": ["2026-10-30", "2026-11-02"]}, ["11-03 10:00", "11-05 10:00"]),
]


@pytest.mark.parametrize(("times", "skip", "due"), SKIPPED)
def test_half_days_weekends_and_moved_runs(times: str, skip: dict[str, object], due: list[str]) -> None:
    schedule = parse_schedule({"at": times, "tz": "Europe/Istanbul", "skip": {"holidays": "TR", **skip}})
    found = runs(schedule, at("2026-10-28", "Europe/Istanbul"), at("2030-01-01"), len(due))
    assert [f"{moment.astimezone(ZoneInfo('Europe/Istanbul')):%m-%d %H:%M}" for moment in found] == due


def test_a_moved_run_is_found_from_any_moment_before_it() -> None:
    skip = {"holidays": "TR", "half_days": "until 13:00", "move": "next", "weekends": True}
    schedule = parse_schedule({"at": "Mon-Fri 15:00, 1st 08:00", "tz": "Europe/Istanbul", "skip": skip})
    start = at("2026-03-01")
    due = runs(schedule, start, start + 400 * DAY, 1000)
    assert due == sorted(set(due))
    for step in range(0, 390 * 24, 5):
        moment = start + step * HOUR
        assert schedule.after(moment) == next(time for time in due if time > moment)
    assert not any(map(schedule.skips, due))


def test_a_skipped_half_day_says_why() -> None:
    skip = {"holidays": "TR", "half_days": "until 13:00", "weekends": True}
    schedule = parse_schedule({"at": "15:00", "skip": skip})
    assert schedule.skips(at("2026-10-28 13:00")) == "half day: Republic Day (from 1pm)"
    assert schedule.skips(at("2026-10-28 12:59")) is None
    assert schedule.skips(at("2026-10-31 12:59")) == "weekend"
    assert schedule.definition == "0 15 * * *; in UTC; not TR; half days until 13:00; not weekends"


def test_the_day_that_is_skipped_is_the_one_of_the_schedules_zone() -> None:
    schedule = parse_schedule({"at": "00:30", "tz": "Europe/Istanbul", "skip": {"days": ["2026-12-31"]}})
    due = runs(schedule, at("2026-12-29 22:00", "UTC"), at("2027-01-02", "UTC"))
    assert local(due, "Europe/Istanbul") == ["Fri 2027-01-01 00:30", "Sat 2027-01-02 00:30"]
    assert schedule.skips(at("2026-12-30 21:30")) == "2026-12-31 is skipped"


def test_a_skipped_day_costs_no_search_minute_by_minute_and_every_skips_too() -> None:
    skip = {"days": [f"2026-12-{day:02}" for day in range(1, 32)]}
    for written in ({"every": "10s", "skip": skip}, {"cron": "* * * * *", "skip": skip}):
        assert parse_schedule(written).after(at("2026-12-01")) == at("2027-01-01")


def test_a_zone_of_its_own_wins_over_the_one_given() -> None:
    istanbul = parse_schedule({"at": "09:00", "tz": "Europe/Istanbul"}, ZoneInfo("America/Havana"))
    assert istanbul.after(at("2026-11-23")) == at("2026-11-23 06:00")
    assert parse_schedule("09:00", ZoneInfo("America/Havana")).after(at("2026-11-23")) == at(
        "2026-11-23 14:00"
    )


def test_an_id_is_the_same_in_any_zone() -> None:
    moment = at("2026-11-23 06:00")
    assert nominal_id("lunch-poll", moment) == "schedule:lunch-poll:2026-11-23T06:00Z"
    assert nominal_id("lunch-poll", moment.astimezone(ZoneInfo("Europe/Istanbul"))) == nominal_id(
        "lunch-poll", moment
    )
    assert nominal_id("pulse", moment + timedelta(seconds=10)) == "schedule:pulse:2026-11-23T06:00:10Z"


def test_T04_the_two_passes_of_an_hour_have_ids_of_their_own() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    passes = [datetime(2027, 10, 31, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1)]
    assert len({nominal_id("r", moment) for moment in passes}) == 2


def test_a_definition_changes_with_what_is_due_and_not_with_the_spelling() -> None:
    istanbul = ZoneInfo("Europe/Istanbul")
    assert (
        parse_schedule("Mon-Fri 09:00", istanbul).definition
        == parse_schedule("hafta içi 9:00", istanbul).definition
    )
    skip = {"holidays": "TR", "days": ["2026-12-31", "2026-01-02"]}
    texts = {
        parse_schedule(written, istanbul).definition
        for written in (
            "09:00",
            "09:01",
            {"every": "1h"},
            {"at": "09:00", "tz": "UTC"},
            {"at": "09:00", "skip": skip},
        )
    }
    assert len(texts) == 5
    assert (
        parse_schedule({"at": "09:00", "skip": skip}).definition
        == "0 9 * * *; in UTC; not 2026-01-02; not 2026-12-31; not TR"
    )


def test_an_hour_that_comes_twice_is_twice_as_long() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    once, again = (datetime(2027, 10, 31, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1))
    schedule = parse_schedule("*/15 * * * *", berlin)
    assert len(runs(schedule, once, again)) == 4
    assert len(schedule.due(once, again, missed_runs("all"))) == 4
    assert schedule.due(again, once, missed_runs("all")) == []


def test_an_edit_never_fires_back_in_time() -> None:
    edited_at = at("2026-11-23 12:00")
    edited = parse_schedule("11:59")
    assert edited.due(edited_at, edited_at + MINUTE, missed_runs("all", DAY)) == []
    assert edited.after(edited_at) == at("2026-11-24 11:59")


def test_T09_2038_and_times_before_1970_are_like_all_others() -> None:
    assert parse_schedule("09:00").after(at("2038-01-19 04:00")) == at("2038-01-19 09:00")
    assert parse_schedule({"every": "15m"}).after(at("1969-12-31 23:50")) == at("1970-01-01")


WORDS = [
    ("Mon-Fri 09:00", "Monday to Friday at 09:00"),
    ("09:00, 18:30", "every day at 09:00; every day at 18:30"),
    ("daily 09:00", "every day at 09:00"),
    ("Sat,Sun 10:00", "every Saturday and Sunday at 10:00"),
    ("Fri-Mon 10:00", "every Monday, Friday, Saturday and Sunday at 10:00"),
    ("Fri 17:00, Sat 10:00", "every Friday at 17:00; every Saturday at 10:00"),
    ("15th 08:00", "15th of the month at 08:00"),
    ("1st, 2nd, 11th, 23rd 08:00", "1st, 2nd, 11th and 23rd of the month at 08:00"),
    ("first day 08:00", "1st of the month at 08:00"),
    ("last day 17:00", "last day of the month at 17:00"),
    ("first weekday 17:00", "first weekday of the month at 17:00"),
    ("last weekday 17:00", "last weekday of the month at 17:00"),
    ("15W 17:00", "weekday nearest the 15th of the month at 17:00"),
    ("L-3 17:00", "3 days before the last day of the month at 17:00"),
    ("first Monday 09:00", "first Monday of the month at 09:00"),
    ("1st and 3rd Monday 09:00", "first and third Monday of the month at 09:00"),
    ("0 9 * * 0L", "last Sunday of the month at 09:00"),
    ("15 January 09:00", "15 January at 09:00"),
    ("31.12.2026 09:00", "2026-12-31 at 09:00"),
    ("every other Monday 09:00", "every other Monday at 09:00"),
    (
        "every 2 weeks on Mon, Tue 09:00 from 1.12.2026",
        "every other Monday and Tuesday at 09:00 from 2026-12-01",
    ),
    ("0 9 * * 1-5", "Monday to Friday at 09:00"),
    ("@daily", "every day at 00:00"),
    ("@hourly", "0 * * * * (at the start of every hour)"),
    ("*/15 * * * *", "*/15 * * * * (every 15th minute of every hour)"),
    ("* * * * *", "* * * * * (every minute)"),
    ({"every": "15m"}, "every 15m"),
    ({"every": "10s"}, "every 10s"),
    ({"every": "1h"}, "every 1h"),
    ({"every": "2h1m"}, "every 2h1m"),
    ("0 9 1 * 1", "0 9 1 * 1 (at 09:00 on the first day of month and on Monday)"),
    ("*/7 * * * *", "*/7 * * * * (every seventh minute of every hour)"),
    ("0 9 * 6 *", "0 9 * 6 * (at 09:00 every day in June)"),
    ("0 9 * * 1-5/2", "0 9 * * 1-5/2 (at 09:00 on every second day of week from Monday through Friday)"),
    ("0 9-17 * * *", "0 9-17 * * * (at minute 0 past every hour from 9 through 17)"),
    ("0 9-17 15W * *", "0 9-17 15W * *"),
]


@pytest.mark.parametrize(("written", "words"), WORDS, ids=[str(row[0]) for row in WORDS])
def test_a_schedule_is_described_in_words(written: object, words: str) -> None:
    assert parse_schedule(written).describe() == words


day_terms = st.sampled_from(["L", "LW", "1W", "15W", "31W", "L-3", "L-30", "1", "15", "31", "1,15", "28-31"])
week_terms = st.sampled_from(
    ["1#1", "2#2,2#4", "5L", "1#1,2#1", "1-5", "0-7", "1,2,3,4,5", "6,0", "FRI-MON/2"]
)
times_of_day = st.builds("{} {}".format, st.integers(0, 59), st.integers(0, 23))
dates = st.dates(date(2000, 1, 1), date(2099, 12, 31))
printed = st.one_of(
    st.builds("{} {} {} *".format, times_of_day, day_terms | fields(1, 28), fields(1, 12)),
    st.builds("{} * * {}".format, times_of_day, week_terms | days_of_week),
    st.builds("{} {} * * {}".format, fields(0, 59), fields(0, 23), days_of_week),
    st.builds("{} {} {} {}".format, times_of_day, fields(1, 28), fields(1, 12), days_of_week),
    st.builds("{} {:%H:%M}".format, dates, st.times()),
    st.builds(
        "every other {} {:%H:%M} from {}".format, st.sampled_from(["Mon", "Sat,Sun"]), st.times(), dates
    ),
    st.builds("every {}s".format, st.integers(10, 86_399)),
    st.sampled_from([form[0] for form in FORMS if isinstance(form, tuple) and isinstance(form[0], str)]),
)


@given(st.lists(printed, min_size=1, max_size=2).map("; ".join))
@example("0 9 31 * *; every other Tue 00:00")
def test_all_that_is_printed_is_read(text: str) -> None:
    schedule = parse_schedule(text)
    again = parse_schedule(schedule.describe())
    assert again.describe() == schedule.describe()
    start = at("1999-12-30")
    assert runs(again, start, start + 4000 * DAY, 15) == runs(schedule, start, start + 4000 * DAY, 15)


def test_the_schedules_of_the_manual_are_read() -> None:
    manual = (Path(__file__).parent.parent / "docs" / "schedules.md").read_text(encoding="utf-8")
    table = [line for line in manual.split("##")[0].splitlines() if line.startswith("|")]
    forms = [form for line in table for form in re.findall("`([^`]+)`", line)]
    assert len(forms) > 40
    for form in forms:
        assert parse_schedule(form).after(at("2026-11-23"))


@given(
    st.text(alphabet=st.sampled_from(" *0123456789-,/#:LWw?@çıİI\u2013monfriayst"), max_size=30)
    | st.text(max_size=20)
)
def test_any_text_is_a_schedule_or_an_error_with_a_hint(text: str) -> None:
    try:
        schedule = parse_schedule(text)
    except ConfigError as error:
        hint = error.hint
    else:
        hint = schedule.describe()
        assert schedule.after(at("2026-11-23")) is not None
    assert hint
