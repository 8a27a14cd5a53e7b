"""Figures about the mirrored data itself: how much is here, how old it is, what is empty, what was late, who was asked.

Source: the mirror and the books of the feeds. Everything is counted in SQL for one source; reports put it together.
A day is met when everything that changed in the tool on that day was here by its deadline. It follows from the versions
themselves, so it can be computed for any past month: changes from before the first reading, and contents that came
again because a contract asked for more, do not count. Days are local to the contract's time zone, times UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.words import MirrorKind, Source
from schema.typed import columns_of, table_of

RECORDS = text("""
select r.entity, r.kind, count(*) filter (where r.gone_at is null) as records,
       count(*) filter (where r.gone_at is not null) as gone,
       count(*) filter (where r.gone_at is null and v.feed = 'FILE') as manual, max(v.observed_at) as newest
  from mirror.record r join mirror.revision v on v.tenant_id = r.tenant_id and v.id = r.revision_id
 where r.source = :source group by 1, 2 order by 1, 2
""")
READ_TO = text("select entity, max(read_to) as read_to from ops.watermark where source = :source group by 1")
SWEEPS = text("""
select distinct on (entity) entity, keys, mirrored, hinted, gone, state, started_at
  from ops.sweep where source = :source and kind = 'KEYS' order by entity, started_at desc, id desc
""")
ISSUES = text("""
select entity, code, count(*) as records from mirror.data_issue
 where source = :source and state = 'OPEN' group by 1, 2 order by 1, 2
""")
CALLS = text("""
select date_trunc('month', hour at time zone 'UTC')::date as month, purpose, sum(calls)::bigint as calls,
       sum(limited)::bigint as limited, sum(failed)::bigint as failed, sum(waited_ms)::bigint as waited_ms
  from ops.call where source = :source and hour >= :since group by 1, 2 order by 1, 2
""")
DAYS = text("""
with first_seen as (
  select version_at, min(observed_at) as observed_at from mirror.revision
   where source = :source and entity = :entity and version_at >= :since
     and version_at >= (select min(observed_at) from mirror.revision where source = :source and entity = :entity)
   group by record_id, version_no, version_at),
judged as (
  select (version_at at time zone :zone)::date as day,
         observed_at <= case when cast(:minutes as int) is not null then version_at + make_interval(mins => :minutes)
           else ((version_at at time zone :zone)::date + make_interval(days => :days, secs => :by)) at time zone :zone
         end as met
    from first_seen)
select day, count(*) as changes, count(*) filter (where not met) as late from judged group by 1 order by 1
""")


@dataclass(frozen=True, slots=True)
class Held:
    """What the mirror holds of one entity and kind."""

    entity: str
    kind: MirrorKind
    records: int
    gone: int
    manual: int
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    changes: int
    late: int


async def held(connection: AsyncConnection, source: Source) -> list[Held]:
    rows = (await connection.execute(RECORDS, {"source": source})).all()
    return [Held(r.entity, MirrorKind(r.kind), r.records, r.gone, r.manual, r.newest) for r in rows]


async def read_to(connection: AsyncConnection, source: Source) -> Mapping[str, datetime]:
    """Up to where each entity was read, by the tool's clock."""
    return {row.entity: row.read_to for row in await connection.execute(READ_TO, {"source": source})}


async def sweeps(connection: AsyncConnection, source: Source) -> Mapping[str, Mapping[str, Any]]:
    """The newest comparison of all keys, by entity."""
    return {row["entity"]: dict(row) for row in (await connection.execute(SWEEPS, {"source": source})).mappings()}


async def open_issues(connection: AsyncConnection, source: Source) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in await connection.execute(ISSUES, {"source": source}):
        found.setdefault(row.entity, {})[row.code] = row.records
    return found


async def calls(connection: AsyncConnection, source: Source, since: datetime) -> list[dict[str, Any]]:
    """Requests by month and purpose; `limited` were answered with "too many requests"."""
    given = {"source": source, "since": since}
    return [dict(row) for row in (await connection.execute(CALLS, given)).mappings()]


async def coverage(connection: AsyncConnection, source: Source, kind: MirrorKind) -> Mapping[str, int]:
    """How many standing records have a value, by column."""
    table, names = table_of(kind), list(columns_of(kind))
    counts = select(*(func.count(table.c[name]).label(name) for name in names))
    row = (await connection.execute(counts.where(table.c.source == source.value, table.c.gone_at.is_(None)))).one()
    return dict(zip(names, row, strict=True))


async def days(
    connection: AsyncConnection,
    source: Source,
    entity: str,
    since: datetime,
    *,
    minutes: int | None,
    days_later: int,
    by_seconds: int,
    zone: str,
) -> list[Day]:
    given = {
        "source": source, "entity": entity, "since": since, "minutes": minutes, "days": days_later, "by": by_seconds,
        "zone": zone,
    }  # fmt: skip
    return [Day(row.day, row.changes, row.late) for row in await connection.execute(DAYS, given)]
