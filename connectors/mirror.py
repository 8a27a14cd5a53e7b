"""The mirror's only writer: versions of records become revisions, the newest of each becomes the typed row.

Decides which version of a record stands: the higher (version_no, version_at). Of two contents with the very same
version, one that the tool's API gave beats one that a webhook brought, then the one observed later, then the larger
hash; both are kept and the record is listed as VERSION_CONFLICT. So the order of arrival decides nothing, and writing
the same version again changes nothing. Everything is set-based: rows are copied into temporary tables of the
transaction and merged by a handful of statements. Runs as the worker role, in the caller's transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.history import WRITING
from connectors.issues import LIST_CONFLICTS, LIST_FAULTS, RESOLVE_FAULTS
from connectors.source import Version
from engine.words import Feed, MirrorKind
from schema.identity import mirror_id
from schema.store import copy_rows
from schema.tables.mirror import TYPED

NEVER = datetime(1, 1, 1, tzinfo=UTC)
KEY_COLUMNS = ("id", "source", "source_key")
Newest = list[tuple[UUID, Version]]  # each record once
# Column that is filled beside the versions (schema/facts.py, connectors/files/links.py) -> what it follows from.
COUNTED_BESIDE: Mapping[MirrorKind, Mapping[str, tuple[str, ...]]] = {
    MirrorKind.INCIDENT: {
        "resolve_business_seconds": ("opened_at", "resolved_at"),
        "calendar_hash": ("opened_at", "resolved_at"),
    },
    **{kind: {"person_id": ("employee_number",)} for kind in (MirrorKind.EMPLOYMENT, MirrorKind.PAYROLL_RESULT)},
    MirrorKind.VENDOR_SLA_RESULT: {"vendor_id": ("vendor_name",), "service_id": ("vendor_name",)},
}


class Sighting(NamedTuple):
    """One version, and the delivery in which it was seen."""

    version: Version
    feed: Feed
    delivery_id: int
    observed_at: datetime
    echo: bool = False  # only says what we ourselves wrote back

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


# ---- temporary tables of the transaction

STAGE = """
create temp table if not exists seen (
  id uuid, source text, entity text, source_key text, kind text, version_no bigint, version_at timestamptz,
  payload bytea, payload_hash bytea, feed text, delivery_id bigint, observed_at timestamptz, read_at timestamptz,
  newest boolean, echo boolean, observed boolean, known boolean default false) on commit delete rows;
create temp table if not exists fault (
  id uuid, field text, code text, source text, entity text, source_key text, value text, what text, fix text)
  on commit delete rows;
create temp table if not exists head (
  id uuid primary key, kind text, revision_id bigint, gone_at timestamptz, fresh boolean default false)
  on commit delete rows;
"""
SEEN_COLUMNS = (
    "id", "source", "entity", "source_key", "kind", "version_no", "version_at", "payload", "payload_hash", "feed",
    "delivery_id", "observed_at", "read_at", "newest", "echo", "observed",
)  # fmt: skip
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

# An absence ends with a reading of the API that is later than it; a webhook may be older than the delete it follows.
MOVE_HEADS = text("""
with moved as (
  insert into mirror.record as here (tenant_id, id, source, entity, source_key, kind, version_no, version_at,
                                     payload_hash, revision_id, read_at, shown_at)
  select (select app.tenant()), s.id, s.source, s.entity, s.source_key, s.kind, s.version_no, s.version_at,
         s.payload_hash,
         (select r.id from mirror.revision r
           where r.tenant_id = (select app.tenant()) and r.record_id = s.id and r.version_no = s.version_no
             and r.payload_hash = s.payload_hash), s.read_at, s.read_at
    from seen s where s.newest and not s.known order by s.id
  on conflict (tenant_id, id) do update
     set kind = excluded.kind, version_no = excluded.version_no, version_at = excluded.version_at,
         payload_hash = excluded.payload_hash, revision_id = excluded.revision_id, read_at = excluded.read_at,
         shown_at = greatest(here.shown_at, excluded.read_at),
         gone_at = case when here.gone_at >= excluded.read_at then here.gone_at end
   where (excluded.version_no, excluded.version_at) > (here.version_no, here.version_at)
      or (excluded.version_no = here.version_no and excluded.version_at = here.version_at
          and excluded.payload_hash <> here.payload_hash
          and (excluded.read_at, excluded.payload_hash) > (here.read_at, here.payload_hash))
  returning id, kind, revision_id, gone_at, here.xmax = 0 as fresh)
insert into head select id, kind, revision_id, gone_at, fresh from moved
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
SEEN_AGAIN = text("""
update mirror.record m
   set shown_at = greatest(m.shown_at, s.shown_at), read_at = case when s.same then s.read_at else m.read_at end,
       gone_at = case when m.gone_at >= s.shown_at then m.gone_at end
  from (select n.id, n.read_at, max(n.shown_at) as shown_at, bool_or(n.same) as same from (
          select s.id, s.read_at, s.newest, max(s.read_at) over (partition by s.id) as shown_at,
                 s.version_no = r.version_no and s.version_at = r.version_at and s.payload_hash = r.payload_hash
                   and s.read_at > r.read_at as same
            from seen s join mirror.record r on r.tenant_id = (select app.tenant()) and r.id = s.id) n
         where n.newest group by n.id, n.read_at) s
 where m.tenant_id = (select app.tenant()) and m.id = s.id and (s.same or m.shown_at < s.shown_at)
""")
MOVED = text("select kind, count(*) filter (where fresh) as fresh from head group by kind")
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
    seen, newest = _staged(sightings)
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
    fresh = 0  # records of which nothing was known before
    if heads:
        kinds = (await connection.execute(MOVED)).all()
        moved, fresh = frozenset(MirrorKind(row.kind) for row in kinds), sum(row.fresh for row in kinds)
        for kind in sorted(moved):
            await _write_typed(connection, kind, newest)
        for row in turned:
            await connection.execute(_leave(MirrorKind(row.was)), {"id": row.id})
        await connection.execute(RESOLVE_FAULTS)
        await connection.execute(LIST_FAULTS)
    if revisions and fresh < len(seen):  # one content of a record that is new contradicts nothing
        await connection.execute(LIST_CONFLICTS)
    if back:
        await connection.execute(NOTE_BACK, {"ids": [row.id for row in back]})
        moved |= await _typed_gone(connection, back, None)
    return Written(revisions, heads + len(back), moved)


async def mark_gone(connection: AsyncConnection, record_ids: Iterable[UUID], at: datetime) -> frozenset[MirrorKind]:
    """Note that the tool did not have these records any more at `at`. Rows and versions stay. Returns what kinds went.

    A record that the API has shown since then is not gone.
    """
    await connection.execute(WRITING)
    given = {"ids": list(record_ids), "at": at}
    return await _typed_gone(connection, (await connection.execute(GO, given)).all(), at)


async def _typed_gone(connection: AsyncConnection, rows: Sequence[Any], at: datetime | None) -> frozenset[MirrorKind]:
    """What the records (id, kind) are called in the typed tables goes or comes back with them."""
    kinds = frozenset(MirrorKind(row.kind) for row in rows)
    for kind in sorted(kinds):
        await connection.execute(_go(kind), {"ids": [row.id for row in rows if row.kind == kind], "at": at})
    return kinds


async def _stage(connection: AsyncConnection) -> None:
    for statement in STAGE.split(";"):
        if statement.strip():
            await connection.execute(text(statement))
    await connection.execute(text("truncate seen, fault, head"))


def _staged(sightings: Sequence[Sighting]) -> tuple[list[tuple[Any, ...]], Newest]:
    """Rows of `seen`, each content of a version once, and the newest version of each record."""
    found: dict[UUID, dict[tuple[int, bytes], tuple[tuple[Any, ...], Sighting]]] = {}
    for sighting in sightings:
        version = sighting.version
        record_id = mirror_id(version.source, version.entity, version.key)
        assert record_id is not None  # noqa: S101 - a version has a key
        digest = sha256(version.payload).digest()
        order = (version.version_no, version.version_at, sighting.read_at, digest)
        contents = found.setdefault(record_id, {})  # a record is looked up once: hashing its id is what costs
        place = (0 if version.observed else version.version_no, digest)
        known = contents.get(place)
        if known is None or order > known[0]:
            contents[place] = (order, sighting)
    rows: list[tuple[Any, ...]] = []
    newest: Newest = []
    for record_id, contents in found.items():
        best = max(contents.values(), key=lambda one: one[0])
        newest.append((record_id, best[1].version))
        rows += (_seen_row(record_id, one, one is best) for one in contents.values())
    return rows, newest


def _seen_row(record_id: UUID, one: tuple[tuple[Any, ...], Sighting], newest: bool) -> tuple[Any, ...]:
    (version_no, version_at, read_at, digest), sighting = one
    v, feed, delivery_id, observed_at, echo = sighting
    return (
        record_id, v.source, v.entity, v.key, v.kind, version_no, version_at, v.payload, digest, feed, delivery_id,
        observed_at, read_at, newest, echo, v.observed,
    )  # fmt: skip


def _faults(newest: Newest) -> Iterator[tuple[Any, ...]]:
    for record_id, version in newest:
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


async def _write_typed(connection: AsyncConnection, kind: MirrorKind, newest: Newest) -> None:
    """Rewrite the typed rows whose record moved to the version in this batch."""
    stage, keep = _typed_statements(kind)
    columns = _typed_columns(kind)
    await connection.execute(stage)
    await connection.execute(text(f"truncate {_staging(kind)}"))
    await copy_rows(connection, _staging(kind), (*KEY_COLUMNS, *columns), _typed_rows(kind, columns, newest))
    await connection.execute(keep)


@cache
def _go(kind: MirrorKind) -> TextClause:
    table = f"mirror.{TYPED[kind].__tablename__}"
    return text(
        f"""update {table} set gone_at = cast(:at as timestamptz)
             where tenant_id = (select app.tenant()) and id = any(:ids)"""  # noqa: S608
    )


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


def _kept(kind: MirrorKind, column: str) -> str:
    """What a column becomes: what was counted beside the record stays while all that it follows from does."""
    causes = COUNTED_BESIDE.get(kind, {}).get(column)
    if causes is None:
        return f"excluded.{column}"
    same = " and ".join(f"here.{cause} is not distinct from excluded.{cause}" for cause in causes)
    return f"case when {same} then here.{column} end"


@cache
def _typed_statements(kind: MirrorKind) -> tuple[TextClause, TextClause]:
    """Make the temporary table of a kind; merge it. Every name in them is one of our own tables or columns."""
    table, columns = f"mirror.{TYPED[kind].__tablename__}", _typed_columns(kind)
    listed = ", ".join((*KEY_COLUMNS, *columns))
    given = ", ".join(f"t.{column}" for column in (*KEY_COLUMNS, *columns))
    updated = ", ".join(f"{column} = {_kept(kind, column)}" for column in ("revision_id", "gone_at", *columns))
    stage = f"""create temp table if not exists {_staging(kind)} on commit delete rows as
                select {listed} from {table} with no data"""  # noqa: S608
    keep = f"""insert into {table} as here (tenant_id, {listed}, revision_id, gone_at)
               select (select app.tenant()), {given}, h.revision_id, h.gone_at
                 from head h join {_staging(kind)} t on t.id = h.id order by t.id
               on conflict (tenant_id, id) do update set {updated}"""  # noqa: S608
    return text(stage), text(keep)


def _typed_rows(kind: MirrorKind, columns: Iterable[str], newest: Newest) -> Iterator[tuple[Any, ...]]:
    names = tuple(columns)
    for record_id, version in newest:
        if version.kind is kind:
            get = version.values.get
            yield (record_id, version.source, version.key, *[get(name) for name in names])
