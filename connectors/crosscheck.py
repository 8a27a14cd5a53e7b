"""Rules of a data contract that need all records to be seen: a reference has its record, a key stands once.

Source: the mirror, in SQL, set by set. A reference may come before its record: it is missing only once the freshness
target has passed. What is found is listed; REJECT also takes the value out of the typed row, and the issue remembers
it, so that the next check still sees it. What holds again is settled, and a record whose value had been taken out is
put on the list of records to read again from what is stored. Names in the statements are our own tables and columns.
Runs as the worker role in the caller's transaction; checking twice changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.files.links import issue_names
from connectors.rules import DERIVED, RuleKind, Severity, Terms
from connectors.schedule import settled_before
from engine.words import IssueCode, MirrorKind, Source
from schema.typed import table_of

CODES: Mapping[RuleKind, IssueCode] = {
    RuleKind.REFERENCE: IssueCode.REFERENCE_MISSING,
    RuleKind.UNIQUE: IssueCode.NOT_UNIQUE,
}
KEPT: Mapping[Severity, str] = {Severity.WARN: "The value is kept.", Severity.REJECT: "The value is not used."}
WHAT: Mapping[RuleKind, str] = {
    RuleKind.REFERENCE: "The record that {field} points at is not in the mirror.",
    RuleKind.UNIQUE: "{field} must stand once, but another record has the same.",
}
FIX: Mapping[RuleKind, str] = {
    RuleKind.REFERENCE: "Give us read rights on it, restore it in the tool, or correct the reference.",
    RuleKind.UNIQUE: "Correct one of the records in the tool.",
}
WRONG: Mapping[RuleKind, str] = {
    RuleKind.REFERENCE: """not exists (select from mirror.record t where t.tenant_id = (select app.tenant())
        and t.id = h.value::uuid and t.gone_at is null and (cast(:to as text) is null or t.kind = :to))
      and exists (select from mirror.revision v where v.tenant_id = (select app.tenant()) and v.id = h.revision_id
        and v.observed_at < :settled)""",
    RuleKind.UNIQUE: "h.times > 1",
}
# Two contents of one version of which each was read under another contract differ by what we asked for, and by nothing
# that anybody changed. Under which contract a content was read follows from when it came to stand.
OTHER_CONTRACT = text("""
update mirror.data_issue i set state = 'RESOLVED'
 where i.tenant_id = (select app.tenant()) and i.state = 'OPEN' and i.code = 'VERSION_CONFLICT' and i.source = :source
   and not exists (
     select from mirror.record r
       join mirror.revision v on v.tenant_id = r.tenant_id and v.record_id = r.id and v.version_no = r.version_no
        and v.version_at = r.version_at
      where r.tenant_id = i.tenant_id and r.id = i.record_id
      group by (select count(*) from ops.document d where d.kind = 'DATA_CONTRACT' and d.name = i.source
                   and d.activated_at <= coalesce((select min(s.at) from mirror.standing s
                      where s.tenant_id = v.tenant_id and s.record_id = v.record_id and s.revision_id = v.id),
                      v.observed_at))
     having count(*) > 1)
""")
# Issues of rules that no contract has any more.
DROPPED = text("""
update mirror.data_issue i set state = 'RESOLVED'
 where i.tenant_id = (select app.tenant()) and i.state = 'OPEN' and i.source = :source
   and i.code in ('REFERENCE_MISSING', 'NOT_UNIQUE')
   and (i.code || ':' || coalesce((select r.kind from mirror.record r
          where r.tenant_id = i.tenant_id and r.id = i.record_id and r.gone_at is null), '') || ':' || i.field)
       <> all(:held)
returning record_id
""")


@dataclass(frozen=True, slots=True)
class Found:
    """How many values broke a rule, and the records to read again, because a value had been taken out of them."""

    listed: int = 0
    settled: frozenset[UUID] = frozenset()


async def crosscheck(connection: AsyncConnection, source: Source, terms: Terms, now: datetime) -> Found:
    """Hold the whole mirror of a source against the rules that need all of it."""
    listed, settled = 0, set[UUID]()
    held = [(kind, rule) for kind, rules in terms.rules.items() for rule in rules if rule.kind in CODES]
    names = [f"{CODES[rule.kind]}:{kind}:{rule.field}" for kind, rule in held] + issue_names(source)
    settled |= set(await connection.scalars(DROPPED, {"source": source, "held": names}))
    before = settled_before(terms.freshness, now)
    for kind, rule in held:
        settle, enlist, take_out = _statements(kind, rule.kind, rule.field)
        given = {"source": source, "settled": before, "to": rule.to} if rule.kind is RuleKind.REFERENCE else {
            "source": source}  # fmt: skip
        again = set(await connection.scalars(settle, given))
        settled |= again if rule.severity is Severity.REJECT else set()  # a value that was kept is there
        said = {"what": f"{WHAT[rule.kind].format(field=rule.field)} {KEPT[rule.severity]}", "fix": FIX[rule.kind]}
        listed += (await connection.execute(enlist, {**given, **said})).rowcount
        if rule.severity is Severity.REJECT:
            await connection.execute(take_out, {"source": source})
    await connection.execute(OTHER_CONTRACT, {"source": source})
    return Found(listed, frozenset(settled))


@cache
def _statements(kind: MirrorKind, rule: RuleKind, field: str) -> tuple[TextClause, TextClause, TextClause]:
    """Settle what holds again, list what does not, take rejected values out. `held` also knows what was taken out."""
    table, code = f"mirror.{table_of(kind).name}", CODES[rule]
    held = f"""with held as (
  select t.id, t.revision_id, coalesce(t.{field}::text, i.value) as value,
         count(*) over (partition by coalesce(t.{field}::text, i.value)) as times
    from {table} t left join mirror.data_issue i on i.tenant_id = t.tenant_id and i.record_id = t.id
     and i.field = '{field}' and i.code = '{code}' and i.state = 'OPEN' and t.{field} is null
     and i.revision_id = t.revision_id
   where t.tenant_id = (select app.tenant()) and t.source = :source and t.gone_at is null
     and nullif(coalesce(t.{field}::text, i.value), '') is not null),
wrong as (select h.id, h.revision_id, h.value from held h where {WRONG[rule]})"""  # noqa: S608
    settle = f"""{held}
update mirror.data_issue i set state = 'RESOLVED'
 where i.tenant_id = (select app.tenant()) and i.source = :source and i.code = '{code}' and i.field = '{field}'
   and i.state = 'OPEN' and not exists (select from wrong w where w.id = i.record_id)
   and exists (select from {table} t where t.tenant_id = i.tenant_id and t.id = i.record_id)
returning i.record_id"""  # noqa: S608
    enlist = f"""{held}
insert into mirror.data_issue as here (tenant_id, record_id, field, code, source, entity, source_key, value, what, fix,
                                       state, revision_id)
select (select app.tenant()), w.id, '{field}', '{code}', r.source, r.entity, r.source_key, w.value, :what, :fix, 'OPEN',
       w.revision_id
  from wrong w join mirror.record r on r.tenant_id = (select app.tenant()) and r.id = w.id order by w.id
on conflict (tenant_id, record_id, field, code) do update
   set value = excluded.value, what = excluded.what, fix = excluded.fix, state = 'OPEN',
       revision_id = excluded.revision_id
 where (here.state, here.value, here.revision_id, here.what)
    is distinct from ('OPEN', excluded.value, excluded.revision_id, excluded.what)"""  # noqa: S608
    empty = ", ".join(f"{column} = null" for column in (field, *DERIVED.get(kind, {}).get(field, ())))
    take_out = f"""update {table} t set {empty} from mirror.data_issue i
 where t.tenant_id = (select app.tenant()) and t.source = :source and t.{field} is not null
   and i.tenant_id = t.tenant_id and i.record_id = t.id and i.field = '{field}' and i.code = '{code}'
   and i.state = 'OPEN' and i.revision_id = t.revision_id"""  # noqa: S608
    return text(settle), text(enlist), text(take_out)
