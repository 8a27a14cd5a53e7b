"""From the inbox into the mirror: poll pages are accepted as deliveries, deliveries are read and written.

Decides what becomes of a delivery: DONE when everything in it was taken (or was already known), DEAD with a reason when
it can never be read. A record that cannot be placed is listed as a MALFORMED data issue and loses only itself. A batch
is one transaction: after a crash its deliveries are still READY, and reading them again ends in the same mirror.
Watermarks are server times; they move forward only, in the transaction that accepts the whole reading of a feed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.echo import mark_echoes
from connectors.hints import note_hints, note_suspicions
from connectors.issues import Fault, list_unplaced
from connectors.mirror import Sighting, Written, write_versions
from connectors.overtaken import Overtaken, refuse_overtaken
from connectors.reading import FIX, Delivered, Reading, read_delivery
from connectors.recall import recall
from connectors.remnants import let_remnants_go
from connectors.reporting import rebuild_reporting_closure
from connectors.source import Hint, Page, Translator
from engine.words import Feed, MirrorKind, Source
from schema.store import DbRole, Store

BATCH_DELIVERIES = 2_000
BATCH_BYTES = 4_000_000  # about four pages of a thousand records
LIMIT_DELIVERIES = 20_000
DATA_ERRORS = ("22", "23", "54")  # SQLSTATE classes: the fault is in the values, or too long, not in the database


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain did. `refetch` are records to read again; they are noted (connectors/hints.py) with the delivery."""

    deliveries: int = 0
    records: int = 0
    revisions: int = 0
    heads: int = 0
    malformed: int = 0
    dead: int = 0
    suspected_deletes: int = 0
    refetch: frozenset[Hint] = frozenset()
    kinds: frozenset[MirrorKind] = frozenset()
    overtaken: frozenset[Source] = frozenset()  # another contract came into force: their deliveries wait for it

    def __add__(self, other: "Drained") -> "Drained":
        return Drained(
            self.deliveries + other.deliveries, self.records + other.records, self.revisions + other.revisions,
            self.heads + other.heads, self.malformed + other.malformed, self.dead + other.dead,
            self.suspected_deletes + other.suspected_deletes, self.refetch | other.refetch, self.kinds | other.kinds,
            self.overtaken | other.overtaken,
        )  # fmt: skip


# ---- in

PAGE_COLUMNS = ("source", "entity", "feed", "page_id", "body", "body_sha256", "observed_at")
# Pages are given as they are: a temporary table would write every body once more.
ACCEPT = text("""
with page as (
  select * from unnest(cast(:source as text[]), cast(:entity as text[]), cast(:feed as text[]),
                       cast(:page_id as text[]), cast(:body as bytea[]), cast(:body_sha256 as bytea[]),
                       cast(:observed_at as text[]))
             as given (source, entity, feed, page_id, body, body_sha256, observed_at)),
known as (
  insert into inbox.delivery_key as here (tenant_id, source, delivery_id, body_sha256, conflicts, duplicates)
  select (select app.tenant()), source, page_id, body_sha256, 0, 0 from page order by source, page_id
  on conflict (tenant_id, source, delivery_id) do update set duplicates = here.duplicates + 1
  returning source, delivery_id, duplicates)
insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256, headers,
                            received_at, state, attempts)
select (select app.tenant()), p.source, p.entity, p.feed, p.page_id, 0, p.body, p.body_sha256,
       jsonb_build_object('observed-at', p.observed_at), now(), 'READY', 0
  from page p join known k on k.source = p.source and k.delivery_id = p.page_id and k.duplicates = 0
 order by p.source, p.page_id
""")
READ_TO = text("select read_to from ops.watermark where source = :source and entity = :entity and feed = :feed")
MOVE_WATERMARK = text("""
insert into ops.watermark as here (tenant_id, source, entity, feed, read_to)
values ((select app.tenant()), :source, :entity, :feed, :read_to)
on conflict (tenant_id, source, entity, feed) do update set read_to = greatest(here.read_to, excluded.read_to)
""")

KEEP_PLACE = text("""
insert into ops.reading (tenant_id, source, entity, feed, began_at, cursor)
values ((select app.tenant()), :source, :entity, :feed, :began_at, :cursor)
on conflict (tenant_id, source, entity, feed) do update set cursor = excluded.cursor, began_at = excluded.began_at
""")
FORGET_PLACE = text("delete from ops.reading where source = :source and entity = :entity and feed = :feed")
PLACE = text("select cursor from ops.reading where source = :source and entity = :entity and feed = :feed")


async def accept_pages(
    store: Store, pages: Sequence[Page], read_to: datetime | None = None, resumable: bool = False
) -> int:
    """Take pages into the inbox, all or none; a page that is already known is a duplicate. Returns how many were new.

    `read_to`, given with the last pages of a reading, moves the watermark of their feed: everything that changed before
    it has been seen. Of a `resumable` reading the place is kept, so that it goes on there after a crash.
    """
    if not pages:
        return 0
    async with store.begin(DbRole.WORKER) as connection:
        new = await take_in(connection, pages)
        if read_to is not None:
            for source, entity, feed in sorted({(page.source, page.entity, page.feed) for page in pages}):
                given = {"source": source, "entity": entity, "feed": feed, "read_to": read_to}
                await connection.execute(MOVE_WATERMARK, given)
                await connection.execute(FORGET_PLACE, given)
        elif resumable and (cursor := pages[-1].cursor):
            last = pages[-1]
            place = {"source": last.source, "entity": last.entity, "feed": last.feed, "cursor": cursor}
            await connection.execute(KEEP_PLACE, place | {"began_at": last.observed_at})
    return new


async def take_in(connection: AsyncConnection, pages: Sequence[Page]) -> int:
    """Put pages into the inbox, in the caller's transaction. Returns how many were new."""
    given: dict[str, list[Any]] = {name: [] for name in PAGE_COLUMNS}
    for page in {(page.source, page.page_id): page for page in pages}.values():
        row = (
            page.source, page.entity, page.feed, page.page_id, page.body, sha256(page.body).digest(),
            page.observed_at.isoformat(),
        )  # fmt: skip
        for name, value in zip(PAGE_COLUMNS, row, strict=True):
            given[name].append(value)
    return (await connection.execute(ACCEPT, given)).rowcount


async def place(store: Store, source: Source, entity: str, feed: Feed) -> str | None:
    """Where a reading that was cut off goes on; None when none was."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        cursor: str | None = await connection.scalar(PLACE, {"source": source, "entity": entity, "feed": feed})
        return cursor


async def forget_place(store: Store, source: Source, entity: str, feed: Feed) -> None:
    """A reading that was cut off begins anew."""
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(FORGET_PLACE, {"source": source, "entity": entity, "feed": feed})


async def watermark(store: Store, source: Source, entity: str, feed: Feed = Feed.POLL) -> datetime | None:
    """Up to where a feed has been read; None before its first whole reading."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        read_to: datetime | None = await connection.scalar(READ_TO, {"source": source, "entity": entity, "feed": feed})
        return read_to


# ---- out

# The queue is read in the order of its index. Left to itself the planner, which knows nothing of a queue that has just
# filled up, sorts the whole backlog with its bodies for every batch.
IN_ORDER = text("select set_config('enable_sort', :on, true), set_config('enable_bitmapscan', :on, true)")
# No more rows are locked than are taken, so that the next batch can be read while this one is written.
CLAIM = text("""
with sized as (
  select octet_length(body) as size, id from inbox.delivery
   where state = 'READY' and source = any(:sources) order by id limit :count),
fitting as (
  select count(*) as rows from (select sum(size) over (order by id) - size as before from sized) each
   where before < :bytes),
ready as (
  select id, source, entity, feed, body, coalesce((headers ->> 'observed-at')::timestamptz, received_at) as observed_at
    from inbox.delivery
   where state = 'READY' and source = any(:sources) order by id limit (select rows from fitting)
     for update skip locked)
select id, source, entity, feed, body, observed_at
  from (select *, sum(octet_length(body)) over (order by id) - octet_length(body) as before from ready) taken
 where before < :bytes order by id
""")
SETTLE = text("""
update inbox.delivery d set state = s.state, reason = s.reason, attempts = d.attempts + 1, done_at = now()
  from (select unnest(cast(:ids as bigint[])) as id, unnest(cast(:states as text[])) as state,
               unnest(cast(:reasons as text[])) as reason) s
 where d.tenant_id = (select app.tenant()) and d.id = s.id
""")


async def drain(store: Store, translators: Mapping[Source, Translator], limit: int = LIMIT_DELIVERIES) -> Drained:
    """Take READY deliveries of the given sources until none is left or `limit` is reached.

    While one batch is written the next one is read, since one keeps the database busy and the other us. Batches are
    written one after the other, in the order of the inbox. A source whose contract rules no more is left: its
    deliveries stay READY for whoever brings the translator of the one in force.
    """
    done, turn = Drained(), asyncio.Lock()
    overtaken: frozenset[Source] = frozenset()
    batches: list[asyncio.Task[Drained]] = []
    try:
        while limit > 0:
            read: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            count = min(BATCH_DELIVERIES, limit)
            batches.append(asyncio.create_task(_drain_batch(store, translators, count, turn, read)))
            either: list[asyncio.Future[Any]] = [read, batches[-1]]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not read.done():  # nothing was left, or it failed
                break
            limit -= read.result()
            if len(batches) == 2:
                done += await batches.pop(0)
        while batches:
            done += await batches.pop(0)
    except Overtaken as late:
        overtaken = late.sources
    finally:
        for batch in batches:
            batch.cancel()
        await asyncio.gather(*batches, return_exceptions=True)
    rest = {source: translator for source, translator in translators.items() if source not in overtaken}
    return done + Drained(overtaken=overtaken) + await drain(store, rest, limit) if overtaken else done


async def _drain_batch(
    store: Store, translators: Mapping[Source, Translator], count: int, turn: asyncio.Lock, read: asyncio.Future[int]
) -> Drained:
    """One transaction: claim, read, tell that it was read, wait for its turn, write."""
    async with store.begin(DbRole.WORKER) as connection:
        wanted = {"sources": [source.value for source in translators], "count": count, "bytes": BATCH_BYTES}
        await connection.execute(IN_ORDER, {"on": "off"})
        claimed = [
            Delivered(row.id, Source(row.source), row.entity, Feed(row.feed), row.body, row.observed_at)
            for row in await connection.execute(CLAIM, wanted)
        ]
        if not claimed:
            return Drained()
        await connection.execute(IN_ORDER, {"on": "on"})
        readings = await asyncio.to_thread(_read_all, claimed, translators)
        read.set_result(len(claimed))
        async with turn:
            await refuse_overtaken(connection, translators, (delivered.source for delivered in claimed))
            drained = await _write_batch(connection, readings, translators)
            await connection.commit()
        return drained


async def _write_batch(
    connection: AsyncConnection, readings: Sequence[Reading], translators: Mapping[Source, Translator]
) -> Drained:
    accounts = {source: translator.accounts for source, translator in translators.items()}
    seen = [sighting for reading in readings for sighting in reading.sightings]
    sightings = await mark_echoes(connection, seen, accounts)
    faults = [fault for reading in readings for fault in reading.faults]
    # What was asked for on purpose is read on purpose: what a record means may have changed while it did not move.
    asked = [sighting for sighting in sightings if sighting.feed is Feed.SWEEP]
    told = [sighting for sighting in sightings if sighting.feed is not Feed.SWEEP] if asked else sightings
    written, refused = await _write_or_split(connection, told)
    rewritten, refused_too = await _write_or_split(connection, asked, reread=True)
    written, faults = written + rewritten, [*faults, *refused, *refused_too]
    written += await recall(connection, written.fell, translators)
    await list_unplaced(connection, faults)
    kinds = written.kinds | await let_remnants_go(connection, readings)
    await note_hints(connection, (hint for reading in readings for hint in reading.refetch), "a webhook spoke of it")
    suspected = (hint for reading in readings for hint in reading.suspected)
    await note_suspicions(connection, suspected, "a webhook said that it was deleted")
    if MirrorKind.PERSON in kinds:
        await rebuild_reporting_closure(connection)
    settled = {
        "ids": [reading.delivery_id for reading in readings],
        "states": ["DEAD" if reading.dead else "DONE" for reading in readings],
        "reasons": [reading.reason for reading in readings],
    }
    await connection.execute(SETTLE, settled)
    return Drained(
        len(readings), len(sightings), written.revisions, written.heads, len(faults),
        sum(reading.dead is not None for reading in readings), sum(len(reading.suspected) for reading in readings),
        frozenset(hint for reading in readings for hint in reading.refetch), written.kinds,
    )  # fmt: skip


def _read_all(claimed: Sequence[Delivered], translators: Mapping[Source, Translator]) -> list[Reading]:
    return [read_delivery(delivered, translators[delivered.source]) for delivered in claimed]


async def _write_or_split(
    connection: AsyncConnection, sightings: Sequence[Sighting], reread: bool = False
) -> tuple[Written, list[Fault]]:
    """Write; when the database refuses a value, halve until the one version that it refuses stands alone."""
    if not sightings:
        return Written(), []
    try:
        async with connection.begin_nested():
            return await write_versions(connection, sightings, reread=reread), []
    except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError, TypeError, OverflowError) as error:
        if not _is_about_values(error):
            raise
        if len(sightings) == 1:
            return Written(), [_refused(sightings[0], error)]
    middle = len(sightings) // 2
    first, first_refused = await _write_or_split(connection, sightings[:middle], reread)
    second, second_refused = await _write_or_split(connection, sightings[middle:], reread)
    return first + second, first_refused + second_refused


def _is_about_values(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    if state:
        return str(state)[:2] in DATA_ERRORS
    return isinstance(cause, asyncpg.DataError | ValueError | TypeError | OverflowError)


def _refused(sighting: Sighting, error: Exception) -> Fault:
    version = sighting.version
    what = f"The database refused a value of this record ({type(error).__name__})."
    return Fault(version.source, version.entity, version.key, "record", "", what, FIX)
