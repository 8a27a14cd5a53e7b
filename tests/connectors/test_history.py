"""What the mirror said at a moment stays what it said; and every row leads back to the bytes that brought it."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from connectors.drain import drain
from connectors.history import Snapshot, find, stood, take
from connectors.mirror import mark_gone, write_versions
from engine.refusal import Refused
from engine.words import Source
from schema.identity import mirror_id
from schema.store import DbRole, Store
from tests.connectors.test_drain import READ, accept_pages, incident, page, sys_id
from tests.connectors.test_sweep import at, name, rows, seen

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def record(number: int) -> UUID:
    found = mirror_id(Source.SERVICENOW, "incident", name(number))
    assert found is not None
    return found


async def taken(store: Store, called: str) -> Snapshot:
    async with store.begin(DbRole.WORKER) as connection:
        return await take(connection, called, NOW)


async def reading(store: Store, snapshot: Snapshot, count: int) -> list[Any]:
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        return [
            (each.record_id, each.gone, each.version_no, each.body)
            for each in await stood(connection, snapshot.cut_no, [record(number) for number in range(count)])
        ]


@pytest.mark.capability("I7.5")
async def test_a_snapshot_reads_the_same_whatever_comes_later(store: Store) -> None:
    """Random versions, silent changes, deletes and returns, with snapshots taken in between, against a plain model."""
    chance, model = Random(11), dict[int, tuple[bool, int, bytes]]()
    kept: list[tuple[Snapshot, list[Any]]] = []
    for minute in range(1, 121):
        number = chance.randrange(8)
        if number in model and chance.random() < 0.25:
            async with store.begin(DbRole.WORKER) as connection:
                await mark_gone(connection, [record(number)], at(1_000 + minute))
            model[number] = (True, *model[number][1:])
        else:
            count = model[number][1] + 1 if number in model else 0
            sighting = seen(number, count, 1_000 + minute)
            async with store.begin(DbRole.WORKER) as connection:
                await write_versions(connection, [sighting])
            model[number] = (False, count, sighting.version.payload)
        if minute % 20 == 0:
            snapshot = await taken(store, f"after {minute}")
            expected = sorted((record(each), *state) for each, state in model.items())
            assert sorted(await reading(store, snapshot, 8)) == expected
            assert snapshot.records == sum(not gone for gone, _, _ in model.values())
            kept.append((snapshot, expected))
    assert len({snapshot.hash for snapshot, _ in kept}) == len(kept)
    for snapshot, expected in kept:
        assert sorted(await reading(store, snapshot, 8)) == expected
        async with store.begin(DbRole.WORKER) as connection:
            assert await find(connection, snapshot.name) == snapshot


async def test_a_snapshot_waits_for_writers_that_have_begun(store: Store) -> None:
    """Else a line of the diary could come below its number after it was taken."""
    async with store.begin(DbRole.WORKER) as writing:
        await write_versions(writing, [seen(1)])
        waiting = asyncio.create_task(taken(store, "now"))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    assert (await waiting).records == 1


async def test_a_name_is_given_once_and_an_unknown_one_is_said_so(store: Store) -> None:
    await taken(store, "close of March")
    with pytest.raises(Refused, match="already"):
        await taken(store, "close of March")
    async with store.begin(DbRole.WORKER) as connection:
        with pytest.raises(Refused, match="no snapshot 'April'"):
            await find(connection, "April")


@pytest.mark.parametrize("table", ["mirror.standing", "mirror.snapshot", "mirror.payload", "mirror.revision"])
async def test_the_past_refuses_to_be_edited(store: Store, table: str) -> None:
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, [seen(1)])
    await taken(store, "now")
    for act in (f"delete from {table}", f"update {table} set tenant_id = tenant_id"):
        with pytest.raises(DBAPIError, match=r"append-only|permission denied"):
            await rows(store, act)


@pytest.mark.capability("I7.1")
async def test_every_typed_row_leads_back_to_the_bytes_that_brought_it(store: Store) -> None:
    raw = incident(1, 3, short_description="née")
    await accept_pages(store, [page([incident(2), raw])])
    await drain(store, READ)
    ((body, payload),) = await rows(
        store,
        """select d.body, p.body from mirror.incident i
             join mirror.revision r on r.tenant_id = i.tenant_id and r.id = i.revision_id
             join mirror.payload p on p.tenant_id = r.tenant_id and p.month = r.month and p.revision_id = r.id
             join inbox.delivery d on d.tenant_id = r.tenant_id and d.id = r.delivery_id
            where i.number = 'INC1'""",
    )
    assert raw in orjson.loads(body)
    assert orjson.loads(payload).items() <= raw.items()
    assert orjson.loads(payload)["sys_id"] == sys_id(1)


MONTH = datetime(2026, 1, 1, tzinfo=UTC)
MAKE = "select app.make_parts(date '2026-01-01', 0)"
DROP = "select app.drop_part(:parent, date '2026-01-01')"


async def old_delivery(url: str, state: str) -> None:
    admin = await asyncpg.connect(url)
    try:
        await admin.execute(MAKE)
        await admin.execute(
            """insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256,
                 headers, received_at, state, attempts)
               values ((select tenant_id from access.tenant limit 1), 'jira', '', 'WEBHOOK', 'd', 0, 'x', 'x', '{}',
                 $1, $2, 0)""",
            MONTH + timedelta(days=3), state,
        )  # fmt: skip
    finally:
        await admin.close()


async def drop(store: Store, parent: str) -> int:
    async with store.begin(DbRole.WORKER) as connection:
        return int(await connection.scalar(text(DROP), {"parent": parent}) or 0)


@pytest.mark.capability("I7.1")
async def test_a_month_of_deliveries_goes_at_once_but_not_while_one_waits(store: Store, database_url: str) -> None:
    await rows(store, "insert into access.tenant values ((select app.tenant()), 'Firm', '') returning name")
    await old_delivery(database_url, "READY")
    with pytest.raises(DBAPIError, match="1 rows of delivery_2026_01 are still needed"):
        await drop(store, "inbox.delivery")
    await rows(store, "update inbox.delivery set state = 'DONE' returning id")
    assert await drop(store, "inbox.delivery") == 1
    assert await drop(store, "inbox.delivery") == 0
    assert await rows(store, "select count(*) from inbox.delivery") == [(0,)]


async def test_bodies_that_a_paid_number_rests_on_stay(store: Store, database_url: str) -> None:
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, [seen(1), seen(2)])
    admin = await asyncpg.connect(database_url)
    await admin.execute(MAKE)
    await admin.execute("set session_replication_role = replica")  # as if they had been accepted in January
    await admin.execute("update mirror.revision set month = '2026-01-01'")
    await admin.execute("update mirror.payload set month = '2026-01-01'")
    await admin.execute(
        """insert into score.kpi_lineage (tenant_id, run_id, metric, subject_kind, subject_id, record_id, revision_id,
             number) select tenant_id, gen_random_uuid(), 'm', 'TEAM', gen_random_uuid(), record_id, id, 'INC1'
           from mirror.revision order by id limit 1"""
    )
    with pytest.raises(DBAPIError, match="1 rows of payload_2026_01 are still needed"):
        await drop(store, "mirror.payload")
    await admin.execute("delete from score.kpi_lineage")
    await admin.close()
    assert await drop(store, "mirror.payload") == 2
    snapshot = await taken(store, "later")
    assert [body for *_, body in await reading(store, snapshot, 3)] == [None, None]
    assert snapshot.records == 2  # what was said is still known by its hash


@pytest.mark.parametrize(
    ("parent", "month"),
    [
        ("inbox.delivery", "date_trunc('month', current_date)::date"),
        ("inbox.delivery", "date '2026-01-05'"),
        ("pay.line", "date '2026-01-01'"),
    ],
)
async def test_this_month_and_other_tables_are_never_dropped(store: Store, parent: str, month: str) -> None:
    with pytest.raises(DBAPIError, match=r"is not over|there is no month"):
        await rows(store, f"select app.drop_part('{parent}', {month})")
