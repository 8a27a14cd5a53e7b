"""Who plays in the demonstration: given out once through the ordinary grants, and mended when it was cut off."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from api.demo import cast
from api.house import House
from engine.words import Role
from schema.embedded import Server
from tests.api.conftest import small
from tests.api.small_house import NOW, person


@pytest.fixture
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    keys = tmp_path_factory.mktemp("cast") / "keys"
    async with small(postgres, template, keys, f"cast_{keys.parent.name}") as opened:
        yield opened


async def rows(house: House, statement: str) -> list[Any]:
    admin = await asyncpg.connect(house.database_url)
    try:
        return list(await admin.fetch(statement))
    finally:
        await admin.close()


async def test_parts_are_given_once_and_each_with_its_entry(house: House) -> None:
    given = await cast.assign(house.store, house.log, NOW)
    assert list(given) == list(cast.PARTS)
    assert len(set(given.values())) == len(cast.PARTS)
    assert person("ava") not in given.values(), "who holds a role in earnest plays none"
    entries = "select object_id, at from audit.entry where ty = 'role.granted/v1'"
    before = await rows(house, entries)
    assert len(before) == len(cast.PARTS)
    assert await cast.assign(house.store, house.log, NOW) == given
    assert await rows(house, entries) == before
    players = await cast.players(house.store)
    assert players[Role.FINANCE] == given["finance"]
    assert await cast.player(house.store, Role.PAYROLL) == given["payroll"]


async def test_what_was_cut_off_is_given_out_as_it_would_have_been(house: House) -> None:
    given = await cast.assign(house.store, house.log, NOW)
    await rows(
        house, "delete from access.role_grant where granted_by in ('demo:auditor, setup', 'demo:payroll, setup')"
    )
    assert await cast.assign(house.store, house.log, NOW) == given
