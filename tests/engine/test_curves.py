"""Laws of payout curves: better never pays less; curves that break it are refused. Examples are in scenarios/."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.curves import Curve, pays
from engine.refusal import Code, Refused
from engine.words import CurveKind


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    at = sorted(draw(st.sets(st.fractions(0, 5, max_denominator=100), min_size=2, max_size=6)))
    shares = sorted(draw(st.lists(st.fractions(0, 3, max_denominator=100), min_size=len(at), max_size=len(at))))
    return Curve(draw(st.sampled_from(CurveKind)), tuple(zip(at, shares, strict=True)))


@given(curves(), st.fractions(0, 6), st.fractions(0, 6))
def test_better_never_pays_less(curve: Curve, one: Fraction, other: Fraction) -> None:
    worse, better = sorted((one, other))
    assert pays(curve, worse) <= pays(curve, better)


@given(curves())
def test_every_point_pays_what_was_agreed(curve: Curve) -> None:
    for at, share in curve.points:
        assert pays(curve, at) == share


@pytest.mark.parametrize(
    "points",
    [[], [(1, 1)], [(1, 1), (1, 2)], [(2, 1), (1, 2)], [(1, 1), (2, Fraction(1, 2))], [(0, 0), (1, 1), (1, 1)]],
)
@pytest.mark.parametrize("kind", CurveKind)
def test_a_curve_that_is_out_of_order_or_falls_is_refused(kind: CurveKind, points: list[tuple[int, Fraction]]) -> None:
    exact = tuple((Fraction(at), Fraction(share)) for at, share in points)
    with pytest.raises(Refused) as refusal:
        Curve(kind, exact)
    assert refusal.value.code is Code.CURVE_INVALID
