"""Reading again what is stored: after another contract every standing record gets its typed row anew, without the tool.

Source: the bodies of the standing revisions. Identity, version and body of a revision stay as they are; only what is
read out of it changes, and its data issues with it. Decides which entities are to be replayed (rows of ops.reading with
the feed REPLAY; the cursor is the id of the last record done) and goes on after a crash where it stopped.
A record that the contract in force cannot place keeps its row and is listed. One whose body retention dropped is
counted, and its tool is asked for it; what came in a file keeps its row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.hints import BODY_DROPPED, note_hints
from connectors.issues import Fault, list_unplaced
from connectors.mirror import Sighting, write_versions
from connectors.overtaken import Overtaken, refuse_overtaken
from connectors.reporting import rebuild_reporting_closure
from connectors.source import Hint, Poison, Translator, Unreadable, Version
from engine.words import Feed, MirrorKind, Source
from schema.store import DbRole, Store

ALL = "*"
REPLAY = "REPLAY"
BATCH_RECORDS = 2_000
FIRST = UUID(int=0)
HANDED_IN = (Feed.FILE, Feed.PUSH)
FIX = "Extend the data contract, or read the entity again from the tool: evenhand sync."
Restore = Callable[[str, Mapping[str, Any]], tuple[str, Mapping[str, Any]]]
Say = Callable[[str], None]

ASK = text("""
insert into ops.reading as here (tenant_id, source, entity, feed, began_at, cursor)
select distinct (select app.tenant()), source, entity, 'REPLAY', cast(:now as timestamptz), :cursor
  from mirror.record
 where source = :source and (:all or entity = any(:entities) or kind = any(:kinds))
on conflict (tenant_id, source, entity, feed) do update
   set cursor = case when :anew then excluded.cursor else here.cursor end
returning entity
""")
FORGET_READING = text("""
update ops.watermark set read_to = '1970-01-01 00:00+00'
 where tenant_id = (select app.tenant()) and source = :source and entity = any(:entities)
returning entity
""")
# A first load that was cut off has read its part without what is now asked for, and has no watermark to reset.
FORGET_PLACES = text("""
delete from ops.reading
 where tenant_id = (select app.tenant()) and source = :source and entity = any(:entities) and feed <> 'REPLAY'
""")
WAITING = text("""
select source, entity, began_at, cursor from ops.reading
 where feed = 'REPLAY' and (:source = '' or source = :source) and (:entity = '' or entity = :entity)
 order by source, entity
""")
COUNT = text("""
select count(*) as records, count(*) filter (where id <= :after) as done
  from mirror.record where source = :source and entity = :entity
""")
CLAIM = text("""
select cursor from ops.reading where source = :source and entity = :entity and feed = 'REPLAY' for update skip locked
""")
STANDING = """
select r.id, r.source, r.entity, r.source_key, r.version_no, r.version_at, r.gone_at, v.feed, v.delivery_id,
       v.observed_at,
       (select p.body from mirror.payload p
         where p.tenant_id = v.tenant_id and p.month = v.month and p.revision_id = v.id) as body
  from mirror.record r join mirror.revision v on v.tenant_id = r.tenant_id and v.id = r.revision_id
 where r.tenant_id = (select app.tenant()) and r.source = :source and"""
# In the order of the primary key: the whole table is walked once, however many batches there are.
BATCH = text(f"{STANDING} r.entity = :entity and r.id > :after order by r.id limit :count")
THESE = text(f"{STANDING} r.id = any(:ids) order by r.id")
MOVE = text("""
update ops.reading set cursor = :cursor
 where tenant_id = (select app.tenant()) and source = :source and entity = :entity and feed = 'REPLAY'
""")
DONE = text("""
delete from ops.reading
 where tenant_id = (select app.tenant()) and source = :source and entity = :entity and feed = 'REPLAY'
""")


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entity that is still to be read again, and from which record on."""

    source: Source
    entity: str
    began_at: datetime
    after: UUID


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was read again: rows written, records that the contract could not place, bodies that are gone."""

    records: int = 0
    rows: int = 0
    unplaced: int = 0
    without_body: int = 0

    def __add__(self, other: "Replayed") -> "Replayed":
        return Replayed(
            self.records + other.records, self.rows + other.rows, self.unplaced + other.unplaced,
            self.without_body + other.without_body,
        )  # fmt: skip


async def ask(
    connection: AsyncConnection,
    source: Source,
    entities: Iterable[str],
    kinds: Iterable[str],
    now: datetime,
    anew: bool = True,
) -> list[str]:
    """Note, in the caller's transaction, that these entities are to be read again.

    From the beginning, as another contract asks for; or, not anew, from where a replay that waits has stopped.
    """
    wanted = list(entities)
    given = {
        "source": source, "entities": wanted, "kinds": list(kinds), "all": ALL in wanted, "now": now,
        "cursor": str(FIRST), "anew": anew,
    }  # fmt: skip
    return sorted(await connection.scalars(ASK, given))


async def read_anew(connection: AsyncConnection, source: Source, entities: Iterable[str]) -> list[str]:
    """Have the next poll of these entities read everything: stored bodies lack what the contract now asks for."""
    given = {"source": source, "entities": sorted(entities)}
    await connection.execute(FORGET_PLACES, given)
    return sorted(await connection.scalars(FORGET_READING, given))


async def waiting(store: Store, source: str = "", entity: str = "") -> list[Waiting]:
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        rows = (await connection.execute(WAITING, {"source": source, "entity": entity})).all()
    return [Waiting(Source(row.source), row.entity, row.began_at, UUID(row.cursor)) for row in rows]


async def replay(store: Store, entity: Waiting, translator: Translator, restore: Restore, say: Say) -> Replayed:
    """Read all standing records of one entity again, batch after batch, each with its progress in one transaction."""
    scope = {"source": entity.source, "entity": entity.entity}
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        counted = (await connection.execute(COUNT, {**scope, "after": entity.after})).one()
    total, seen = Replayed(), int(counted.done)
    while (batch := await _batch_in_force(store, scope, translator, restore)) is not None:
        total += batch
        seen += batch.records
        say(f"replayed {entity.source} {entity.entity}: {seen} of {counted.records} records")
    return total


async def _batch_in_force(
    store: Store, scope: Mapping[str, Any], translator: Translator, restore: Restore
) -> Replayed | None:
    """None also when another contract came into force: what waits is for whoever reads by that one."""
    try:
        return await _batch(store, scope, translator, restore)
    except Overtaken:
        return None


async def _batch(store: Store, scope: Mapping[str, Any], translator: Translator, restore: Restore) -> Replayed | None:
    """One batch; None when there is nothing left, or somebody else is at it."""
    async with store.begin(DbRole.WORKER) as connection:
        await refuse_overtaken(connection, {scope["source"]: translator}, [scope["source"]])
        cursor = await connection.scalar(CLAIM, scope)
        if cursor is None:
            return None
        rows = (await connection.execute(BATCH, {**scope, "after": UUID(cursor), "count": BATCH_RECORDS})).all()
        if not rows:
            await connection.execute(DONE, scope)
            return None
        done = await _rewrite(connection, scope["source"], rows, translator, restore)
        await connection.execute(MOVE, {**scope, "cursor": str(rows[-1].id)})
    return done


async def replay_these(
    connection: AsyncConnection, source: Source, ids: Iterable[UUID], translator: Translator, restore: Restore
) -> Replayed:
    """Read these records again, in the caller's transaction."""
    rows = (await connection.execute(THESE, {"source": source, "ids": list(ids)})).all()
    return await _rewrite(connection, source, rows, translator, restore)


async def _rewrite(
    connection: AsyncConnection, source: Source, rows: Sequence[Any], translator: Translator, restore: Restore
) -> Replayed:
    sightings, faults, without = read_again(source, rows, translator, restore)
    written = await write_versions(connection, sightings, reread=True)
    await list_unplaced(connection, faults)
    await note_hints(connection, _to_ask_for(rows), BODY_DROPPED)
    if MirrorKind.PERSON in written.kinds:
        await rebuild_reporting_closure(connection)
    return Replayed(len(rows), written.heads, len(faults), without)


def _to_ask_for(rows: Sequence[Any]) -> Iterator[Hint]:
    """What only its tool can still tell: nobody can be asked for a file, or for what is gone."""
    for row in rows:
        if row.body is None and row.gone_at is None and row.feed not in HANDED_IN:
            yield Hint(Source(row.source), row.entity, row.source_key)


def read_again(
    source: Source, rows: Sequence[Any], translator: Translator, restore: Restore
) -> tuple[list[Sighting], list[Fault], int]:
    """Pure: rows with their stored bodies in, what they say under this translator out."""
    sightings: list[Sighting] = []
    faults: list[Fault] = []
    without = 0
    for row in rows:
        if row.body is None:
            without += 1
            continue
        try:
            entity, record = restore(row.entity, orjson.loads(row.body))
            versions = [_standing(row, version) for version in translator.translate(entity, record, row.version_at)]
        except Poison as poison:
            faults.append(_fault(source, row, poison.field, poison.value, poison.what))
        except (Unreadable, LookupError, TypeError, ValueError) as error:
            faults.append(_fault(source, row, "record", "", f"It cannot be read again ({type(error).__name__})."))
        else:
            if not any(_is(row, version) for version in versions):
                what = "Under the contract in force this record is not one any more."
                faults.append(_fault(source, row, "record", "", what))
            for version in versions:
                sightings.append(Sighting(version, Feed(row.feed), row.delivery_id, row.observed_at))
    return sightings, faults, without


def _is(row: Any, version: Version) -> bool:
    return (version.entity, version.key) == (row.entity, row.source_key)


def _standing(row: Any, version: Version) -> Version:
    """What is read is new, what was kept stays: the same version with the same body."""
    if not _is(row, version):
        return version
    return replace(version, version_no=row.version_no, version_at=row.version_at, payload=bytes(row.body))


def _fault(source: Source, row: Any, field: str, value: str, what: str) -> Fault:
    return Fault(source, row.entity, row.source_key, field, value[:300], what, FIX)
