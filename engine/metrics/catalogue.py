"""The metrics that a plan may use, as declarations; schema/ compiles them to set-based SQL.

A record belongs to the cycle in which its `finality` column falls, read in the plan's time zone: what happened after
the cut-off never moves a closed period. A record whose measure is unknown is left out and counted, never taken as 0.
`scale` turns the aggregated measure into the unit: seconds into minutes, yes/no into a share.
"""

from dataclasses import dataclass
from fractions import Fraction

from engine.findings import MINUTES, SHARE
from engine.words import Aggregator, Direction, Measure, MirrorKind

_MINUTES_PER_SECOND = Fraction(1, 60)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `population` says which mirrored records, `means` in a sentence what a good and a bad one is."""

    key: str
    label: str
    means: str
    population: MirrorKind
    measure: Measure
    aggregator: Aggregator
    direction: Direction
    unit: str
    finality: str
    scale: Fraction = Fraction(1)


def _duration(key: str, label: str, means: str, measure: Measure) -> Metric:
    lower = Direction.LOWER_IS_BETTER
    aggregator = Aggregator.MEDIAN
    return Metric(
        key, label, means, MirrorKind.INCIDENT, measure, aggregator, lower, MINUTES, "resolved_at", _MINUTES_PER_SECOND
    )


def _share(
    key: str,
    label: str,
    means: str,
    population: MirrorKind,
    measure: Measure,
    finality: str,
    direction: Direction = Direction.HIGHER_IS_BETTER,
) -> Metric:
    return Metric(key, label, means, population, measure, Aggregator.SHARE, direction, SHARE, finality)


_ALL = (
    _duration(
        "median_business_minutes_to_resolve",
        "Median business minutes to resolve",
        "Business time from opening an incident to its last resolution, time on hold taken out.",
        Measure.BUSINESS_SECONDS_TO_RESOLVE,
    ),
    _duration(
        "median_minutes_to_resolve",
        "Median minutes to resolve",
        "Wall-clock time from opening an incident to its last resolution.",
        Measure.SECONDS_TO_RESOLVE,
    ),
    _share(
        "sla_attainment",
        "SLA attainment",
        "Completed resolution clocks agreed with the customer that were kept, or missed within the record tolerance.",
        MirrorKind.TASK_SLA,
        Measure.SLA_MET,
        "ended_at",
    ),
    _share(
        "made_sla_share",
        "Share of incidents that made their SLA",
        "Incidents of which the tool itself says that they made their SLA, of all incidents opened.",
        MirrorKind.INCIDENT,
        Measure.MADE_SLA,
        "opened_at",
    ),
    _share(
        "change_success_rate",
        "Change success rate",
        "Closed normal and emergency changes that were successful without issues and caused no incident.",
        MirrorKind.CHANGE,
        Measure.CHANGE_SUCCEEDED,
        "closed_at",
    ),
    _share(
        "cab_discipline",
        "CAB discipline",
        "Changes that need approval and were approved by a person before work on them started.",
        MirrorKind.CHANGE,
        Measure.APPROVED_BEFORE_WORK,
        "work_started_at",
    ),
    _share(
        "customer_satisfaction",
        "Customer satisfaction",
        "Answers of 4 or 5 out of 5, of all answers.",
        MirrorKind.CSAT_RESPONSE,
        Measure.SATISFIED,
        "answered_at",
    ),
    _share(
        "reopen_rate",
        "Reopen rate",
        "Incidents that were reopened at least once, of all incidents opened.",
        MirrorKind.INCIDENT,
        Measure.REOPENED,
        "opened_at",
        Direction.LOWER_IS_BETTER,
    ),
    _share(
        "no_reassignment_share",
        "Share of incidents never handed on",
        "Incidents that stayed with the team that got them first, of all incidents opened.",
        MirrorKind.INCIDENT,
        Measure.NOT_REASSIGNED,
        "opened_at",
    ),
)

CATALOGUE: dict[str, Metric] = {metric.key: metric for metric in _ALL}
