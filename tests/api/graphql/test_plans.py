"""Plans: shared by everybody, made of no value, kept within bounds, and as exact as the Python that they replace."""

import asyncio
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from graphql import get_operation_ast
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields
from sqlalchemy import text

from api.graphql import documents, execution
from api.graphql.checking import checked
from api.graphql.context import Context
from api.graphql.execution import PLANNER
from api.graphql.operations import coerced
from api.graphql.planner import plan
from api.graphql.planner.bind import Unplannable
from api.graphql.planner.plan import Plan, Plans
from api.graphql.reading import Reading
from api.house import House
from api.ids import global_id
from engine.canonical import fraction_text
from engine.money import CURRENCY_DIGITS, minor_decimal
from schema.store import DbRole, Viewer
from tests.api.conftest import Asking
from tests.api.small_house import person

EXAMPLES = Path(execution.__file__).with_name("examples")
COMPUTED = {"auditor-log.graphql"}
SECRET = "zz-nobody-knows-this"
QUERY = """query ($n: Int, $mail: String!, $id: ID!, $who: [ID!], $after: String, $on: Boolean = true) {
  person(by: {email: $mail}) { name }
  node(id: $id) { id }
  people(first: $n, after: $after, filter: {id: {in: $who}}) @include(if: $on) { nodes { name } } }"""


def planned(query: str, variables: dict[str, Any], known: Plans) -> tuple[Plan, tuple[Any, ...]]:
    ast = documents.prepared(query, True).ast
    operation = get_operation_ast(ast)
    assert operation is not None
    return PLANNER.plan(ast, operation, coerced(operation, variables), known)


def asked(**more: Any) -> dict[str, Any]:
    ids = {"id": global_id("Person", person("ana")), "who": [global_id("Person", person("ben"))]}
    return {"n": 7, "mail": f"{SECRET}@example.com", **ids, **more}


def test_no_value_of_a_request_stands_in_a_statement_or_a_plan() -> None:
    known: Plans = {}
    found, parameters = planned(QUERY, asked(), known)
    assert SECRET in str(parameters)
    for value in (SECRET, str(person("ana")), str(person("ben"))):
        assert value not in found.sql
        assert value not in repr(found.recipes) + repr([site.form for site in found.sites]) + repr(list(known))


def test_values_share_a_plan_and_what_decides_the_text_does_not() -> None:
    known: Plans = {}
    one, _ = planned(QUERY, asked(), known)
    same, _ = planned(QUERY, asked(n=9, mail="other@example.com", id=global_id("Person", person("ben"))), known)
    assert same is one
    for other in ({"id": global_id("Team", person("ana"))}, {"id": "no id"}, {"on": False}, {"after": None}):
        assert planned(QUERY, asked(**other), known)[0] is not one
    assert len(known) == 5


def test_a_shape_that_says_too_little_costs_a_plan_and_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "shape", lambda *_: ())
    known: Plans = {}
    planned(QUERY, asked(), known)
    for other in ({"id": global_id("Team", person("ana"))}, {"id": "no id"}):
        with pytest.raises(Unplannable) as no:
            planned(QUERY, asked(**other), known)
        assert no.value.reason == "shape"


def test_plans_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    known: Plans = {}
    kinds = list(PLANNER.schema._schema.type_map)[: plan.SHAPES_MAX + 9]
    for kind in kinds:
        planned(QUERY, asked(id=global_id(kind, person("ana"))), known)
    assert len(known) <= plan.SHAPES_MAX
    monkeypatch.setattr(plan, "AD_HOC_MAX", 3)
    PLANNER.kept.clear()
    each: list[Plans] = [{} for _ in range(5)]
    for which in (0, 1, 2, 0, 3, 4):
        planned(QUERY, asked(), each[which])
    assert [len(plans) for plans in each] == [1, 0, 0, 1, 1]
    PLANNER.kept.clear()


async def test_two_people_share_a_plan_and_see_their_own(house: House) -> None:
    query = "{ people(first: 50) { nodes { name } } scores(first: 50) { nodes { id } } }"
    seen = {}
    for who in ("ana", "hanna"):
        async with Reading(house.store, Viewer(person(who))) as reading:
            found = await execution.answer(execution.Request(query, {}), Context(house, reading))
        assert found.lane == "planned"
        seen[who] = found.data
    assert seen["ana"] != seen["hanna"]
    assert len(documents.prepared(query, house.settings.introspection).plans) == 1


async def test_the_planner_can_be_switched_off(house: House) -> None:
    off = replace(house, settings=replace(house.settings, planner=False))
    for each, lane in ((house, "planned"), (off, "standard")):
        async with Reading(each.store, Viewer(person("ana"))) as reading:
            found = await execution.answer(execution.Request("{ viewer { roles } }", {}), Context(each, reading))
        assert found.lane == lane


async def test_whoever_is_not_here_gets_no_answer_of_either_kind(ask: Asking) -> None:
    for query in ("{ services(first: 1) { nodes { id } } }", '{ explain(id: "x") { tree } }', "{ nothing }", "{"):
        headers = {"authorization": f"Bearer {ask.token('nobody at all')}"}
        found = await ask.client.post("/graphql", headers=headers, json={"query": query})
        assert (found.status_code, found.json()["code"]) == (401, "UNAUTHENTICATED")


async def test_reading_goes_on_when_the_database_has_cut_every_connection(house: House, ask: Asking) -> None:
    query = "{ services(first: 1) { nodes { name } } }"
    before = await asyncio.gather(*(ask("ana", query) for _ in range(8)))
    admin = await asyncpg.connect(house.database_url)
    try:
        cut = await admin.fetchval(
            """select count(pg_terminate_backend(pid)) from pg_stat_activity
                where application_name = 'evenhand_app_reads' and datname = current_database()"""
        )
    finally:
        await admin.close()
    assert cut
    assert await asyncio.gather(*(ask("ana", query) for _ in range(8))) == before


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.graphql")), ids=lambda file: file.name)
def test_the_queries_of_every_role_are_compiled(file: Path) -> None:
    lane = checked(file.read_text(), computed=True).lane
    assert lane == ("computed" if file.name in COMPUTED else "planned")


def test_what_the_planner_leans_on_is_still_there() -> None:
    """Internal to graphql-core: a new version must show here that it has changed them."""
    names = collect_fields.__code__.co_varnames
    assert names[:5] == ("schema", "fragments", "variable_values", "runtime_type", "operation")
    assert collect_subfields.__code__.co_varnames[4:6] == ("return_type", "field_details_list")
    assert FieldDetails._fields[0] == "node"


class TestWrittenBySql:
    """Functions of the database beside the Python that is their reference."""

    async def test_amounts(self, house: House) -> None:
        minors = [0, 1, -1, 5, 99, 100, -100, 12345, -(10**18), 2**63 - 1, -(2**63)]
        async with house.store.begin(DbRole.APP, read_only=True) as connection:
            for currency in CURRENCY_DIGITS:
                statement = text("select m, app.amount(m, :c) from unnest(cast(:m as bigint[])) m")
                for minor, written in await connection.execute(statement, {"m": minors, "c": currency}):
                    assert written == minor_decimal(minor, currency), currency

    async def test_fractions(self, house: House) -> None:
        biggest = 2**63 - 1
        powers = [2**a * 5**b for a in range(0, 63, 7) for b in range(0, 28, 3) if 2**a * 5**b <= biggest]
        dens = [*range(1, 130), *powers, 2**62, 5**27, biggest, 3 * 5**20, 7 * 2**50]
        nums = [0, 1, 2, 3, 7, 10, 64, 125, 999_999_937, 5**27, 2**62, biggest]
        pairs = [(num, den) for den in dens for num in nums]
        statement = text(
            """select n, d, app.fraction_text(n, d)
                 from unnest(cast(:n as bigint[]), cast(:d as bigint[])) p (n, d)"""
        )
        async with house.store.begin(DbRole.APP, read_only=True) as connection:
            rows = await connection.execute(statement, {"n": [p[0] for p in pairs], "d": [p[1] for p in pairs]})
            wrong = [(n, d, written) for n, d, written in rows if written != fraction_text(Fraction(n, d))]
        assert wrong == []
