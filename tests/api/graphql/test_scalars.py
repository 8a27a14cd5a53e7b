"""Single values: what is written, what is taken, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.graphql.scalars import SCALARS, BigInt, decimal_text, moment_text
from api.ids import global_id, keys_of, parsed
from engine.refusal import Code, Refused
from tests.api.small_house import person

READ = {definition.name: definition.parse_value for definition in SCALARS.values()}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20))
def test_decimals_are_plain_and_come_back(value: Decimal) -> None:
    text = decimal_text(value)
    assert "E" not in text.upper()
    assert READ["Decimal"](text) == value


def test_decimals_keep_their_scale() -> None:
    assert decimal_text(Decimal("1E+3")) == "1000"
    assert decimal_text(Decimal("0.00000001")) == "0.00000001"
    assert decimal_text(Decimal("2000.00")) == "2000.00"


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 2)))  # noqa: DTZ001 - hypothesis adds the zone
def test_moments_are_utc_with_six_digits(value: datetime) -> None:
    text = moment_text(value)
    assert text.endswith("Z")
    assert len(text) == 27
    assert READ["DateTime"](text) == value
    assert moment_text(value.astimezone(timezone(timedelta(hours=5, minutes=30)))) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Decimal", "1e5"), ("Decimal", "NaN"), ("Decimal", "Infinity"), ("Decimal", "+1"), ("Decimal", ""),
        ("Decimal", 1.5), ("Decimal", "1" * 31), ("Decimal", "１"),
        ("BigInt", str(2**63)), ("BigInt", str(-(2**63) - 1)), ("BigInt", "1.0"), ("BigInt", 5), ("BigInt", "1_000"),
        ("DateTime", "2026-11-21T09:00:00"), ("DateTime", "2026-13-21T09:00:00Z"), ("DateTime", "yesterday"),
        ("Date", "2026-02-30"), ("Date", "2026-2-3"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(name: str, value: object) -> None:
    with pytest.raises(Refused):
        READ[name](value)


def test_big_integers_reach_both_ends() -> None:
    for value in (2**63 - 1, -(2**63), 0):
        assert READ["BigInt"](str(value)) == value
    assert BigInt(7) == 7


def test_ids_have_one_spelling() -> None:
    good = global_id("Person", person("ana"))
    assert parsed(good) == ("Person", person("ana"))
    for bad in ("", "x", good + "=", good[:-1], good.lower(), global_id("", person("ana"))[:-2], "é"):
        assert parsed(bad) is None or parsed(bad) == ("", person("ana"))
    assert keys_of([good], ["Person"]) == [person("ana")]
    with pytest.raises(Refused) as no:
        keys_of([good], ["Team"])
    assert no.value.code is Code.BAD_INPUT
