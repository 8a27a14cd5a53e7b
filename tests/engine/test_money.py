"""Money: rounding, dealing out to the last minor unit (F-16), and writing amounts."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.money import CURRENCY_DIGITS, currency_digits, format_minor, largest_remainder, minor_decimal, round_half_up
from engine.refusal import Refused

_WEIGHTS = st.dictionaries(st.text(min_size=1, max_size=3), st.fractions(0, 100), min_size=1, max_size=8).filter(
    lambda weights: sum(weights.values()) > 0
)


@pytest.mark.capability("I4.1")
def test_golden_pool_goes_to_the_last_cent() -> None:
    weights = [("s1", Fraction("1.8")), ("s2", Fraction("0.8")), ("s3", Fraction("0.8")), ("s4", Fraction("0.05"))]
    assert largest_remainder(250_000_00, weights) == {
        "s1": 130_434_78,
        "s2": 57_971_02,  # the same remainder as s3: the smaller id goes first
        "s3": 57_971_01,
        "s4": 3_623_19,
    }


def test_golden_hundred_to_three() -> None:
    thirds = [(name, Fraction(1)) for name in "cab"]
    assert largest_remainder(100_00, thirds) == {"a": 33_34, "b": 33_33, "c": 33_33}


@given(st.integers(-(10**12), 10**12), _WEIGHTS)
def test_parts_sum_to_the_total_and_stay_within_one_unit(total: int, weights: dict[str, Fraction]) -> None:
    parts = largest_remainder(total, list(weights.items()))
    assert sum(parts.values()) == total
    whole = sum(weights.values())
    for id_, part in parts.items():
        assert abs(part - total * weights[id_] / whole) < 1


@given(st.integers(0, 10**9), _WEIGHTS, st.randoms())
def test_order_of_weights_does_not_matter(total: int, weights: dict[str, Fraction], chance: object) -> None:
    shuffled = list(weights.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert largest_remainder(total, shuffled) == largest_remainder(total, list(weights.items()))


@pytest.mark.parametrize(
    "weights", [[], [("a", Fraction(0))], [("a", Fraction(-1)), ("b", Fraction(2))], [("a", Fraction(1))] * 2]
)
def test_weights_that_decide_nothing_are_refused(weights: list[tuple[str, Fraction]]) -> None:
    with pytest.raises(Refused):
        largest_remainder(100, weights)


@pytest.mark.parametrize(
    ("value", "rounded"), [("1/2", 1), ("3/2", 2), ("-1/2", -1), ("-3/2", -2), ("0.49", 0), ("-0.49", 0), ("2.51", 3)]
)
def test_a_half_goes_away_from_zero(value: str, rounded: int) -> None:
    assert round_half_up(Fraction(value)) == rounded


@given(st.fractions())
def test_rounding_is_symmetric_and_near(value: Fraction) -> None:
    assert round_half_up(-value) == -round_half_up(value)
    assert abs(round_half_up(value) - value) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("amount", "currency", "plain", "shown"),
    [
        (25_000_000, "EUR", "250000.00", "EUR 250,000.00"),
        (-5, "EUR", "-0.05", "EUR -0.05"),
        (1_234_567, "JPY", "1234567", "JPY 1,234,567"),
        (1_234_567, "IQD", "1234.567", "IQD 1,234.567"),
        (-1_000_00, "USD", "-1000.00", "USD -1,000.00"),
        (0, "KWD", "0.000", "KWD 0.000"),
    ],
)
def test_amounts_are_written_with_the_digits_of_their_currency(
    amount: int, currency: str, plain: str, shown: str
) -> None:
    assert minor_decimal(amount, currency) == plain
    assert format_minor(amount, currency) == shown


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(Refused, match="XXX"):
        currency_digits("XXX")


def test_every_currency_has_a_code_of_three_letters() -> None:
    assert all(len(code) == 3 and code.isupper() and 0 <= digits <= 3 for code, digits in CURRENCY_DIGITS.items())
