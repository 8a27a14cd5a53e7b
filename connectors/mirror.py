"""The mirror's only writer: versions of records become revisions, the newest of each becomes the typed row.

Decides which version of a record stands: the higher (version_no, version_at). Of two contents with the very same
version, one that the tool's API gave beats one that a webhook brought, then the one observed later, then the larger
hash; both are kept and the record is listed as VERSION_CONFLICT. So the order of arrival decides nothing, and writing
the same version again changes nothing. Everything is set-based: rows are copied into temporary tables of the
transaction and merged by a handful of statements. Runs as the worker role, in the caller's transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.source import Version
from engine.words import Feed, MirrorKind, Source
from schema.identity import mirror_id
from schema.store import copy_rows
from schema.tables.mirror import TYPED

NEVER = datetime(1, 1, 1, tzinfo=UTC)
KEY_COLUMNS = ("id", "source", "source_key")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One version, and the delivery in which it was seen."""

    version: Version
    feed: Feed
    delivery_id: int
    observed_at: datetime

    @property
    def read_at(self) -> datetime:
        """When the tool's API showed it. What a webhook brings says nothing about when it was still true."""
        return NEVER if self.feed is Feed.WEBHOOK else self.observed_at


@dataclass(frozen=True, slots=True)
class Written:
    """What changed: revisions that are new, records whose newest version or its reading changed; their kinds."""

    revisions: int = 0
    heads: int = 0
    kinds: frozenset[MirrorKind] = frozenset()

    def __add__(self, other: "Written") -> "Written":
        return Written(self.revisions + other.revisions, self.heads + other.heads, self.kinds | other.kinds)


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that cannot be placed in the mirror. `key` is the tool's id, or a mark of its content without one."""

    source: Source
    entity: str
    key: str
    field: str
    value: str
    what: str
    fix: str


# ---- temporary tables of the transaction

STAGE = """
create temp table if not exists seen (
  id uuid, source text, entity text, source_key text, kind text, version_no bigint, version_at timestamptz,
  payload bytea, payload_hash bytea, feed text, delivery_id bigint, observed_at timestamptz, read_at timestamptz,
  newest boolean) on commit delete rows;
create temp table if not exists fault (
  id uuid, field text, code text, source text, entity text, source_key text, value text, what text, fix text)
  on commit delete rows;
create temp table if not exists head (id uuid primary key, kind text, revision_id bigint) on commit delete rows;
"""
SEEN_COLUMNS = (
    "id", "source", "entity", "source_key", "kind", "version_no", "version_at", "payload", "payload_hash", "feed",
    "delivery_id", "observed_at", "read_at", "newest",
)  # fmt: skip
FAULT_COLUMNS = ("id", "field", "code", "source", "entity", "source_key", "value", "what", "fix")

# ---- the merge. Revisions are found by correlated look-ups on purpose: they use the index however large the table is.

KEEP_REVISIONS = text("""
insert into mirror.revision (tenant_id, record_id, source, entity, source_key, version_no, version_at, payload,
                             payload_hash, feed, delivery_id, observed_at)
select (select app.tenant()), id, source, entity, source_key, version_no, version_at, payload, payload_hash, feed,
       delivery_id, observed_at
  from seen order by id, version_no, version_at, payload_hash
on conflict (tenant_id, record_id, version_no, payload_hash) do nothing
""")

MOVE_HEADS = text("""
with moved as (
  insert into mirror.record as here (tenant_id, id, source, entity, source_key, kind, version_no, version_at,
                                     payload_hash, revision_id)
  select (select app.tenant()), s.id, s.source, s.entity, s.source_key, s.kind, s.version_no, s.version_at,
         s.payload_hash,
         (select r.id from mirror.revision r
           where r.tenant_id = (select app.tenant()) and r.record_id = s.id and r.version_no = s.version_no
             and r.payload_hash = s.payload_hash)
    from seen s where s.newest order by s.id
  on conflict (tenant_id, id) do update
     set kind = excluded.kind, version_no = excluded.version_no, version_at = excluded.version_at,
         payload_hash = excluded.payload_hash, revision_id = excluded.revision_id, gone_at = null
   where (excluded.version_no, excluded.version_at) > (here.version_no, here.version_at)
      or (excluded.version_no = here.version_no and excluded.version_at = here.version_at
          and excluded.payload_hash <> here.payload_hash
          and (select (s.read_at, s.payload_hash) from seen s where s.newest and s.id = excluded.id)
            > (select (case when r.feed = 'WEBHOOK' then :never else r.observed_at end, r.payload_hash)
                 from mirror.revision r where r.tenant_id = here.tenant_id and r.id = here.revision_id))
  returning id, kind, revision_id)
insert into head select id, kind, revision_id from moved
""")

# A word that the contract did not know, and now does: the same version is read into its row once more. So a Jira issue
# that came before the service it names is counted when the poll brings it again.
LEARNED = text("""
insert into head
select id, kind, revision_id from (
  select s.id, s.kind,
         (select r.revision_id from mirror.record r
           where r.tenant_id = (select app.tenant()) and r.id = s.id and r.version_no = s.version_no
             and r.version_at = s.version_at and r.payload_hash = s.payload_hash) as revision_id
    from seen s
   where s.newest
     and (select count(*) from mirror.data_issue i
           where i.tenant_id = (select app.tenant()) and i.record_id = s.id and i.state = 'OPEN'
             and i.code = 'UNMAPPED_SOURCE_VALUE'
             and not exists (select from fault f where f.id = i.record_id and f.field = i.field and f.code = i.code)
         ) > 0) known
 where revision_id is not null
on conflict do nothing
""")
# Only in Jira can a record become one of another kind: an issue is moved to another type and keeps its id.
OTHER_KIND = text("""
select s.id, (select r.kind from mirror.record r where r.tenant_id = (select app.tenant()) and r.id = s.id) as was
  from seen s where s.newest and s.source = 'jira'
   and (select r.kind from mirror.record r where r.tenant_id = (select app.tenant()) and r.id = s.id) <> s.kind
""")

RESOLVE_FAULTS = text("""
update mirror.data_issue i set state = 'RESOLVED' from head h
 where i.tenant_id = (select app.tenant()) and i.record_id = h.id and i.state = 'OPEN'
   and not exists (select from fault f where f.id = i.record_id and f.field = i.field and f.code = i.code)
""")
LIST_FAULTS = text("""
insert into mirror.data_issue as here (tenant_id, record_id, field, code, source, entity, source_key, value, what, fix,
                                       state, revision_id)
select (select app.tenant()), f.id, f.field, f.code, f.source, f.entity, f.source_key, f.value, f.what, f.fix, 'OPEN',
       h.revision_id
  from fault f join head h on h.id = f.id order by f.id, f.field, f.code
on conflict (tenant_id, record_id, field, code) do update
   set value = excluded.value, what = excluded.what, fix = excluded.fix, state = 'OPEN',
       revision_id = excluded.revision_id
""")
LIST_CONFLICTS = text("""
insert into mirror.data_issue as here (tenant_id, record_id, field, code, source, entity, source_key, value, what, fix,
                                       state, revision_id)
select distinct on (s.id) (select app.tenant()), s.id, 'version', 'VERSION_CONFLICT', s.source, s.entity, s.source_key,
       s.version_no::text, 'Two different contents came under one version of this record; it was changed silently.',
       'Compare both in its history. The content that the API gave last counts.', 'OPEN', m.revision_id
  from seen s
  join mirror.record m on m.tenant_id = (select app.tenant()) and m.id = s.id and m.version_no = s.version_no
 where exists (select from mirror.revision r
                where r.tenant_id = (select app.tenant()) and r.record_id = s.id and r.version_no = m.version_no
                  and r.version_at = m.version_at and r.payload_hash <> m.payload_hash)
on conflict (tenant_id, record_id, field, code) do update set state = 'OPEN', revision_id = excluded.revision_id
""")


LIST_UNPLACED = text("""
insert into mirror.data_issue as here (tenant_id, record_id, field, code, source, entity, source_key, value, what, fix,
                                       state, revision_id)
values ((select app.tenant()), :id, :field, 'MALFORMED', :source, :entity, :key, :value, :what, :fix, 'OPEN', 0)
on conflict (tenant_id, record_id, field, code) do update
   set value = excluded.value, what = excluded.what, fix = excluded.fix, state = 'OPEN'
""")
# What no contract knows is a part of what the mirror says: once it is known, records count that did not count before.
SNAPSHOT = text("""
select encode(sha256(convert_to(coalesce(string_agg(
         source || ':' || entity || ':' || source_key || ':' || encode(payload_hash, 'hex'), E'\n'
         order by source collate "C", entity collate "C", source_key collate "C"), '')
       || coalesce(E'\n\n' || (select string_agg(source || ':' || entity || ':' || source_key || ':' || field, E'\n'
            order by source collate "C", entity collate "C", source_key collate "C", field collate "C")
            from mirror.data_issue where state = 'OPEN' and code = 'UNMAPPED_SOURCE_VALUE'), ''), 'UTF8')), 'hex')
  from mirror.record
""")


async def write_versions(connection: AsyncConnection, sightings: Sequence[Sighting]) -> Written:
    """Write versions of any records in any order. Writing them again, or some of them, changes nothing."""
    if not sightings:
        return Written()
    seen, newest = _staged(sightings)
    await _stage(connection)
    await copy_rows(connection, "seen", SEEN_COLUMNS, seen)
    await copy_rows(connection, "fault", FAULT_COLUMNS, _faults(newest))
    revisions = (await connection.execute(KEEP_REVISIONS)).rowcount
    turned = (await connection.execute(OTHER_KIND)).all()
    heads = (await connection.execute(MOVE_HEADS, {"never": NEVER})).rowcount
    heads += (await connection.execute(LEARNED)).rowcount
    moved: frozenset[MirrorKind] = frozenset()
    if heads:
        moved = frozenset(MirrorKind(kind) for kind in await connection.scalars(text("select distinct kind from head")))
        for kind in sorted(moved):
            await _write_typed(connection, kind, newest)
        for row in turned:
            await connection.execute(_leave(MirrorKind(row.was)), {"id": row.id})
        await connection.execute(RESOLVE_FAULTS)
        await connection.execute(LIST_FAULTS)
    if revisions:
        await connection.execute(LIST_CONFLICTS)
    return Written(revisions, heads, moved)


async def list_unplaced(connection: AsyncConnection, faults: Iterable[Fault]) -> None:
    """List records of which no version could be taken: revision 0 says that there is none; a later version settles."""
    rows = [
        {
            "id": mirror_id(fault.source, fault.entity, fault.key), "field": fault.field, "source": fault.source,
            "entity": fault.entity, "key": fault.key, "value": fault.value, "what": fault.what, "fix": fault.fix,
        }
        for fault in faults
    ]  # fmt: skip
    if rows:
        await connection.execute(LIST_UNPLACED, rows)


async def snapshot(connection: AsyncConnection) -> str:
    """sha256 in hex over what every mirrored record holds now and what of it is unknown, whatever way it came."""
    digest: str = (await connection.execute(SNAPSHOT)).scalar_one()
    return digest


async def _stage(connection: AsyncConnection) -> None:
    for statement in STAGE.split(";"):
        if statement.strip():
            await connection.execute(text(statement))
    await connection.execute(text("truncate seen, fault, head"))


def _staged(sightings: Sequence[Sighting]) -> tuple[list[tuple[Any, ...]], dict[UUID, Version]]:
    """Rows of `seen`, each content of a version once, and the newest version of each record."""
    found: dict[tuple[UUID, int, bytes], tuple[tuple[Any, ...], Sighting]] = {}
    best: dict[UUID, tuple[tuple[Any, ...], tuple[UUID, int, bytes]]] = {}
    for sighting in sightings:
        version = sighting.version
        record_id = mirror_id(version.source, version.entity, version.key)
        assert record_id is not None  # noqa: S101 - a version has a key
        digest = sha256(version.payload).digest()
        order = (version.version_no, version.version_at, sighting.read_at, digest)
        place = (record_id, version.version_no, digest)
        known = found.get(place)
        if known is None or order > known[0]:
            found[place] = (order, sighting)
        if record_id not in best or order > best[record_id][0]:
            best[record_id] = (order, place)
    newest = {place for _, place in best.values()}
    rows = [
        (
            place[0], s.version.source, s.version.entity, s.version.key, s.version.kind, s.version.version_no,
            s.version.version_at, s.version.payload, place[2], s.feed, s.delivery_id, s.observed_at, s.read_at,
            place in newest,
        )
        for place, (_, s) in found.items()
    ]  # fmt: skip
    return rows, {place[0]: found[place][1].version for place in newest}


def _faults(newest: dict[UUID, Version]) -> Iterator[tuple[Any, ...]]:
    for record_id, version in newest.items():
        first = {(issue.field, issue.code): issue for issue in reversed(version.issues)}
        for (field, code), issue in first.items():
            yield (
                record_id, field, code, version.source, version.entity, version.key, issue.value[:500], issue.what,
                issue.fix,
            )  # fmt: skip


# ---- typed rows


@cache
def _typed_columns(kind: MirrorKind) -> tuple[str, ...]:
    """What a version gives to the typed row; the mirror itself adds the rest."""
    written = {"tenant_id", "revision_id", "gone_at", *KEY_COLUMNS}
    return tuple(name for name in TYPED[kind].model_fields if name not in written)


async def _write_typed(connection: AsyncConnection, kind: MirrorKind, newest: dict[UUID, Version]) -> None:
    """Rewrite the typed rows whose record moved to the version in this batch."""
    stage, keep = _typed_statements(kind)
    columns = _typed_columns(kind)
    await connection.execute(stage)
    await connection.execute(text(f"truncate {_staging(kind)}"))
    await copy_rows(connection, _staging(kind), (*KEY_COLUMNS, *columns), _typed_rows(kind, columns, newest))
    await connection.execute(keep)


@cache
def _leave(kind: MirrorKind) -> TextClause:
    """What the record was is gone, once its newest version is something else."""
    table = f"mirror.{TYPED[kind].__tablename__}"
    return text(
        f"""update {table} t set gone_at = r.version_at
              from head h join mirror.record r on r.tenant_id = (select app.tenant()) and r.id = h.id
             where h.id = :id and h.kind <> '{kind.value}' and t.tenant_id = r.tenant_id and t.id = h.id"""  # noqa: S608
    )


def _staging(kind: MirrorKind) -> str:
    return f"typed_{TYPED[kind].__tablename__}"


@cache
def _typed_statements(kind: MirrorKind) -> tuple[TextClause, TextClause]:
    """Make the temporary table of a kind; merge it. Every name in them is one of our own tables or columns."""
    table, columns = f"mirror.{TYPED[kind].__tablename__}", _typed_columns(kind)
    listed = ", ".join((*KEY_COLUMNS, *columns))
    given = ", ".join(f"t.{column}" for column in (*KEY_COLUMNS, *columns))
    updated = ", ".join(f"{column} = excluded.{column}" for column in ("revision_id", "gone_at", *columns))
    stage = f"""create temp table if not exists {_staging(kind)} on commit delete rows as
                select {listed} from {table} with no data"""  # noqa: S608
    keep = f"""insert into {table} (tenant_id, {listed}, revision_id)
               select (select app.tenant()), {given}, h.revision_id
                 from head h join {_staging(kind)} t on t.id = h.id order by t.id
               on conflict (tenant_id, id) do update set {updated}"""  # noqa: S608
    return text(stage), text(keep)


def _typed_rows(kind: MirrorKind, columns: Iterable[str], newest: dict[UUID, Version]) -> Iterator[tuple[Any, ...]]:
    names = tuple(columns)
    for record_id, version in newest.items():
        if version.kind is kind:
            get = version.values.get
            yield (record_id, version.source, version.key, *[get(name) for name in names])
