"""The login of our processes: it reaches the service roles and nothing above them."""

from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from schema import embedded
from schema.store import LOGIN, DbRole, Store, admit


async def test_the_login_is_a_member_of_the_service_roles_and_nothing_more(
    postgres: embedded.Server, database_url: str
) -> None:
    await admit(database_url)
    await admit(database_url)  # safe to repeat
    url = postgres.url(Path(database_url.partition("?")[0]).name, user=LOGIN)
    store = Store(url)
    try:
        for role in DbRole:
            async with store.begin(role) as connection:
                who = (await connection.execute(text("select current_user, session_user"))).one()
                assert tuple(who) == (role.value, LOGIN)
    finally:
        await store.close()
    connection = await asyncpg.connect(url)
    try:
        assert not await connection.fetchval("select rolsuper or rolbypassrls from pg_roles where rolname = $1", LOGIN)
        for forbidden in ("set role evenhand_owner", "set role evenhand_admin", "select * from pay.award"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)
    finally:
        await connection.close()
