"""Records to read again, and records that may be gone: noted with the delivery that said so, lost in no crash.

A hint goes when its record has been read again after it was given; one that the tool no longer shows becomes a
suspicion. A suspicion removes nothing: connectors/sweep.py asks for the record by id, twice, a sweep apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.source import Hint
from engine.words import Source
from schema.store import DbRole, Store

A_ROUND = 2_000
BODY_DROPPED = "its body was dropped"
NOTE_HINTS = text("""
insert into ops.hint as here (tenant_id, source, entity, source_key, why, asked_at, attempts)
select (select app.tenant()), source, entity, source_key, :why, clock_timestamp(), 0
  from unnest(cast(:sources as text[]), cast(:entities as text[]), cast(:keys as text[]))
       as h (source, entity, source_key) order by source, entity, source_key
on conflict (tenant_id, source, entity, source_key) do update
   set asked_at = clock_timestamp(), why = excluded.why
""")
NOTE_SUSPICIONS = text("""
insert into ops.suspicion (tenant_id, source, entity, source_key, why, first_at, misses)
select (select app.tenant()), source, entity, source_key, :why, clock_timestamp(), 0
  from unnest(cast(:sources as text[]), cast(:entities as text[]), cast(:keys as text[]))
       as h (source, entity, source_key) order by source, entity, source_key
on conflict (tenant_id, source, entity, source_key) do nothing
""")
GIVEN_FOR = text("""
select h.source, h.entity, h.source_key from ops.hint h
  join unnest(cast(:sources as text[]), cast(:entities as text[]), cast(:keys as text[]))
       as t (source, entity, source_key)
    on h.source = t.source and h.entity = t.entity and h.source_key = t.source_key
 where h.tenant_id = (select app.tenant()) and h.why = :why
""")
DUE = text("""
select source, entity, source_key, asked_at from ops.hint
 where source = any(:sources) order by attempts, asked_at limit :count
""")
TRIED = text("""
update ops.hint h set attempts = least(attempts + 1, 32767)
  from unnest(cast(:sources as text[]), cast(:entities as text[]), cast(:keys as text[]))
       as t (source, entity, source_key)
 where h.tenant_id = (select app.tenant()) and h.source = t.source and h.entity = t.entity
   and h.source_key = t.source_key
""")
# What was asked again while we were reading stays: that reading may have been too early for it.
SETTLE = text("""
delete from ops.hint h
 using unnest(cast(:sources as text[]), cast(:entities as text[]), cast(:keys as text[]), cast(:asked as timestamptz[]))
       as t (source, entity, source_key, asked_at)
 where h.tenant_id = (select app.tenant()) and h.source = t.source and h.entity = t.entity
   and h.source_key = t.source_key and h.asked_at <= t.asked_at
""")


@dataclass(frozen=True, slots=True)
class Asked:
    """A hint, and when it was last given."""

    hint: Hint
    asked_at: datetime


def _columns(hints: Iterable[Hint]) -> dict[str, list[str]]:
    each = sorted(set(hints), key=lambda hint: (hint.source, hint.entity, hint.key))
    return {
        "sources": [hint.source.value for hint in each],
        "entities": [hint.entity for hint in each],
        "keys": [hint.key for hint in each],
    }


async def note_hints(connection: AsyncConnection, hints: Iterable[Hint], why: str) -> None:
    """Remember to read these records again, in the caller's transaction as the worker role."""
    given = _columns(hints)
    if given["keys"]:
        await connection.execute(NOTE_HINTS, given | {"why": why})


async def note_suspicions(connection: AsyncConnection, hints: Iterable[Hint], why: str) -> None:
    """Remember that these records may be gone."""
    given = _columns(hints)
    if given["keys"]:
        await connection.execute(NOTE_SUSPICIONS, given | {"why": why})


async def due_hints(store: Store, sources: Iterable[Source], count: int = A_ROUND) -> list[Asked]:
    """The next records to read again, those first that were tried least."""
    async with store.begin(DbRole.WORKER) as connection:
        wanted = {"sources": [source.value for source in sources], "count": count}
        rows = (await connection.execute(DUE, wanted)).all()
        asked = [Asked(Hint(Source(row.source), row.entity, row.source_key), row.asked_at) for row in rows]
        if asked:
            await connection.execute(TRIED, _columns(each.hint for each in asked))
        return asked


async def settle_hints(store: Store, asked: Sequence[Asked]) -> None:
    """These have been read again, and what was read is in the inbox."""
    if not asked:
        return
    given = {
        "sources": [each.hint.source.value for each in asked],
        "entities": [each.hint.entity for each in asked],
        "keys": [each.hint.key for each in asked],
        "asked": [each.asked_at for each in asked],
    }
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(SETTLE, given)
