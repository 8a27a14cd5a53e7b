"""When a miss is too small to count: tolerance bands for agreed service levels (F-05).

Per record, a breach of at most `record_minutes` counts as met. Per period, a share inside the band next to its target
counts as the target; so does, where the plan says so, a miss that chance alone explains (the 95 % Wilson interval of
the share contains the target). Shares are Fractions; only the interval for display is rounded, to 12 digits.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from fractions import Fraction

from engine.words import Direction

# Two-sided 95 %, fixed to these digits so that the verdict is the same on every machine.
_Z = Fraction("1.959964")
_DIGITS = Context(prec=50, rounding=ROUND_HALF_EVEN)
_SHOWN = Decimal("0.000000000001")

WIDEST_BAND = Fraction(1, 10)


class Leniency(StrEnum):
    """Which part of a tolerance turned a miss into the target."""

    NONE = "NONE"
    BAND = "BAND"
    CHANCE = "CHANCE"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a plan forgives: minutes per record, share points per period, and misses within chance."""

    record_minutes: Fraction = Fraction(0)
    band: Fraction = Fraction(0)
    forgive_chance: bool = False


def record_met(has_breached: bool, over_minutes: Fraction | None, tolerance: Tolerance) -> bool:
    """Whether one agreed time counts as kept. A breach of unknown length is a breach."""
    if not has_breached:
        return True
    return over_minutes is not None and over_minutes <= tolerance.record_minutes


def tolerated(
    value: Fraction, target: Fraction, direction: Direction, tolerance: Tolerance, n: int
) -> tuple[Fraction, Leniency]:
    """The share that counts. A result at or beyond its target stays as it is."""
    miss = target - value if direction is Direction.HIGHER_IS_BETTER else value - target
    if miss <= 0:
        return value, Leniency.NONE
    if miss <= tolerance.band:
        return target, Leniency.BAND
    if tolerance.forgive_chance and within_chance(value, target, n):
        return target, Leniency.CHANCE
    return value, Leniency.NONE


def within_chance(share: Fraction, target: Fraction, n: int) -> bool:
    """Whether the 95 % Wilson interval of a share over n records contains the target, decided without a root."""
    return n > 0 and (share - target) ** 2 * n <= _Z**2 * target * (1 - target)


def wilson_interval(met: int, n: int) -> tuple[Fraction, Fraction] | None:
    """95 % interval of a share for display; None without records."""
    if n == 0:
        return None
    share, z2 = Fraction(met, n), _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    squared = (share * (1 - share) / n + z2 / (4 * n * n)) * z2 / (1 + z2 / n) ** 2
    half = Fraction(_DIGITS.sqrt(_DIGITS.divide(Decimal(squared.numerator), Decimal(squared.denominator))))
    return _shown(middle - half), _shown(middle + half)


def _shown(value: Fraction) -> Fraction:
    digits = _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Fraction(digits.quantize(_SHOWN, context=_DIGITS))
