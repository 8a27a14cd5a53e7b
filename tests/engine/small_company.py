"""A plan text with all its parts, and facts for it: three services, seven people. Tests change one thing at a time."""

from datetime import date
from fractions import Fraction

from engine.facts import CycleFacts, Measured, Person, ServiceFacts, Subject
from engine.words import RaciRole, SubjectKind

PLAN = """
key: small-plan
version: 1
title: A small plan
subject: SERVICE
currency: EUR
cycle: {key: "2025", starts_on: 2025-01-01, ends_before: 2026-01-01}
calendar:
  time_zone: Europe/Berlin
  hours: {MONDAY: ["09:00-12:00", "13:00-17:00"], FRIDAY: ["09:00-14:00"]}
  holidays: [2025-01-06]
components:
  - key: restore
    metric: median_business_minutes_to_resolve
    weight: 0.4
    target: 480
    min_n: 10
    exclude: [VENDOR, CYBERATTACK]
    curve: {kind: INTERPOLATE, points: [[0.5, 0], [1, 1], [1.5, 1.5]]}
  - key: keep
    metric: sla_attainment
    weight: 0.35
    target: 0.9
    when_missing: TARGET
    tolerance: {band: 0.02, record_minutes: 5, forgive_chance: false}
    curve: {kind: INTERPOLATE, points: [[0.8, 0], [1, 1], [1.1, 2]]}
  - key: change
    metric: change_success_rate
    weight: 0.25
    target: 0.8
    when_missing: REDISTRIBUTE
    curve: {kind: STEP, points: [[0.9, 0.5], [1, 1]]}
reported: [reopen_rate]
composite: ARITHMETIC
cap: 1.4
attribution:
  default: {method: RACI, weights: {ACCOUNTABLE: 0.5, RESPONSIBLE: 0.4, CONSULTED: 0.1}}
  services:
    Beta: {method: FIXED, teams: {North: 0.6, South: 0.4}}
    Gamma: {method: EQUAL}
pool:
  amount_minor: 10000001
  exponents: {budget: 1, criticality: 1, headcount: 0}
  criticality: {high: 1.5, low: 0.5}
  budgets_minor: {Alpha: 120000, Beta: 80000, Gamma: 40000}
roles: {proposes: The manager.}
"""

PEOPLE = tuple(Person(f"p{number}", name) for number, name in enumerate(["Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gus"]))
ALPHA, BETA, GAMMA = (Subject(SubjectKind.SERVICE, f"s{n}", name) for n, name in enumerate(["Alpha", "Beta", "Gamma"]))
TEAMS = {"North": ("p1", "p2", "p3"), "South": ("p4", "p5")}


def service(subject: Subject, criticality: str | None, *raci: tuple[str, ...]) -> ServiceFacts:
    return ServiceFacts(
        subject.id, subject.label, None, criticality, dict(zip(RaciRole, raci, strict=False)), dict(TEAMS)
    )


def share(metric: str, subject: Subject, good: int, all_: int) -> Measured:
    return Measured(metric, subject, Fraction(good, all_) if all_ else None, all_, good, all_)


def minutes(subject: Subject, value: str, n: int = 100) -> Measured:
    return Measured("median_business_minutes_to_resolve", subject, Fraction(value), n, excluded=(("VENDOR", 3),))


MEASURED = (
    minutes(ALPHA, "400"),
    share("sla_attainment", ALPHA, 89, 100),
    share("change_success_rate", ALPHA, 75, 100),
    share("reopen_rate", ALPHA, 2, 100),
    minutes(BETA, "961"),
    share("sla_attainment", BETA, 99, 100),
    minutes(GAMMA, "100", n=9),
    share("change_success_rate", GAMMA, 9, 10),
)
SERVICES = (
    service(ALPHA, "high", ("p0",), ("p1", "p2"), ("p2", "p3", "p4")),
    service(BETA, "low", ("p5",), ("p6",)),
    service(GAMMA, "high", ("p0",), ("p6",), (), ("p4",)),
)


def facts(measured: tuple[Measured, ...] = MEASURED, services: tuple[ServiceFacts, ...] = SERVICES) -> CycleFacts:
    return CycleFacts("2025", date(2025, 1, 1), date(2026, 1, 1), measured, services, PEOPLE)
