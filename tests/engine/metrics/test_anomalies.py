"""Anomalies: golden spreads, the four kinds, and what is deliberately not judged."""

import statistics
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics.anomalies import AnomalyKind, Observation, Spread, anomalies, spread
from engine.metrics.catalogue import CATALOGUE

DURATION, SHARE = CATALOGUE["median_minutes_to_resolve"], CATALOGUE["sla_attainment"]
CHANGED = datetime(2026, 3, 4, 10, tzinfo=UTC)
IN_TIME = CHANGED + timedelta(minutes=5)
DUE = CHANGED + timedelta(hours=1)


def seen(measure: int | None, record: str = "INC", changed: datetime = CHANGED, at: datetime = IN_TIME) -> Observation:
    return Observation(record, measure, changed, at, DUE)


@pytest.mark.parametrize(
    ("measures", "golden"),
    [
        # median and MAD by hand: 1 1 2 2 4 6 9 is the example that most text books use
        ([1, 1, 2, 2, 4, 6, 9], Spread(Fraction(2), Fraction(1))),
        ([240, 12, 95, 15, 70, 20, 55, 22, 41, 30], Spread(Fraction("35.5"), Fraction(20))),
        ([10, 20, 30, 40, 50], Spread(Fraction(30), Fraction(10))),
        ([7, 7, 7, 7, 900], None),
        ([1, 2, 3, 100], None),
        ([], None),
    ],
)
def test_golden_spreads(measures: list[int], golden: Spread | None) -> None:
    assert spread(measures) == golden


@given(st.lists(st.integers(0, 10**9), min_size=5))
def test_the_spread_is_the_textbooks(measures: list[int]) -> None:
    median = statistics.median([Fraction(measure) for measure in measures])
    mad = statistics.median([abs(measure - median) for measure in measures])
    assert spread(measures) == (Spread(median, mad) if mad else None)


@pytest.mark.capability("T3.3")
def test_an_outlier_lies_more_than_four_mads_away() -> None:
    usual = [seen(measure) for measure in (10, 20, 30, 40, 50)]
    assert anomalies(DURATION, usual) == []
    # with them the median stays 30 or 35 and the MAD 15 or less: 35 + 4 * 15 = 95
    (found,) = anomalies(DURATION, [*usual, seen(96, "far")])
    assert (found.kind, found.record, found.measure) == (AnomalyKind.OUTLIER, "far", 96)
    assert "4.1 MADs from the median 35 (limit 4, MAD 15)" in found.what
    assert anomalies(DURATION, [*usual, seen(95, "at the limit")]) == []


@pytest.mark.capability("T3.3")
def test_missing_impossible_and_late() -> None:
    found = anomalies(
        DURATION,
        [seen(None, "a"), seen(-1, "b"), seen(5, "c", changed=IN_TIME + timedelta(hours=1)),
         seen(5, "d", at=DUE + timedelta(seconds=1)), seen(None, "e", at=DUE + timedelta(hours=1)), seen(5, "f")],
    )  # fmt: skip
    assert [(a.record, a.kind.value) for a in found] == [
        ("a", "MISSING"), ("b", "IMPOSSIBLE"), ("c", "IMPOSSIBLE"), ("d", "LATE"), ("e", "MISSING"), ("e", "LATE"),
    ]  # fmt: skip
    assert all(a.what and a.fix for a in found)


def test_what_is_impossible_does_not_move_the_middle() -> None:
    usual = [seen(measure) for measure in (10, 20, 30, 40, 50, 95)]
    broken = [seen(-(10**9)) for _ in range(7)]
    assert {a.kind for a in anomalies(DURATION, [*usual, *broken])} == {AnomalyKind.IMPOSSIBLE}


def test_yes_and_no_have_no_outliers_but_may_be_neither() -> None:
    votes = [seen(1) for _ in range(9)] + [seen(0, "no"), seen(2, "neither")]
    assert [(a.record, a.kind) for a in anomalies(SHARE, votes)] == [("neither", AnomalyKind.IMPOSSIBLE)]


@given(st.lists(st.integers(0, 10**6), min_size=5, max_size=30))
def test_the_order_of_records_decides_nothing(measures: list[int]) -> None:
    there = [seen(measure, str(place)) for place, measure in enumerate(measures)]
    back = list(reversed(there))
    assert sorted(a.record for a in anomalies(DURATION, there)) == sorted(a.record for a in anomalies(DURATION, back))
