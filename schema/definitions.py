"""What a word means, the same in every tool: definitions as documents, compiled to parameterised SQL.

Source: a YAML document such as docs/contracts.md shows. A definition names a kind of record and, for each source, a
predicate in a small closed language: conditions of a column, an operator and a value, joined by `all` and `any`. Values
only ever travel as parameters, columns are looked up in our tables. Comparing SHARE or COUNT across sources finds where
one word is used for two things. Refuses, with the place, a column, an operator or a value that does not fit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.documents import Place, read_document
from engine.words import MirrorKind, Source
from schema.tables.mirror import TYPED
from schema.typed import columns_of, table_of

DEEPEST = 4
DEFINITION_MISMATCH = "DEFINITION_MISMATCH"


class Operator(StrEnum):
    IS = "IS"
    IS_NOT = "IS_NOT"
    IN = "IN"
    AT_LEAST = "AT_LEAST"
    AT_MOST = "AT_MOST"
    KNOWN = "KNOWN"
    UNKNOWN = "UNKNOWN"


class Comparison(StrEnum):
    """COUNT: both tools hold the same records. SHARE: each has its own, of the same sort."""

    COUNT = "COUNT"
    SHARE = "SHARE"


@dataclass(frozen=True, slots=True)
class Condition:
    field: str
    operator: Operator
    value: Any = None


@dataclass(frozen=True, slots=True)
class Group:
    """`every` of the parts must hold, or any one of them."""

    every: bool
    parts: "tuple[Condition | Group, ...]"


Predicate = Condition | Group


@dataclass(frozen=True, slots=True)
class Definition:
    key: str
    owner: str
    means: str
    kind: MirrorKind
    compare: Comparison
    tolerance: Fraction
    sources: Mapping[Source, Predicate]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many records of a source exist, and to how many the word applies."""

    source: Source
    population: int
    matched: int

    @property
    def share(self) -> Fraction | None:
        return Fraction(self.matched, self.population) if self.population else None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Two tools use one word for two things, or one of them is not mirrored whole."""

    definition: str
    difference: Fraction
    what: str
    fix: str
    code: str = DEFINITION_MISMATCH


# ---- reading


def read_definition(text: str) -> Definition:
    place = read_document(text)
    place.keys(("definition", "owner", "means", "over", "sources"), ("compare", "tolerance"))
    over = place.at("over").text(64)
    if over not in TYPED:
        raise place.at("over").refused(f"{over!r} is not a kind of record", f"Use one of: {', '.join(TYPED)}.")
    kind = MirrorKind(over)
    sources = {_source(given, name): _predicate(given, kind, 1) for name, given in place.at("sources").entries()}
    if not sources:
        raise place.at("sources").refused("at least one source is expected here", "Add a predicate for a source.")
    return Definition(
        place.at("definition").key(),
        place.at("owner").text(200),
        place.at("means").text(),
        kind,
        place.at("compare").word(Comparison) if place.has("compare") else Comparison.SHARE,
        place.at("tolerance").share() if place.has("tolerance") else Fraction(1, 50),
        sources,
    )


def _source(place: Place, name: str) -> Source:
    if name not in list(Source):
        raise place.refused(f"{name!r} is not a source", f"Use one of: {', '.join(Source)}.")
    return Source(name)


def _predicate(place: Place, kind: MirrorKind, depth: int) -> Predicate:
    if depth > DEEPEST:
        raise place.refused(f"conditions stand more than {DEEPEST} deep", "Say it with fewer levels.")
    for word, every in (("all", True), ("any", False)):
        if place.has(word):
            place.keys((word,))
            return Group(every, tuple(_predicate(part, kind, depth + 1) for part in place.at(word).items(1)))
    return _condition(place, kind)


def _condition(place: Place, kind: MirrorKind) -> Condition:
    operator = place.at("operator").word(Operator)
    bare = operator in (Operator.KNOWN, Operator.UNKNOWN)
    place.keys(("field", "operator") if bare else ("field", "operator", "value"))
    columns, field = columns_of(kind), place.at("field").text(64)
    if field not in columns:
        raise place.at("field").refused(f"{kind} has no column {field!r}", f"Use one of: {', '.join(columns)}.")
    if bare:
        return Condition(field, operator)
    at, holds = place.at("value"), columns[field]
    if operator in (Operator.AT_LEAST, Operator.AT_MOST) and holds not in (int, Decimal, datetime, date):
        raise place.at("operator").refused(f"{field} has no order", "Use IS, IS_NOT, IN, KNOWN or UNKNOWN.")
    if operator is Operator.IN:
        return Condition(field, operator, tuple(_value(each, holds) for each in at.items(1)))
    return Condition(field, operator, _value(at, holds))


def _value(place: Place, holds: type) -> Any:
    text = place.text(200)
    try:
        return _VALUES[holds](text)
    except (KeyError, ValueError, ArithmeticError, InvalidOperation):
        fix = f"Write {_SHAPES.get(holds, 'another condition')}."
        raise place.refused(f"{text!r} is no value of this column", fix) from None


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_VALUES: Mapping[type, Callable[[str], Any]] = {
    str: str, int: int, bool: _flag, Decimal: Decimal, datetime: _moment, date: date.fromisoformat, UUID: UUID,
}  # fmt: skip
_SHAPES: Mapping[type, str] = {
    int: "a whole number", bool: "true or false", Decimal: "a plain number", date: "2026-01-31",
    datetime: "2026-01-31 or 2026-01-31T08:00Z", UUID: "the id of a mirrored record",
}  # fmt: skip


# ---- compiling


def condition_of(predicate: Predicate, kind: MirrorKind) -> ColumnElement[bool]:
    """The predicate as SQL. An unknown value meets no condition but UNKNOWN, as in SQL itself."""
    if isinstance(predicate, Group):
        return (and_ if predicate.every else or_)(*(condition_of(part, kind) for part in predicate.parts))
    return _OPERATORS[predicate.operator](table_of(kind).c[predicate.field], predicate.value)


_OPERATORS: Mapping[Operator, Callable[[Any, Any], ColumnElement[bool]]] = {
    Operator.IS: lambda column, value: column == value,
    Operator.IS_NOT: lambda column, value: column != value,
    Operator.IN: lambda column, value: column.in_(value),
    Operator.AT_LEAST: lambda column, value: column >= value,
    Operator.AT_MOST: lambda column, value: column <= value,
    Operator.KNOWN: lambda column, _: column.is_not(None),
    Operator.UNKNOWN: lambda column, _: column.is_(None),
}


def counting(definition: Definition, source: Source) -> Select[int, int]:
    table = table_of(definition.kind)
    holds = condition_of(definition.sources[source], definition.kind)
    return (
        select(func.count(), func.count().filter(holds))
        .select_from(table)
        .where(table.c.source == source.value, table.c.gone_at.is_(None))
    )


async def conform(connection: AsyncConnection, definition: Definition) -> list[Counted]:
    """To how many records of each source the word applies, as whoever asks may see them."""
    found = []
    for source in definition.sources:
        population, matched = (await connection.execute(counting(definition, source))).one()
        found.append(Counted(source, population, matched))
    return found


def mismatch(definition: Definition, counted: Sequence[Counted]) -> Mismatch | None:
    """Do the sources differ by more than was agreed? A source without records says nothing."""
    numbers = {
        each.source: Fraction(each.matched) if definition.compare is Comparison.COUNT else each.share
        for each in counted
        if each.population
    }
    known = {source: number for source, number in numbers.items() if number is not None}
    if len(known) < 2:
        return None
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    difference = known[high] - known[low]
    if definition.compare is Comparison.COUNT:
        difference = difference / known[high] if known[high] else Fraction(0)
    if difference <= definition.tolerance:
        return None
    shown = {source: _shown(definition, number) for source, number in known.items()}
    what = (
        f"{definition.key!r} applies to {shown[high]} of {high} and to {shown[low]} of {low}: a difference of "
        f"{float(difference):.1%}, agreed are {float(definition.tolerance):.1%}."
    )
    fix = "Compare the predicates with how each tool is used, and propose another version; or look for missing records."
    return Mismatch(definition.key, difference, what, fix)


def _shown(definition: Definition, number: Fraction) -> str:
    return f"{int(number)} records" if definition.compare is Comparison.COUNT else f"{float(number):.1%}"
