"""What a settlement reads: facts of one cycle, already measured from mirrored records.

Only `schema/facts.py` makes these from rows. Values are exact: minutes or shares as Fractions, money in minor units.
Unknown is None (a measured value) or an absent row, never 0. Ids are opaque text and the last tie-breaker everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from engine.words import RaciRole, SubjectKind


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a number speaks about. `label` is for reading only; `id` decides."""

    kind: SubjectKind
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A KPI as measured after exclusion, before tolerance and curve.

    `value` is in the metric's unit (minutes or share), None when no record was left. `n` counts the records that the
    value rests on; a share also carries its numerator and denominator. `excluded` counts left-out records by reason.
    """

    metric: str
    subject: Subject
    value: Fraction | None
    n: int
    numerator: int | None = None
    denominator: int | None = None
    excluded: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class TeamFacts:
    """A team and who belonged to it in the cycle."""

    id: str
    name: str
    member_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service with what decides its money: budget, criticality, and who stands for it.

    `raci` names people per role. `teams` maps a team's name to its members, for plans that fix shares per team.
    """

    id: str
    name: str
    budget_minor: int | None
    criticality: str | None
    raci: Mapping[RaciRole, tuple[str, ...]] = field(default_factory=dict)
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CycleFacts:
    """Everything that one settlement may know. `ends_on` is the first day that is no longer inside."""

    cycle: str
    starts_on: date
    ends_on: date
    measured: tuple[Measured, ...]
    services: tuple[ServiceFacts, ...] = ()
    people: tuple[Person, ...] = ()
    teams: tuple[TeamFacts, ...] = ()
