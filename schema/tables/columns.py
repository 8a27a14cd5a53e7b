"""Column shapes that all tables share: tenant first in every key, UTC times, words as text + CHECK, money as bigint."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, LargeBinary, Numeric, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

Instant = DateTime(timezone=True)
Json = JSONB(none_as_null=True)
# Shown numbers carry six decimals; the exact fraction stands in the trace beside them.
Shown = Numeric(20, 6)


def words(column: str, allowed: type[StrEnum]) -> CheckConstraint:
    """CHECK that a text column holds one of our words. NULL passes: unknown is allowed where the column allows it."""
    listed = ", ".join(f"'{word}'" for word in allowed)
    return CheckConstraint(f"{column} in ({listed})", name=f"{column}_word")


def key() -> Any:
    return Field(primary_key=True)


def instant() -> Any:
    """A moment, UTC."""
    return Field(sa_type=Instant)


def maybe_instant() -> Any:
    return Field(default=None, sa_type=Instant, nullable=True)


def big(default: Any = ...) -> Any:
    return Field(default, sa_type=BigInteger, nullable=default is None)


def small(default: Any = ...) -> Any:
    return Field(default, sa_type=SmallInteger, nullable=default is None)


def raw() -> Any:
    return Field(sa_type=LargeBinary)


def json(nullable: bool = False) -> Any:
    return Field(sa_type=Json, nullable=nullable)


def shown() -> Any:
    return Field(default=None, sa_type=Shown, nullable=True)


__all__ = [
    "UUID", "Decimal", "Instant", "Json", "big", "datetime", "instant", "json", "key", "maybe_instant", "raw", "shown",
    "small", "words",
]  # fmt: skip
