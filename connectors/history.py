"""What the mirror said at a moment: its hash now, named snapshots, and what stood for a record then.

A snapshot is a line number of the diary (mirror.standing). Writers hold a shared lock until they commit, a snapshot
waits for them: every line up to its number is there, and none can come below it later. So what a snapshot reads never
changes, whatever is mirrored, found gone or read again afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.refusal import Code, Refused
from engine.words import MirrorKind

# How records are read is a part of what the mirror says: what no contract knows or what a rule took out, which contract
# is in force, and how far it has been applied to what is stored. Once that changes, records count that did not before.
# What a number can follow from. Other kinds are evidence and context: they change nothing that is paid.
READ_BY_RULES = (
    MirrorKind.INCIDENT, MirrorKind.CHANGE, MirrorKind.CHANGE_APPROVAL, MirrorKind.PROBLEM, MirrorKind.TASK_SLA,
    MirrorKind.SLA_DEFINITION, MirrorKind.CSAT_RESPONSE, MirrorKind.PERSON, MirrorKind.TEAM,
    MirrorKind.TEAM_MEMBERSHIP, MirrorKind.SERVICE, MirrorKind.VENDOR,
)  # fmt: skip
# What no contract knows is a part of what the mirror says: once it is known, records count that did not count before.
# What only says what we wrote back ourselves is read as the version before it: it moves the mirror and scores nothing.
SNAPSHOT = text("""
with echoed as (
  select r.id, (select p.payload_hash from mirror.revision p
                 where p.tenant_id = r.tenant_id and p.record_id = r.record_id and not p.echo
                   and p.version_no < r.version_no
                 order by p.version_no desc, p.version_at desc, p.id desc limit 1) as before_hash
    from mirror.revision r where r.tenant_id = (select app.tenant()) and r.echo)
select encode(sha256(convert_to(coalesce(string_agg(
         source || ':' || entity || ':' || source_key || ':' || encode(payload_hash, 'hex'), E'\n'
         order by source collate "C", entity collate "C", source_key collate "C"), '')
       || coalesce(E'\n\n' || (select string_agg(source || ':' || entity || ':' || source_key || ':' || field, E'\n'
            order by source collate "C", entity collate "C", source_key collate "C", field collate "C")
            from mirror.data_issue where state = 'OPEN'
             and code in ('UNMAPPED_SOURCE_VALUE', 'REFERENCE_MISSING', 'NOT_UNIQUE')), '')
       || coalesce(E'\n\n' || (select string_agg(name || ':' || content_hash, E'\n' order by name collate "C")
            from ops.document where state = 'ACTIVE' and kind = 'DATA_CONTRACT'), '')
       || coalesce(E'\n\n' || (select string_agg(source || ':' || entity || ':' || cursor, E'\n'
            order by source collate "C", entity collate "C")
            from ops.reading where feed = 'REPLAY'), ''), 'UTF8')), 'hex')
  from (select m.source, m.entity, m.source_key, coalesce(e.before_hash, m.payload_hash) as payload_hash
          from mirror.record m left join echoed e on e.id = m.revision_id
         where m.gone_at is null and m.kind = any(:kinds)) stands
""")

WRITING = text("select pg_advisory_xact_lock_shared(hashtext('mirror.standing:' || (select app.tenant())::text))")
CUTTING = text("select pg_advisory_xact_lock(hashtext('mirror.standing:' || (select app.tenant())::text))")
# The last line of each record up to the cut; a record that was gone then is not there.
STOOD = """
select distinct on (s.record_id) s.record_id, s.revision_id, s.gone from mirror.standing s
 where s.tenant_id = (select app.tenant()) and s.no <= :cut order by s.record_id, s.no desc
"""
TAKE = text(
    f"""insert into mirror.snapshot (tenant_id, id, name, taken_at, cut_no, records, hash)
select (select app.tenant()), :id, :name, :now, :cut, count(*),
       encode(sha256(convert_to(coalesce(string_agg(
         r.source || ':' || r.entity || ':' || r.source_key || ':' || encode(r.payload_hash, 'hex'), E'\\n'
         order by r.source collate "C", r.entity collate "C", r.source_key collate "C"), ''), 'UTF8')), 'hex')
  from ({STOOD}) stood join mirror.revision r on r.tenant_id = (select app.tenant()) and r.id = stood.revision_id
 where not stood.gone
returning cut_no, records, hash"""  # noqa: S608 - our own text
)
FIND = text("select cut_no, records, hash, taken_at from mirror.snapshot where name = :name")
CUT = text("select coalesce(max(no), 0) from mirror.standing")
AS_OF = text(
    f"""select stood.record_id, stood.gone, r.id as revision_id, r.source, r.entity, r.source_key, r.version_no,
       r.version_at, r.payload_hash, r.feed, r.delivery_id, r.observed_at, p.body
  from (select * from ({STOOD.replace("order by", "and s.record_id = any(:ids) order by")}) each) stood
  join mirror.revision r on r.tenant_id = (select app.tenant()) and r.id = stood.revision_id
  left join mirror.payload p on p.tenant_id = r.tenant_id and p.month = r.month and p.revision_id = r.id
 order by stood.record_id"""  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`cut_no` is the last line of the diary that belongs to it; `hash` is over what stood then, sha256 in hex."""

    name: str
    cut_no: int
    records: int
    hash: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Stood:
    """What stood for a record at a moment, and the delivery that brought it. `body` None: its month was dropped."""

    record_id: UUID
    gone: bool
    revision_id: int
    source: str
    entity: str
    source_key: str
    version_no: int
    version_at: datetime
    payload_hash: bytes
    feed: str
    delivery_id: int
    observed_at: datetime
    body: bytes | None


async def snapshot(connection: AsyncConnection) -> str:
    """sha256 in hex over what the rules can read now and what of it is unknown, whatever way it came."""
    digest: str = (await connection.execute(SNAPSHOT, {"kinds": [kind.value for kind in READ_BY_RULES]})).scalar_one()
    return digest


async def take(connection: AsyncConnection, name: str, now: datetime) -> Snapshot:
    """Name this moment. Runs as the worker role in a transaction of its own (READ COMMITTED); short, but it waits."""
    await connection.execute(CUTTING)
    if (await connection.execute(FIND, {"name": name})).first():
        raise Refused(Code.STATE_CONFLICT, f"There is a snapshot '{name}' already.", "Choose another name.", ("name",))
    cut = await connection.scalar(CUT)
    row = (await connection.execute(TAKE, {"id": uuid4(), "name": name, "now": now, "cut": cut})).one()
    return Snapshot(name, row.cut_no, row.records, row.hash, now)


async def find(connection: AsyncConnection, name: str) -> Snapshot:
    row = (await connection.execute(FIND, {"name": name})).first()
    if row is None:
        raise Refused(Code.NOT_FOUND, f"There is no snapshot '{name}'.", "List them with `evenhand snapshot list`.")
    return Snapshot(name, row.cut_no, row.records, row.hash, row.taken_at)


async def stood(connection: AsyncConnection, cut_no: int, record_ids: Sequence[UUID]) -> list[Stood]:
    """These records as they stood at line `cut_no`; one that was not yet known is left out."""
    rows = await connection.execute(AS_OF, {"cut": cut_no, "ids": list(record_ids)})
    return [Stood(**row._mapping) for row in rows]
