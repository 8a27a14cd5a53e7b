"""What a filter means: one condition for each field that was given, as data for both lanes of execution.

Decides: a list means one of these, a range is half-open. Refused: more than 200 items in a list, texts over 200
characters, ids of another type.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import ARRAY, ColumnElement, Integer, SmallInteger, bindparam, func
from sqlalchemy.types import TypeEngine

from api.graphql.arguments import LIST_MAX, TEXT_MAX, DateRange, DateTimeRange, IdFilter, stored
from api.ids import keys_of
from engine.refusal import Code, Refused

ABSENT = (None, strawberry.UNSET)
# word -> (column, parameter) -> condition
MEANS: Mapping[str, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "in": lambda column, values: column == func.any(values),
    "eq": operator.eq,
    "gte": operator.ge,
    "lt": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A column, a word of MEANS and the value, as the database takes it."""

    column: str
    word: str
    value: Any

    def kind(self, c: Any) -> TypeEngine[Any]:
        """The type of the value: any Int may be asked of a small column."""
        kind: TypeEngine[Any] = c[self.column].type
        kind = Integer() if isinstance(kind, SmallInteger) else kind
        return ARRAY(kind) if self.word == "in" else kind

    def sql(self, c: Any, given: Any = None) -> ColumnElement[bool]:
        """The condition on these columns, with its own value or with the parameter `given`."""
        return MEANS[self.word](c[self.column], bindparam(None, self.value, self.kind(c)) if given is None else given)


def wanted(given: Any) -> list[Condition]:
    """The conditions of a filter."""
    return [condition for field, value in _given(given) for condition in _of(field.metadata, value)]


def fields_given(given: Any) -> frozenset[str]:
    """Names of the filter fields that were given."""
    return frozenset(field.python_name for field, _ in _given(given))


def _given(given: Any) -> Iterator[tuple[Any, Any]]:
    for field in given.__strawberry_definition__.fields if given not in ABSENT else ():
        value = getattr(given, field.python_name)
        if value not in ABSENT:
            yield field, value


def _of(metadata: Mapping[Any, Any], value: Any) -> Iterator[Condition]:
    column = metadata["column"]
    if isinstance(value, DateRange | DateTimeRange):
        for word in ("gte", "lt"):
            if getattr(value, word) not in ABSENT:
                yield Condition(column, word, getattr(value, word))
    elif isinstance(value, IdFilter):
        ids = [value.eq] if isinstance(value.eq, str) else list(value.in_ or [])
        yield Condition(column, "in", keys_of(_few(ids), metadata["kinds"]))
    elif isinstance(value, list):
        yield Condition(column, "in", [_word(each) for each in _few(value)])
    else:
        yield Condition(column, "eq", _word(value))


def _few(values: Sequence[Any]) -> Sequence[Any]:
    if len(values) > LIST_MAX or any(isinstance(each, str) and len(each) > TEXT_MAX for each in values):
        raise Refused(
            Code.INPUT_TOO_LARGE,
            f"A list holds at most {LIST_MAX} items, a text {TEXT_MAX} characters.",
            "Ask in several steps.",
        )
    return values


def _word(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return stored(value) if isinstance(value, str) else value
