"""One plain sentence per node, so that a person can follow a number without knowing a formula.

Numbers are shortened for reading (six significant digits, money in its own digits); the exact ones stand in the node.
English only; other languages translate by `op` and `params`.
"""

from collections.abc import Callable
from fractions import Fraction

from engine.adjustments.tolerance import Leniency
from engine.findings import MINUTES, Finding, Number
from engine.money import currency_digits, format_minor
from engine.words import Direction, KpiStatus, Op


def sentence(finding: Finding) -> str:
    """What this node says, in one sentence."""
    return _SENTENCES[finding.op](finding)


def number_for_reading(value: Number | None, unit: str) -> str:
    """The number as a person writes it, with its unit where it has one."""
    if value is None:
        return "unknown"
    if unit.startswith("minor "):
        return _money(Fraction(value), unit.removeprefix("minor "))
    text = _short(value)
    return f"{text} minutes" if unit == MINUTES else text


def _short(value: Number) -> str:
    return f"{float(value):,.6g}" if abs(Fraction(value)) < 1_000_000 else f"{float(value):,.0f}"


def _money(value: Fraction, currency: str) -> str:
    if value.denominator == 1:
        return format_minor(value.numerator, currency)
    digits = currency_digits(currency)
    return f"{currency} {float(value) / 10**digits:,.{digits + 3}f} before rounding"


def _value(finding: Finding) -> str:
    return number_for_reading(finding.value, finding.unit)


def _numbers(text: str | None) -> list[Fraction]:
    return [Fraction(part) for part in (text or "").split()]


def _input_values(finding: Finding) -> list[str]:
    return [_value(node) for node in finding.inputs]


def _constant(finding: Finding) -> str:
    if finding.status is not KpiStatus.OK:
        return f"{finding.label}: {_value(finding)}, because {_why_missing(finding)}."
    return f"{finding.label} is {_value(finding)}."


def _why_missing(finding: Finding) -> str:
    return "there is no data" if finding.status is KpiStatus.NO_DATA else "there are too few records"


def _measure(finding: Finding) -> str:
    said = f"{finding.label} is {_value(finding)}"
    if finding.param("n"):
        said += f", from {finding.param('n')} records"
    return f"{said}{_left_out(finding)}."


def _left_out(finding: Finding) -> str:
    reasons = [(key.removeprefix("excluded_"), count) for key, count in finding.params if key.startswith("excluded_")]
    return (
        "; left out: " + ", ".join(f"{count} for {reason.replace('_', ' ').lower()}" for reason, count in reasons)
        if reasons
        else ""
    )


def _ratio(finding: Finding) -> str:
    if finding.value is None:
        return f"{finding.label} is unknown: there is nothing to divide by{_left_out(finding)}."
    part, whole = _input_values(finding)
    return f"{finding.label} is {part} of {whole}, that is {_value(finding)}{_left_out(finding)}."


def _tolerate(finding: Finding) -> str:
    measured, target = _input_values(finding)
    return {
        Leniency.NONE: f"{finding.label}: the tolerance changes nothing, {measured} stays.",
        Leniency.BAND: f"{finding.label}: {measured} lies within the agreed tolerance of "
        f"{_short(Fraction(finding.param('band') or 0))} next to the target {target} and counts as the target.",
        Leniency.CHANCE: f"{finding.label}: {measured} over {finding.param('n')} records is no further from the "
        f"target {target} than chance explains and counts as the target.",
    }[Leniency(finding.param("used") or Leniency.NONE)]


def _attain(finding: Finding) -> str:
    result, target = _input_values(finding)
    better = "lower" if finding.param("direction") == Direction.LOWER_IS_BETTER else "higher"
    said = f"{finding.label}: {result} against a target of {target} ({better} is better)"
    return f"{said} is an attainment of {_value(finding)}."


def _interpolate(finding: Finding) -> str:
    return (
        f"{finding.label}: an attainment of {_input_values(finding)[0]} earns {_value(finding)} of the target amount, "
        f"on straight lines through {_points(finding)}."
    )


def _step(finding: Finding) -> str:
    return (
        f"{finding.label}: an attainment of {_input_values(finding)[0]} earns {_value(finding)} of the target amount, "
        f"by steps at {_points(finding)}."
    )


def _points(finding: Finding) -> str:
    numbers = [_short(number) for number in _numbers(finding.param("points"))]
    return ", ".join(f"{at} → {pays}" for at, pays in zip(numbers[::2], numbers[1::2], strict=True))


def _redistribute(finding: Finding) -> str:
    return f"{finding.label}: {_why_missing(finding)}, so its weight goes to the other components."


def _weighted_mean(finding: Finding) -> str:
    if finding.value is None:
        return f"{finding.label} is unknown, because of a part that is unknown."
    weights = _numbers(finding.param("weights"))
    parts = [
        f"{node.label} {_value(node)} × {_short(weight)}"
        for node, weight in zip(finding.inputs, weights, strict=True)
        if node.value is not None
    ]
    if len(parts) == 1:
        return f"{finding.label} is {_value(finding)}, from one part ({parts[0]})."
    return f"{finding.label} is the weighted mean of {len(parts)} parts ({'; '.join(parts)}): {_value(finding)}."


def _geometric_mean(finding: Finding) -> str:
    return f"{finding.label} is the geometric mean of its parts, where no part makes up for another: {_value(finding)}."


def _clip(finding: Finding) -> str:
    bounds = [
        f"{word} {_short(Fraction(bound))}"
        for word, bound in (("at least", finding.param("at_least")), ("at most", finding.param("at_most")))
        if bound is not None
    ]
    return f"{finding.label} is {_value(finding)} ({' and '.join(bounds) or 'no bounds'})."


def _split(finding: Finding) -> str:
    weight, whole = Fraction(finding.param("weight") or 0), Fraction(finding.param("of") or 1)
    return (
        f"{finding.label}: {_short(weight)} of {_short(whole)} agreed, shared by {finding.param('people')}, "
        f"is {_value(finding)}."
    )


def _power(finding: Finding) -> str:
    base, exponent = _input_values(finding)[0], finding.param("exponent")
    return f"{finding.label}: {base} to the power of {exponent} is {_value(finding)}."


def _sum(finding: Finding) -> str:
    count = len(finding.inputs) + len(_numbers(finding.param("terms")))
    if count == 1:
        return f"{finding.label} is {_value(finding)}, from one part."
    return f"{finding.label} is the sum of {count} parts: {_value(finding)}."


def _product(finding: Finding) -> str:
    return f"{finding.label} is {' × '.join(_input_values(finding))}: {_value(finding)}."


def _allocate(finding: Finding) -> str:
    total, share = _input_values(finding)
    extra = ", with one minor unit from the remainder" if finding.param("extra") == "1" else ""
    return f"{finding.label}: a share of {share} of {total} is {_value(finding)}{extra}."


def _round(finding: Finding) -> str:
    return f"{finding.label} is {_value(finding)}, rounded once, half up."


_SENTENCES: dict[Op, Callable[[Finding], str]] = {
    Op.CONSTANT: _constant,
    Op.MEASURE: _measure,
    Op.RATIO: _ratio,
    Op.TOLERATE: _tolerate,
    Op.ATTAIN: _attain,
    Op.INTERPOLATE: _interpolate,
    Op.STEP: _step,
    Op.REDISTRIBUTE: _redistribute,
    Op.WEIGHTED_MEAN: _weighted_mean,
    Op.GEOMETRIC_MEAN: _geometric_mean,
    Op.CLIP: _clip,
    Op.SPLIT: _split,
    Op.POWER: _power,
    Op.SUM: _sum,
    Op.PRODUCT: _product,
    Op.ALLOCATE: _allocate,
    Op.ROUND: _round,
}
