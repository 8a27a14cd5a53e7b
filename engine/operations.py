"""How a node follows from its inputs: one function per operation, from the node's own texts and values alone.

This is what makes a trace checkable by anybody: no plan, no facts, no database. The rules themselves call the same
arithmetic (curves, tolerance, means) with typed arguments; a property test holds the two together on every node.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction

from engine.adjustments.tolerance import Tolerance, tolerated
from engine.curves import Curve, pays
from engine.findings import Number
from engine.means import STAYS_UNKNOWN, Values, geometric_mean, weighted_mean
from engine.money import round_half_up
from engine.words import CurveKind, Direction, Op

Params = Mapping[str, str]


def evaluate(op: Op, params: Params, values: Values) -> Number | None:
    """The value of a node with this operation, these parameters and these values of its direct inputs."""
    return _EVALUATE[op](params, values)


def _fractions(text: str) -> list[Fraction]:
    return [Fraction(part) for part in text.split()]


def _known(values: Values) -> list[Number] | None:
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _constant(params: Params, values: Values) -> Number | None:
    return Fraction(params["value"])


def _measure(params: Params, values: Values) -> Number | None:
    return Fraction(params["measured"]) if "measured" in params else None


def _ratio(params: Params, values: Values) -> Number | None:
    known = _known(values)
    return Fraction(known[0]) / known[1] if known and known[1] else None


def _tolerate(params: Params, values: Values) -> Number | None:
    known = _known(values)
    if not known:
        return None
    tolerance = Tolerance(band=Fraction(params["band"]), forgive_chance=params["forgive_chance"] == "yes")
    direction, n = Direction(params["direction"]), int(params["n"])
    return tolerated(Fraction(known[0]), Fraction(known[1]), direction, tolerance, n)[0]


def _attain(params: Params, values: Values) -> Number | None:
    known = _known(values)
    if not known:
        return None
    result, target = Fraction(known[0]), Fraction(known[1])
    if Direction(params["direction"]) is Direction.HIGHER_IS_BETTER:
        return result / target
    return target / result if result else Fraction(params["best"])


def _curve(kind: CurveKind) -> Callable[[Params, Values], Number | None]:
    def paid(params: Params, values: Values) -> Number | None:
        numbers = _fractions(params["points"])
        curve = Curve(kind, tuple(zip(numbers[::2], numbers[1::2], strict=True)))
        return None if values[0] is None else pays(curve, Fraction(values[0]))

    return paid


def _redistribute(params: Params, values: Values) -> Number | None:
    return None


def _weighted_mean(params: Params, values: Values) -> Number | None:
    mean = weighted_mean(_fractions(params["weights"]), values)
    return None if params["unknown"] == STAYS_UNKNOWN and _known(values) is None else mean


def _geometric_mean(params: Params, values: Values) -> Number | None:
    return geometric_mean(_fractions(params["weights"]), values)


def _clip(params: Params, values: Values) -> Number | None:
    if values[0] is None:
        return None
    scaled = values[0] * Fraction(params.get("scale", "1"))
    at_least, at_most = params.get("at_least"), params.get("at_most")
    raised = scaled if at_least is None else max(scaled, Fraction(at_least))
    return raised if at_most is None else min(raised, Fraction(at_most))


def _split(params: Params, values: Values) -> Number | None:
    return Fraction(params["weight"]) / Fraction(params["of"]) / int(params["people"])


def _power(params: Params, values: Values) -> Number | None:
    return None if values[0] is None else Fraction(values[0]) ** int(params["exponent"])


def _sum(params: Params, values: Values) -> Number | None:
    known = _known([*values, *_fractions(params.get("terms", ""))])
    return None if known is None else sum(known, Fraction(0))


def _product(params: Params, values: Values) -> Number | None:
    known = _known(values)
    if known is None:
        return None
    product = Fraction(1)
    for value in known:
        product *= value
    return product


def _allocate(params: Params, values: Values) -> Number | None:
    """Whole part of total times share, plus the minor unit that this part got from the remainder, if it did."""
    known = _known(values)
    if known is None:
        return None
    exact = Fraction(known[0]) * known[1]
    return exact.numerator // exact.denominator + int(params["extra"])


def _round(params: Params, values: Values) -> Number | None:
    return None if values[0] is None else round_half_up(Fraction(values[0]))


_EVALUATE: dict[Op, Callable[[Params, Values], Number | None]] = {
    Op.CONSTANT: _constant,
    Op.MEASURE: _measure,
    Op.RATIO: _ratio,
    Op.TOLERATE: _tolerate,
    Op.ATTAIN: _attain,
    Op.INTERPOLATE: _curve(CurveKind.INTERPOLATE),
    Op.STEP: _curve(CurveKind.STEP),
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
