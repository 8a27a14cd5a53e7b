"""From a measured value to what it pays, and from several lines to one composite (F-05, F-11).

The chain of a line: measured → tolerance → attainment against target → curve. Attainment is result / target where more
is better, target / result where less is better; a perfect 0 of those counts as the best point of the curve. A line
without data, or with fewer than `min_n` records, follows the plan's fallback and is never taken as 0 by itself.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from engine.adjustments.tolerance import tolerated
from engine.curves import best_attainment, pays
from engine.facts import Measured, Subject
from engine.findings import FACTOR, RECORDS, SHARE, Evidence, Finding, constant, number_text, parameters
from engine.means import SHARED_OUT, geometric_mean, weighted_mean
from engine.metrics.catalogue import CATALOGUE, Metric
from engine.refusal import Code, Refused
from engine.results import KpiLine, ScoreResult
from engine.terms import Component, Plan
from engine.words import CompositeKind, CurveKind, Direction, KpiStatus, Op, ScoreStatus, TraceKind, WhenMissing


def paid_line(plan: Plan, component: Component, measured: Measured) -> KpiLine:
    """One component of one subject: what it reached and what share of the target amount that earns."""
    metric = CATALOGUE[component.metric]
    raw = measured_finding(metric, measured)
    status = raw.status if raw.value is None or measured.n >= component.min_n else KpiStatus.LOW_N
    attained = _attainment(plan, component, metric, raw, measured) if status is KpiStatus.OK else None
    paid = _fallback(component, raw, status) if attained is None else _on_curve(component, attained)
    return KpiLine(
        subject=measured.subject,
        component=component.key,
        metric=metric.key,
        unit=metric.unit,
        measured=measured.value,
        n=measured.n,
        numerator=measured.numerator,
        denominator=measured.denominator,
        excluded=measured.excluded,
        target=component.target,
        attainment=None if attained is None else _exact(attained),
        pays=_exact(paid),
        weight=component.weight,
        status=status,
        finding=paid,
    )


def reported_line(metric: Metric, measured: Measured) -> KpiLine:
    """A metric that is shown and not paid."""
    raw = measured_finding(metric, measured)
    return KpiLine(
        subject=measured.subject,
        component=metric.key,
        metric=metric.key,
        unit=metric.unit,
        measured=measured.value,
        n=measured.n,
        numerator=measured.numerator,
        denominator=measured.denominator,
        excluded=measured.excluded,
        target=None,
        attainment=None,
        pays=None,
        weight=Fraction(0),
        status=raw.status,
        finding=raw,
    )


def composite(plan: Plan, subject: Subject, lines: Sequence[KpiLine]) -> ScoreResult:
    """All paid lines as one factor, capped as the plan says."""
    weights, values = [line.weight for line in lines], [line.pays for line in lines]
    op, mean = _COMPOSITES[plan.composite]
    params = parameters(weights=" ".join(map(number_text, weights)), unknown=SHARED_OUT)
    value = mean(weights, values)
    status = KpiStatus.NO_DATA if value is None else KpiStatus.OK
    because = tuple(line.finding for line in lines)
    label = f"Score of {subject.label}"
    found = Finding(value, FACTOR, TraceKind.COMPOSITE, op, params, because, label, status)
    if plan.cap is not None:
        capped = None if value is None else min(value, plan.cap)
        params = parameters(at_most=plan.cap)
        label = f"Capped score of {subject.label}"
        found = Finding(capped, FACTOR, TraceKind.CAP, Op.CLIP, params, (found, _agreed(plan, "cap")), label, status)
    score_status = ScoreStatus.NO_DATA if found.value is None else ScoreStatus.PRELIMINARY
    return ScoreResult(subject, _exact(found), score_status, found)


def measured_finding(metric: Metric, measured: Measured) -> Finding:
    """The measured value as the bottom of a trace; its evidence is the lineage of records that the mirror keeps."""
    subject = measured.subject
    label = f"{metric.label} of {subject.label}"
    evidence = Evidence("MEASURED", f"{metric.key}/{subject.kind}/{subject.id}", label)
    left_out = {f"excluded_{reason}": count for reason, count in measured.excluded}
    status = KpiStatus.NO_DATA if measured.value is None else KpiStatus.OK
    if measured.numerator is None or measured.denominator is None:
        known = {} if measured.value is None else {"measured": measured.value}
        params = parameters(n=measured.n, **known, **left_out)
        return Finding(measured.value, metric.unit, TraceKind.KPI_VALUE, Op.MEASURE, params, (evidence,), label, status)
    share = Fraction(measured.numerator, measured.denominator) if measured.denominator else None
    if share != measured.value:
        raise Refused(
            Code.BAD_INPUT,
            f"{label} is said to be {measured.value}, but {measured.numerator} of {measured.denominator} are counted.",
            "Measure again.",
            ("measured", metric.key, subject.id),
        )
    counts = (_counted("good", measured.numerator, label), _counted("all", measured.denominator, label))
    params = parameters(n=measured.n, **left_out)
    return Finding(share, SHARE, TraceKind.KPI_VALUE, Op.RATIO, params, (*counts, evidence), label, status)


def _counted(which: str, count: int, label: str) -> Finding:
    params = parameters(measured=count)
    return Finding(count, RECORDS, TraceKind.KPI_VALUE, Op.MEASURE, params, (), f"Records behind {label}, {which}")


def _attainment(plan: Plan, component: Component, metric: Metric, raw: Finding, measured: Measured) -> Finding:
    target = constant(
        component.target,
        metric.unit,
        f"Target of {metric.label}",
        _agreed(plan, f"components.{component.key}.target"),
    )
    counted = _tolerated(component, metric, raw, target, measured.n)
    result, best = _exact(counted) or Fraction(0), best_attainment(component.curve)
    if metric.direction is Direction.HIGHER_IS_BETTER:
        value = result / component.target
    else:
        value = component.target / result if result else best
    params = parameters(direction=metric.direction.value, best=best)
    label = f"Attainment of {raw.label}"
    return Finding(value, SHARE, TraceKind.ATTAINMENT, Op.ATTAIN, params, (counted, target), label)


def _tolerated(component: Component, metric: Metric, raw: Finding, target: Finding, n: int) -> Finding:
    """The tolerance step, where the plan has one; `used` counts how often the band decides."""
    tolerance = component.tolerance
    if raw.value is None or not (tolerance.band or tolerance.forgive_chance):
        return raw
    value, used = tolerated(Fraction(raw.value), component.target, metric.direction, tolerance, n)
    params = parameters(
        band=tolerance.band,
        direction=metric.direction.value,
        forgive_chance="yes" if tolerance.forgive_chance else "no",
        n=n,
        used=used.value,
    )
    return Finding(value, raw.unit, TraceKind.ADJUSTMENT_STEP, Op.TOLERATE, params, (raw, target), raw.label)


def _on_curve(component: Component, attained: Finding) -> Finding:
    curve = component.curve
    value = None if attained.value is None else pays(curve, Fraction(attained.value))
    params = parameters(points=" ".join(number_text(number) for point in curve.points for number in point))
    label = f"Pay factor of {component.key}"
    return Finding(value, FACTOR, TraceKind.CURVE, _CURVES[curve.kind], params, (attained,), label, attained.status)


def _fallback(component: Component, raw: Finding, status: KpiStatus) -> Finding:
    return _FALLBACKS[component.when_missing](component, raw, status)


def _redistributed(component: Component, raw: Finding, status: KpiStatus) -> Finding:
    label = f"Pay factor of {component.key}"
    return Finding(None, FACTOR, TraceKind.CURVE, Op.REDISTRIBUTE, (), (raw,), label, status)


def _as_target(component: Component, raw: Finding, status: KpiStatus) -> Finding:
    label, params = f"Attainment of {raw.label}, as agreed", parameters(value=1)
    one = Finding(Fraction(1), SHARE, TraceKind.ATTAINMENT, Op.CONSTANT, params, (raw,), label, status)
    return _on_curve(component, one)


def _as_zero(component: Component, raw: Finding, status: KpiStatus) -> Finding:
    label, params = f"Pay factor of {component.key}, as agreed", parameters(value=0)
    return Finding(Fraction(0), FACTOR, TraceKind.CURVE, Op.CONSTANT, params, (raw,), label, status)


def _agreed(plan: Plan, where: str) -> Evidence:
    return Evidence("PLAN", plan.content_hash, f"{plan.key} version {plan.version}: {where}")


def _exact(finding: Finding) -> Fraction | None:
    return None if finding.value is None else Fraction(finding.value)


_CURVES = {CurveKind.INTERPOLATE: Op.INTERPOLATE, CurveKind.STEP: Op.STEP}
_COMPOSITES = {
    CompositeKind.ARITHMETIC: (Op.WEIGHTED_MEAN, weighted_mean),
    CompositeKind.GEOMETRIC: (Op.GEOMETRIC_MEAN, geometric_mean),
}
_FALLBACKS: dict[WhenMissing, Callable[[Component, Finding, KpiStatus], Finding]] = {
    WhenMissing.REDISTRIBUTE: _redistributed,
    WhenMissing.TARGET: _as_target,
    WhenMissing.ZERO: _as_zero,
}
