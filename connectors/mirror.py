"""The mirror's only writer: versions of records become revisions, the one that stands becomes the typed row.

Which version of a record stands is decided in heads.py, whatever order they arrive in. Of two contents with the very
same version both are kept, and the record is listed as VERSION_CONFLICT. Writing the same version again changes
nothing. Everything is set-based: rows are copied into temporary tables of the transaction and merged by a handful of
statements. Runs as the worker role, in the caller's transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.heads import MOVE_HEADS, NEVER, SEEN_AGAIN, SEEN_COLUMNS, Newest, Sighting, staged
from connectors.history import WRITING
from connectors.issues import LIST_CONFLICTS, LIST_FAULTS, RESOLVE_FAULTS
from connectors.typed import leave, typed_gone, write_typed
from engine.words import MirrorKind
from schema.store import copy_rows

__all__ = ["NEVER", "Sighting", "Written", "mark_gone", "write_versions"]  # two of them of heads.py


@dataclass(frozen=True, slots=True)
class Written:
    """What changed: revisions that are new, records whose standing version or its reading changed; their kinds.

    `fell` are records whose standing version was denied (connectors/recall.py).
    """

    revisions: int = 0
    heads: int = 0
    kinds: frozenset[MirrorKind] = frozenset()
    fell: frozenset[UUID] = frozenset()

    def __add__(self, other: "Written") -> "Written":
        return Written(
            self.revisions + other.revisions, self.heads + other.heads, self.kinds | other.kinds, self.fell | other.fell
        )


# ---- temporary tables of the transaction

STAGE = """
create temp table if not exists seen (
  id uuid, source text, entity text, source_key text, kind text, version_no bigint, version_at timestamptz,
  payload bytea, payload_hash bytea, feed text, delivery_id bigint, observed_at timestamptz, read_at timestamptz,
  shown_at timestamptz, newest boolean, echo boolean, observed boolean, known boolean default false)
  on commit delete rows;
create temp table if not exists fault (
  id uuid, field text, code text, source text, entity text, source_key text, value text, what text, fix text)
  on commit delete rows;
create temp table if not exists head (
  id uuid primary key, kind text, revision_id bigint, gone_at timestamptz, fresh boolean default false,
  fell boolean default false)
  on commit delete rows;
"""
FAULT_COLUMNS = ("id", "field", "code", "source", "entity", "source_key", "value", "what", "fix")

# ---- the merge. Revisions are found by correlated look-ups on purpose: they use the index however large the table is.

# What has no version of its own and reads as before is no new version: it only stood for longer.
STILL_SO = text("""
with still as (
  update mirror.record m
     set version_no = greatest(m.version_no, s.version_no), version_at = greatest(m.version_at, s.version_at)
    from seen s
   where s.observed and s.newest and m.tenant_id = (select app.tenant()) and m.id = s.id
     and m.payload_hash = s.payload_hash
  returning m.id)
update seen set known = true from still where seen.id = still.id and seen.newest
""")

KEEP_REVISIONS = text("""
with kept as (
  insert into mirror.revision (tenant_id, record_id, source, entity, source_key, version_no, version_at, month,
                               payload_hash, feed, delivery_id, observed_at, echo)
  select (select app.tenant()), id, source, entity, source_key, version_no, version_at,
         date_trunc('month', now() at time zone 'UTC')::date, payload_hash, feed, delivery_id, observed_at, echo
    from seen where not known order by id, version_no, version_at, payload_hash
  on conflict (tenant_id, record_id, version_no, payload_hash) do nothing
  returning id, month, record_id, version_no, payload_hash)
insert into mirror.payload (tenant_id, revision_id, month, body)
select (select app.tenant()), k.id, k.month, s.payload
  from kept k join seen s on s.id = k.record_id and s.version_no = k.version_no and s.payload_hash = k.payload_hash
""")

# The tool has the record after all, in whatever version: what stands for it stands again.
BACK = text("""
select m.id, m.kind, m.revision_id
  from (select id, max(read_at) as shown_at from seen group by id) s
  join mirror.record m on m.tenant_id = (select app.tenant()) and m.id = s.id
 where m.gone_at < s.shown_at order by m.id
""")
NOTE_BACK = text("""
insert into mirror.standing (tenant_id, record_id, revision_id, gone, at)
select (select app.tenant()), id, revision_id, false, now() from mirror.record
 where tenant_id = (select app.tenant()) and id = any(:ids) order by id
""")
MOVED = text("""
select kind, count(*) filter (where fresh) as fresh, array_agg(id) filter (where fell) as fell from head group by kind
""")
NOTE_STANDING = text("""
insert into mirror.standing (tenant_id, record_id, revision_id, gone, at)
select (select app.tenant()), id, revision_id, gone_at is not null, now() from head order by id
""")

GO = text("""
with gone as (
  update mirror.record set gone_at = :at
   where tenant_id = (select app.tenant()) and id = any(:ids) and gone_at is null and shown_at < :at
  returning id, kind, revision_id), noted as (
  insert into mirror.standing (tenant_id, record_id, revision_id, gone, at)
  select (select app.tenant()), id, revision_id, true, now() from gone order by id)
select id, kind from gone
""")

# A word that the contract did not know, and now does: the same version is read into its row once more. So a Jira issue
# that came before the service it names is counted when the poll brings it again.
LEARNED = text("""
insert into head
select m.id, m.kind, m.revision_id, m.gone_at from seen s join lateral (
         select r.* from mirror.record r
           where r.tenant_id = (select app.tenant()) and r.id = s.id and r.version_no = s.version_no
             and r.version_at = s.version_at and r.payload_hash = s.payload_hash) m on true
 where s.newest
   and (:reread or (select count(*) from mirror.data_issue i
           where i.tenant_id = (select app.tenant()) and i.record_id = s.id and i.state = 'OPEN'
             and i.code = 'UNMAPPED_SOURCE_VALUE'
             and not exists (select from fault f where f.id = i.record_id and f.field = i.field and f.code = i.code)
         ) > 0)
on conflict do nothing
""")
# Only in Jira can a record become one of another kind: an issue is moved to another type and keeps its id. Another data
# contract can make one of any record.
OTHER_KIND = text("""
select s.id, (select r.kind from mirror.record r where r.tenant_id = (select app.tenant()) and r.id = s.id) as was
  from seen s where s.newest and (s.source = 'jira' or :reread)
   and (select r.kind from mirror.record r where r.tenant_id = (select app.tenant()) and r.id = s.id) <> s.kind
""")
TURN = text("""
update mirror.record r set kind = s.kind from seen s
 where r.tenant_id = (select app.tenant()) and r.id = s.id and s.newest and r.kind <> s.kind
   and r.version_no = s.version_no and r.version_at = s.version_at and r.payload_hash = s.payload_hash
""")


async def write_versions(
    connection: AsyncConnection, sightings: Sequence[Sighting], *, reread: bool = False
) -> Written:
    """Write versions of any records in any order. Writing them again, or some of them, changes nothing.

    With `reread` the typed row of a version that stands is written again: its reading may have changed.
    """
    if not sightings:
        return Written()
    seen, newest, later = staged(sightings)
    await connection.execute(WRITING)
    await _stage(connection)
    await copy_rows(connection, "seen", SEEN_COLUMNS, seen)
    await copy_rows(connection, "fault", FAULT_COLUMNS, _faults(newest))
    if any(sighting.version.observed for sighting in sightings):
        await connection.execute(STILL_SO)
    revisions = (await connection.execute(KEEP_REVISIONS)).rowcount
    turned = (await connection.execute(OTHER_KIND, {"reread": reread})).all()
    heads = (await connection.execute(MOVE_HEADS)).rowcount
    repeated = heads < len(newest)  # something stood before and stands still
    back: Sequence[Any] = ()
    if repeated or len(seen) > len(newest):
        back = (await connection.execute(BACK)).all()
        await connection.execute(SEEN_AGAIN)
    await connection.execute(NOTE_STANDING)
    if reread:
        await connection.execute(TURN)
    if repeated:
        heads += (await connection.execute(LEARNED, {"reread": reread})).rowcount
    moved: frozenset[MirrorKind] = frozenset()
    fell: frozenset[UUID] = frozenset()
    fresh = 0  # records of which nothing was known before
    if heads:
        kinds = (await connection.execute(MOVED)).all()
        moved, fresh = frozenset(MirrorKind(row.kind) for row in kinds), sum(row.fresh for row in kinds)
        fell = frozenset(record_id for row in kinds for record_id in row.fell or ())
        for kind in sorted(moved):
            await write_typed(connection, kind, newest)
        for row in turned:
            await connection.execute(leave(MirrorKind(row.was)), {"id": row.id})
        await connection.execute(RESOLVE_FAULTS)
        await connection.execute(LIST_FAULTS)
    if revisions and fresh < len(seen):  # one content of a record that is new contradicts nothing
        await connection.execute(LIST_CONFLICTS)
    if back:
        await connection.execute(NOTE_BACK, {"ids": [row.id for row in back]})
        moved |= await typed_gone(connection, back, None)
    written = Written(revisions, heads + len(back), moved, fell)
    return written + await write_versions(connection, later, reread=reread) if later else written


async def mark_gone(connection: AsyncConnection, record_ids: Iterable[UUID], at: datetime) -> frozenset[MirrorKind]:
    """Note that the tool did not have these records any more at `at`. Rows and versions stay. Returns what kinds went.

    A record that the API has shown since then is not gone.
    """
    await connection.execute(WRITING)
    given = {"ids": list(record_ids), "at": at}
    return await typed_gone(connection, (await connection.execute(GO, given)).all(), at)


async def _stage(connection: AsyncConnection) -> None:
    for statement in STAGE.split(";"):
        if statement.strip():
            await connection.execute(text(statement))
    await connection.execute(text("truncate seen, fault, head"))


def _faults(newest: Newest) -> Iterator[tuple[Any, ...]]:
    for record_id, version in newest:
        first = {(issue.field, issue.code): issue for issue in reversed(version.issues)}
        for (field, code), issue in first.items():
            yield (
                record_id, field, code, version.source, version.entity, version.key, issue.value[:500], issue.what,
                issue.fix,
            )  # fmt: skip
