"""What a replay leaves alone: what was counted beside a record, absences, and bodies that are not there any more."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy import text

from connectors.drain import accept_pages, drain
from connectors.hints import BODY_DROPPED
from connectors.mirror import Sighting, mark_gone, write_versions
from connectors.replay import ask, read_again, replay_these, waiting
from connectors.source import Hook, Page, Poison, Translator, Version
from engine.words import Feed, MirrorKind, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store

SEEN = datetime(2026, 3, 4, 10, tzinfo=UTC)
RECORD = mirror_id(Source.SERVICENOW, "incident", "i1")
ROW = "select resolve_business_seconds, calendar_hash, gone_at is not null from mirror.incident"
COUNTED = "update mirror.incident set resolve_business_seconds = 60, calendar_hash = 'c'"


def translate(entity: str, record: Any, at: datetime) -> list[Version]:
    if record.get("bad"):
        raise Poison(record["key"], "state", "?", "No contract knows it.", "Extend it.")
    values = {"number": "INC1", "opened_at": SEEN, "resolved_at": SEEN + timedelta(hours=record["no"]), "priority": 1}
    version_at = SEEN + timedelta(seconds=record["no"])
    return [Version(Source.SERVICENOW, entity, record["key"], MirrorKind.INCIDENT, record["no"], version_at,
                    orjson.dumps(record), values)]  # fmt: skip


READS = Translator(translate, lambda body: Hook())


async def mirror(store: Store, no: int) -> None:
    (version,) = translate("incident", {"key": "i1", "no": no}, SEEN)
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, [Sighting(version, Feed.POLL, 1, SEEN + timedelta(minutes=no))])


async def once_more(store: Store) -> int:
    async with store.begin(DbRole.WORKER) as connection:
        assert RECORD
        done = await replay_these(connection, Source.SERVICENOW, [RECORD], READS, lambda entity, raw: (entity, raw))
        return done.rows


async def row(store: Store, before: str = "") -> tuple[Any, ...]:
    async with store.begin(DbRole.WORKER) as connection:
        if before:
            await connection.execute(text(before))
        return tuple((await connection.execute(text(ROW))).one())


async def test_what_was_counted_beside_a_record_stays_while_its_ends_do(store: Store) -> None:
    await mirror(store, 1)
    assert await row(store, COUNTED) == (60, "c", False)
    assert await once_more(store) == 1
    assert await row(store) == (60, "c", False)
    await mirror(store, 2)
    assert await row(store) == (None, None, False), "another end: it is counted again"


SAID_ANEW = "select priority from mirror.incident"
HINTS = "select source_key, why from ops.hint"


def more_urgent(entity: str, record: Any, at: datetime) -> list[Version]:
    return [replace(version, values={**version.values, "priority": 2}) for version in translate(entity, record, at)]


async def shown_again(store: Store, at: int, feed: Feed = Feed.SWEEP) -> None:
    """The tool shows the very same content, under another contract."""
    body = orjson.dumps([{"key": "i1", "no": 1}])
    page = Page(Source.SERVICENOW, "incident", feed, f"again:{at}", body, SEEN + timedelta(hours=at))
    await accept_pages(store, [page])
    await drain(store, {Source.SERVICENOW: replace(READS, translate=more_urgent)})


async def read(store: Store, query: str) -> list[tuple[Any, ...]]:
    async with store.begin(DbRole.WORKER) as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


@pytest.mark.parametrize("gone", [False, True])
async def test_a_record_whose_body_was_dropped_is_asked_for_and_its_row_written_anew(
    store: Store, database_url: str, gone: bool
) -> None:
    await mirror(store, 1)
    await shown_again(store, 1, Feed.POLL)
    assert await read(store, SAID_ANEW) == [(1,)], "a poll that says nothing new is no reason to write anew"
    admin = await asyncpg.connect(database_url)
    await admin.execute("set session_replication_role = replica; delete from mirror.payload")
    await admin.close()
    if gone:
        async with store.begin(DbRole.WORKER) as connection:
            assert RECORD
            await mark_gone(connection, [RECORD], SEEN + timedelta(days=1))
    assert await once_more(store) == 0
    assert await read(store, HINTS) == ([] if gone else [("i1", BODY_DROPPED)])
    await shown_again(store, 2)
    assert await read(store, SAID_ANEW) == [(2,)]
    assert await read(store, "select count(*) from mirror.revision") == [(1,)]


async def test_an_absent_record_stays_absent(store: Store) -> None:
    await mirror(store, 1)
    async with store.begin(DbRole.WORKER) as connection:
        assert RECORD
        await mark_gone(connection, [RECORD], SEEN + timedelta(days=1))
    assert (await row(store))[2] is True
    assert await once_more(store) == 1
    assert (await row(store))[2] is True


@pytest.mark.parametrize(
    ("body", "faults", "without"),
    [(b'{"key":"i1","no":1}', 0, 0), (b'{"key":"i1","no":1,"bad":true}', 1, 0), (b'{"key":"i2","no":1}', 1, 0),
     (b'{"key":"i1"}', 1, 0), (None, 0, 1)],
)  # fmt: skip
def test_what_cannot_be_read_again_is_listed_and_what_is_dropped_is_counted(
    body: bytes | None, faults: int, without: int
) -> None:
    stored = SimpleNamespace(id=UUID(int=1), entity="incident", source_key="i1", version_no=7, version_at=SEEN,
                             feed="POLL", delivery_id=3, observed_at=SEEN, body=body)  # fmt: skip
    found, listed, gone = read_again(Source.SERVICENOW, [stored], READS, lambda entity, raw: (entity, raw))
    assert (len(listed), gone) == (faults, without)
    assert all(fault.fix and fault.key == "i1" for fault in listed)
    if not faults and not without:
        assert [(s.version.version_no, s.version.payload, s.delivery_id) for s in found] == [(7, body, 3)]


async def test_asking_again_for_another_contract_begins_anew_and_by_hand_goes_on(store: Store) -> None:
    await mirror(store, 1)
    async with store.begin(DbRole.WORKER) as connection:
        assert await ask(connection, Source.SERVICENOW, ["incident", "problem"], (), SEEN) == ["incident"]
        await connection.execute(text("update ops.reading set cursor = :id"), {"id": str(RECORD)})
        await ask(connection, Source.SERVICENOW, ["*"], (), SEEN, anew=False)
    assert [each.after for each in await waiting(store)] == [RECORD]
    async with store.begin(DbRole.WORKER) as connection:
        await ask(connection, Source.SERVICENOW, (), [MirrorKind.INCIDENT], SEEN)
    assert [each.after for each in await waiting(store)] == [UUID(int=0)]
