"""Time of the made-up company: whole seconds since Monday 2024-01-01 00:00:00 UTC.

Decides how a second is written (ServiceNow: UTC `YYYY-MM-DD HH:MM:SS`, durations as dates from 1970) and which seconds
count as working time (Monday to Friday 09:00-17:00 UTC, no holidays). Everything here is whole seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MINUTE, HOUR, DAY = 60, 3_600, 86_400
ORIGIN = datetime(2024, 1, 1, tzinfo=UTC)
YEAR_START = 366 * DAY  # 2025-01-01 00:00:00
YEAR_END = 731 * DAY - 1  # 2025-12-31 23:59:59
LIVE_START = 724 * DAY  # 2025-12-25 00:00:00: what happens from here on comes by webhook

OPENS, SHIFT = 9 * HOUR, 8 * HOUR
WEEK = 5 * SHIFT
_DAYS = [(ORIGIN + timedelta(days=n)).strftime("%Y-%m-%d") for n in range(4 * 366)]
_CLOCK = [f"{s // HOUR:02}:{s % HOUR // MINUTE:02}:{s % MINUTE:02}" for s in range(DAY)]
_DURATION_DAYS = [(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=n)).strftime("%Y-%m-%d") for n in range(4 * 366)]


def stamp(second: int) -> str:
    return f"{_DAYS[second // DAY]} {_CLOCK[second % DAY]}"


@lru_cache(maxsize=4_096)
def second(text: str) -> int:
    """The second of a stamp; negative before the origin."""
    return int((datetime.fromisoformat(f"{text}+00:00") - ORIGIN).total_seconds())


def day(second: int) -> str:
    return _DAYS[second // DAY]


def duration(seconds: int) -> str:
    """27 hours are written 1970-01-02 03:00:00."""
    return f"{_DURATION_DAYS[seconds // DAY]} {_CLOCK[seconds % DAY]}"


def _worked(second: int) -> int:
    days, inside = divmod(second, DAY)
    weeks, weekday = divmod(days, 7)
    today = min(max(inside - OPENS, 0), SHIFT) if weekday < 5 else 0
    return weeks * WEEK + min(weekday, 5) * SHIFT + today


def _when_worked(worked: int) -> int:
    weeks, rest = divmod(worked, WEEK)
    weekday, inside = divmod(rest, SHIFT)
    return (weeks * 7 + weekday) * DAY + OPENS + inside


@dataclass(frozen=True, slots=True)
class Clock:
    """A schedule. `worked` counts its seconds from the origin, `when` finds the second at which a count is reached."""

    worked: Callable[[int], int]
    when: Callable[[int], int]

    def between(self, start: int, end: int) -> int:
        return self.worked(end) - self.worked(start)

    def after(self, start: int, seconds: int) -> int:
        return self.when(self.worked(start) + seconds)


WEEKDAYS = Clock(_worked, _when_worked)
ROUND_THE_CLOCK = Clock(lambda second: second, lambda count: count)
