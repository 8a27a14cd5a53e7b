"""The same key is the same act: done once, answered twice, refused for another input, free again after a refusal."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api.actions.repeats import Call, once
from api.house import House
from api.ids import global_id
from engine.refusal import Code, Refused
from schema.embedded import Server
from schema.store import DbRole, Viewer
from tests.api.conftest import Asking, asking, small
from tests.api.small_house import NOW, key, person

APPROVE = """mutation ($key: ID!, $id: ID!, $version: Int! = 1) { approveAward(
  input: {idempotencyKey: $key, awardId: $id, expectedVersion: $version}) {
  award { state version } userErrors { field code } } }"""
FINN, CARLA = Viewer(person("finn")), Viewer(person("carla"))
KEYS = text("select count(*) from access.act_key")


@pytest.fixture(scope="module")
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with small(postgres, template, tmp_path_factory.mktemp("repeating") / "keys", "repeating") as opened:
        yield opened


@pytest.fixture(scope="module")
async def ask(house: House) -> AsyncIterator[Asking]:
    async with asking(house) as ready:
        yield ready


async def approve(ask: Asking, key_: str, who: str, **more: Any) -> Any:
    return (await ask("finn", APPROVE, key=key_, id=global_id("Award", key("award", who)), **more))["approveAward"]


async def test_a_repeat_answers_the_same_and_does_nothing(house: House, ask: Asking) -> None:
    first = await approve(ask, "a", "ben")
    assert first == {"award": {"state": "APPROVED", "version": 2}, "userErrors": []}
    async with house.store.begin(DbRole.PAY, FINN) as connection:
        acts = (await connection.execute(text("select count(*) from audit.entry"))).scalar_one()
    assert await approve(ask, "a", "ben") == first
    async with house.store.begin(DbRole.PAY, FINN) as connection:
        assert (await connection.execute(text("select count(*) from audit.entry"))).scalar_one() == acts
    # Without the key the act itself says that there is nothing to decide any more.
    assert (await approve(ask, "b", "ben"))["userErrors"][0]["code"] == "NOT_FOUND"


async def test_another_input_under_the_same_key_is_refused(ask: Asking) -> None:
    await approve(ask, "c", "max")
    for who, more in (("dan", {}), ("max", {"version": 2})):
        refused = await approve(ask, "c", who, **more)
        assert refused == {
            "award": None,
            "userErrors": [{"field": ["input", "idempotencyKey"], "code": "IDEMPOTENCY_CONFLICT"}],
        }
    assert (await approve(ask, "d", "dan"))["userErrors"] == []


async def test_a_refused_act_keeps_no_key(ask: Asking) -> None:
    assert (await approve(ask, "e", "mia", version=7))["userErrors"][0]["code"] == "STATE_CONFLICT"
    assert (await approve(ask, "e", "mia"))["userErrors"] == []


async def test_a_key_that_cannot_be_kept(ask: Asking) -> None:
    for bad in ("", "x" * 201, "a\u0000b"):
        refused = await approve(ask, bad, "ana")
        assert refused["userErrors"] == [{"field": ["input", "idempotencyKey"], "code": "BAD_INPUT"}]


async def test_keys_are_everybodys_own(house: House) -> None:
    async def act() -> str:
        return "done"

    call = Call("Test", {}, "shared")
    assert await once(house.store, FINN, call, NOW, act) == "done"
    with pytest.raises(ProgrammingError):  # whoever reads for people does not read keys
        async with house.store.begin(DbRole.APP, FINN) as connection:
            await connection.execute(KEYS)
    assert await once(house.store, CARLA, replace(call, input={"other": 1}), NOW, act) == "done"


async def test_two_at_once_do_it_once_and_a_lost_one_is_done_again(house: House) -> None:
    done: list[int] = []
    gate = asyncio.Event()

    async def slow() -> int:
        await gate.wait()
        done.append(1)
        return 1

    call = Call("Test", {}, "twice")
    first = asyncio.create_task(once(house.store, FINN, call, NOW, slow))
    async with asyncio.timeout(20):
        while True:  # until the first has its key
            async with house.store.begin(DbRole.WORKER, FINN) as connection:
                found = await connection.execute(text("select 1 from access.act_key where key = 'twice'"))
                if found.scalar():
                    break
    with pytest.raises(Refused) as refused:
        await once(house.store, FINN, call, NOW, slow)
    assert refused.value.code == Code.STATE_CONFLICT
    gate.set()
    assert await first == 1
    assert await once(house.store, FINN, call, NOW, slow) == 1
    assert done == [1]
    async with house.store.begin(DbRole.WORKER, FINN) as connection:  # as after a crash between act and answer
        await connection.execute(text("update access.act_key set outcome = null where key = 'twice'"))
    assert await once(house.store, FINN, call, NOW + timedelta(seconds=11), slow) == 1
    assert done == [1, 1]


async def test_after_a_day_a_key_is_forgotten(house: House) -> None:
    seen: list[UUID] = []

    async def act() -> str:
        seen.append(person("finn"))
        return "done"

    call = Call("Test", {"a": 1}, "daily")
    await once(house.store, FINN, call, NOW, act)
    await once(house.store, FINN, replace(call, input={"a": 2}), NOW + timedelta(hours=24), act)
    assert len(seen) == 2


async def test_a_defect_frees_the_key(house: House) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await once(house.store, FINN, Call("Test", {}, "broken"), NOW, broken)
    async with house.store.begin(DbRole.WORKER, FINN) as connection:
        left = await connection.execute(text("select count(*) from access.act_key where key = 'broken'"))
        assert left.scalar_one() == 0
