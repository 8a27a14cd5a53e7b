"""How records become one value (F-02): the reference for whatever computes the same in a database.

Measures are whole numbers (seconds, or 0 and 1 for shares), results exact. Percentiles are of type 7: linear between
the neighbours of position (n - 1) * q. Without records the answer is None, never 0.
"""

from collections.abc import Sequence
from fractions import Fraction

from engine.words import Aggregator


def aggregate(aggregator: Aggregator, measures: Sequence[int]) -> Fraction | None:
    """One value of all measures; their order does not matter."""
    return _AGGREGATES[aggregator](measures) if measures else None


def percentile(measures: Sequence[int], quantile: Fraction) -> Fraction | None:
    """Percentile of type 7."""
    if not measures:
        return None
    ordered = sorted(measures)
    position = (len(ordered) - 1) * quantile
    below = position.numerator // position.denominator
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def _mean(measures: Sequence[int]) -> Fraction:
    return Fraction(sum(measures), len(measures))


def _median(measures: Sequence[int]) -> Fraction | None:
    return percentile(measures, Fraction(1, 2))


_AGGREGATES = {Aggregator.MEAN: _mean, Aggregator.MEDIAN: _median, Aggregator.SHARE: _mean}
