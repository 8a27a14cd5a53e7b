"""The canonical form of a plan: what its content hash is taken of.

Defaults are written out, decimals are exact text, sets and named entries stand in order; lists that mean an order
(components, reported metrics, curve points) keep it. Two texts with the same form are the same agreement.
"""

from typing import Any

from engine.calendar import Calendar, hours_text
from engine.canonical import fraction_text
from engine.terms import Attribution, Component, Plan, Pool, SplitRule
from engine.words import Weekday


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values for engine.canonical; parts that it does not have are null."""
    return {
        "key": plan.key,
        "version": plan.version,
        "title": plan.title,
        "subject": plan.subject_kind.value,
        "currency": plan.currency,
        "cycle": {
            "key": plan.cycle.key,
            "starts_on": plan.cycle.starts_on.isoformat(),
            "ends_before": plan.cycle.ends_before.isoformat(),
        },
        "calendar": calendar_document(plan.calendar),
        "components": [_component(component) for component in plan.components],
        "reported": list(plan.reported),
        "composite": plan.composite.value,
        "cap": None if plan.cap is None else fraction_text(plan.cap),
        "attribution": None if plan.attribution is None else _attribution(plan.attribution),
        "pool": None if plan.pool is None else _pool(plan.pool),
        "roles": dict(plan.roles),
    }


def calendar_document(calendar: Calendar) -> dict[str, Any]:
    hours = {day.value: hours_text(hours) for day, hours in zip(Weekday, calendar.week, strict=True) if hours}
    holidays = sorted(day.isoformat() for day in calendar.holidays)
    return {"time_zone": calendar.time_zone, "hours": hours, "holidays": holidays}


def _component(component: Component) -> dict[str, Any]:
    tolerance = component.tolerance
    return {
        "key": component.key,
        "metric": component.metric,
        "weight": fraction_text(component.weight),
        "target": fraction_text(component.target),
        "min_n": component.min_n,
        "when_missing": component.when_missing.value,
        "tolerance": {
            "band": fraction_text(tolerance.band),
            "record_minutes": fraction_text(tolerance.record_minutes),
            "forgive_chance": tolerance.forgive_chance,
        },
        "exclude": sorted(cause.value for cause in component.excluded_causes),
        "curve": {
            "kind": component.curve.kind.value,
            "points": [[fraction_text(at), fraction_text(pays)] for at, pays in component.curve.points],
        },
    }


def _attribution(attribution: Attribution) -> dict[str, Any]:
    services = {name: _split_rule(rule) for name, rule in attribution.services.items()}
    return {"default": _split_rule(attribution.default), "services": services}


def _split_rule(rule: SplitRule) -> dict[str, Any]:
    return {
        "method": rule.method.value,
        "weights": {role.value: fraction_text(weight) for role, weight in rule.roles.items()},
        "teams": {name: fraction_text(share) for name, share in rule.teams.items()},
    }


def _pool(pool: Pool) -> dict[str, Any]:
    return {
        "amount_minor": pool.amount_minor,
        "exponents": {
            "budget": pool.budget_exponent,
            "criticality": pool.criticality_exponent,
            "headcount": pool.headcount_exponent,
        },
        "criticality": {label: fraction_text(weight) for label, weight in pool.criticality.items()},
        "budgets_minor": dict(pool.budgets_minor),
        "min_share": fraction_text(pool.min_share),
        "max_share": fraction_text(pool.max_share),
    }
