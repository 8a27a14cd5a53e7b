"""The conventions of the API, looked up in the schema itself: names, pages, payloads, keys, deprecations."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    get_named_type,
)

from api.graphql.execution import CORE
from api.graphql.ordering import ORDERS

OURS = {name: kind for name, kind in CORE.type_map.items() if not name.startswith("__")}
OBJECTS = {name: kind for name, kind in OURS.items() if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)}
INPUTS = {name: kind for name, kind in OURS.items() if isinstance(kind, GraphQLInputObjectType)}
CONNECTIONS = {name for name in OBJECTS if name.endswith("Connection")}
PAGE = {"first": "Int", "after": "String", "last": "Int", "before": "String"}
# Moments whose names are words of their own.
MOMENTS = re.compile(r".+(At|AsOf|From|To)|since|hour|at")
DAYS = re.compile(r".+(On|Before|Date)")
DEPRECATED = re.compile(r"Use `?[A-Z][A-Za-z]*\.[a-zA-Z]+`?\. Removed on \d{4}-(01|04|07|10)-01\.")
VERBS = {"cancel", "approve", "reject", "submit", "release", "open", "decide", "start"}
# One payload for two acts that end in the same thing.
SHARED_PAYLOADS = {"approveAward": "AwardPayload", "rejectAward": "AwardPayload"}
MUTATIONS = dict(CORE.mutation_type.fields) if CORE.mutation_type else {}


def fields() -> Iterator[tuple[str, str, Any]]:
    """Type, name and field of everything that can be read."""
    for name, kind in OBJECTS.items():
        for at, field in kind.fields.items():
            yield name, at, field


def test_names() -> None:
    assert [name for name in OURS if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)] == []
    camel = re.compile(r"[a-z][a-zA-Z0-9]*")
    assert [f"{name}.{at}" for name, at, _ in fields() if not camel.fullmatch(at)] == []
    assert [f"{name}.{at}" for name, at, _ in fields() if re.match(r"(get|list|fetch|find)[A-Z]", at)] == []
    for name, kind in OURS.items():
        if isinstance(kind, GraphQLEnumType):
            assert [word for word in kind.values if not re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", word)] == [], name
    for name, kind in INPUTS.items():
        assert [at for at in kind.fields if not camel.fullmatch(at)] == [], name
        assert re.search(r"(Input|Filter|Order|By|Range)$", name), name


def test_times_and_units_are_told_by_the_name() -> None:
    for name, at, field in fields():
        kind = get_named_type(field.type).name
        if kind == "DateTime":
            assert MOMENTS.fullmatch(at), f"{name}.{at}: a moment ends in At"
        if kind == "Date":
            assert DAYS.fullmatch(at), f"{name}.{at}: a day ends in On"
        if re.search(r"(?i)(duration|elapsed|allotted|pause)", at):
            assert at.endswith(("Seconds", "Ms")), f"{name}.{at}: the unit comes last"


@pytest.mark.parametrize("name", sorted(CONNECTIONS))
def test_pages_have_the_shape_of_relay(name: str) -> None:
    of = name.removesuffix("Connection")
    shown = {at: str(field.type) for at, field in OBJECTS[name].fields.items()}
    assert shown == {"edges": f"[{of}Edge!]!", "nodes": f"[{of}!]!", "pageInfo": "PageInfo!", "totalCount": "Int!"}
    edge = {at: str(field.type) for at, field in OBJECTS[f"{of}Edge"].fields.items()}
    assert edge == {"cursor": "String!", "node": f"{of}!"}
    assert set(INPUTS[f"{of}Order"].fields) == {"field", "direction"}
    info = {at: str(field.type) for at, field in OBJECTS["PageInfo"].fields.items()}
    assert info == {
        "hasNextPage": "Boolean!", "hasPreviousPage": "Boolean!", "startCursor": "String", "endCursor": "String",
    }  # fmt: skip


def test_lists_take_a_page_an_order_and_at_most_one_filter() -> None:
    for name, at, field in fields():
        target = get_named_type(field.type).name
        if target in CONNECTIONS:
            of = target.removesuffix("Connection")
            found = {by: str(argument.type) for by, argument in field.args.items()}
            filtered = {"filter": f"{of}Filter"} if "filter" in found else {}
            assert found == {**PAGE, "orderBy": f"{of}Order", **filtered}, f"{name}.{at}"
            assert str(field.type) == f"{target}!", f"{name}.{at}: an empty page, never null"
            assert ORDERS[of].said in field.args["orderBy"].description, f"{name}.{at} does not say its order"
    for name, kind in INPUTS.items():
        if name.endswith(("Filter", "Range")):
            assert [at for at, field in kind.fields.items() if str(field.type).endswith("!")] == [], name


def test_bounded_lists_say_their_bound() -> None:
    for name, at, field in fields():
        limit = field.args.get("limit")
        if limit:
            assert str(limit.type) == "Int!", f"{name}.{at}"
            assert limit.default_value is not None or limit.ast_node is None, f"{name}.{at}"
            assert re.search(r"never more than \d+", limit.description), f"{name}.{at}"


def test_ids() -> None:
    node = OBJECTS["Node"]
    assert {at: str(field.type) for at, field in node.fields.items()} == {"id": "ID!"}
    query = OBJECTS["Query"].fields
    assert (str(query["node"].type), str(query["nodes"].type)) == ("Node", "[Node]!")
    for name, at, field in fields():
        if at == "id":
            assert str(field.type) == "ID!", name
            assert name == "Node" or node in OBJECTS[name].interfaces, f"{name} has an id and is no Node"
    for name, kind in INPUTS.items():
        if name.endswith("By"):
            assert kind.is_one_of or all(not str(field.type).endswith("!") for field in kind.fields.values()), name


def test_every_root_field_says_who_sees_it() -> None:
    """Somewhere in its sentence: for whom, one's own, everybody, the person who asks, hidden."""
    said = re.compile(r"(?i)\bfor \w|own\b|everybody|who asks|hidden|he may|oneself")
    query = OBJECTS["Query"].fields
    assert [at for at, field in query.items() if not said.search(field.description or "")] == []


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_mutations_take_one_input_and_answer_one_payload(name: str) -> None:
    field = MUTATIONS[name]
    title = name[0].upper() + name[1:]
    assert re.match(r"[a-z]+", name)[0] in VERBS, "a mutation is called by what it does"  # type: ignore[index]
    assert {at: str(argument.type) for at, argument in field.args.items()} == {"input": f"{title}Input!"}
    payload = SHARED_PAYLOADS.get(name, f"{title}Payload")
    assert str(field.type) == f"{payload}!"
    shown = OBJECTS[payload].fields
    assert str(shown["userErrors"].type) == "[UserError!]!"
    assert len(shown) >= 2, "a payload also says what was changed"
    for at, changed in shown.items():
        if isinstance(get_named_type(changed.type), GraphQLObjectType) and at != "userErrors":
            assert not str(changed.type).endswith("!"), f"{at}: a refusal has nothing to show"
    assert str(INPUTS[f"{title}Input"].fields["idempotencyKey"].type) == "ID!"


def test_a_user_error_says_where_why_and_what_next() -> None:
    shown = {at: str(field.type) for at, field in OBJECTS["UserError"].fields.items()}
    assert shown == {"field": "[String!]", "code": "Code!", "message": "String!", "fix": "String"}


def outdated(schema: Any) -> list[str]:
    """Deprecations that do not name a successor and the first day of a quarter."""
    found = []
    for name, kind in schema.type_map.items():
        parts: dict[str, Any] = dict(getattr(kind, "fields", None) or getattr(kind, "values", None) or {})
        for at, part in parts.items():
            listed = {f"{name}.{at}": part, **{f"{name}.{at}({by})": a for by, a in getattr(part, "args", {}).items()}}
            for where, each in listed.items():
                reason = each.deprecation_reason
                if reason is not None and not DEPRECATED.fullmatch(reason) and not name.startswith("__"):
                    found.append(where)
    return found


def test_deprecations_name_their_successor_and_their_day() -> None:
    assert outdated(CORE) == []
    reasons = {"a": "Use Query.b. Removed on 2027-07-01.", "b": "Use b.", "c": "Use Query.b. Removed on 2027-07-15."}
    asked = " ".join(f'{at}: Int @deprecated(reason: "{reason}")' for at, reason in reasons.items())
    assert outdated(build_schema(f"type Query {{ {asked} }}")) == ["Query.b", "Query.c"]
