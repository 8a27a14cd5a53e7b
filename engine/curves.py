"""What an attainment earns: payout curves over agreed points (F-11).

Attainment and pay are shares of target and of target amount. INTERPOLATE is the straight line between the two
neighbours, STEP the highest point reached. Below the first point nothing is earned, above the last one no more.
Refused (CURVE_INVALID): fewer than two points, points out of order, pay that falls while attainment rises.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from engine.refusal import Code, Refused
from engine.words import CurveKind

Point = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (attainment, pays) with rising attainment and pay that never falls."""

    kind: CurveKind
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise curve_invalid("a curve has at least two points", "Give threshold and target at least.")
        for (left_at, left_pays), (right_at, right_pays) in zip(self.points, self.points[1:], strict=False):
            if right_at <= left_at:
                raise curve_invalid(
                    f"attainment {float(right_at):g} does not lie above {float(left_at):g}",
                    "Write the points in the order of their attainment, each once.",
                )
            if right_pays < left_pays:
                raise curve_invalid(
                    f"pay falls from {float(left_pays):g} to {float(right_pays):g} while attainment rises",
                    "Let better results pay at least as much.",
                )


def pays(curve: Curve, attainment: Fraction) -> Fraction:
    """Share of the target amount that this attainment earns."""
    return _PAYS[curve.kind](curve.points, attainment)


def best_attainment(curve: Curve) -> Fraction:
    """From here on nothing more is earned."""
    return curve.points[-1][0]


def curve_invalid(what: str, fix: str, field: tuple[str, ...] = ("curve",)) -> Refused:
    return Refused(Code.CURVE_INVALID, f"The payout curve is wrong: {what}.", fix, field)


def _interpolated(points: Sequence[Point], attainment: Fraction) -> Fraction:
    after = _points_reached(points, attainment)
    if after == 0:
        return Fraction(0)
    left_at, left_pays = points[after - 1]
    if after == len(points):
        return left_pays
    right_at, right_pays = points[after]
    return left_pays + (attainment - left_at) * (right_pays - left_pays) / (right_at - left_at)


def _stepped(points: Sequence[Point], attainment: Fraction) -> Fraction:
    reached = _points_reached(points, attainment)
    return points[reached - 1][1] if reached else Fraction(0)


def _points_reached(points: Sequence[Point], attainment: Fraction) -> int:
    return bisect_right(points, attainment, key=lambda point: point[0])


_PAYS = {CurveKind.INTERPOLATE: _interpolated, CurveKind.STEP: _stepped}
