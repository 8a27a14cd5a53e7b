"""Business time: the golden examples of F-01, clock changes, and a walk over every minute as the oracle."""

from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.calendar import Calendar, business_seconds, hours_text, read_hours
from engine.refusal import Refused

_WEEKDAYS = [["09:00-17:00"]] * 5 + [[], []]
OFFICE = Calendar("UTC", read_hours(_WEEKDAYS))
IBM = Calendar("UTC", read_hours([["08:00-17:00"]] * 5 + [[], []]))
ALWAYS = Calendar("Europe/Berlin", read_hours([["00:00-24:00"]] * 7))
NIGHTS = Calendar("Europe/Berlin", read_hours([["00:30-02:30", "03:00-04:00", "22:00-24:00"]] * 7))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_golden_example_over_a_weekend() -> None:
    start, stop = utc("2026-03-05 16:00"), utc("2026-03-09 11:30")
    pause = (utc("2026-03-06 10:00"), utc("2026-03-06 18:00"))
    assert business_seconds(OFFICE, start, stop) == 41_400
    assert business_seconds(OFFICE, *pause) == 25_200
    assert business_seconds(OFFICE, start, stop, [pause]) == 16_200


def test_golden_example_of_a_hold_over_night() -> None:
    # 4 hours agreed, created at 15:00, on hold from 16:00 to 09:00: due at 12:00 of the next day
    hold = (utc("2026-03-05 16:00"), utc("2026-03-06 09:00"))
    assert business_seconds(IBM, *hold) == 2 * 3600
    assert business_seconds(IBM, utc("2026-03-05 15:00"), utc("2026-03-06 12:00"), [hold]) == 4 * 3600


def test_overlapping_pauses_are_subtracted_once_and_clipped() -> None:
    start, stop = utc("2026-03-05 10:00"), utc("2026-03-05 15:00")
    pauses = [
        (utc("2026-03-05 12:00"), utc("2026-03-05 13:30")),
        (utc("2026-03-05 09:00"), utc("2026-03-05 10:30")),
        (utc("2026-03-05 13:00"), utc("2026-03-05 14:00")),
        (utc("2026-03-05 12:15"), utc("2026-03-05 12:30")),
        (utc("2026-03-05 14:45"), utc("2026-03-09 12:00")),
    ]
    assert business_seconds(OFFICE, start, stop, pauses) == (5 * 60 - 30 - 120 - 15) * 60


@pytest.mark.parametrize(("day", "hours"), [("2025-03-30", 23), ("2025-10-26", 25), ("2025-06-01", 24)])
def test_days_with_a_clock_change_have_23_or_25_hours(day: str, hours: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=berlin)
    stop = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=berlin)
    assert business_seconds(ALWAYS, start, stop) == hours * 3600


@pytest.mark.parametrize(("day", "minutes"), [("2025-03-30", 270), ("2025-10-26", 330), ("2025-06-01", 300)])
def test_an_hour_that_repeats_counts_twice_and_one_that_is_skipped_does_not(day: str, minutes: int) -> None:
    # of the open 00:30-02:30, the last half hour does not exist in spring and comes twice in autumn
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=berlin)
    stop = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=berlin)
    assert business_seconds(NIGHTS, start, stop) == minutes * 60


def test_new_year_comes_when_it_comes_in_the_time_zone_of_the_moments() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    start = datetime.fromisoformat("2026-01-01 00:15").replace(tzinfo=tokyo)  # still 2025 in UTC
    assert business_seconds(ALWAYS, start, start + timedelta(minutes=30)) == 30 * 60


def test_holidays_are_closed() -> None:
    closed = Calendar("UTC", read_hours(_WEEKDAYS), frozenset([date(2025, 1, 1)]))
    assert business_seconds(closed, utc("2024-12-31 16:00"), utc("2025-01-02 10:00")) == 2 * 3600


@st.composite
def _calendars(draw: st.DrawFn) -> Calendar:
    def hours() -> tuple[tuple[int, int], ...]:
        edges = sorted(draw(st.sets(st.integers(0, 24 * 4), max_size=4)))
        return tuple((a * 900, b * 900) for a, b in zip(edges[::2], edges[1::2], strict=False))

    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo"]))
    holidays = draw(st.sets(st.dates(date(2025, 3, 25), date(2025, 4, 8)), max_size=2))
    return Calendar(zone, tuple(hours() for _ in range(7)), frozenset(holidays))


# around the clock changes of spring and autumn
_MOMENTS = st.datetimes(datetime.fromisoformat("2025-03-27"), datetime.fromisoformat("2025-04-07")) | st.datetimes(
    datetime.fromisoformat("2025-10-24"), datetime.fromisoformat("2025-11-03")
)


def _walked(calendar: Calendar, start: datetime, stop: datetime, pauses: list[tuple[datetime, datetime]]) -> int:
    """Count minute by minute what the local wall clock says."""
    zone, minutes, now = ZoneInfo(calendar.time_zone), 0, start
    while now < stop:
        local = now.astimezone(zone)
        second = local.hour * 3600 + local.minute * 60
        is_open = local.date() not in calendar.holidays and any(
            opens <= second < closes for opens, closes in calendar.week[local.weekday()]
        )
        paused = any(first <= now < last for first, last in pauses)
        minutes += is_open and not paused
        now += timedelta(minutes=1)
    return minutes * 60


@settings(max_examples=40, deadline=None)
@given(_calendars(), st.lists(_MOMENTS, min_size=2, max_size=6))
def test_agrees_with_a_walk_over_every_minute(calendar: Calendar, moments: list[datetime]) -> None:
    whole = [moment.replace(second=0, microsecond=0, tzinfo=UTC) for moment in moments]
    start, stop = sorted(whole[:2])
    stop = min(stop, start + timedelta(days=6))
    pauses = [(min(pair), max(pair)) for pair in zip(whole[2::2], whole[3::2], strict=False)]
    assert business_seconds(calendar, start, stop, pauses) == _walked(calendar, start, stop, pauses)


@given(
    st.lists(
        st.datetimes(datetime.fromisoformat("2019-01-01"), datetime.fromisoformat("2029-01-01")), min_size=3, max_size=3
    )
)
def test_time_adds_up_over_any_moment_between(moments: list[datetime]) -> None:
    first, middle, last = sorted(moment.replace(tzinfo=UTC) for moment in moments)
    parts = business_seconds(OFFICE, first, middle) + business_seconds(OFFICE, middle, last)
    assert parts == business_seconds(OFFICE, first, last)


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (datetime.fromisoformat("2025-01-01"), utc("2025-01-02")),
        (utc("2025-01-02"), utc("2025-01-01")),
        (utc("1850-01-01"), utc("1850-01-02")),
        (utc("1910-01-01"), utc("2025-01-01")),
    ],
)
def test_moments_that_cannot_be_measured_are_refused(start: datetime, stop: datetime) -> None:
    with pytest.raises(Refused):
        business_seconds(OFFICE, start, stop)


@pytest.mark.parametrize(
    "hours", [["09:00-08:00"], ["09:00-25:00"], ["9-17"], ["09:00-12:00", "11:00-13:00"], ["09:00-09:00"]]
)
def test_hours_out_of_order_are_refused(hours: list[str]) -> None:
    with pytest.raises(Refused):
        Calendar("UTC", read_hours([hours] * 7))


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(Refused, match="Mars"):
        Calendar("Mars/Olympus", read_hours(_WEEKDAYS))


def test_hours_are_written_as_they_are_read() -> None:
    assert [hours_text(hours) for hours in NIGHTS.week] == [["00:30-02:30", "03:00-04:00", "22:00-24:00"]] * 7


def test_twenty_thousand_records_take_no_time_worth_naming() -> None:
    start = utc("2025-01-01 08:00")
    records = [(start + timedelta(minutes=17 * n), start + timedelta(minutes=17 * n + 3_000)) for n in range(20_000)]
    pause = (start, start + timedelta(days=200))
    began = perf_counter()
    for opened, resolved in records:
        business_seconds(OFFICE, opened, resolved, [pause])
    assert perf_counter() - began < 20_000 * 100e-6  # five times the aim of 20 µs, for busy machines
