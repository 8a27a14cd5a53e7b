"""What somebody is now: judged once in a snapshot, anew for another name, and at every look where it may change."""

from uuid import UUID, uuid4

import asyncpg

from schema.identity import DEFAULT_TENANT

HANNA, BEN = uuid4(), uuid4()
GRANT = (
    "insert into access.role_grant (tenant_id, person_id, role, granted_by, valid_from)"
    " values ($1, $2, 'HR', 'test', now())"
)
TELL = "select set_config('app.tenant_id', $1, true), set_config('app.person_id', $2, true)"
LOOK = "select app.granted('HR'), app.granted('H'), app.granted('AUDITOR'), app.member()"


async def told(connection: asyncpg.Connection, who: UUID) -> tuple[bool, ...]:
    await connection.execute(TELL, str(DEFAULT_TENANT), str(who))
    return tuple(await connection.fetchrow(LOOK))


async def test_a_snapshot_judges_each_name_by_itself(database_url: str) -> None:
    admin = await asyncpg.connect(database_url)
    await admin.execute(GRANT, DEFAULT_TENANT, HANNA)
    reader = await asyncpg.connect(database_url, server_settings={"role": "evenhand_app"})
    async with reader.transaction(isolation="repeatable_read", readonly=True):
        assert await told(reader, HANNA) == (True, False, False, True)
        assert await told(reader, BEN) == (False, False, False, False)
        assert await told(reader, HANNA) == (True, False, False, True)
        kept = await reader.fetchval("select current_setting('app.standing')")
        assert kept == f"{DEFAULT_TENANT}/{HANNA}: HR member "
        await admin.execute("delete from access.role_grant")
        assert await told(reader, HANNA) == (True, False, False, True), "a snapshot is one moment"
    async with reader.transaction(isolation="repeatable_read", readonly=True):
        assert await told(reader, HANNA) == (False, False, False, False), "it ended with its transaction"
    await reader.close()
    await admin.close()


async def test_where_things_may_change_every_look_is_new(database_url: str) -> None:
    admin = await asyncpg.connect(database_url)
    await admin.execute(GRANT, DEFAULT_TENANT, HANNA)
    writer = await asyncpg.connect(database_url, server_settings={"role": "evenhand_pay"})
    for isolation, readonly in (("read_committed", False), ("read_committed", True)):
        async with writer.transaction(isolation=isolation, readonly=readonly):
            assert await told(writer, HANNA) == (True, False, False, True)
            await admin.execute("delete from access.role_grant")
            assert await told(writer, HANNA) == (False, False, False, False)
        await admin.execute(GRANT, DEFAULT_TENANT, HANNA)
    await writer.close()
    await admin.close()
