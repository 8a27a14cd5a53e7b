"""Canonical bytes: the golden hash of the determinism rule, agreement with an RFC 8785 library, and what is refused."""

from fractions import Fraction

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from engine.canonical import canonical_hash, canonical_json, fraction_text
from engine.refusal import Refused

_SCALARS = st.none() | st.booleans() | st.integers(-(2**53 - 1), 2**53 - 1) | st.text(st.characters(codec="utf-8"))
_KEYS = st.text(st.characters(codec="utf-8"), max_size=5)
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4))


def test_golden_hash() -> None:
    document = {"n": 3, "b": ["x", "y"], "a": "1.50"}
    assert canonical_json(document) == b'{"a":"1.50","b":["x","y"],"n":3}'
    assert canonical_hash(document) == "6aaaf2b13bd0b6fb90d5e60cc29ec311411553967caa625396076d9560b6d442"


@given(_JSON)
def test_agrees_with_an_rfc_8785_library(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def test_keys_stand_in_utf_16_order() -> None:
    # U+1F600 is two surrogates (D83D...) and therefore stands before U+FB33, although its code point is larger
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2}).startswith('{"\U0001f600"'.encode())


@pytest.mark.parametrize("value", [1.5, 2**53, -(2**53), "\ud800", {1: "x"}, {"a": [0.0]}, b"bytes", {1, 2}, object()])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(Refused):
        canonical_json(value)


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(Refused) as refusal:
        canonical_json({"plan": {"weights": ["0.5", 0.5]}})
    assert refusal.value.field == ("$.plan.weights[1]",)


@pytest.mark.parametrize(
    ("value", "text"), [("1.50", "1.5"), ("-0.05", "-0.05"), ("1/3", "1/3"), ("100", "100"), ("-7/4", "-1.75")]
)
def test_text_of_a_fraction(value: str, text: str) -> None:
    assert fraction_text(Fraction(value)) == text


@given(st.fractions())
def test_text_of_a_fraction_reads_back_exactly(value: Fraction) -> None:
    assert Fraction(fraction_text(value)) == value
