"""Tolerance bands: what counts as kept, per record and per period (F-05)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adjustments.tolerance import (
    Leniency,
    Tolerance,
    record_met,
    tolerated,
    wilson_interval,
    within_chance,
)
from engine.words import Direction

HIGHER, LOWER = Direction.HIGHER_IS_BETTER, Direction.LOWER_IS_BETTER
TARGET, BAND = Fraction("0.95"), Tolerance(band=Fraction("0.02"))


def test_golden_wilson_interval() -> None:
    interval = wilson_interval(3, 20)
    assert interval is not None
    assert [round(float(edge), 4) for edge in interval] == [0.0524, 0.3604]


def test_no_records_have_no_interval() -> None:
    assert wilson_interval(0, 0) is None


@pytest.mark.capability("I2.5")
@pytest.mark.parametrize(
    ("share", "counts", "used"),
    [
        ("0.95", "0.95", Leniency.NONE),
        ("0.96", "0.96", Leniency.NONE),
        ("0.9499", "0.95", Leniency.BAND),
        ("0.93", "0.95", Leniency.BAND),
        ("0.9299", "0.9299", Leniency.NONE),
    ],
)
def test_a_share_inside_the_band_counts_as_the_target(share: str, counts: str, used: Leniency) -> None:
    assert tolerated(Fraction(share), TARGET, HIGHER, BAND, 1000) == (Fraction(counts), used)


def test_where_less_is_better_the_band_lies_above() -> None:
    target = Fraction("0.05")
    assert tolerated(Fraction("0.06"), target, LOWER, BAND, 1000) == (target, Leniency.BAND)
    assert tolerated(Fraction("0.08"), target, LOWER, BAND, 1000) == (Fraction("0.08"), Leniency.NONE)
    assert tolerated(Fraction("0.01"), target, LOWER, BAND, 1000) == (Fraction("0.01"), Leniency.NONE)


@pytest.mark.capability("I2.5")
def test_a_small_team_is_not_punished_for_chance() -> None:
    forgiving = Tolerance(forgive_chance=True)
    assert tolerated(Fraction(9, 10), TARGET, HIGHER, forgiving, 10) == (TARGET, Leniency.CHANCE)
    assert tolerated(Fraction(9, 10), TARGET, HIGHER, forgiving, 1000) == (Fraction(9, 10), Leniency.NONE)
    assert tolerated(Fraction(9, 10), TARGET, HIGHER, Tolerance(), 10) == (Fraction(9, 10), Leniency.NONE)


@given(st.integers(1, 400), st.integers(0, 400), st.fractions(0, 1, max_denominator=1000))
def test_chance_is_what_the_wilson_interval_says(n: int, met: int, target: Fraction) -> None:
    met = min(met, n)
    interval = wilson_interval(met, n)
    assert interval is not None
    low, high = interval
    if min(abs(target - low), abs(target - high)) > Fraction(1, 10**11):  # at the edge the shown digits are rounded
        assert within_chance(Fraction(met, n), target, n) == (low < target < high)


@pytest.mark.capability("I2.5")
@pytest.mark.parametrize(
    ("has_breached", "over", "met"),
    [(False, None, True), (True, "5", True), (True, "5.01", False), (True, None, False), (False, "99", True)],
)
def test_a_breach_within_the_record_tolerance_counts_as_kept(has_breached: bool, over: str | None, met: bool) -> None:
    tolerance = Tolerance(record_minutes=Fraction(5))
    assert record_met(has_breached, None if over is None else Fraction(over), tolerance) is met
