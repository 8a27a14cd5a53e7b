"""What a field that is no plain column says about itself, as data: both lanes of execution read it.

The standard lane makes resolvers of it (binding.py, connections.py), the planner makes SQL of it (planner/). They share
these declarations and no SQL of their own, so that each can be checked against the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table

# (columns of the target, key columns of the parents) -> which targets belong to a parent
Match = Callable[[Any, Sequence[ColumnElement[Any]]], ColumnElement[bool]]
# (names of the filter fields that were given, columns of the target) -> what narrows a list whatever the filter says
Always = Callable[[frozenset[str], Any], list[ColumnElement[bool]]]
# (the single parent or None at the root, table of the target) -> what narrows the list to that parent
OfRoot = Callable[[Any, Table], list[ColumnElement[bool]]]


@dataclass(frozen=True, slots=True)
class ToOne:
    """The thing of type `target` whose key stands in the column `key`."""

    target: str
    key: str


@dataclass(frozen=True, slots=True)
class TheOne:
    """The first thing of type `target` that matches."""

    target: str
    keys: tuple[str, ...]
    match: Match


@dataclass(frozen=True, slots=True)
class Some:
    """At most `at_most` things, in a fixed order.

    `settled`: nobody can change the rows, and whoever sees the parent, a score, sees all of them (planner/settled.py).
    """

    target: str
    keys: tuple[str, ...]
    match: Match
    order: tuple[str, ...]
    at_most: int
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Pages:
    """A paged list. `match` ties it to a parent's keys; None is the whole list."""

    target: str
    filters: type | None = None
    keys: tuple[str, ...] = ()
    match: Match | None = None
    always: Always | None = None
    of_root: OfRoot | None = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """A thing whose type stands in the column `kind`: word -> type. A word that is not listed shows nothing."""

    kinds: Mapping[str, str]
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Id:
    """The global id of the row."""


@dataclass(frozen=True, slots=True)
class Text:
    """What the method says, in SQL: (columns of the row) -> a text, shown as a JSON string."""

    sql: Callable[[Any], ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Json:
    """Like Text, but the SQL is JSON already."""

    sql: Callable[[Any], ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """An object that is made of columns of the row; its fields by name, each Text. None of them may be null."""

    fields: Mapping[str, Callable[[Any], ColumnElement[Any]]]


@dataclass(frozen=True, slots=True)
class Place:
    """An object without a row: its fields stand for themselves."""


@dataclass(frozen=True, slots=True)
class ById:
    """The thing of the global id in this argument, of whatever type."""

    argument: str


@dataclass(frozen=True, slots=True)
class ByIds:
    """The things of the global ids in this argument, at most `at_most`, in their order; null where there is none."""

    argument: str
    at_most: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """One thing by a key of its own: the argument `by` -> columns and their values; None where nothing can match."""

    target: str
    columns: Callable[[Any], Mapping[str, Any] | None]


Relation = ToOne | TheOne | Some | Pages | OneOf | Id | Text | Json | Part | Place | ById | ByIds | Lookup
