"""From a run's proposals to a file that payroll may pull, over GraphQL; with the wrong role nothing moves."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import insert, text

from api.actions import access
from api.house import House
from api.ids import global_id
from engine.words import Role
from schema.embedded import Server
from schema.identity import DEFAULT_TENANT
from schema.store import DbRole, Viewer
from schema.tables.money import AwardProposal
from tests.api.conftest import Asking, asking, small
from tests.api.small_house import CYCLE, EARNERS, IN_PAYROLL, NOW, RUNS, person, trace

RUN, PERIOD = global_id("Run", RUNS["new"]), global_id("Cycle", CYCLE)
NOBODYS = ("ana", "mia", "paul", "ava", "ivo")  # neither HR nor finance
SUBMIT = """mutation ($key: ID!, $id: ID!) { submitAwards(input: {idempotencyKey: $key, runId: $id}) {
  submitted userErrors { field code fix } } }"""
APPROVE = """mutation ($key: ID!, $id: ID!) { approveAwards(input: {idempotencyKey: $key, cycleId: $id}) {
  approved userErrors { field code fix } } }"""
APPROVE_FILE = """mutation ($key: ID!, $id: ID!, $to: String!) { approvePayout(
  input: {idempotencyKey: $key, cycleId: $id, receiver: $to}) {
  approved userErrors { field code fix } } }"""
RELEASE = """mutation ($key: ID!, $id: ID!, $to: String!) { releasePayout(
  input: {idempotencyKey: $key, cycleId: $id, receiver: $to}) {
  payoutBatch { receiver sequence state lineCount net { amountMinor } cycle { label } }
  userErrors { field code fix } } }"""
STATES = text("select state, count(*) from pay.award group by state order by state")


@pytest.fixture
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house of its own in which the run proposes one award more, and a second person may do finance."""
    keys = tmp_path_factory.mktemp("paying") / "keys"
    async with small(postgres, template, keys, f"paying_{uuid4().hex[:8]}") as opened:
        proposal = {
            "tenant_id": DEFAULT_TENANT, "run_id": RUNS["new"], "person_id": person("ivo"), "currency": "EUR",
            "target_minor": 90_000, "earned_minor": 60_000, "factor": Decimal("0.666667"),
            "trace": trace("PERSON", "ivo"),
        }  # fmt: skip
        async with opened.store.begin(DbRole.WORKER) as connection:
            await connection.execute(insert(AwardProposal), [proposal])
        admin = await asyncpg.connect(opened.database_url)
        await admin.execute("set session_replication_role = replica")  # cycles do not change; this one must be over
        await admin.execute("update score.cycle set ends_before = '2026-11-01'")
        await admin.close()
        await access.grant(
            opened.store, opened.log, person_id=person("carla"), role=Role.FINANCE, by=("Kim", "Noor"),
            until=NOW + timedelta(days=90), now=NOW - timedelta(days=90),
        )  # fmt: skip
        yield opened


@pytest.fixture
async def ask(house: House) -> AsyncIterator[Asking]:
    async with asking(house) as ready:
        yield ready


async def do(ask: Asking, who: str, mutation: str, id_: str, **more: str) -> dict[str, Any]:
    more.setdefault("key", uuid4().hex)
    ((answer,),) = [(await ask(who, mutation, id=id_, **more)).values()]
    assert isinstance(answer, dict)
    return answer


async def states(house: House) -> dict[str, int]:
    async with house.store.begin(DbRole.PAY, Viewer(person("ava"))) as connection:
        return {row["state"]: row["count"] for row in (await connection.execute(STATES)).mappings()}


@pytest.mark.capability("I3.5")
async def test_the_whole_way_to_a_file(house: House, ask: Asking) -> None:
    to = "payroll-de-01"
    assert await do(ask, "hanna", SUBMIT, RUN) == {"submitted": 1, "userErrors": []}
    assert await do(ask, "hanna", SUBMIT, RUN) == {"submitted": 0, "userErrors": []}
    waiting = len(EARNERS) - len(IN_PAYROLL) + 1
    assert await do(ask, "finn", APPROVE, PERIOD) == {"approved": waiting, "userErrors": []}
    assert await do(ask, "finn", APPROVE, PERIOD) == {"approved": 0, "userErrors": []}
    assert await do(ask, "finn", APPROVE_FILE, PERIOD, to=to) == {"approved": True, "userErrors": []}
    assert await do(ask, "finn", APPROVE_FILE, PERIOD, to=to) == {"approved": False, "userErrors": []}
    alone = await do(ask, "finn", RELEASE, PERIOD, to=to)
    assert alone["payoutBatch"] is None
    assert [error["code"] for error in alone["userErrors"]] == ["SOD_VIOLATION"]
    assert await do(ask, "carla", APPROVE_FILE, PERIOD, to=to) == {"approved": True, "userErrors": []}
    released = await do(ask, "finn", RELEASE, PERIOD, to=to)
    net = str(200_000 * (waiting - 1) + 60_000)
    assert released == {
        "payoutBatch": {"receiver": to, "sequence": "1", "state": "RELEASED", "lineCount": waiting,
                        "net": {"amountMinor": net}, "cycle": {"label": "2026"}},
        "userErrors": [],
    }  # fmt: skip
    assert await states(house) == {"IN_PAYROLL": len(EARNERS) + 1}
    assert await do(ask, "finn", RELEASE, PERIOD, to=to) == {"payoutBatch": None, "userErrors": []}


@pytest.mark.capability("I3.5")
@pytest.mark.parametrize(
    ("mutation", "id_", "also", "nothing"),
    [
        (SUBMIT, RUN, "finn", {"submitted": 0}),
        (APPROVE, PERIOD, "hanna", {"approved": 0}),
        (APPROVE_FILE, PERIOD, "hanna", {"approved": False}),
        (RELEASE, PERIOD, "hanna", {"payoutBatch": None}),
    ],
    ids=["submitAwards", "approveAwards", "approvePayout", "releasePayout"],
)
async def test_the_wrong_role_changes_nothing(
    house: House, ask: Asking, mutation: str, id_: str, also: str, nothing: dict[str, object]
) -> None:
    before = await states(house)
    to = {"to": "payroll-de-01"} if "$to" in mutation else {}
    for who in (*NOBODYS, also):
        answer = await do(ask, who, mutation, id_, **to)
        (error,) = answer.pop("userErrors")
        assert (answer, error["code"], error["field"]) == (nothing, "ACCESS_DENIED", ["input"]), who
        assert error["fix"]
    assert await states(house) == before


async def test_ids_and_receivers_that_do_not_exist(ask: Asking) -> None:
    to = {"to": "payroll-de-01"}
    for mutation, id_, at, more in (
        (SUBMIT, PERIOD, "runId", {}), (SUBMIT, "nonsense", "runId", {}), (APPROVE, RUN, "cycleId", {}),
        (APPROVE_FILE, RUN, "cycleId", to), (RELEASE, "", "cycleId", to),
    ):  # fmt: skip
        (error,) = (await do(ask, "finn", mutation, id_, **more))["userErrors"]
        assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", at])
    for mutation in (APPROVE_FILE, RELEASE):
        (error,) = (await do(ask, "finn", mutation, PERIOD, to="elsewhere"))["userErrors"]
        assert (error["code"], error["field"]) == ("BAD_INPUT", ["input", "receiver"])
        assert "payroll-de-01" in error["fix"]
