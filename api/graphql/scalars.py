"""How single values are written in answers and read from inputs.

Decimals and big integers are text in plain notation, moments are UTC with six digits and `Z`, so that no client loses a
cent or a microsecond to a float. Refused in inputs: exponents, NaN, infinities, times without a zone.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NewType

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from engine.refusal import Code, Refused

BigInt = NewType("BigInt", int)

PLAIN = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
WHOLE = re.compile(r"-?[0-9]{1,19}")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")


def moment_text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """The moment in UTC; ValueError or OverflowError where the text has no zone or lies beyond the calendar."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError
    return value.astimezone(UTC)


def decimal_text(value: Decimal) -> str:
    return format(value, "f")


def _refused(name: str, form: str) -> Refused:
    return Refused(Code.BAD_INPUT, f"This is not a {name}.", f"Write it like {form}.")


def _reader(name: str, form: str, pattern: re.Pattern[str], read: Callable[[str], Any]) -> Callable[[object], Any]:
    def parse(value: object) -> Any:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _refused(name, form)
        try:
            return read(value)
        except (ValueError, OverflowError):
            raise _refused(name, form) from None

    return parse


def _big(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError
    return value


SCALARS: Mapping[object, ScalarDefinition] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description="A decimal number as text in plain notation, such as `0.751634`. Never with an exponent.",
        serialize=decimal_text,
        parse_value=_reader("Decimal", '"0.751634"', PLAIN, Decimal),
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of up to 64 bits as text, such as `25000000`.",
        serialize=str,
        parse_value=_reader("BigInt", '"25000000"', WHOLE, _big),
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment in UTC with six digits of a second, such as `2026-11-21T09:05:00.000000Z`.",
        serialize=moment_text,
        parse_value=_reader("DateTime", '"2026-11-21T09:05:00Z"', MOMENT, moment_of),
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day, such as `2026-11-21`.",
        serialize=date.isoformat,
        parse_value=_reader("Date", '"2026-11-21"', re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), date.fromisoformat),
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value. Numbers inside are text, as everywhere.",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}
