"""Money: a pool dealt out to services, targets to people, and one award per person (F-14, F-16).

weight of a service = (budget / all budgets)^a * criticality^b * headcount^c; its share of the pool is bounded by the
plan and paid out by largest remainder, ties by id. A person's target is a part of the service's allocation, earned is
target * composite of the service, summed over services and rounded once, half up. Amounts are minor units. A service
without budget or criticality gets nothing and a Signal; an award with an unknown part stays unknown.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from engine.facts import ServiceFacts, Subject
from engine.findings import FACTOR, SHARE, WEIGHT, Evidence, Finding, constant, money_unit, number_text, parameters
from engine.money import largest_remainder, round_half_up
from engine.refusal import Code, Refused
from engine.results import AllocationResult, AwardPart, AwardResult, ScoreResult, Signal, SplitResult
from engine.terms import Plan, Pool
from engine.words import KpiStatus, Op, SubjectKind, TraceKind


def allocate(
    plan: Plan, pool: Pool, currency: str, services: Sequence[ServiceFacts], headcounts: Mapping[str, int]
) -> tuple[tuple[AllocationResult, ...], tuple[Signal, ...]]:
    """The whole pool, dealt out to the services that can take part, in the order of their ids."""
    weights: dict[str, Finding] = {}
    signals = []
    whole_budget = _whole_budget(pool, currency, services)
    for service in sorted(services, key=lambda service: service.id):
        if missing := _missing(pool, service):
            subject = Subject(SubjectKind.SERVICE, service.id, service.name)
            what = f"{service.name} has no {missing}, so it takes no part in the pool."
            signals.append(Signal("UNALLOCATED", subject, what, f"Give {service.name} a {missing}, then settle again."))
        else:
            weights[service.id] = _weight(pool, currency, service, whole_budget, headcounts[service.id])
    shares = _shares(pool, weights)
    amounts = largest_remainder(pool.amount_minor, [(id_, _exact(share)) for id_, share in shares.items()])
    total = constant(
        pool.amount_minor,
        money_unit(currency),
        "The pool",
        Evidence("PLAN", plan.content_hash, f"{plan.key} version {plan.version}: pool.amount_minor"),
    )
    names = {service.id: service.name for service in services}
    return tuple(
        AllocationResult(
            id_, amount, _dealt(amount, total, shares[id_], TraceKind.ALLOCATION, f"Pool part of {names[id_]}")
        )
        for id_, amount in amounts.items()
    ), tuple(signals)


def award(
    currency: str,
    splits: Sequence[SplitResult],
    targets: Mapping[tuple[str, str], Finding],
    scores: Mapping[str, ScoreResult],
) -> AwardResult | None:
    """One person's award over all services that he stands for; None when nothing was promised."""
    parts, nodes = [], []
    for split in splits:
        target = targets.get((split.service_id, split.person_id))
        if target is None or not target.value:
            continue
        score = scores[split.service_id]
        earned = None if score.value is None else target.value * score.value
        node = Finding(
            earned,
            money_unit(currency),
            TraceKind.AWARD,
            Op.PRODUCT,
            (),
            (target, score.finding),
            f"Earned from {score.subject.label}",
            KpiStatus.NO_DATA if earned is None else KpiStatus.OK,
        )
        parts.append(AwardPart(split.service_id, int(target.value), score.value, earned))
        nodes.append(node)
    return _summed(currency, splits[0].person_id, parts, nodes) if parts else None


def target_findings(
    currency: str, service_name: str, allocation: AllocationResult, splits: Sequence[SplitResult]
) -> dict[tuple[str, str], Finding]:
    """What each person earns on target from one service: its allocation, dealt out by share to the last minor unit."""
    amounts = largest_remainder(allocation.amount_minor, [(split.person_id, split.share) for split in splits])
    label = f"Target amount from {service_name}"
    return {
        (split.service_id, split.person_id): _dealt(
            amounts[split.person_id], allocation.finding, split.finding, TraceKind.AWARD, label
        )
        for split in splits
    }


def bounded_shares(
    weights: Mapping[str, Fraction], least: Fraction, most: Fraction
) -> tuple[dict[str, Fraction], Fraction]:
    """Shares within [least, most] that sum to exactly 1, and their common scale: share = clip(scale * weight).

    The sum rises with the scale along straight pieces; the piece that reaches 1 is found and solved exactly.
    """
    rising = [weight for weight in weights.values() if weight]
    resting = least * (len(weights) - len(rising))
    if least * len(weights) > 1 or most * len(rising) + resting < 1:
        raise Refused(
            Code.BUDGET_INFEASIBLE,
            f"No split over {len(weights)} services keeps every share between {float(least):g} and {float(most):g}.",
            "Widen the bounds of the pool.",
            ("pool", "min_share"),
        )
    start = Fraction(0)
    for edge in sorted({bound / weight for weight in rising for bound in (least, most)}):
        if sum((_clip(edge * weight, least, most) for weight in rising), resting) > 1:
            break
        start = edge
    moving = [weight for weight in rising if least <= start * weight < most]
    at_start = sum((_clip(start * weight, least, most) for weight in rising), resting)
    scale = start + (1 - at_start) / sum(moving, Fraction(0)) if moving else start
    return {id_: _clip(scale * weight, least, most) for id_, weight in weights.items()}, scale


def _clip(value: Fraction, least: Fraction, most: Fraction) -> Fraction:
    return min(max(value, least), most)


def _missing(pool: Pool, service: ServiceFacts) -> str | None:
    if pool.budget_exponent and _budget(pool, service) is None:
        return "budget"
    if pool.criticality_exponent and (service.criticality is None or service.criticality not in pool.criticality):
        return "criticality with a weight"
    return None


def _budget(pool: Pool, service: ServiceFacts) -> int | None:
    return pool.budgets_minor.get(service.name, service.budget_minor)


def _whole_budget(pool: Pool, currency: str, services: Sequence[ServiceFacts]) -> Finding:
    budgets = [_budget(pool, service) for service in services if not _missing(pool, service)]
    known = sorted(budget for budget in budgets if budget is not None)
    params = parameters(terms=" ".join(map(str, known)))
    return Finding(sum(known), money_unit(currency), TraceKind.ALLOCATION, Op.SUM, params, (), "All service budgets")


def _weight(pool: Pool, currency: str, service: ServiceFacts, whole_budget: Finding, headcount: int) -> Finding:
    """Weight of a service; a factor with exponent 0 takes no part."""
    factors = []
    if pool.budget_exponent:
        budget = constant(_budget(pool, service) or 0, money_unit(currency), f"Budget of {service.name}")
        label = f"Budget share of {service.name}"
        value = Fraction(_exact(budget), _exact(whole_budget)) if whole_budget.value else None
        status = KpiStatus.NO_DATA if value is None else KpiStatus.OK
        share = Finding(value, SHARE, TraceKind.ALLOCATION, Op.RATIO, (), (budget, whole_budget), label, status)
        factors.append(_power(share, pool.budget_exponent))
    if pool.criticality_exponent and service.criticality is not None:
        label = f"Weight of criticality {service.criticality!r}"
        criticality = constant(pool.criticality[service.criticality], FACTOR, label)
        factors.append(_power(criticality, pool.criticality_exponent))
    if pool.headcount_exponent:
        people = constant(headcount, FACTOR, f"People who stand for {service.name}")
        factors.append(_power(people, pool.headcount_exponent))
    value = Fraction(1)
    for factor in factors:
        value *= factor.value or 0
    label = f"Pool weight of {service.name}"
    return Finding(value, WEIGHT, TraceKind.ALLOCATION, Op.PRODUCT, (), tuple(factors), label)


def _power(base: Finding, exponent: int) -> Finding:
    if exponent == 1:
        return base
    value = None if base.value is None else Fraction(base.value) ** exponent
    params = parameters(exponent=exponent)
    return Finding(value, FACTOR, TraceKind.ALLOCATION, Op.POWER, params, (base,), base.label, base.status)


def _shares(pool: Pool, weights: Mapping[str, Finding]) -> dict[str, Finding]:
    exact = {id_: _exact(weight) for id_, weight in weights.items()}
    whole = sum(exact.values(), Fraction(0))
    if not whole:
        raise Refused(
            Code.BUDGET_INFEASIBLE,
            "No service can take part in the pool.",
            "Give budgets and criticality weights.",
            ("pool",),
        )
    labels = {id_: weight.label.replace("Pool weight", "Pool share") for id_, weight in weights.items()}
    if pool.min_share or pool.max_share < 1:
        shares, scale = bounded_shares(exact, pool.min_share, pool.max_share)
        params = parameters(scale=scale, at_least=pool.min_share, at_most=pool.max_share)
        return {
            id_: Finding(shares[id_], SHARE, TraceKind.CAP, Op.CLIP, params, (weight,), labels[id_])
            for id_, weight in weights.items()
        }
    terms = " ".join(number_text(value) for value in sorted(exact.values()))
    total = Finding(whole, WEIGHT, TraceKind.ALLOCATION, Op.SUM, parameters(terms=terms), (), "All pool weights")
    return {
        id_: Finding(exact[id_] / whole, SHARE, TraceKind.ALLOCATION, Op.RATIO, (), (weight, total), labels[id_])
        for id_, weight in weights.items()
    }


def _dealt(amount: int, total: Finding, share: Finding, kind: TraceKind, label: str) -> Finding:
    """An amount by largest remainder; `extra` is the minor unit that came from the remainder."""
    exact = _exact(total) * _exact(share)
    params = parameters(extra=amount - exact.numerator // exact.denominator)
    return Finding(amount, total.unit, kind, Op.ALLOCATE, params, (total, share), label)


def _summed(currency: str, person_id: str, parts: Sequence[AwardPart], nodes: Sequence[Finding]) -> AwardResult:
    """The parts of an award in one sum, rounded once. Its words name nobody: finance decides it without the name."""
    unit, target = money_unit(currency), sum(part.target_minor for part in parts)
    known = [part.earned for part in parts if part.earned is not None]
    whole = sum(known, Fraction(0)) if len(known) == len(parts) else None
    status = KpiStatus.NO_DATA if whole is None else KpiStatus.OK
    summed = Finding(whole, unit, TraceKind.AWARD, Op.SUM, (), tuple(nodes), "Earned", status)
    earned = None if whole is None else round_half_up(whole)
    rounded = Finding(earned, unit, TraceKind.AWARD, Op.ROUND, (), (summed,), "Award", status)
    factor = None if whole is None else whole / target
    return AwardResult(person_id, currency, target, earned, factor, tuple(parts), rounded)


def _exact(finding: Finding) -> Fraction:
    return Fraction(0) if finding.value is None else Fraction(finding.value)
