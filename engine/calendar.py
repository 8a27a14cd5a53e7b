"""Business time between two moments, with pauses cut out (F-01).

A calendar is a time zone, opening hours for each day of the week, and holidays. A moment is open when the local wall
clock stands inside the hours of its local date; so an hour that daylight saving repeats counts twice, and one that it
skips counts not at all. Moments are aware datetimes, results whole seconds. The result depends on the installed time
zone rules. Refused: naive moments, moments outside 1901 to 2198, a stop before its start, spans over a hundred years,
hours that overlap.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.refusal import Code, Refused

Hours = tuple[tuple[int, int], ...]
Moments = tuple[datetime, datetime]

_DAY_SECONDS = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_INTERVAL = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)", re.ASCII)
_ONE_SECOND = timedelta(seconds=1)
_KNOWN_YEARS = range(1900, 2200)
_MOST_YEARS = 100
_MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Calendar:
    """Opening hours. `week` has seven days from Monday; an interval is (first, end) in seconds after local midnight."""

    time_zone: str
    week: tuple[Hours, ...]
    holidays: frozenset[date] = field(default=frozenset())

    def __post_init__(self) -> None:
        if len(self.week) != 7:
            raise _bad_calendar("a week has seven days from Monday", "hours")
        for hours in self.week:
            edges = [edge for interval in hours for edge in interval]
            if edges != sorted(set(edges)) or any(not 0 <= edge <= _DAY_SECONDS for edge in edges):
                raise _bad_calendar("the hours of a day must be in order, apart, and between 00:00 and 24:00", "hours")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise _bad_calendar(f"the time zone {self.time_zone!r} is not known", "time_zone") from None


def business_seconds(calendar: Calendar, start: datetime, stop: datetime, pauses: Sequence[Moments] = ()) -> int:
    """Open seconds in [start, stop] that no pause covers; overlapping pauses are subtracted once."""
    first, last = _seconds(start), _seconds(stop)
    if last < first:
        raise Refused(Code.BAD_INPUT, f"The stop {stop} is before the start {start}.", "Correct the record's times.")
    open_hours = _open_hours(calendar, start.year - 1, stop.year + 1)
    net = open_hours.until(last) - open_hours.until(first)
    for pause_first, pause_last in _merged(pauses, first, last) if pauses else ():
        net -= open_hours.until(pause_last) - open_hours.until(pause_first)
    return net


def business_deadline(calendar: Calendar, start: datetime, days: int) -> datetime:
    """The end of the `days`-th day with opening hours after the local day of `start`, UTC."""
    zone = ZoneInfo(calendar.time_zone)
    _seconds(start)
    day, left = start.astimezone(zone).date(), days
    for _ in range(_MOST_DAYS):
        day += timedelta(days=1)
        hours = calendar.week[day.weekday()]
        if not hours or day in calendar.holidays:
            continue
        left -= 1
        if left <= 0:
            whole, rest = divmod(hours[-1][1], _DAY_SECONDS)
            closes = datetime.combine(day + timedelta(days=whole), time(rest // 3600, rest % 3600 // 60), zone)
            return closes.astimezone(UTC)
    raise _bad_calendar(f"it has no {days} open days in the next {_MOST_DAYS} days", "hours")


@dataclass(frozen=True, slots=True)
class _OpenHours:
    """Open intervals in order, as seconds since 1970 UTC, with the open seconds before each of them."""

    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    before: tuple[int, ...]

    def until(self, moment: int) -> int:
        index = bisect_right(self.starts, moment) - 1
        if index < 0:
            return 0
        return self.before[index] + min(moment - self.starts[index], self.lengths[index])


@lru_cache(maxsize=64)
def _open_hours(calendar: Calendar, first_year: int, last_year: int) -> _OpenHours:
    known = first_year in _KNOWN_YEARS and last_year in _KNOWN_YEARS
    if not known or last_year - first_year > _MOST_YEARS:
        raise Refused(
            Code.BAD_INPUT, f"From {first_year} to {last_year} is too long to measure.", "Correct the record's times."
        )
    starts, lengths, before, total = [], [], [], 0
    for start, end in _open_intervals(calendar, first_year, last_year):
        starts.append(start)
        lengths.append(end - start)
        before.append(total)
        total += end - start
    return _OpenHours(tuple(starts), tuple(lengths), tuple(before))


def _open_intervals(calendar: Calendar, first_year: int, last_year: int) -> Iterator[tuple[int, int]]:
    """Open intervals of whole years. Inside a stretch without a clock change, local time is UTC plus a constant."""
    first_day = date(first_year, 1, 1).toordinal()
    end_day = date(last_year + 1, 1, 1).toordinal()
    for stretch_start, stretch_end, offset in _stretches(calendar.time_zone, first_day, end_day):
        local_first = (stretch_start + offset) // _DAY_SECONDS + _EPOCH_ORDINAL
        local_last = (stretch_end + offset - 1) // _DAY_SECONDS + _EPOCH_ORDINAL
        for ordinal in range(local_first, local_last + 1):
            midnight = (ordinal - _EPOCH_ORDINAL) * _DAY_SECONDS - offset
            if date.fromordinal(ordinal) in calendar.holidays:
                continue
            for opens, closes in calendar.week[(ordinal + 6) % 7]:
                start, end = max(midnight + opens, stretch_start), min(midnight + closes, stretch_end)
                if start < end:
                    yield start, end


def _stretches(time_zone: str, first_day: int, end_day: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, offset) between clock changes; at most one change a day is assumed."""
    zone = ZoneInfo(time_zone)
    start = (first_day - _EPOCH_ORDINAL) * _DAY_SECONDS
    offset = _offset(zone, start)
    for day in range(first_day + 1, end_day + 1):
        midnight = (day - _EPOCH_ORDINAL) * _DAY_SECONDS
        if (changed := _offset(zone, midnight)) == offset:
            continue
        low, high = midnight - _DAY_SECONDS, midnight
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
        yield start, high, offset
        start, offset = high, changed
    yield start, (end_day - _EPOCH_ORDINAL) * _DAY_SECONDS, offset


def _offset(zone: ZoneInfo, moment: int) -> int:
    shift = (_EPOCH + timedelta(seconds=moment)).astimezone(zone).utcoffset()
    return shift // _ONE_SECOND if shift is not None else 0


def _merged(pauses: Sequence[Moments], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Pauses clipped to [first, last], in order, without overlap."""
    covered = first
    for start, stop in sorted((_seconds(start), _seconds(stop)) for start, stop in pauses):
        if stop < start:
            raise Refused(Code.BAD_INPUT, "A pause ends before it starts.", "Correct the record's times.")
        start, stop = max(start, covered), min(stop, last)
        if start < stop:
            yield start, stop
            covered = stop


def _seconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise Refused(Code.BAD_INPUT, f"The moment {moment} has no time zone.", "Give times in UTC.")
    return (moment - _EPOCH) // _ONE_SECOND


def read_hours(week: Sequence[Sequence[str]]) -> tuple[Hours, ...]:
    """A week of texts like `09:00-17:00`; `24:00` is the end of the day."""
    return tuple(tuple(_interval(text) for text in day) for day in week)


def hours_text(hours: Hours) -> list[str]:
    """The texts that `read_hours` reads."""
    return ["-".join(f"{edge // 3600:02}:{edge % 3600 // 60:02}" for edge in interval) for interval in hours]


def _interval(text: str) -> tuple[int, int]:
    if not (found := _INTERVAL.fullmatch(text)):
        raise _bad_calendar(f"{text!r} are no hours, write them as 09:00-17:00", "hours")
    opens_hour, opens_minute, closes_hour, closes_minute = (int(part) for part in found.groups())
    return opens_hour * 3600 + opens_minute * 60, closes_hour * 3600 + closes_minute * 60


def _bad_calendar(what: str, name: str) -> Refused:
    return Refused(Code.PLAN_INVALID, f"The calendar is wrong: {what}.", "Correct the calendar.", ("calendar", name))
