"""What a settlement answers: lines, scores, splits, allocations, awards, and what could not be decided.

Values are exact; money is in minor units and was rounded once, at the award. Each result carries its Finding. None is
unknown: a person must decide (a Signal says what and how), it is never paid as 0.
"""

from dataclasses import dataclass
from fractions import Fraction

from engine.facts import Subject
from engine.findings import Finding
from engine.words import AttributionMethod, KpiStatus, RaciRole, ScoreStatus


@dataclass(frozen=True, slots=True)
class KpiLine:
    """One metric of one subject. A reported line has weight 0, no target, and the metric's key as its component.

    `measured` is the value before tolerance; `pays` may come from the plan's fallback when `status` is not OK.
    """

    subject: Subject
    component: str
    metric: str
    unit: str
    measured: Fraction | None
    n: int
    numerator: int | None
    denominator: int | None
    excluded: tuple[tuple[str, int], ...]
    target: Fraction | None
    attainment: Fraction | None
    pays: Fraction | None
    weight: Fraction
    status: KpiStatus
    finding: Finding


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """Composite of a subject: 1 is on target. PRELIMINARY until the caller closes the cycle."""

    subject: Subject
    value: Fraction | None
    status: ScoreStatus
    finding: Finding


@dataclass(frozen=True, slots=True)
class SplitResult:
    """A person's share of a service's outcome. With several roles the shares add up and `role` is the strongest."""

    service_id: str
    person_id: str
    method: AttributionMethod
    role: RaciRole | None
    share: Fraction
    finding: Finding


@dataclass(frozen=True, slots=True)
class AllocationResult:
    """A service's part of the pool."""

    service_id: str
    amount_minor: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class AwardPart:
    """What one service brings to an award, before rounding."""

    service_id: str
    target_minor: int
    factor: Fraction | None
    earned: Fraction | None


@dataclass(frozen=True, slots=True)
class AwardResult:
    """One person's award in the cycle. `factor` is earned over target, exact; both are None while a part is unknown."""

    person_id: str
    currency: str
    target_minor: int
    earned_minor: int | None
    factor: Fraction | None
    parts: tuple[AwardPart, ...]
    finding: Finding


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that the rules could not decide. `code` is a short word, `fix` the next step of the reader."""

    code: str
    subject: Subject
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """All results of one plan over the facts of one cycle, each list in the order of its ids."""

    cycle: str
    lines: tuple[KpiLine, ...]
    scores: tuple[ScoreResult, ...]
    splits: tuple[SplitResult, ...] = ()
    allocations: tuple[AllocationResult, ...] = ()
    awards: tuple[AwardResult, ...] = ()
    signals: tuple[Signal, ...] = ()
