"""Settle a cycle: plan and facts in, every result out (lines, scores, splits, allocations, awards).

Pure and independent of the order in which facts come. Refused: facts of another cycle than the plan's, the same metric
measured twice for one subject, services that share an id or a name, a plan that names a service that does not exist.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from engine.attribution import split_service
from engine.awards import allocate, award, target_findings
from engine.facts import CycleFacts, Measured, ServiceFacts, Subject, TeamFacts
from engine.findings import FACTOR, Finding, number_text, parameters
from engine.means import STAYS_UNKNOWN, weighted_mean
from engine.metrics.catalogue import CATALOGUE
from engine.refusal import Code, Refused
from engine.result_document import result_hash
from engine.results import AllocationResult, KpiLine, ScoreResult, Settlement, Signal, SplitResult
from engine.scorecards import composite, paid_line, reported_line
from engine.terms import Attribution, Plan
from engine.words import KpiStatus, Op, ScoreStatus, SubjectKind, TraceKind

__all__ = ["result_hash", "settle"]

Targets = Mapping[tuple[str, str], Finding]


def settle(plan: Plan, facts: CycleFacts) -> Settlement:
    """All results of this plan over these facts, in the order of their ids."""
    _check(plan, facts)
    measured = _by_metric_and_subject(facts.measured)
    lines: list[KpiLine] = []
    scores: dict[str, ScoreResult] = {}
    for subject in _subjects(plan, facts):
        paid = [paid_line(plan, part, _measured(measured, part.metric, subject)) for part in plan.components]
        shown = [reported_line(CATALOGUE[key], _measured(measured, key, subject)) for key in plan.reported]
        lines += [*paid, *shown]
        scores[subject.id] = composite(plan, subject, paid)
    if plan.attribution is None:
        return Settlement(facts.cycle, tuple(lines), tuple(scores.values()))
    return _settle_people(plan, facts, lines, scores)


# --- people ----------------------------------------------------------------------------------------------------------


def _settle_people(
    plan: Plan, facts: CycleFacts, lines: Sequence[KpiLine], scores: Mapping[str, ScoreResult]
) -> Settlement:
    services = sorted(facts.services, key=lambda service: service.id)
    splits = {service.id: _splits(plan, service) for service in services}
    allocations: tuple[AllocationResult, ...] = ()
    signals: tuple[Signal, ...] = ()
    targets: dict[tuple[str, str], Finding] = {}
    if plan.pool is not None and plan.currency is not None:
        headcounts = {service_id: len(parts) for service_id, parts in splits.items()}
        allocations, signals = allocate(plan, plan.pool, plan.currency, services, headcounts)
        names = {service.id: service.name for service in services}
        for part in allocations:
            name = names[part.service_id]
            targets |= target_findings(plan.currency, name, part, splits[part.service_id])
    labels = {person.id: person.label for person in facts.people}
    person_scores, awards = [], []
    for person_id, own in sorted(_by_person(splits).items()):
        label = labels.get(person_id, person_id)
        person_scores.append(_person_score(Subject(SubjectKind.PERSON, person_id, label), own, targets, scores))
        if plan.currency is not None and (found := award(plan.currency, own, targets, scores)):
            awards.append(found)
            if found.earned_minor is None:
                subject = Subject(SubjectKind.PERSON, person_id, label)
                what = f"The award of {label} is unknown, because a service has no score."
                signals += (Signal("AWARD_UNKNOWN", subject, what, "Decide what the service counts for."),)
    return Settlement(
        facts.cycle,
        tuple(lines),
        (*scores.values(), *person_scores),
        tuple(split for parts in splits.values() for split in parts),
        allocations,
        tuple(awards),
        signals,
    )


def _person_score(
    subject: Subject, splits: Sequence[SplitResult], targets: Targets, scores: Mapping[str, ScoreResult]
) -> ScoreResult:
    """Mean of the services that a person stands for, weighted by target amounts, or by shares without money."""
    promised = {split.service_id: _promised(targets, split) for split in splits}
    weights = promised if any(promised.values()) else {split.service_id: split.share for split in splits}
    counted = {service_id: weight for service_id, weight in weights.items() if weight}
    parts = [scores[service_id] for service_id in counted]
    value = None
    if all(part.value is not None for part in parts):
        value = weighted_mean(list(counted.values()), [part.value for part in parts])
    params = parameters(weights=" ".join(map(number_text, counted.values())), unknown=STAYS_UNKNOWN)
    because = tuple(part.finding for part in parts)
    status = KpiStatus.NO_DATA if value is None else KpiStatus.OK
    label = f"Score of {subject.label}"
    found = Finding(value, FACTOR, TraceKind.COMPOSITE, Op.WEIGHTED_MEAN, params, because, label, status)
    return ScoreResult(subject, value, ScoreStatus.NO_DATA if value is None else ScoreStatus.PRELIMINARY, found)


def _promised(targets: Targets, split: SplitResult) -> Fraction:
    target = targets.get((split.service_id, split.person_id))
    return Fraction(0) if target is None or target.value is None else Fraction(target.value)


def _splits(plan: Plan, service: ServiceFacts) -> tuple[SplitResult, ...]:
    if plan.attribution is None:
        return ()
    return split_service(service, plan.attribution.rule(service.name))


def _by_person(splits: Mapping[str, Sequence[SplitResult]]) -> dict[str, list[SplitResult]]:
    people: dict[str, list[SplitResult]] = {}
    for parts in splits.values():
        for split in parts:
            people.setdefault(split.person_id, []).append(split)
    return people


# --- facts -----------------------------------------------------------------------------------------------------------


def _check(plan: Plan, facts: CycleFacts) -> None:
    cycle = plan.cycle
    if (facts.cycle, facts.starts_on, facts.ends_on) != (cycle.key, cycle.starts_on, cycle.ends_before):
        raise Refused(
            Code.BAD_INPUT,
            f"The facts are of cycle {facts.cycle} ({facts.starts_on} to {facts.ends_on}), the plan is for {cycle.key} "
            f"({cycle.starts_on} to {cycle.ends_before}).",
            "Settle each cycle under its own plan version.",
            ("cycle",),
        )
    if plan.attribution is not None:
        _check_services(plan, plan.attribution, facts)


def _check_services(plan: Plan, attribution: Attribution, facts: CycleFacts) -> None:
    """A plan speaks of services by name, so names must be clear before anybody is paid by them."""
    names = [service.name for service in facts.services]
    for what, values in (("id", [service.id for service in facts.services]), ("name", names)):
        if len(set(values)) != len(values):
            raise Refused(
                Code.BAD_INPUT, f"Two services have the same {what}.", "Give each service its own.", ("services", what)
            )
    named = {*attribution.services, *(plan.pool.budgets_minor if plan.pool else ())}
    if unknown := named - set(names):
        raise Refused(
            Code.PLAN_INVALID,
            f"The plan names services that do not exist: {', '.join(sorted(unknown))}.",
            "Correct the names in the plan.",
            ("services",),
        )


def _by_metric_and_subject(measured: Iterable[Measured]) -> dict[tuple[str, SubjectKind, str], Measured]:
    found: dict[tuple[str, SubjectKind, str], Measured] = {}
    for value in measured:
        key = (value.metric, value.subject.kind, value.subject.id)
        if key in found:
            raise Refused(
                Code.BAD_INPUT,
                f"{value.metric} of {value.subject.label} was measured twice.",
                "Measure each metric once per subject.",
                ("measured",),
            )
        found[key] = value
    return found


def _measured(found: Mapping[tuple[str, SubjectKind, str], Measured], metric: str, subject: Subject) -> Measured:
    """What was measured; a metric that nobody measured is no data."""
    value = found.get((metric, subject.kind, subject.id))
    return value if value is not None else Measured(metric, subject, None, 0)


def _subjects(plan: Plan, facts: CycleFacts) -> list[Subject]:
    """Everybody whom the plan scores: the known services or teams, and any other that something was measured of."""
    known = {m.subject.id: m.subject for m in facts.measured if m.subject.kind is plan.subject_kind}
    listed: Sequence[ServiceFacts | TeamFacts] = (
        facts.services if plan.subject_kind is SubjectKind.SERVICE else facts.teams
    )
    known |= {thing.id: Subject(plan.subject_kind, thing.id, thing.name) for thing in listed}
    return [known[id_] for id_ in sorted(known)]
