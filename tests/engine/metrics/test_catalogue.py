"""The metric catalogue says what it must, and names columns that exist."""

import pytest

from engine.metrics.catalogue import CATALOGUE, Metric
from engine.words import Aggregator, Direction, Measure
from schema.tables.mirror import TYPED


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=str)
def test_every_metric_is_dated_by_a_column_of_its_records(metric: Metric) -> None:
    assert metric.finality in TYPED[metric.population].model_fields


def test_shares_are_shares_and_durations_are_minutes() -> None:
    for key, metric in CATALOGUE.items():
        assert metric.key == key
        assert (metric.unit == "share") == (metric.aggregator is Aggregator.SHARE)
        assert (metric.scale == 1) == (metric.unit == "share")


def test_every_measure_is_used_by_one_metric() -> None:
    assert sorted(metric.measure for metric in CATALOGUE.values()) == sorted(Measure)


def test_what_is_worse_when_it_rises() -> None:
    worse = {key for key, metric in CATALOGUE.items() if metric.direction is Direction.LOWER_IS_BETTER}
    assert worse == {"median_business_minutes_to_resolve", "median_minutes_to_resolve", "reopen_rate"}
