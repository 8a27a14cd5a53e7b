"""When a source is read, by when what it changed must be here, and when it must be left alone.

Source: the part of a data contract that every tool shares (connectors/rules.py reads it). Decides what is due now, the
deadline of a change, and whether a refresh is in time for the opening of a review. Local times are in the contract's
time zone; moments are aware, results UTC. Refuses blackouts that leave no time to read, and naive moments.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.refusal import Code, Refused

DAY_SECONDS = 86_400
MOST_STEPS = 64  # blackouts that follow each other without a gap; more of them than this leave no time
REFRESH_TOO_LATE = "REFRESH_TOO_LATE"


@dataclass(frozen=True, slots=True)
class Freshness:
    """By when a change must be in the mirror: so many minutes later, or `days` later at a local time of day."""

    minutes: int | None = 60
    days: int = 0
    by_seconds: int = 0  # after local midnight
    time_zone: str = "UTC"

    def __str__(self) -> str:
        if self.minutes is not None:
            return f"{self.minutes} minutes"
        return f"T+{self.days} {clock(self.by_seconds)} {self.time_zone}"


@dataclass(frozen=True, slots=True)
class Blackout:
    """Hours in which the tool is not read. One that ends before it begins ends on the next day."""

    days: frozenset[int]  # of its beginning; Monday is 0
    first_seconds: int
    last_seconds: int
    why: str


@dataclass(frozen=True, slots=True)
class Schedule:
    time_zone: str = "UTC"
    poll_seconds: int = 60
    sweep_seconds: int = DAY_SECONDS
    blackouts: tuple[Blackout, ...] = ()

    def __post_init__(self) -> None:
        next_open(self, datetime(2024, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Due:
    """What to do now. In a blackout nothing is due; `again_at` is when it is worth asking again."""

    poll: bool
    sweep: bool
    again_at: datetime
    because: str = ""


@dataclass(frozen=True, slots=True)
class Late:
    """A warning for whoever plans a cycle: the data of its last moment will not be here when the review opens."""

    ready_at: datetime
    what: str
    fix: str
    code: str = REFRESH_TOO_LATE


def due(schedule: Schedule, now: datetime, polled_at: datetime | None, swept_at: datetime | None) -> Due:
    """What of a source is due. `None` says that it was never done."""
    if (end := _blackout_end(schedule, now)) is not None:
        return Due(False, False, next_open(schedule, now), f"blackout until {end:%Y-%m-%d %H:%M} UTC")
    poll_at = _next(polled_at, schedule.poll_seconds, now)
    sweep_at = _next(swept_at, schedule.sweep_seconds, now)
    again = min(at if at > now else now + timedelta(seconds=every) for at, every in
                ((poll_at, schedule.poll_seconds), (sweep_at, schedule.sweep_seconds)))  # fmt: skip
    return Due(poll_at <= now, sweep_at <= now, again)


def next_open(schedule: Schedule, at: datetime) -> datetime:
    """The first moment from `at` on in which the tool may be read."""
    for _ in range(MOST_STEPS):
        end = _blackout_end(schedule, at)
        if end is None:
            return at
        at = end
    raise Refused(Code.PLAN_INVALID, "The blackouts leave no time in which the tool may be read.",
                  "Shorten them.", ("schedule", "blackouts"))  # fmt: skip


def deadline(freshness: Freshness, at: datetime) -> datetime:
    """By when a change of this moment must be in the mirror."""
    if freshness.minutes is not None:
        return at + timedelta(minutes=freshness.minutes)
    zone = ZoneInfo(freshness.time_zone)
    day = _aware(at).astimezone(zone).date() + timedelta(days=freshness.days)
    return _local(day, freshness.by_seconds, zone)


def settled_before(freshness: Freshness, now: datetime) -> datetime:
    """What came before this moment had its time: whatever belongs to it must be here by now."""
    if freshness.minutes is not None:
        return now - timedelta(minutes=freshness.minutes)
    zone = ZoneInfo(freshness.time_zone)
    today = _aware(now).astimezone(zone).date()
    last = today if _local(today, freshness.by_seconds, zone) <= now else today - timedelta(days=1)
    return _local(last - timedelta(days=freshness.days - 1), 0, zone)


def refresh_in_time(schedule: Schedule, freshness: Freshness, ends_at: datetime, opens_at: datetime) -> Late | None:
    """Is everything that happened until `ends_at` in the mirror when a review opens? A warning when it is not.

    The last refresh begins as soon as the tool may be read after the end of the period.
    """
    ready_at = max(next_open(schedule, ends_at), deadline(freshness, ends_at))
    if _blackout_end(schedule, ends_at) is not None:
        ready_at = max(ready_at, deadline(freshness, next_open(schedule, ends_at)))
    if ready_at <= opens_at:
        return None
    what = (f"The period ends at {ends_at:%Y-%m-%d %H:%M} UTC and its review opens at {opens_at:%Y-%m-%d %H:%M} UTC, "
            f"but its data is promised only for {ready_at:%Y-%m-%d %H:%M} UTC ({freshness}).")  # fmt: skip
    fix = f"Open the review at {ready_at:%Y-%m-%d %H:%M} UTC or later, or agree on a shorter freshness or blackout."
    return Late(ready_at, what, fix)


def clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"


def _next(done_at: datetime | None, every_seconds: int, now: datetime) -> datetime:
    return now if done_at is None else done_at + timedelta(seconds=every_seconds)


def _blackout_end(schedule: Schedule, at: datetime) -> datetime | None:
    """The end of the blackout that covers this moment, of several the last."""
    zone = ZoneInfo(schedule.time_zone)
    day = _aware(at).astimezone(zone).date()
    ends = [last for first, last in _around(schedule, day, zone) if first <= at < last]
    return max(ends, default=None)


def _around(schedule: Schedule, day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Blackouts that begin on this local day or the day before."""
    for begins_on in (day - timedelta(days=1), day):
        for blackout in schedule.blackouts:
            if begins_on.weekday() in blackout.days:
                over = blackout.last_seconds <= blackout.first_seconds
                ends_on = begins_on + timedelta(days=1) if over else begins_on
                yield (
                    _local(begins_on, blackout.first_seconds, zone),
                    _local(ends_on, blackout.last_seconds, zone),
                )


def _local(day: date, seconds: int, zone: ZoneInfo) -> datetime:
    days, rest = divmod(seconds, DAY_SECONDS)
    local = datetime.combine(day + timedelta(days=days), time(rest // 3600, rest % 3600 // 60), zone)
    return local.astimezone(UTC)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise Refused(Code.BAD_INPUT, f"The moment {at} has no time zone.", "Give times in UTC.")
    return at
