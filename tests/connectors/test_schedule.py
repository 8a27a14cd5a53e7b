"""When a source is read, by when its changes must be here, and when a review would open too early."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.schedule import (
    Blackout,
    Freshness,
    Schedule,
    deadline,
    due,
    next_open,
    refresh_in_time,
    settled_before,
)
from engine.refusal import Code, Refused

SATURDAY = 5
NIGHTLY = Blackout(frozenset(range(7)), 22 * 3600, 2 * 3600, "backup")
CLONE = Blackout(frozenset({SATURDAY}), 2 * 3600, 12 * 3600, "clone of the instance")
NEXT_MORNING = Freshness(None, 1, 6 * 3600, "Europe/Berlin")
HOURLY = Schedule(poll_seconds=3600, sweep_seconds=86_400)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.capability("T3.6")
@pytest.mark.parametrize(
    ("now", "polled", "swept", "poll", "sweep", "again"),
    [
        ("2026-03-04 10:00", None, None, True, True, "2026-03-04 11:00"),
        ("2026-03-04 10:00", "2026-03-04 09:00", "2026-03-04 09:00", True, False, "2026-03-04 11:00"),
        ("2026-03-04 10:00", "2026-03-04 09:30", "2026-03-04 09:00", False, False, "2026-03-04 10:30"),
        ("2026-03-04 10:00", "2026-03-04 09:30", "2026-03-03 10:00", False, True, "2026-03-04 10:30"),
        ("2026-03-04 10:00", "2026-03-04 09:59", "2026-03-03 10:20", False, False, "2026-03-04 10:20"),
    ],
)
def test_what_is_due(now: str, polled: str | None, swept: str | None, poll: bool, sweep: bool, again: str) -> None:
    found = due(HOURLY, at(now), at(polled) if polled else None, at(swept) if swept else None)
    assert (found.poll, found.sweep, found.again_at) == (poll, sweep, at(again))


@pytest.mark.capability("T3.6")
def test_nothing_is_due_in_a_blackout_and_it_says_until_when() -> None:
    schedule = Schedule("UTC", 60, 60, (NIGHTLY, CLONE))
    found = due(schedule, at("2026-03-06 23:30"), None, None)  # Friday night: the clone follows without a gap
    assert (found.poll, found.sweep, found.again_at) == (False, False, at("2026-03-07 12:00"))
    assert due(schedule, at("2026-03-07 12:00"), None, None).poll, "the end is outside"
    assert due(schedule, at("2026-03-04 21:59"), None, None).poll
    assert not due(schedule, at("2026-03-04 22:00"), None, None).poll, "the beginning is inside"


def test_a_blackout_follows_the_local_clock_through_the_change_of_time() -> None:
    berlin = Schedule("Europe/Berlin", 60, 60, (NIGHTLY,))
    assert next_open(berlin, at("2026-03-28 22:00")) == at("2026-03-29 01:00"), "2:00 was skipped: it is 3:00 by then"
    assert next_open(berlin, at("2026-07-01 21:00")) == at("2026-07-02 00:00")
    assert next_open(berlin, at("2026-01-01 22:00")) == at("2026-01-02 01:00")


def test_blackouts_that_leave_no_time_are_refused() -> None:
    always = Blackout(frozenset(range(7)), 0, 24 * 3600, "never")
    with pytest.raises(Refused) as refused:
        Schedule("UTC", 60, 60, (always,))
    assert (refused.value.code, refused.value.field) == (Code.PLAN_INVALID, ("schedule", "blackouts"))


@pytest.mark.capability("I7.6")
def test_a_change_must_be_here_by_its_deadline() -> None:
    assert deadline(Freshness(90), at("2026-03-04 10:00")) == at("2026-03-04 11:30")
    assert deadline(NEXT_MORNING, at("2026-03-04 22:59")) == at("2026-03-05 05:00")
    assert deadline(NEXT_MORNING, at("2026-03-04 23:00")) == at("2026-03-06 05:00"), "in Berlin that is the next day"
    assert deadline(NEXT_MORNING, at("2026-03-28 10:00")) == at("2026-03-29 04:00"), "summer time by then"


@pytest.mark.parametrize("freshness", [Freshness(90), NEXT_MORNING, Freshness(None, 0, 24 * 3600, "UTC"),
                                       Freshness(None, 3, 0, "America/New_York")])  # fmt: skip
def test_what_was_settled_is_exactly_what_had_its_deadline(freshness: Freshness) -> None:
    now = at("2026-03-04 05:30")
    for hour in range(24 * 6):
        changed = now - timedelta(hours=hour, minutes=1)
        assert (deadline(freshness, changed) <= now) == (changed < settled_before(freshness, now)), changed


@pytest.mark.capability("T3.6")
def test_a_review_that_opens_before_its_data_is_here_is_warned_about() -> None:
    plain = Schedule()
    ends = at("2026-03-31 22:00")
    assert refresh_in_time(plain, Freshness(60), ends, at("2026-03-31 23:00")) is None
    late = refresh_in_time(plain, Freshness(60), ends, at("2026-03-31 22:59"))
    assert late is not None
    assert (late.code, late.ready_at) == ("REFRESH_TOO_LATE", at("2026-03-31 23:00"))
    assert "60 minutes" in late.what
    assert "2026-03-31 23:00" in late.fix
    blacked = refresh_in_time(Schedule("UTC", 60, 60, (NIGHTLY,)), Freshness(60), ends, at("2026-03-31 23:30"))
    assert blacked is not None
    assert blacked.ready_at == at("2026-04-01 03:00"), "the tool is left alone until two, then it takes an hour"
