"""What every field of the schema is to the planner: a column with its written form, a relation, or nothing it can plan.

Decides: how each scalar is written as JSON, in step with scalars.py. Checked when the house opens: a field that may not
be null needs a column that cannot be, and a column of a type that its scalar can hold. Refuses to start otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    get_named_type,
)
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Numeric,
    String,
)
from sqlalchemy.types import TypeEngine

from api.graphql.binding import TYPES
from api.graphql.relations import Relation
from api.graphql.writing import listed, moment_quoted, plain, plain_quoted, string, translated

Form = Callable[[ColumnElement[Any]], ColumnElement[Any]]
# scalar -> (how it is written, what may stand in the column)
FORMS: Mapping[str, tuple[Form, tuple[type[TypeEngine[Any]], ...]]] = {
    "String": (string, (String,)),
    "Int": (plain, (Integer,)),
    "Boolean": (plain, (Boolean,)),
    "Decimal": (plain_quoted, (Numeric,)),
    "BigInt": (plain_quoted, (BigInteger, Integer)),
    "DateTime": (moment_quoted, (DateTime,)),
    "Date": (plain_quoted, (Date,)),
    "JSON": (plain, (JSON,)),
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column as it is written. `certain`: it cannot be null."""

    column: str
    form: Form
    certain: bool


Meaning = Leaf | Relation | None
Catalogue = Mapping[tuple[str, str], Meaning]


def catalogue(schema: GraphQLSchema) -> Catalogue:
    """(type, field) -> what it is; None for what only the standard execution can answer."""
    found: dict[tuple[str, str], Meaning] = {}
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                found[kind.name, name] = _meaning(kind.name, name, field)
    return found


def _meaning(kind: str, name: str, field: GraphQLField) -> Meaning:
    declared = (field.extensions or {}).get("strawberry-definition")
    if declared is None:
        return None
    if declared.base_resolver is not None:
        relation: Relation | None = declared.metadata.get("relation")
        return relation
    return _leaf(f"{kind}.{name}", TYPES[kind].table.c[declared.python_name], field) if kind in TYPES else None


def _leaf(place: str, column: Column[Any], field: GraphQLField) -> Leaf:
    named = get_named_type(field.type)
    required = isinstance(field.type, GraphQLNonNull)
    if required and column.nullable:
        raise TypeError(f"{place} is never null, its column {column} may be.")
    inner = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    if isinstance(inner, GraphQLList):
        if not isinstance(column.type, ARRAY):
            raise TypeError(f"{place} is a list, its column {column} is not.")
        return Leaf(column.name, listed, not column.nullable)
    if isinstance(named, GraphQLEnumType):
        return Leaf(column.name, _word(place, named, column), not column.nullable)
    if not isinstance(named, GraphQLScalarType) or named.name not in FORMS:
        raise TypeError(f"{place} is a {named}: the planner cannot write it. Give it a relation.")
    form, fitting = FORMS[named.name]
    kind = getattr(column.type, "impl_instance", column.type)
    if not isinstance(kind, fitting) or (named.name == "Int" and isinstance(kind, BigInteger)):
        raise TypeError(f"{place} is a {named}, its column {column} a {kind!r}.")
    return Leaf(column.name, form, not column.nullable)


def _word(place: str, enum: GraphQLEnumType, column: Column[Any]) -> Form:
    """The stored word as the schema has it. One that the schema does not know is left to the standard execution."""
    names = {str(getattr(value.value, "value", value.value)): name for name, value in enum.values.items()}
    same = all(stored == name for stored, name in names.items())
    checks = (each for each in column.table.constraints if isinstance(each, CheckConstraint))
    held = any(str(check.sqltext).startswith(f"{column.name} in (") for check in checks)
    return plain_quoted if same and held else lambda written: translated(written, names, place)
