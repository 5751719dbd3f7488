"""Durations, sizes and windows of time."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from wbox_notify.config.fields import DurationText
from wbox_notify.config.values import parse_duration, parse_size
from wbox_notify.errors import ConfigError
from wbox_notify.triggers.schedule.windows import Window

ISTANBUL, BERLIN = ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Berlin")
DURATION_SCHEMA = TypeAdapter(DurationText).json_schema()["pattern"]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def at(text: str, zone: ZoneInfo = ISTANBUL, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172_800), ("1w", 604_800), ("500ms", 0.5)),
        *(("0s", 0), ("1m500ms", 60.5), ("1d 2h 3m 4s", 93_784), (" 10 m ", 600), ("3660d", 316_224_000)),
        ("90m", 5400),
    ],
)
def test_a_duration_is_so_many_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        *(("90", "90s or 90m"), (90, "90s or 90m"), (1.5, "1h30m"), ("", "90s"), (" ", "90s"), (None, "90s")),
        *(("1.5h", "1h30m"), ("30m1h", "longest unit first"), ("1h1h", "longest unit first"), ("5M", "15m")),
        *(("-5m", "15m"), ("1h30", "1h30m"), ("soon", "15m"), ("٣m", "15m"), ("1" * 10 + "s", "15m")),
        *(("3661d", "shorter"), ("999999999w", "shorter"), (["5m"], "15m"), (True, "15m")),
    ],
    ids=repr,
)
def test_a_duration_that_is_none_says_what_to_write(text: object, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_duration(text)
    assert f"`{text}`" in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_a_long_text_is_no_duration_and_takes_no_time_to_see() -> None:
    with pytest.raises(ConfigError):
        parse_duration("1h" + " " * 100_000 + "x")


@given(st.integers(0, 3_000), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_units_add_up(days: int, hours: int, minutes: int, seconds: int, thousandths: int) -> None:
    whole = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=thousandths)
    text = f"{days}d{hours}h{minutes}m{seconds}s{thousandths}ms"
    assert parse_duration(text) == pytest.approx(whole.total_seconds(), abs=1e-6)


UNITS = {
    "w": ["week", "weeks", "hafta"],
    "d": ["day", "days", "gün", "gun"],
    "h": ["hr", "hrs", "hour", "hours", "saat", "sa"],
    "m": ["min", "mins", "minute", "minutes", "dakika", "dk"],
    "s": ["sec", "secs", "second", "seconds", "saniye", "sn"],
}


@given(
    words=st.fixed_dictionaries({}, optional={unit: st.sampled_from(words) for unit, words in UNITS.items()}),
    count=st.integers(0, 99),
    blank=st.sampled_from(["", " "]),
)
def test_a_unit_may_be_written_as_people_say_it(words: dict[str, str], count: int, blank: str) -> None:
    assume(words)
    short = "".join(f"{count}{unit}" for unit in UNITS if unit in words)
    said = blank.join(f"{count}{blank}{words[unit]}" for unit in UNITS if unit in words)
    assert parse_duration(said) == parse_duration(short)
    assert re.search(DURATION_SCHEMA, said)


@pytest.mark.parametrize("text", ["22.00-07.30", "10pm-7:30am", "10 pm - 7.30 am"])
def test_a_window_may_have_dots_or_am_and_pm(text: str) -> None:
    assert Window.parse(text) == Window.parse(NIGHT)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("500", 500), ("500B", 500), ("1k", 1024), ("1kB", 1024), ("1 KiB", 1024), ("10MB", 10_485_760)),
        *(
            ("10M", 10_485_760),
            ("1.5 GiB", 1_610_612_736),
            ("2TB", 2_199_023_255_552),
            (" 0 ", 0),
            ("0.1kb", 102),
        ),
    ],
)
def test_a_size_is_so_many_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "10XB", "-1MB", "1,5MB", "1.MB", "10 i", "10PB", "٣MB", 500, None, ["1"]]
)
def test_a_size_that_is_none_says_what_to_write(text: object) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_size(text)
    assert f"`{text}`" in str(caught.value)
    assert "10MB" in (caught.value.hint or "")


NIGHT, OFFICE = "22:00-07:30", "Mon-Fri 09:00-18:00"
# 2026-11-23 is a Monday.
READINGS = [
    *(
        (NIGHT, "2026-11-23 21:59:59", False),
        (NIGHT, "2026-11-23 22:00", True),
        (NIGHT, "2026-11-24 00:00", True),
    ),
    *(
        (NIGHT, "2026-11-24 07:29:59", True),
        (NIGHT, "2026-11-24 07:30", False),
        (NIGHT, "2026-11-24 12:00", False),
    ),
    *(
        (OFFICE, "2026-11-23 09:00", True),
        (OFFICE, "2026-11-23 18:00", False),
        (OFFICE, "2026-11-28 12:00", False),
    ),
    *(("Fri 22:00-06:00", "2026-11-28 05:00", True), ("Fri 22:00-06:00", "2026-11-27 05:00", False)),
    *(("Sun 22:00-06:00", "2026-11-23 05:00", True), ("Sun 22:00-06:00", "2026-11-24 05:00", False)),
    *(("Sat-Mon 09:00-10:00", "2026-11-23 09:30", True), ("Sat-Mon 09:00-10:00", "2026-11-24 09:30", False)),
    *(
        ("Pzt-Cum 09:00-18:00", "2026-11-23 12:00", True),
        ("hafta sonu 09:00-18:00", "2026-11-23 12:00", False),
    ),
    *(
        ("Salı, Perşembe 09:00-18:00", "2026-11-24 12:00", True),
        ("SALI 09:00-18:00", "2026-11-23 12:00", False),
    ),
    *(
        ("Sat,Sun", "2026-11-28 00:00", True),
        ("Sat,Sun", "2026-11-30 00:00", False),
        ("weekdays", "2026-11-23", True),
    ),
    *(("09:00-24:00", "2026-11-23 23:59:59", True), ("09:00-24:00", "2026-11-24 00:00", False)),
    *(("00:00-24:00", "2026-11-24 00:00", True), ("09:00-09:00", "2026-11-24 09:00", False)),
    *(("9:00 - 18:00", "2026-11-23 09:00", True), ("09:00\u201318:00", "2026-11-23 09:00", True)),
]


def parse_window(written: str | list[str]) -> Window:
    return Window.parse(*([written] if isinstance(written, str) else written))


@pytest.mark.parametrize(("written", "moment", "inside"), READINGS)
def test_a_window_holds_its_start_and_not_its_end(written: str, moment: str, inside: bool) -> None:  # noqa: FBT001 - a table
    window = parse_window(written)
    assert window.contains(at(moment), ISTANBUL) is inside
    assert window.contains(at(moment).astimezone(UTC), ISTANBUL) is inside


def test_a_list_is_open_when_one_of_it_is() -> None:
    window = Window.parse("Mon-Fri 09:00-12:00", "Mon-Fri 13:00-18:00", "Sat 10:00-14:00")
    inside = [hour for hour in range(24) if window.contains(at(f"2026-11-23 {hour:02}:30"), ISTANBUL)]
    assert inside == [9, 10, 11, 13, 14, 15, 16, 17]
    assert window.contains(at("2026-11-28 13:59"), ISTANBUL)


ENDS = [
    (NIGHT, "2026-11-23 23:30", "2026-11-24 07:30"),
    (NIGHT, "2026-11-24 03:00", "2026-11-24 07:30"),
    (NIGHT, "2026-11-24 12:00", "2026-11-24 12:00"),
    (OFFICE, "2026-11-23 09:00", "2026-11-23 18:00"),
    ("Sat,Sun", "2026-11-28 12:00", "2026-11-30 00:00"),
    ("Sun 22:00-06:00", "2026-11-29 23:00", "2026-11-30 06:00"),
    (["22:00-07:30", "Sat,Sun"], "2026-11-27 23:00", "2026-11-30 07:30"),
    (["09:00-12:00", "12:00-13:00"], "2026-11-23 09:30", "2026-11-23 13:00"),
    (["09:00-12:00", "11:00-13:00"], "2026-11-23 09:30", "2026-11-23 13:00"),
    (["09:00-18:00", "10:00-11:00"], "2026-11-23 10:30", "2026-11-23 18:00"),
    (["Mon-Sat", "Sun 00:00-23:59"], "2026-11-23 10:30", "2026-11-29 23:59"),
]


@pytest.mark.parametrize(("written", "moment", "over"), ENDS, ids=str)
def test_a_window_is_over_at_its_end(written: str | list[str], moment: str, over: str) -> None:
    assert parse_window(written).ends_after(at(moment), ISTANBUL) == at(over)


CHANGES = [
    # Berlin skips 02:00-03:00 on 2027-03-28 and repeats it on 2027-10-31.
    ("22:00-07:30", at("2027-03-27 23:00", BERLIN), at("2027-03-28 07:30", BERLIN), 7.5),
    ("22:00-07:30", at("2027-10-30 23:00", BERLIN), at("2027-10-31 07:30", BERLIN), 9.5),
    ("22:00-02:30", at("2027-03-27 23:00", BERLIN), at("2027-03-28 03:00", BERLIN), 3),
    ("22:00-02:30", at("2027-10-30 23:00", BERLIN), at("2027-10-31 02:30", BERLIN, fold=1), 4.5),
    ("22:00-02:30", at("2027-10-31 02:10", BERLIN, fold=1), at("2027-10-31 02:30", BERLIN, fold=1), 1 / 3),
    ("22:00-02:00", at("2027-10-30 23:00", BERLIN), at("2027-10-31 02:00", BERLIN, fold=1), 4),
    ("02:15-02:45", at("2027-10-31 02:20", BERLIN), at("2027-10-31 02:45", BERLIN, fold=1), 1 + 5 / 12),
    ("02:30-04:00", at("2027-03-28 03:00", BERLIN), at("2027-03-28 04:00", BERLIN), 1),
    ("02:30-04:00", at("2027-10-31 02:15", BERLIN, fold=1), at("2027-10-31 04:00", BERLIN), 1.75),
    (["22:00-02:00", "03:00-07:00"], at("2027-03-27 23:00", BERLIN), at("2027-03-28 07:00", BERLIN), 7),
]


@pytest.mark.parametrize(("written", "moment", "over", "hours"), CHANGES)
def test_Q12_a_window_is_as_long_as_the_clocks_make_it(
    written: str | list[str], moment: datetime, over: datetime, hours: float
) -> None:
    end = parse_window(written).ends_after(moment, BERLIN)
    assert end == over.astimezone(UTC)
    assert end - moment.astimezone(UTC) == timedelta(hours=hours)


@pytest.mark.parametrize("written", ["02:00-03:00", "02:15-02:45"])
def test_a_window_that_clocks_skip_does_not_open_that_day(written: str) -> None:
    window = parse_window(written)
    start = at("2027-03-27 12:00", BERLIN).astimezone(UTC)
    assert not any(window.contains(start + step * MINUTE, BERLIN) for step in range(24 * 60))


def test_the_zone_decides() -> None:
    moment = datetime(2026, 11, 23, 19, 30, tzinfo=UTC)
    assert parse_window(NIGHT).contains(moment, ISTANBUL)
    assert not parse_window(NIGHT).contains(moment, BERLIN)


TIMES = st.times().map(lambda time: f"{time:%H:%M}")
DAYS = st.sampled_from(["", "Mon-Fri ", "Sat,Sun ", "Fri-Mon ", "Tue ", "Pzt,Çar "])
WINDOWS = st.lists(st.builds("{}{}-{}".format, DAYS, TIMES, TIMES), min_size=1, max_size=4).map(parse_window)
ZONES = st.sampled_from(
    [BERLIN, ISTANBUL, *map(ZoneInfo, ("Africa/Cairo", "America/Havana", "Australia/Lord_Howe"))]
)
NIGHTS = st.sampled_from(["2027-03-28", "2027-10-31", "2027-04-30", "2027-10-29", "2027-03-14", "2027-11-07"])
MOMENTS = st.builds(
    lambda night, seconds: at(night, ZoneInfo("UTC")) + timedelta(seconds=seconds),
    NIGHTS | st.just("2027-04-04"),
    st.integers(-400_000, 400_000),
)


@given(window=WINDOWS, moment=MOMENTS, zone=ZONES, part=st.floats(0, 0.999))
def test_a_window_is_open_until_it_is_over_and_then_closed(
    window: Window, moment: datetime, zone: ZoneInfo, part: float
) -> None:
    end = window.ends_after(moment, zone)
    if end is None:
        assert window.always_open
        return
    assert not window.contains(end, zone)
    assert (end > moment) is window.contains(moment, zone)
    assert end == moment or window.contains(moment + (end - moment) * part, zone)


@given(window=WINDOWS, minutes=st.integers(0, 7 * 24 * 60))
def test_a_window_is_what_the_clock_reads_where_clocks_do_not_change(window: Window, minutes: int) -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC) + minutes * MINUTE
    today, clock = moment.isoweekday(), moment.hour * 60 + moment.minute
    yesterday = (today - 2) % 7 + 1
    inside = any(
        (today in span.days and span.start <= clock < span.end)
        or (yesterday in span.days and clock < span.end - 24 * 60)
        for span in window.spans
    )
    assert window.contains(moment, ZoneInfo("UTC")) is inside


HINTS = [
    *(("22:00-07:30", False, False), ("09:00-09:00", True, False), ("00:00-24:00", False, True)),
    *((["09:00-18:00", "18:00-09:00"], False, True), (["Mon-Fri", "weekends"], False, True)),
    *((["Mon-Sat", "Sun 00:00-23:59"], False, False), (["09:00-09:00", "10:00-10:00"], True, False)),
    *((["Sun 12:00-11:00", "Mon 11:00-24:00", "Tue-Sat", "Sun 00:00-12:00"], False, True),),
    *((["Mon 11:00-24:00", "Tue-Sun"], False, False),),
]


@pytest.mark.parametrize(("written", "never", "always"), HINTS, ids=str)
def test_a_window_knows_that_it_never_or_always_is_open(
    written: str | list[str],
    never: bool,  # noqa: FBT001 - a table
    always: bool,  # noqa: FBT001 - a table
) -> None:
    window = parse_window(written)
    assert (window.never_opens, window.always_open) == (never, always)
    moment = at("2026-11-23 09:00")
    if always:
        assert window.ends_after(moment, ISTANBUL) is None
        assert all(window.contains(moment + step * 10 * MINUTE, ISTANBUL) for step in range(7 * 24 * 6))
    if never:
        assert window.ends_after(moment, ISTANBUL) == moment


@pytest.mark.parametrize(
    ("written", "problem", "hint"),
    [
        ("", "`` is not a window", "22:00-07:30"),
        ("09:00", "`09:00` is not a window", "22:00-07:30"),
        ("9-18", "`9-18` is not a window", "Mon-Fri 09:00"),
        ("09:00-25:00", "`25:00` is not a time of day", "09:00"),
        ("24:00-07:00", "`24:00`", "24-hour clock"),
        ("09:00-12:00, 13:00-18:00", "is not a", "Mon-Fri"),
        ("night", "`night` is not a day", "Mon-Fri"),
        ("Mom-Fri 09:00-18:00", "`mom` is not a day", "did you mean `Mon`?"),
        (["09:00-18:00", "7"], "`7` is not a window", "22:00-07:30"),
        (" " * 500, "is not a window", "22:00-07:30"),
    ],
)
def test_a_window_that_is_none_says_what_to_write(written: str | list[str], problem: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_window(written)
    assert problem in str(caught.value)
    assert hint in (caught.value.hint or "")
