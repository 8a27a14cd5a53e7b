"""The published schema: it is the one that is served, and every word of it is explained."""

import re
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    get_named_type,
)

from api.graphql.__main__ import SDL, sdl
from api.graphql.binding import TYPES, Node
from api.graphql.served import CORE
from api.graphql.words import SENTENCES

# Rows whose key is no uuid: they are read through lists and through what they hang on.
WITHOUT_AN_ID = {
    "RecordRevision", "EvidenceRecord", "DataIssue", "SourceSystem", "FeedPosition", "Sweep", "Suspicion",
    "WebhookRegistration", "Standing", "ToolCalls", "RoleGrant", "ReportingLine", "AwardProposal", "PoolAllocation",
    "PayoutLine", "PayoutAcknowledgement", "LedgerAccount", "LedgerPosting",
}  # fmt: skip
OURS = {name: kind for name, kind in CORE.type_map.items() if not name.startswith("__")}
BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}


def test_the_published_schema_is_the_served_one() -> None:
    assert SDL.read_text() == sdl(), "run: python -m api.graphql"


def words() -> list[tuple[str, str | None]]:
    """Every name of the schema with its description."""
    found: list[tuple[str, str | None]] = []
    for name, kind in OURS.items():
        if name in BUILT_IN:
            continue
        found.append((name, kind.description))
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            fields: dict[str, Any] = dict(kind.fields)
            for at, field in fields.items():
                found.append((f"{name}.{at}", field.description))
                found += [(f"{name}.{at}({by})", arg.description) for by, arg in getattr(field, "args", {}).items()]
        elif isinstance(kind, GraphQLEnumType):
            found += [(f"{name}.{at}", value.description) for at, value in kind.values.items()]
    return found


def test_everything_is_described() -> None:
    assert len(words()) > 500
    assert [name for name, said in words() if not said] == []


def test_words_are_the_words_of_the_database() -> None:
    for enum in SENTENCES:
        shown = CORE.type_map[enum.__name__]
        assert isinstance(shown, GraphQLEnumType)
        assert set(shown.values) == {word.name for word in enum}


@pytest.mark.parametrize("name", TYPES)
def test_plain_fields_are_columns(name: str) -> None:
    bound = TYPES[name]
    assert set(bound.names) <= set(bound.table.c.keys())
    shown = CORE.type_map[name]
    assert isinstance(shown, GraphQLObjectType)
    for field in bound.cls.__strawberry_definition__.fields:
        if field.base_resolver is None:
            column = bound.table.c[field.python_name]
            camel = re.sub(r"_(\w)", lambda m: m[1].upper(), field.python_name)
            promised = str(shown.fields[camel].type).endswith("!")
            assert promised == (not column.nullable), f"{name}.{camel}: a promise that the column does not keep"


def test_nothing_across_tables_is_promised() -> None:
    """What another table's policy may hide is nullable: a hidden target must not take its parent with it."""
    for name, bound in TYPES.items():
        shown = CORE.type_map[name]
        assert isinstance(shown, GraphQLObjectType)
        for at, field in shown.fields.items():
            target = TYPES.get(get_named_type(field.type).name)
            if target and not str(field.type).startswith("["):
                assert not str(field.type).endswith("!"), f"{name}.{at}"
        assert issubclass(bound.cls, Node) or name in WITHOUT_AN_ID, name


def test_numbers_are_never_floats() -> None:
    for name, kind in OURS.items():
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType):
            fields: dict[str, Any] = dict(kind.fields)
            assert [at for at, field in fields.items() if get_named_type(field.type).name == "Float"] == [], name
    assert isinstance(OURS["Decimal"], GraphQLScalarType)


def test_every_list_without_a_bound_is_a_connection() -> None:
    for name in ("Query", "Person", "Team", "Service", "Viewer"):
        shown = CORE.type_map[name]
        assert isinstance(shown, GraphQLObjectType)
        for at, field in shown.fields.items():
            if str(field.type).startswith("["):
                assert "limit" in field.args or at in ("nodes", "roles"), f"{name}.{at}"
            if get_named_type(field.type).name.endswith("Connection"):
                assert {"first", "after", "last", "before", "orderBy"} <= set(field.args), f"{name}.{at}"
