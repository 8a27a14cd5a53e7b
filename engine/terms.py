"""What a plan agrees on, as values: components, curves, splits, pool. Read from a document by engine/plans.py.

Shares, weights and curve points are Fractions, amounts minor units, minutes Fractions, days without time of day. A plan
is never changed: a new agreement is a new version with another content hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from engine.adjustments.tolerance import Tolerance
from engine.calendar import Calendar
from engine.curves import Curve
from engine.words import AttributionMethod, CompositeKind, RaciRole, RootCause, SubjectKind, WhenMissing


@dataclass(frozen=True, slots=True)
class PlanCycle:
    """The period that the plan scores: [starts_on, ends_before) in the time zone of the plan's calendar."""

    key: str
    starts_on: date
    ends_before: date


@dataclass(frozen=True, slots=True)
class Component:
    """One paid line: a metric, what it should reach, what it weighs, and what happens to small and missing data."""

    key: str
    metric: str
    weight: Fraction
    target: Fraction
    curve: Curve
    min_n: int = 1
    when_missing: WhenMissing = WhenMissing.REDISTRIBUTE
    tolerance: Tolerance = field(default_factory=Tolerance)
    excluded_causes: frozenset[RootCause] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How one service's outcome is shared: by RACI role weights, by fixed team shares, or equally."""

    method: AttributionMethod
    roles: Mapping[RaciRole, Fraction] = field(default_factory=dict)
    teams: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attribution:
    """The rule for every service, and services (by name) that agreed on another."""

    default: SplitRule
    services: Mapping[str, SplitRule] = field(default_factory=dict)

    def rule(self, service_name: str) -> SplitRule:
        return self.services.get(service_name, self.default)


@dataclass(frozen=True, slots=True)
class Pool:
    """Money at target, and how it is dealt out: weight = budget share^a * criticality^b * headcount^c (F-16)."""

    amount_minor: int
    budget_exponent: int = 1
    criticality_exponent: int = 1
    headcount_exponent: int = 0
    criticality: Mapping[str, Fraction] = field(default_factory=dict)
    budgets_minor: Mapping[str, int] = field(default_factory=dict)
    min_share: Fraction = Fraction(0)
    max_share: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Plan:
    """A published agreement. `reported` metrics are shown and not paid; `cap` bounds the composite."""

    key: str
    version: int
    title: str
    subject_kind: SubjectKind
    cycle: PlanCycle
    calendar: Calendar
    components: tuple[Component, ...]
    content_hash: str
    reported: tuple[str, ...] = ()
    composite: CompositeKind = CompositeKind.ARITHMETIC
    cap: Fraction | None = None
    currency: str | None = None
    attribution: Attribution | None = None
    pool: Pool | None = None
    roles: Mapping[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that must be measured, paid ones first."""
        return (*(component.metric for component in self.components), *self.reported)
