"""Aggregators: the golden numbers of F-02, and what missing data gives."""

import statistics
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics.aggregate import aggregate, percentile
from engine.words import Aggregator

TEN = [240, 12, 95, 15, 70, 20, 55, 22, 41, 30]


def test_golden_numbers() -> None:
    assert aggregate(Aggregator.MEAN, TEN) == 60
    assert aggregate(Aggregator.MEDIAN, TEN) == Fraction("35.5")
    assert percentile(TEN, Fraction(9, 10)) == Fraction("109.5")


@pytest.mark.parametrize("aggregator", Aggregator)
def test_no_records_give_no_value(aggregator: Aggregator) -> None:
    assert aggregate(aggregator, []) is None


def test_a_share_counts_the_good_ones() -> None:
    assert aggregate(Aggregator.SHARE, [1, 0, 1]) == Fraction(2, 3)


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_the_median_is_the_median(measures: list[int]) -> None:
    assert aggregate(Aggregator.MEDIAN, measures) == statistics.median([Fraction(measure) for measure in measures])


@given(st.lists(st.integers(0, 1000), min_size=1), st.fractions(0, 1), st.fractions(0, 1))
def test_percentiles_rise_between_least_and_most(measures: list[int], one: Fraction, other: Fraction) -> None:
    low, high = (percentile(measures, quantile) for quantile in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert min(measures) <= low <= high <= max(measures)
