"""Read a plan document: YAML text in, a checked Plan with its content hash out.

The shape is described for editors by schema/contracts/plan.schema.json. Refused, each with the exact place: weights
that do not sum to exactly 1 (WEIGHTS_NOT_100), curves out of order or falling (CURVE_INVALID), bands over ten points
(TOLERANCE_TOO_WIDE), fixed shares or role weights that do not sum to 1 (SPLIT_NOT_ONE), pools by headcount alone
(HEADCOUNT_ONLY_FORBIDDEN), share bounds that no split can keep (BUDGET_INFEASIBLE), everything else PLAN_INVALID.
"""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from engine.adjustments.tolerance import WIDEST_BAND, Tolerance
from engine.calendar import Calendar, read_hours
from engine.canonical import canonical_hash
from engine.curves import Curve
from engine.documents import Place, read_document
from engine.findings import SHARE
from engine.metrics.catalogue import CATALOGUE, Metric
from engine.money import CURRENCY_DIGITS
from engine.plan_document import plan_document
from engine.refusal import Code, Refused
from engine.terms import Attribution, Component, Plan, PlanCycle, Pool, SplitRule
from engine.words import (
    AttributionMethod,
    CompositeKind,
    CurveKind,
    MirrorKind,
    RaciRole,
    RootCause,
    SubjectKind,
    Weekday,
    WhenMissing,
)

_SUBJECTS = (SubjectKind.SERVICE, SubjectKind.TEAM)
# A root cause is known of incidents and of what hangs on them.
_EXCLUDABLE = (MirrorKind.INCIDENT, MirrorKind.TASK_SLA, MirrorKind.CSAT_RESPONSE)
_MOST_EXPONENT = 5


def read_plan(text: str) -> Plan:
    """The plan that this text agrees on. Comments, spacing and the spelling of decimals do not change its hash."""
    document = read_document(text)
    document.keys(
        ["key", "version", "title", "subject", "cycle", "calendar", "components"],
        ["currency", "reported", "composite", "cap", "attribution", "pool", "roles"],
    )
    components = _components(document.at("components"))
    plan = Plan(
        key=document.at("key").key(),
        version=document.at("version").integer(1),
        title=document.at("title").text(200),
        subject_kind=_subject(document.at("subject")),
        cycle=_cycle(document.at("cycle")),
        calendar=read_calendar(document.at("calendar")),
        components=components,
        content_hash="",
        reported=_reported(document.at("reported"), components) if document.has("reported") else (),
        composite=document.at("composite").word(CompositeKind)
        if document.has("composite")
        else CompositeKind.ARITHMETIC,
        cap=_cap(document.at("cap")) if document.has("cap") else None,
        currency=_currency(document.at("currency")) if document.has("currency") else None,
        attribution=_attribution(document.at("attribution")) if document.has("attribution") else None,
        pool=_pool(document.at("pool")) if document.has("pool") else None,
        roles={key: place.text() for key, place in document.at("roles").entries()} if document.has("roles") else {},
    )
    _parts_fit(document, plan)
    return replace(plan, content_hash=canonical_hash(plan_document(plan)))


def _parts_fit(document: Place, plan: Plan) -> None:
    if plan.attribution and plan.subject_kind is not SubjectKind.SERVICE:
        raise document.at("attribution").refused(
            "only the outcome of a service is split", "Score services, or leave it."
        )
    if plan.pool and not plan.attribution:
        raise document.at("pool").refused("a pool needs people to go to", "Add attribution.")
    if plan.pool and not plan.currency:
        raise document.at("currency").refused("a pool needs a currency", "Add currency.")


def _subject(place: Place) -> SubjectKind:
    kind = place.word(SubjectKind)
    if kind not in _SUBJECTS:
        raise place.refused(f"a plan cannot score {kind}", f"Use one of: {', '.join(_SUBJECTS)}.")
    return kind


def _cycle(place: Place) -> PlanCycle:
    place.keys(["key", "starts_on", "ends_before"])
    starts_on, ends_before = place.at("starts_on").day(), place.at("ends_before").day()
    if ends_before <= starts_on:
        raise place.at("ends_before").refused("the cycle ends before it starts", "Give the first day after the cycle.")
    return PlanCycle(place.at("key").text(64), starts_on, ends_before)


def read_calendar(place: Place) -> Calendar:
    """Time zone, opening hours by weekday, and holidays, as every document writes them."""
    place.keys(["time_zone", "hours"], ["holidays"])
    hours = place.at("hours")
    hours.keys([], list(Weekday))
    week = [[interval.text(11) for interval in hours.at(day).items()] if hours.has(day) else [] for day in Weekday]
    days = place.at("holidays").items() if place.has("holidays") else []
    try:
        return Calendar(place.at("time_zone").text(64), read_hours(week), frozenset(day.day() for day in days))
    except Refused as refusal:
        if refusal.field[:1] != ("calendar",):
            raise
        raise Refused(refusal.code, refusal.what, refusal.fix, (*place.path, *refusal.field[1:])) from None


def _currency(place: Place) -> str:
    text = place.text(3)
    if text not in CURRENCY_DIGITS:
        raise place.refused(f"the currency {text!r} is not known", "Use an ISO 4217 code such as EUR.")
    return text


def _cap(place: Place) -> Fraction:
    if not (cap := place.decimal()):
        raise place.refused("a cap of 0 pays nothing", "Give a factor above 0, or leave it out.")
    return cap


def _components(place: Place) -> tuple[Component, ...]:
    components = tuple(_component(item) for item in place.items(at_least=1))
    for name, values in (("key", [c.key for c in components]), ("metric", [c.metric for c in components])):
        for index, value in enumerate(values):
            if value in values[:index]:
                raise place.at(str(index)).at(name).refused(f"{value} stands twice", "Use each one once.")
    whole = sum((component.weight for component in components), Fraction(0))
    if whole != 1:
        weights = " + ".join(f"{float(component.weight):g}" for component in components)
        raise place.refused(
            f"the weights sum to {float(whole):.12g}, not 1 ({weights})",
            "Make them sum to exactly 1.",
            Code.WEIGHTS_NOT_100,
        )
    return components


def _component(place: Place) -> Component:
    place.keys(["key", "metric", "weight", "target", "curve"], ["min_n", "when_missing", "tolerance", "exclude"])
    metric = _metric(place.at("metric"))
    weight, target = place.at("weight").share(), place.at("target").decimal()
    if not weight:
        raise place.at("weight").refused("a component without weight is not paid", "Name its metric under reported.")
    if not target or (metric.unit == SHARE and target > 1):
        raise place.at("target").refused(
            f"{place.at('target').node} is no target for {metric.key}", f"Give {metric.unit}, more than 0."
        )
    return Component(
        key=place.at("key").key(),
        metric=metric.key,
        weight=weight,
        target=target,
        curve=_curve(place.at("curve")),
        min_n=place.at("min_n").integer(1) if place.has("min_n") else 1,
        when_missing=place.at("when_missing").word(WhenMissing)
        if place.has("when_missing")
        else WhenMissing.REDISTRIBUTE,
        tolerance=_tolerance(place.at("tolerance"), metric) if place.has("tolerance") else Tolerance(),
        excluded_causes=_causes(place.at("exclude"), metric) if place.has("exclude") else frozenset(),
    )


def _metric(place: Place) -> Metric:
    key = place.text(64)
    if key not in CATALOGUE:
        raise place.refused(f"the metric {key!r} is not known", f"Use one of: {', '.join(sorted(CATALOGUE))}.")
    return CATALOGUE[key]


def _reported(place: Place, components: tuple[Component, ...]) -> tuple[str, ...]:
    metrics = [component.metric for component in components]
    for item in place.items():
        key = _metric(item).key
        if key in metrics:
            raise item.refused(f"{key} stands twice", "Name a metric either once as paid or once as reported.")
        metrics.append(key)
    return tuple(metrics[len(components) :])


def _tolerance(place: Place, metric: Metric) -> Tolerance:
    place.keys([], ["band", "record_minutes", "forgive_chance"])
    if metric.unit != SHARE:
        raise place.refused(
            f"{metric.key} is no share, a band does not fit it", "Let the curve be flat near the target."
        )
    if place.has("record_minutes") and metric.population is not MirrorKind.TASK_SLA:
        raise place.at("record_minutes").refused("only agreed times have a length of breach", "Leave it out.")
    band = place.at("band").decimal() if place.has("band") else Fraction(0)
    if band > WIDEST_BAND:
        raise place.at("band").refused(
            f"a band of {place.at('band').node} is wider than ten points ({float(WIDEST_BAND):g})",
            "Lower the target instead.",
            Code.TOLERANCE_TOO_WIDE,
        )
    return Tolerance(
        record_minutes=place.at("record_minutes").decimal() if place.has("record_minutes") else Fraction(0),
        band=band,
        forgive_chance=place.has("forgive_chance") and place.at("forgive_chance").yes(),
    )


def _causes(place: Place, metric: Metric) -> frozenset[RootCause]:
    if metric.population not in _EXCLUDABLE:
        raise place.refused(f"{metric.key} has no root causes to exclude", "Leave it out.")
    causes: list[RootCause] = []
    for item in place.items():
        if (cause := item.word(RootCause)) in causes:
            raise item.refused(f"{cause} stands twice", "Name it once.")
        causes.append(cause)
    return frozenset(causes)


def _curve(place: Place) -> Curve:
    place.keys(["kind", "points"])
    points = []
    for item in place.at("points").items():
        pair = item.items()
        if len(pair) != 2:
            raise item.refused("a point is [attainment, pays]", "Write two numbers.", Code.CURVE_INVALID)
        points.append((pair[0].decimal(), pair[1].decimal()))
    try:
        return Curve(place.at("kind").word(CurveKind), tuple(points))
    except Refused as refusal:
        if refusal.code is not Code.CURVE_INVALID:
            raise
        field = place.at("points").path
        raise Refused(refusal.code, f"{place.name}: {refusal.what}", refusal.fix, field) from None


def _attribution(place: Place) -> Attribution:
    place.keys(["default"], ["services"])
    services = place.at("services").entries() if place.has("services") else ()
    default = place.at("default")
    rule = _split_rule(default)
    if rule.method is AttributionMethod.FIXED:
        raise default.at("method").refused("fixed team shares belong to one service", "Put them under services.")
    return Attribution(rule, {name: _split_rule(service) for name, service in services})


def _split_rule(place: Place) -> SplitRule:
    method = place.at("method").word(AttributionMethod)
    needed = {AttributionMethod.RACI: "weights", AttributionMethod.FIXED: "teams"}.get(method)
    place.keys(["method", needed] if needed else ["method"])
    if needed is None:
        return SplitRule(method)
    if method is AttributionMethod.RACI:
        place.at(needed).keys([], list(RaciRole))
    shares = {name: entry.share() for name, entry in place.at(needed).entries()}
    _sums_to_one(place.at(needed), shares)
    if method is AttributionMethod.FIXED:
        return SplitRule(method, teams=shares)
    return SplitRule(method, roles={RaciRole(name): share for name, share in shares.items()})


def _sums_to_one(place: Place, shares: Mapping[str, Fraction]) -> None:
    if (whole := sum(shares.values(), Fraction(0))) != 1:
        raise place.refused(
            f"the shares sum to {float(whole):.12g}, not 1", "Make them sum to exactly 1.", Code.SPLIT_NOT_ONE
        )


def _pool(place: Place) -> Pool:
    place.keys(["amount_minor"], ["exponents", "criticality", "budgets_minor", "min_share", "max_share"])
    exponents = _exponents(place.at("exponents")) if place.has("exponents") else {}
    criticality = place.at("criticality").entries() if place.has("criticality") else ()
    budgets = place.at("budgets_minor").entries() if place.has("budgets_minor") else ()
    pool = Pool(
        amount_minor=place.at("amount_minor").integer(1),
        criticality={label: weight.decimal() for label, weight in criticality},
        budgets_minor={name: budget.integer() for name, budget in budgets},
        min_share=place.at("min_share").share() if place.has("min_share") else Fraction(0),
        max_share=place.at("max_share").share() if place.has("max_share") else Fraction(1),
        **{f"{name}_exponent": value for name, value in exponents.items()},
    )
    if pool.min_share > pool.max_share or not pool.max_share:
        raise place.at("max_share").refused("it is below min_share, or 0", "Raise it.", Code.BUDGET_INFEASIBLE)
    if pool.criticality_exponent and not pool.criticality:
        raise place.at("criticality").refused(
            "no label has a weight", "Give a weight for each criticality, or exponent 0."
        )
    return pool


def _exponents(place: Place) -> dict[str, int]:
    place.keys(["budget", "criticality", "headcount"])
    exponents = {name: entry.integer() for name, entry in place.entries()}
    for name, exponent in exponents.items():
        if exponent > _MOST_EXPONENT:
            raise place.at(name).refused(f"{exponent} is above {_MOST_EXPONENT}", "Use a small whole number.")
    if exponents["headcount"] and not exponents["budget"] and not exponents["criticality"]:
        raise place.refused(
            "only headcount would decide", "Give budget or criticality an exponent too.", Code.HEADCOUNT_ONLY_FORBIDDEN
        )
    return exponents
