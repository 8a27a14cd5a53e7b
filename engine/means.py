"""Weighted means with unknown parts: how several results become one (F-11).

Weights and values are exact. ARITHMETIC is exact; GEOMETRIC is irrational and therefore computed with fixed precision
and rounded half even to 12 digits, the same on every machine. An unknown value never counts as 0: its weight goes to
the others in proportion. Without any known value the answer is None.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

Values = Sequence[Fraction | int | None]

# What an unknown part does to a mean: its weight is shared out, or the mean stays unknown as well.
SHARED_OUT, STAYS_UNKNOWN = "SHARED_OUT", "STAYS_UNKNOWN"

_DIGITS = Context(prec=50, rounding=ROUND_HALF_EVEN)
_STEP = Decimal("0.000000000001")


def weighted_mean(weights: Sequence[Fraction], values: Values) -> Fraction | None:
    """Mean over the known values; the weight of unknown ones is shared out in proportion. None if all are unknown."""
    known = [(weight, value) for weight, value in zip(weights, values, strict=True) if value is not None]
    whole = sum((weight for weight, _ in known), Fraction(0))
    return sum((weight * value for weight, value in known), Fraction(0)) / whole if whole else None


def geometric_mean(weights: Sequence[Fraction], values: Values) -> Fraction | None:
    """Weighted geometric mean over the known values, rounded to 12 digits. One zero makes it zero."""
    known = [(weight, value) for weight, value in zip(weights, values, strict=True) if value is not None]
    whole = sum((weight for weight, _ in known), Fraction(0))
    if not whole:
        return None
    if any(value == 0 and weight for weight, value in known):
        return Fraction(0)
    logarithm = Decimal(0)
    for weight, value in known:
        term = (
            _DIGITS.multiply(_decimal(weight / whole), _DIGITS.ln(_decimal(Fraction(value)))) if weight else Decimal(0)
        )
        logarithm = _DIGITS.add(logarithm, term)
    return Fraction(_DIGITS.exp(logarithm).quantize(_STEP, context=_DIGITS))


def _decimal(value: Fraction) -> Decimal:
    return _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))
