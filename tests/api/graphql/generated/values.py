"""Values at the edges of every kind of column: what a careless join of texts, numbers or times would get wrong."""

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")

TEXTS = (
    "", " ", "ana", "Ana", "ana ", 'O\'Brien "Bo"', "back\\slash\\", "tab\tnew\nline\rreturn", "\x01\x1f\x7f\x80\x9f",
    "\b\f\v", "\N{GRINNING FACE} astral \U0001d4b3", "line\u2028paragraph\u2029", '}],"name":{"', "$1 %s %(a)s :name",
    "é", "e\u0301", "\ufeffmark", "\u202eright to left", "\\u0000", "null", "</script>", "'; --", "x" * 300, "/", "a:b",
)  # fmt: skip
DECIMALS = tuple(
    Decimal(text)
    for text in (
        "0", "0.000001", "-0.000001", "1", "0.1", "1.500000", "0.666667", "12345.678901", "99999999999999.999999",
        "-99999999999999.999999", "100",
    )
)  # fmt: skip
INTS = (0, 1, -1, 2, 7, 2**31 - 1, -(2**31))
BIGS = (0, 1, -1, 60, 2**31, 2**53 + 1, 2**63 - 1, -(2**63))
MINORS = (0, 1, 5, 99, 100, 1234, 300_000, 2**53 + 1, 2**63 - 1)
MOMENTS = (
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC),
    datetime(2026, 11, 21, 9, 0, 0, 100000, tzinfo=UTC),
    datetime(2026, 11, 21, 9, 0, 0, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(999, 1, 2, 3, 4, 5, 60, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC),  # the first and the last moment are the driver's infinities
    datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
)
DAYS = (date(2026, 1, 1), date(2026, 7, 1), date(2024, 2, 29), date(1, 1, 2), date(999, 12, 31), date(9999, 12, 30))
CURRENCIES = ("EUR", "JPY", "KWD", "USD", "ISK", "TND")


def maybe(rng: Random, value: T, nulls: float = 0.25) -> T | None:
    return None if rng.random() < nulls else value


def fresh(rng: Random) -> UUID:
    """An id; of a thing that does not exist unless somebody makes it."""
    return UUID(int=rng.getrandbits(128), version=4)


def pointing(rng: Random, there: list[UUID], dangling: float = 0.12) -> UUID:
    """The id of one of these things, now and then of none."""
    return fresh(rng) if rng.random() < dangling else rng.choice(there)


def maybe_pointing(rng: Random, there: list[UUID]) -> UUID | None:
    return maybe(rng, pointing(rng, there), 0.2)
