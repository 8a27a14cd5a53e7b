"""What a caller reads when the database refuses, waits or fails: a code, an id, and nothing of what lies behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from api.graphql import execution, http
from api.graphql.turns import EACH_MAX
from api.house import House
from api.ids import global_id, parsed
from tests.api.conftest import Asking, asking
from tests.api.small_house import LINE, Model, key, person

SCORES = "{ scores(first: 5) { nodes { id value } } }"


@pytest.fixture(params=[True, False], ids=["planned", "standard"])
async def lane(request: pytest.FixtureRequest, house: House) -> AsyncIterator[Asking]:
    async with asking(replace(house, settings=replace(house.settings, planner=request.param))) as ready:
        yield ready


@asynccontextmanager
async def administrator(house: House) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(house.database_url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def locked(house: House, statement: str) -> AsyncIterator[None]:
    """Somebody holds what the statement locks."""
    async with administrator(house) as connection, connection.transaction():
        await connection.execute(statement)
        yield


def codes(found: Any) -> list[str]:
    assert all(each["extensions"]["requestId"] for each in found["errors"])
    return [each["extensions"]["code"] for each in found["errors"]]


async def test_whoever_waits_for_a_lock_is_told_so(house: House, lane: Asking) -> None:
    async with locked(house, "lock table score.score in access exclusive mode"):
        answer = await lane.post("ana", SCORES)
    assert (answer.status_code, codes(answer.json())) == (200, ["TIMEOUT"])
    assert answer.json()["data"] is None
    assert (await lane("ana", SCORES))["scores"]


async def test_an_act_that_waits_for_a_lock_changes_nothing(house: House, ask: Asking) -> None:
    approve = """mutation ($key: ID!, $id: ID!) {
      approveAward(input: {idempotencyKey: $key, awardId: $id, expectedVersion: 1}) {
        award { id } userErrors { field code fix } } }"""
    names = {"key": uuid4().hex, "id": global_id("Award", key("award", "ben"))}
    async with locked(house, "select from pay.award for update"):
        found = await ask("finn", approve, **names)
    assert found["approveAward"] == {
        "award": None,
        "userErrors": [{"field": None, "code": "TIMEOUT", "fix": "Try again in a second."}],
    }
    async with administrator(house) as connection:
        assert await connection.fetchval("select version from pay.award where id = $1", key("award", "ben")) == 1


async def test_a_request_that_takes_too_long_is_ended(
    house: House, lane: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.3)
    async with locked(house, "lock table score.score in access exclusive mode"):
        answer = await lane.post("ana", SCORES)
    assert (answer.status_code, answer.json()["code"]) == (504, "TIMEOUT")
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
    monkeypatch.undo()
    assert (await lane("ana", SCORES))["scores"]


async def test_a_person_has_eight_operations_at_a_time(house: House, ask: Asking) -> None:
    async with locked(house, "lock table score.score in access exclusive mode"):
        asked = [asyncio.create_task(ask.post("ana", SCORES)) for _ in range(EACH_MAX + 1)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        first = done.pop().result()
        assert (first.status_code, first.json()["code"], first.headers["retry-after"]) == (429, "THROTTLED", "1")
    statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert sorted(statuses) == [200] * EACH_MAX + [429]


async def test_an_answer_has_an_end(lane: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "ANSWER_MAX_BYTES", 100)
    answer = (await lane.post("ava", "{ people(first: 20) { nodes { name } } }")).json()
    assert (answer["data"], codes(answer)) == (None, ["ANSWER_TOO_LARGE"])
    assert "startBulkExport" in answer["errors"][0]["extensions"]["fix"]
    assert (await lane("ava", "{ people(first: 1) { nodes { name } } }"))["people"]


async def test_nothing_of_the_database_is_told(house: House, lane: Asking, caplog: pytest.LogCaptureFixture) -> None:
    """A right that is missing is a defect of ours: no table, no statement, no value leaves, or stands in the log."""
    async with administrator(house) as connection:
        await connection.execute("revoke select on score.score from evenhand_app")
        try:
            answer = await lane.post("ana", SCORES)
        finally:
            await connection.execute("grant select on score.score to evenhand_app")
    found = answer.json()
    assert codes(found) == ["INTERNAL"]
    assert found["errors"][0]["message"] == "Internal error"
    logged = [record.getMessage() for record in caplog.records if record.name == "evenhand.graphql"]
    assert any(found["errors"][0]["extensions"]["requestId"] in line for line in logged)
    for said in (answer.text, caplog.text):
        assert not [word for word in ("score.score", "select ", "permission", "SELECT ") if word in said]


HIDDEN_AND_MISSING = {
    "node": ("query ($id: ID!) { node(id: $id) { id } }", global_id("Person", person("dan"))),
    "nodes": ("query ($id: ID!) { nodes(ids: [$id, $id]) { id } }", global_id("Person", person("dan"))),
    "person": ("query ($id: ID!) { person(by: {id: $id}) { name reports(first: 1) { totalCount } } }",
               global_id("Person", person("dan"))),
    "filter": ("query ($id: ID!) { people(first: 1, filter: {id: {eq: $id}}) { totalCount nodes { id }"
               " pageInfo { hasNextPage endCursor } } }", global_id("Person", person("dan"))),
    "explain": ("query ($id: ID!) { explain(id: $id) { tree } }", global_id("Score", key("score", "new-dan"))),
    "audit": ("query ($id: ID!) { auditRecord(by: {id: $id}) { leaf proof { index } } }",
              global_id("AuditRecord", key("entry", "dan"))),
    "act": ("""mutation ($id: ID!, $key: ID! = "x") {
                 approveAward(input: {idempotencyKey: $key, awardId: $id, expectedVersion: 1}) {
                 award { id } userErrors { field code message fix } } }""", global_id("Award", key("award", "dan"))),
}  # fmt: skip


@pytest.mark.parametrize("entry", HIDDEN_AND_MISSING)
async def test_hidden_and_missing_look_the_same(lane: Asking, entry: str) -> None:
    """The same data, errors, price and headers, for whoever may not see it."""
    query, hidden = HIDDEN_AND_MISSING[entry]
    kind = parsed(hidden)
    assert kind is not None
    missing = global_id(kind[0], uuid4())
    told = []
    for each in (hidden, missing):
        answer = await lane.post("ana", query, {"id": each})
        found = answer.json()
        for part in (found["extensions"], *(error["extensions"] for error in found.get("errors", ()))):
            part.pop("requestId")
        found["extensions"]["cost"].pop("currentlyAvailable")
        own = {name: said for name, said in answer.headers.items() if name not in ("x-request-id", "content-length")}
        told.append((answer.status_code, found, own))
    assert told[0] == told[1]


async def test_a_page_ends_where_the_visible_ends(lane: Asking) -> None:
    """Hidden rows behind the last visible one are no next page."""
    seen = len(Model("ana").people())
    assert seen < len(LINE)
    query = "query ($n: Int!) { people(first: $n) { totalCount pageInfo { hasNextPage } nodes { name } } }"
    for size, more in ((seen - 1, True), (seen, False), (seen + 1, False)):
        page: Any = (await lane("ana", query, n=size))["people"]
        assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (seen, more)
