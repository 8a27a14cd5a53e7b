"""A database of the first release is brought up to date with everything in it, row security and all."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from schema.embedded import Server
from schema.store import HERE, async_url, migrate

TENANT, RECORD = "5d1f7c1e-0000-4000-8000-000000000001", "5d1f7c1e-0000-4000-8000-0000000000aa"
WALLED = ("mirror.revision", "mirror.record", "inbox.delivery")
HELD = (
    f"""insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256,
          headers, received_at, state, attempts)
        values ('{TENANT}', 'jira', '', 'WEBHOOK', 'one', 0, '{{}}', 'x', '{{}}', '2026-01-07T10:00Z', 'DONE', 1),
               ('{TENANT}', 'servicenow', 'incident', 'POLL', 'two', 0, '[]', 'y', '{{}}', '2026-02-07T10:00Z',
                'READY', 0)""",
    f"""insert into mirror.revision (tenant_id, record_id, source, entity, source_key, version_no, version_at, payload,
          payload_hash, feed, delivery_id, observed_at)
        values ('{TENANT}', '{RECORD}', 'jira', 'issue', '7', 1, '2026-01-07T09:00Z', 'first', 'h1', 'WEBHOOK', 1,
                '2026-01-07T10:00Z'),
               ('{TENANT}', '{RECORD}', 'jira', 'issue', '7', 2, '2026-02-07T09:00Z', 'second', 'h2', 'POLL', 2,
                '2026-02-07T10:00Z')""",
    f"""insert into mirror.record (tenant_id, id, source, entity, source_key, kind, version_no, version_at,
          payload_hash, revision_id)
        values ('{TENANT}', '{RECORD}', 'jira', 'issue', '7', 'INCIDENT', 2, '2026-02-07T09:00Z', 'h2', 2)""",
)


def first_release(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


@pytest.fixture
async def old(postgres: Server) -> AsyncIterator[str]:
    """A database as the first release left it, with a wall that its owner does not see through either."""
    name = f"old_{os.getpid()}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    await admin.execute(f'create database "{name}"')
    engine = create_async_engine(async_url(postgres.url(name)))
    async with engine.begin() as connection:
        await connection.run_sync(first_release)
        for statement in HELD:
            await connection.execute(text(statement))
        for table in WALLED:
            await connection.execute(text(f"alter table {table} enable row level security"))
            await connection.execute(text(f"alter table {table} force row level security"))
    await engine.dispose()
    yield postgres.url(name)
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()


async def test_nothing_is_lost_on_the_way_to_the_next_release(old: str) -> None:
    await migrate(old)
    await migrate(old)  # and once more changes nothing
    admin = await asyncpg.connect(old)
    try:
        deliveries = await admin.fetch("select id, delivery_id, state, tableoid::regclass::text from inbox.delivery")
        assert sorted(map(tuple, deliveries)) == [
            (1, "one", "DONE", "parts.delivery_2026_01"), (2, "two", "READY", "parts.delivery_2026_02"),
        ]  # fmt: skip
        bodies = await admin.fetch(
            """select r.id, p.body, p.tableoid::regclass::text from mirror.revision r
                 join mirror.payload p on p.tenant_id = r.tenant_id and p.month = r.month and p.revision_id = r.id"""
        )
        assert sorted(map(tuple, bodies)) == [
            (1, b"first", "parts.payload_2026_01"), (2, b"second", "parts.payload_2026_02"),
        ]  # fmt: skip
        (stands,) = await admin.fetch("select read_at = shown_at, extract(month from read_at)::int from mirror.record")
        assert tuple(stands) == (True, 2)
        (line,) = await admin.fetch("select record_id::text, revision_id, gone from mirror.standing")
        assert tuple(line) == (RECORD, 2, False)
        again = await admin.fetchval(
            f"""insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body,
                  body_sha256, headers, received_at, state, attempts)
                values ('{TENANT}', 'hris', '', 'FILE', 'three', 0, '', '', '{{}}', now(), 'READY', 0) returning id"""
        )
        assert again == 3  # numbers go on where they were
        forced = await admin.fetch(
            "select relforcerowsecurity from pg_class where oid::regclass::text = any($1)", list(WALLED)
        )
        assert [row[0] for row in forced] == [True] * 3
    finally:
        await admin.close()
