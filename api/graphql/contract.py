"""What a change of the schema does to programs that were written against the last release.

Decides: what breaks them (never without a new name beside the old one), and what may surprise them (a line in the
changelog). To the rules of graphql-core come promises that stand in descriptions or beside the schema: how many items
a list gives at most, how a scalar is written, which status a code has, and that a list needs no size that it did not
need.
Source: schema/released.graphql and schema/released.json, written at a release by `python -m api.graphql release`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
)

import schema as schema_package
from api.refusals import status_of
from engine.refusal import Code

RELEASED = Path(schema_package.__file__).with_name("released.graphql")
RELEASED_CODES = RELEASED.with_suffix(".json")
MOST = re.compile(r"(?:never more than|at most|1 to) ([0-9,]+)")
NAMED = re.compile(r"[A-Z][A-Za-z]*\.[A-Za-z_]+(?:\([a-zA-Z]+:?\))?")
Statuses = Mapping[str, int]


def statuses() -> Statuses:
    return {code.value: status_of(code) for code in Code}


def released() -> tuple[GraphQLSchema, Statuses]:
    return build_schema(RELEASED.read_text()), json.loads(RELEASED_CODES.read_text())


def publish(sdl: str) -> None:
    """Keep this schema as the one that later ones are compared with."""
    RELEASED.write_text(sdl)
    RELEASED_CODES.write_text(json.dumps(statuses(), indent=1, sort_keys=True) + "\n")


def breaks(old: GraphQLSchema, new: GraphQLSchema) -> list[str]:
    """What no longer works for a program that worked with the old schema, one sentence each."""
    found = [change.description for change in find_breaking_changes(old, new)]
    for name, kind in old.type_map.items():
        later = new.type_map.get(name)
        if isinstance(kind, GraphQLScalarType) and isinstance(later, GraphQLScalarType):
            found += [f"{name} is written in another way."] if kind.description != later.description else []
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and isinstance(later, type(kind)):
            for at in kind.fields.keys() & later.fields.keys():
                found += _narrowed(f"{name}.{at}", kind.fields[at], later.fields[at])
    return sorted(found)


def surprises(old: GraphQLSchema, new: GraphQLSchema) -> list[str]:
    """What a program may not expect, one sentence each; `coordinate` names what it is about."""
    return sorted(change.description for change in find_dangerous_changes(old, new))


def changed_codes(old: Statuses, new: Statuses) -> list[str]:
    """Codes that are gone or mean another status."""
    return sorted(
        f"{code} was {status} and is {new.get(code)}." for code, status in old.items() if new.get(code) != status
    )


def coordinate(sentence: str) -> str:
    """The name that a sentence of `surprises` speaks of, as `Type.field`."""
    found = NAMED.search(sentence)
    return found[0] if found else sentence


def _narrowed(name: str, old: GraphQLField, new: GraphQLField) -> Iterator[str]:
    before, after = _most(old), _most(new)
    if before is not None and (after is None or after < before):
        yield f"{name} gives {after} items at most, not {before}."
    if "first" in new.args and "first" not in old.args:
        yield f"{name} needs a size that it did not need."


def _most(field: GraphQLField) -> int | None:
    """How many items this list gives at most, by its own words."""
    said: list[Any] = [field.args[name].description for name in ("limit", "first") if name in field.args]
    said += [field.description] if "ids" in field.args else []
    numbers = [int(found[1].replace(",", "")) for text in said if text and (found := MOST.search(text))]
    return numbers[0] if numbers else None
