"""Whom and what rows of files and feeds speak of: people by employee number or e-mail, companies, services by name.

Decided in the database over everything that stands, so it does not matter which came first, the row or the person. Only
what exactly one mirrored record answers to is joined; everything else stays unknown and is listed as REFERENCE_MISSING,
until it is clear. A row whose body retention has dropped keeps what it was joined to. Runs as the worker role.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.words import MirrorKind, Source
from schema.typed import table_of


@dataclass(frozen=True, slots=True)
class Link:
    """One column: which names records answer to (`answers`: name, id, gone_at), and which name a row says (`asks`)."""

    column: str
    answers: str
    asks: str
    said: str  # what is shown when nobody answers
    what: str
    fix: str


_TO_PERSON = Link(
    "person_id",
    """select 'number ' || t.employee_number, t.id, t.gone_at from mirror.person t where t.human is not false
       union all select 'email ' || lower(t.email), t.id, t.gone_at from mirror.person t where t.human is not false""",
    """case when r.employee_number is not null then 'number ' || r.employee_number
            else 'email ' || lower(b.said ->> 'email') end""",
    "coalesce(r.employee_number, b.said ->> 'email')",
    "No one person in the tools has this employee number or e-mail address.",
    "Correct the row, or the person's record in the tool.",
)
_TO_VENDOR = Link(
    "vendor_id", "select lower(t.name), t.id, t.gone_at from mirror.vendor t", "lower(r.vendor_name)", "r.vendor_name",
    "No one company in the tools has this name.", "Use the name that the tool uses.",
)  # fmt: skip
_TO_SERVICE = Link(
    "service_id", "select lower(t.name), t.id, t.gone_at from mirror.service t", "lower(b.said ->> 'service')",
    "b.said ->> 'service'", "No one service in the tools has this name.", "Use the name that the tool uses.",
)  # fmt: skip
LINKS: Mapping[MirrorKind, tuple[Source, tuple[Link, ...]]] = {
    MirrorKind.EMPLOYMENT: (Source.HRIS, (_TO_PERSON,)),
    MirrorKind.PAYROLL_RESULT: (Source.PAYROLL, (_TO_PERSON,)),
    MirrorKind.VENDOR_SLA_RESULT: (Source.VENDOR, (_TO_VENDOR, _TO_SERVICE)),
}


def issue_names(source: Source) -> list[str]:
    """Issues that are listed and settled here, as connectors/crosscheck.py names its own."""
    return [
        f"REFERENCE_MISSING:{kind}:{link.column}"
        for kind, (of, links) in LINKS.items()
        if of is source
        for link in links
    ]


async def join(connection: AsyncConnection) -> int:
    """Join what is clear now, unjoin what no longer is, list and settle. Returns how many rows changed."""
    changed = 0
    for kind, (source, links) in LINKS.items():
        for link in links:
            move, enlist, settle = _statements(kind, link)
            scope = {"source": source.value}
            changed += (await connection.execute(move, scope)).rowcount
            await connection.execute(enlist, {**scope, "what": link.what, "fix": link.fix})
            await connection.execute(settle, scope)
    return changed


@cache
def _statements(kind: MirrorKind, link: Link) -> tuple[TextClause, TextClause, TextClause]:
    """Every name in them is one of our own tables or columns."""
    table = f"mirror.{table_of(kind).name}"
    # Those that are still there count before those that are gone; two of one sort are nobody.
    rows = f"""answers as (
  select name, case when count(*) filter (where gone_at is null) = 1
                    then (array_agg(id) filter (where gone_at is null))[1]
                    when count(*) = 1 then (array_agg(id))[1] end as id
    from ({link.answers}) each (name, id, gone_at) group by name),
rows as (
  select r.id, r.revision_id, r.{link.column} as joined, {link.said} as said, b.said is not null as told,
         a.id as found
    from {table} r
    left join mirror.revision v on v.tenant_id = r.tenant_id and v.id = r.revision_id
    left join mirror.payload p on p.tenant_id = v.tenant_id and p.month = v.month and p.revision_id = v.id
    cross join lateral (select convert_from(p.body, 'UTF8')::jsonb as said) b
    left join answers a on a.name = {link.asks}
   where r.tenant_id = (select app.tenant()) and r.source = :source and r.gone_at is null)"""  # noqa: S608
    move = f"""with {rows}
update {table} r set {link.column} = rows.found from rows
 where r.tenant_id = (select app.tenant()) and r.id = rows.id and rows.joined is distinct from rows.found
   and (rows.told or rows.found is not null)"""  # noqa: S608
    enlist = f"""with {rows}
insert into mirror.data_issue as here (tenant_id, record_id, field, code, source, entity, source_key, value, what, fix,
                                       state, revision_id)
select (select app.tenant()), w.id, '{link.column}', 'REFERENCE_MISSING', m.source, m.entity, m.source_key,
       left(w.said, 500), :what, :fix, 'OPEN', w.revision_id
  from rows w join mirror.record m on m.tenant_id = (select app.tenant()) and m.id = w.id
 where w.told and w.found is null and w.said is not null order by w.id
on conflict (tenant_id, record_id, field, code) do update
   set value = excluded.value, what = excluded.what, fix = excluded.fix, state = 'OPEN',
       revision_id = excluded.revision_id
 where (here.state, here.value, here.revision_id) is distinct from ('OPEN', excluded.value, excluded.revision_id)"""  # noqa: S608
    settle = f"""with {rows}
update mirror.data_issue i set state = 'RESOLVED' from rows w
 where i.tenant_id = (select app.tenant()) and i.record_id = w.id and i.field = '{link.column}'
   and i.code = 'REFERENCE_MISSING' and i.state = 'OPEN' and (w.found is not null or w.said is null)"""  # noqa: S608
    return text(move), text(enlist), text(settle)
