"""Data issues: what of a record could not be used, listed beside it, and settled by a version that can.

The merge (connectors/mirror.py) runs these statements over its temporary tables. A record that cannot be placed at all
is listed under its key, or under a mark of its content where it has none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.words import Source
from schema.identity import mirror_id


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


# What needs other records to be seen is settled where it was found (connectors/crosscheck.py), and two contents of one
# version stay two when that version is only read again.
RESOLVE_FAULTS = text("""
update mirror.data_issue i set state = 'RESOLVED' from head h
 where i.tenant_id = (select app.tenant()) and i.record_id = h.id and i.state = 'OPEN'
   and i.code not in ('REFERENCE_MISSING', 'NOT_UNIQUE')
   and (i.code <> 'VERSION_CONFLICT' or i.revision_id <> h.revision_id)
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
  from (select * from seen where observed or exists (
          select from mirror.revision r where r.tenant_id = (select app.tenant()) and r.record_id = seen.id
             and r.version_no = seen.version_no and r.payload_hash <> seen.payload_hash) offset 0) s
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
