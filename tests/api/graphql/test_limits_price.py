"""What an operation costs: the published rules, to the point, whatever way the sizes are given."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse

from api.graphql import price
from api.graphql.price import DECLARED, PRICE_MAX, REGISTERED_PRICE_MAX, Prices
from api.graphql.served import CORE
from engine.refusal import Code, Refused
from tests.api.conftest import Asking

# The shape that the rules were written for, where our own schema has none like it.
PLAIN = build_schema(
    """
    type Query { head: Person mixed(limit: Int! = 5): [Either!]! node: Either }
    type Mutation { promote(who: ID): Promoted }
    type Promoted { person: Person userErrors: [Wrong!]! }
    type Wrong { code: String }
    union Either = Person | Team
    type PageInfo { hasNextPage: Boolean }
    type People { edges: [Seat!]! nodes: [Person!]! pageInfo: PageInfo! totalCount: Int! }
    type Seat { cursor: String node: Person! }
    type Scores { nodes: [Score!]! pageInfo: PageInfo! totalCount: Int! }
    type Person { name: String team: Team reports(first: Int, last: Int): People! scores(first: Int): Scores! }
    type Team { name: String lead: Person }
    type Score { value: String cycle: Cycle! kpiValues(limit: Int! = 20): [KpiValue!]! }
    type Cycle { label: String }
    type KpiValue { value: String kpi: Kpi! splits(limit: Int! = 20): [Split!]! }
    type Kpi { name: String }
    type Split { share: String }
    """
)
BIG = """query ($people: Int!, $splits: Int! = 2) {
  head { reports(first: $people) { nodes { name scores(first: 4) { nodes { value cycle { label }
    kpiValues(limit: 6) { value kpi { name } splits(limit: $splits) { share } } } } } } } }"""


def cost(query: str, schema: GraphQLSchema = PLAIN, **coerced: Any) -> int:
    document = parse(query)
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    found = Prices(schema, document, operation).of(coerced)
    assert price.price(schema, document, operation, coerced, 10**12) == found
    return found


def test_the_worked_example_costs_what_the_rules_say() -> None:
    """50 people x 4 cycles x 6 values with 2 shares each: 5,251 objects, priced 5,302 with one for each page."""
    objects = 1 + 50 * (1 + 4 * (1 + 1 + 6 * (1 + 1 + 2)))
    pages = 1 + 50
    assert (objects, objects + pages) == (5251, 5302)
    assert cost(BIG, people=50, splits=2) == 5302


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ __typename }", 0),
        ("{ head { name } }", 1),
        ("{ head { name team { name lead { name } } } }", 3),
        ("{ head { reports(first: 10) { totalCount } } }", 1 + 1 + 10 + 10),
        ("{ head { reports(first: 10) { a: totalCount b: totalCount pageInfo { hasNextPage } } } }", 1 + 1 + 10 + 20),
        ("{ head { reports(last: 10) { edges { cursor node { team { name } } } } } }", 1 + 1 + 10 * 2),
        ("{ head { reports(first: 10) { edges { node { team { name } } } nodes { team { name } } } } }", 2 + 10 * 3),
        ("{ head { scores(first: 3) { nodes { kpiValues(limit: 4) { value } } } } }", 1 + 1 + 3 * (1 + 4)),
        ("{ head { scores(first: 3) { nodes { kpiValues { value } } } } }", 1 + 1 + 3 * (1 + 20)),
        # of several types the dearest
        ("{ node { ... on Person { team { name lead { name } } } ... on Team { lead { name } } } }", 1 + 2),
        ("{ node { ... on Team { lead { name team { name lead { name } } } } ... on Person { name } } }", 1 + 3),
        ("{ mixed { __typename } }", 5),
        ("{ mixed(limit: 2) { ... on Person { team { name } } ... on Team { name } } }", 2 * 2),
        ("mutation { promote { person { name } userErrors { code } } }", 10 + 2),
        # equal fields are one, whatever way they are written
        ("{ head { name } head { team { name } } }", 2),
        ("{ ...A ...A } fragment A on Query { head { team { name } ...B } } fragment B on Person { team { name } }", 2),
        ("{ a: head { name } b: head { name } }", 2),
        # what is left out costs nothing
        ("{ head @skip(if: true) { team { name } } }", 0),
        ("{ head { team @include(if: false) { name } ... @skip(if: false) { team { lead { name } } } } }", 3),
    ],
)
def test_the_rules(query: str, expected: int) -> None:
    assert cost(query) == expected


def test_conditions_and_sizes_come_from_variables() -> None:
    query = """query ($on: Boolean!, $n: Int) { head { reports(first: $n) @include(if: $on) { nodes { name } } } }"""
    document = parse(query)
    operation: Any = document.definitions[0]
    prices = Prices(PLAIN, document, operation)
    found = [prices.of({"on": on, "n": n}) for on in (True, False) for n in (1, 200, None)]
    assert found == [3, 202, 2, 1, 1, 1]
    assert prices.formula({"on": True}) is prices.formula({"on": True, "n": 3})  # walked once for each condition


def test_a_walk_is_as_long_as_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 fragments, each spread twice in the one before: 2^60 spreads, and 64 looks for each of the two walks."""
    looked = 0
    real = price._Walk._fields

    def counting(*given: Any) -> Any:
        nonlocal looked
        looked += 1
        return real(*given)

    monkeypatch.setattr(price._Walk, "_fields", counting)
    chain = " ".join(f"fragment F{n} on Person {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    assert cost(f"{{ head {{ ...F0 }} }} {chain} fragment F60 on Person {{ team {{ name }} }}") == 2
    assert looked <= 2 * 64


def test_a_registered_document_may_cost_five_times_as_much() -> None:
    document = parse("query ($n: Int) { head { reports(first: $n) { nodes { name } } } }")
    operation: Any = document.definitions[0]
    assert price.price(PLAIN, document, operation, {"n": PRICE_MAX - 2}) == PRICE_MAX
    with pytest.raises(Refused) as refused:
        price.price(PLAIN, document, operation, {"n": PRICE_MAX - 1})
    assert refused.value.code is Code.COST_EXCEEDED
    assert {str(PRICE_MAX), str(PRICE_MAX + 1)} <= set(refused.value.what.replace(";", "").split())
    assert price.price(PLAIN, document, operation, {"n": PRICE_MAX - 1}, REGISTERED_PRICE_MAX) == PRICE_MAX + 1


def test_what_has_a_price_of_its_own_is_there() -> None:
    types: Any = CORE.type_map
    for type_, field in DECLARED:
        assert field in types[type_].fields


async def sent(ask: Asking, query: str, **variables: object) -> httpx.Response:
    return await ask.post("ana", query, variables)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ viewer { roles } }", 1),
        ("{ people(first: 10) { nodes { name } } }", 11),
        ("{ people(first: 10) { edges { node { name } } pageInfo { hasNextPage } } }", 11),
        ("{ people(last: 10) { totalCount nodes { reports(first: 5) { nodes { name } } } } }", 1 + 10 + 10 * (1 + 6)),
        ("{ scores(first: 10) { nodes { kpiValues(limit: 3) { metric } } } }", 1 + 10 * (1 + 3)),
        ("{ scores(first: 10) { nodes { kpiValues { metric } } } }", 1 + 10 * (1 + 20)),
        ('{ explain(id: "x", depth: 4) { root { value } } }', 1 + 200 + 1),
        ('{ explain(id: "x") { root { value } } }', 1 + 150 + 1),
        ('{ nodes(ids: ["a", "b"]) { id } }', 2),
        ('{ nodes(ids: ["a", "b"]) { id ... on Person { manager { name } } ... on Team { name } } }', 4),
        ('{ auditRecord(by: {id: "x"}) { proof { index } } }', 1 + 10 + 1),
        (
            """mutation { approveAward(input: {idempotencyKey: "k", awardId: "x", expectedVersion: 1}) {
                 award { id } userErrors { code } } }""",
            12,
        ),
    ],
)
async def test_the_price_is_known_before(ask: Asking, query: str, expected: int) -> None:
    assert (await sent(ask, query)).json()["extensions"]["cost"]["requested"] == expected


async def test_the_page_about_the_api_says_what_its_example_costs(ask: Asking) -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    said, example = re.findall(r"So this costs (\d+):\n\n((?:    .*\n)+)", page)[0]
    found = (await sent(ask, example)).json()
    assert found["extensions"]["cost"]["requested"] == int(said)
    assert f'{{"requested": {said}, "maximumAvailable": 50000' in page


async def test_what_costs_too_much_does_not_run(ask: Asking) -> None:
    query = "query ($size: Int!) { people(first: $size) { nodes { reports(first: 100) { nodes { name } } } } }"
    assert "data" in (await sent(ask, query, size=10)).json()
    refused = (await sent(ask, query, size=200)).json()
    assert refused["errors"][0]["extensions"]["code"] == "COST_EXCEEDED"
    assert refused["extensions"]["cost"]["requested"] == 1 + 200 * 102
    assert "data" not in refused


@pytest.mark.parametrize(
    ("head", "size", "variables"),
    [
        ("query ($n: Int)", "$n", {"n": 200}),
        ("query ($n: Int)", "$n", {"n": 200.0}),
        ("query ($n: Int = 200)", "$n", {}),
        ("query ($n: Int! = 200)", "$n", {}),
        ("", "200", {}),
    ],
)
async def test_a_size_costs_the_same_however_it_is_given(
    ask: Asking, head: str, size: str, variables: dict[str, object]
) -> None:
    query = f"{head} {{ people(first: {size}) {{ nodes {{ reports(first: {size}) {{ nodes {{ name }} }} }} }} }}"
    refused = (await sent(ask, query, **variables)).json()
    assert refused["errors"][0]["extensions"]["code"] == "COST_EXCEEDED"
    assert "data" not in refused


@pytest.mark.parametrize("size", ["-1", "-2147483648", "null"])
async def test_no_field_takes_away_from_the_price_of_others(ask: Asking, size: str) -> None:
    query = f"""{{ explain(id: "x", depth: -2147483648) {{ root {{ label }} }}
                 a: people(first: {size}) {{ nodes {{ name }} }}
                 people(first: 200) {{ nodes {{ reports(first: 200) {{ nodes {{ name }} }} }} }} }}"""
    refused = (await sent(ask, query)).json()
    assert refused["errors"][0]["extensions"]["code"] == "COST_EXCEEDED"


async def test_the_price_does_not_tell_what_is_there(ask: Asking) -> None:
    """Hidden, missing and seen cost the same, and cost it before anything is looked at."""
    told = set()
    for who in ("ana", "dan", "ava"):
        answer = (await ask.post(who, "{ people(first: 20) { totalCount nodes { name } } }")).json()
        told.add(json.dumps({key: each for key, each in answer["extensions"]["cost"].items() if "current" not in key}))
    assert len(told) == 1
