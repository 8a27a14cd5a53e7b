"""Connections for reading: who asks is told with the statement and forgotten with it, whatever becomes of either."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from schema.identity import DEFAULT_TENANT
from schema.reads import Reads
from schema.viewer import Viewer

HANNA, BEN, NOBODY = (Viewer(person_id=uuid4(), request_id=name) for name in ("hanna", "ben", "nobody"))
GRANT = (
    "insert into access.role_grant (tenant_id, person_id, role, granted_by, valid_from)"
    " values ($1, $2, 'HR', 'test', now())"
)
WHO = "select app.person() as person, pg_backend_pid() as pid from app.enter($1, $2, $3) as known where known"
LEFT = "select current_setting('app.person_id', true) from (values ($1::text, $2::text, $3::text)) as viewer"


@pytest.fixture
async def reads(database_url: str) -> AsyncIterator[Reads]:
    admin = await asyncpg.connect(database_url)
    for viewer in (HANNA, BEN):
        await admin.execute(GRANT, DEFAULT_TENANT, viewer.person_id)
    await admin.close()
    opened = Reads(database_url, 2)
    yield opened
    await opened.close()


async def person(reads: Reads, viewer: Viewer) -> UUID | None:
    row = await reads.row(viewer, WHO, ())
    return row["person"] if row else None


async def test_a_statement_sees_its_own_viewer_and_leaves_nobody(reads: Reads) -> None:
    for viewer in (HANNA, BEN, HANNA):
        assert await person(reads, viewer) == viewer.person_id
        assert await person(reads, NOBODY) is None
        assert (await reads.row(viewer, LEFT, ()))[0] in ("", None)


async def test_many_at_once_share_few_connections_and_each_is_himself(reads: Reads) -> None:
    rows = await asyncio.gather(*(reads.row((HANNA, BEN)[n % 2], WHO, ()) for n in range(40)))
    assert [row["person"] for row in rows] == [(HANNA, BEN)[n % 2].person_id for n in range(40)]
    assert len({row["pid"] for row in rows}) <= 2


async def test_a_snapshot_is_one_moment_of_one_viewer(reads: Reads, database_url: str) -> None:
    count = "select count(*) from access.role_grant"
    async with reads.snapshot(HANNA) as snapshot:
        before = await snapshot.row(count, ())
        admin = await asyncpg.connect(database_url)
        await admin.execute(GRANT, DEFAULT_TENANT, uuid4())
        await admin.close()
        assert (await snapshot.row(count, ()))[0] == before[0]
        assert (await snapshot.row("select app.person()", ()))[0] == HANNA.person_id
    assert await person(reads, BEN) == BEN.person_id


async def test_a_refused_statement_keeps_the_connection(reads: Reads) -> None:
    first = (await reads.row(HANNA, WHO, ()))["pid"]
    with pytest.raises(asyncpg.DivisionByZeroError):
        await reads.row(HANNA, WHO.replace("select", "select 1 / 0,", 1), ())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with reads.snapshot(HANNA) as snapshot:
            await snapshot.row("select * from inbox.delivery_key", ())
    assert (await reads.row(BEN, WHO, ()))["pid"] == first
    assert await person(reads, BEN) == BEN.person_id


async def test_dead_connections_are_left_and_an_abandoned_one_is_closed(reads: Reads, database_url: str) -> None:
    await asyncio.gather(*(person(reads, HANNA) for _ in range(4)))
    admin = await asyncpg.connect(database_url)
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'evenhand_app_reads'"
    )
    await admin.close()
    first = (await reads.row(HANNA, WHO, ()))["pid"]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await reads.row(HANNA, WHO.replace("select", "select pg_sleep(1),", 1), ())
    row = await reads.row(BEN, WHO, ())
    assert row["person"] == BEN.person_id
    assert row["pid"] != first


async def test_a_database_that_is_away_is_a_connection_error() -> None:
    nowhere = Reads("postgresql://nobody@127.0.0.1:1/none", 1)
    with pytest.raises(ConnectionError):
        await nowhere.row(HANNA, WHO, ())
