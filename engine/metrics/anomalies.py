"""Which measures of a metric look wrong: missing, impossible, outlying, late. Detection only.

What follows from an anomaly (hold, impute, exclude, ask) is decided by people elsewhere; nothing here changes a number.
An outlier lies further from the median than four times the median absolute deviation (MAD). Where more than half of
the measures are equal the MAD is 0 and says nothing, and below five measures nothing can be said: then none is an
outlier. Impossible measures are kept out of both. Only durations have outliers: of yes and no neither is one.
Measures are whole numbers (seconds, or 0 and 1 for shares), moments aware, results exact and in the given order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from engine.metrics.aggregate import percentile
from engine.metrics.catalogue import Metric
from engine.words import Aggregator

LIMIT_MADS = 4
FEWEST = 5
CLOCK_SKEW = timedelta(minutes=5)  # a tool whose clock is ahead of ours by this much is not writing in the future
_HALF = Fraction(1, 2)


class AnomalyKind(StrEnum):
    MISSING = "MISSING"
    IMPOSSIBLE = "IMPOSSIBLE"
    OUTLIER = "OUTLIER"
    LATE = "LATE"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one record contributes. `changed_at` is the tool's, `seen_at` ours, `due_at` by when it should be here."""

    record: str
    measure: int | None
    changed_at: datetime
    seen_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Anomaly:
    kind: AnomalyKind
    record: str
    measure: int | None
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Spread:
    """Middle and robust spread of measures; None where there are too few, or more than half are equal."""

    median: Fraction
    mad: Fraction

    def distance(self, measure: int) -> Fraction:
        """How many MADs a measure lies from the median."""
        return abs(measure - self.median) / self.mad


def spread(measures: Sequence[int]) -> Spread | None:
    if len(measures) < FEWEST:
        return None
    median = percentile(measures, _HALF)
    assert median is not None  # noqa: S101 - there are measures
    mad = _median([abs(measure - median) for measure in measures])
    return Spread(median, mad) if mad else None


def anomalies(metric: Metric, observations: Sequence[Observation]) -> list[Anomaly]:
    """Everything that looks wrong about these records; one record can be listed for several reasons."""
    sound = [o.measure for o in observations if o.measure is not None and not _impossible(metric, o)]
    usual = None if metric.aggregator is Aggregator.SHARE else spread(sound)
    return [found for each in observations for found in _of_one(metric, each, usual)]


def _of_one(metric: Metric, each: Observation, usual: Spread | None) -> list[Anomaly]:
    found = []
    impossible = _impossible(metric, each)
    if each.measure is None:
        what, fix = "The measure is unknown; the record counts for nothing.", "Complete the record in the tool."
        found.append(Anomaly(AnomalyKind.MISSING, each.record, None, what, fix))
    if impossible:
        found.append(Anomaly(AnomalyKind.IMPOSSIBLE, each.record, each.measure, impossible, "Correct the record."))
    elif usual is not None and each.measure is not None and usual.distance(each.measure) > LIMIT_MADS:
        what = (
            f"{each.measure} lies {float(usual.distance(each.measure)):.1f} MADs from the median "
            f"{float(usual.median):g} (limit {LIMIT_MADS}, MAD {float(usual.mad):g})."
        )
        found.append(Anomaly(AnomalyKind.OUTLIER, each.record, each.measure, what, "Ask the owner whether it is true."))
    if each.seen_at > each.due_at:
        what = f"It was seen at {each.seen_at:%Y-%m-%d %H:%M} UTC, due by {each.due_at:%Y-%m-%d %H:%M} UTC."
        found.append(Anomaly(AnomalyKind.LATE, each.record, each.measure, what, "Look at the source's feeds."))
    return found


def _impossible(metric: Metric, each: Observation) -> str:
    """Why a measure cannot be true, or nothing."""
    if each.changed_at > each.seen_at + CLOCK_SKEW:
        return f"The record says it was changed at {each.changed_at:%Y-%m-%d %H:%M} UTC, after it was seen."
    if each.measure is None:
        return ""
    if metric.aggregator is Aggregator.SHARE:
        return "" if each.measure in (0, 1) else f"{each.measure} is neither yes (1) nor no (0)."
    return "" if each.measure >= 0 else f"{each.measure} seconds is less than nothing."


def _median(values: Sequence[Fraction]) -> Fraction:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
