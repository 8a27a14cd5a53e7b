"""Our own writes coming back: a version that only says what we wrote is marked, so that nothing starts because of it.

A version is an echo when a write of ours to that record was sent, nothing of the record differs from what stood before
but the tool's book-keeping and the written columns with the written values, and nobody else is named as who did it. A
write that rested on version n of a ServiceNow record made version n + 1 and no other. Neither the account alone nor a
span of time decides: others may share the account, and events come late and out of order. An echo still becomes a
revision and moves the mirror. Where the body of what stood before is gone, nothing is an echo.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.mirror import Sighting
from engine.words import Source
from schema.identity import mirror_id

CLOCK_SLACK = timedelta(minutes=5)  # between the database, which stamps writes, and the tool, which stamps versions
# What a tool changes by itself with every write, as paths into the record.
BOOK_KEEPING: Mapping[Source, frozenset[str]] = {
    Source.SERVICENOW: frozenset({"sys_mod_count", "sys_updated_on", "sys_updated_by"}),
    Source.JIRA: frozenset({"fields.updated"}),
}
ACTOR: Mapping[Source, str] = {Source.SERVICENOW: "sys_updated_by"}  # Jira's issue does not say who touched it
# Operations of the outbox that touch a record which is mirrored.
TOUCHING: Mapping[Source, frozenset[str]] = {
    Source.SERVICENOW: frozenset({"column"}),
    Source.JIRA: frozenset({"score", "link"}),
}
ENTITY: Mapping[Source, str] = {Source.SERVICENOW: "incident", Source.JIRA: "issue"}

SENT = text("""
select target, operation, record, body, premise, created_at from ops.outbox
 where tenant_id = (select app.tenant()) and target = :source and record = any(:keys) and operation = any(:operations)
   and state in ('SENDING', 'UNKNOWN', 'DONE')
""")
STANDING = text("""
select m.source_key, p.body from mirror.record m
  join mirror.revision r on r.tenant_id = m.tenant_id and r.id = m.revision_id
  join mirror.payload p on p.tenant_id = r.tenant_id and p.revision_id = r.id and p.month = r.month
 where m.tenant_id = (select app.tenant()) and m.id = any(:ids)
""")


@dataclass(frozen=True, slots=True)
class Sent:
    """A write of ours that the tool may have carried out."""

    operation: str
    body: Mapping[str, Any]
    premise: int | None
    created_at: datetime


def is_echo(
    source: Source,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    version_no: int,
    version_at: datetime,
    sent: Iterable[Sent],
    accounts: frozenset[str],
) -> bool:
    """Whether `after` is `before` with one of the `sent` writes carried out by us, and nothing else."""
    actor = after.get(ACTOR.get(source, ""))
    if actor is not None and actor not in accounts:
        return False
    changed = differing(flat(before), flat(after)) - BOOK_KEEPING[source]
    return any(_fits(source, write, changed, after, version_no, version_at) for write in sent)


def _fits(
    source: Source, write: Sent, changed: set[str], after: Mapping[str, Any], version_no: int, version_at: datetime
) -> bool:
    if source is not Source.SERVICENOW:
        return not changed and version_at >= write.created_at - CLOCK_SLACK
    written = {name: "" if value is None else str(value) for name, value in write.body.items()}
    values = all(after[name] == value for name, value in written.items() if name in after)
    return changed <= set(written) and values and write.premise is not None and version_no == write.premise + 1


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Top-level names, and those within `fields`, where Jira keeps what an issue says."""
    inner = record.get("fields")
    within = {f"fields.{name}": value for name, value in inner.items()} if isinstance(inner, Mapping) else {}
    return {name: value for name, value in record.items() if name != "fields" or not within} | within


async def mark_echoes(
    connection: AsyncConnection, sightings: Sequence[Sighting], accounts: Mapping[Source, frozenset[str]]
) -> list[Sighting]:
    """The same sightings, with our own writes marked. Asks twice a source, whatever their number."""
    marked = list(sightings)
    for source, entity in ENTITY.items():
        places = [no for no, s in enumerate(marked) if s.version.source is source and s.version.entity == entity]
        sent = await _sent(connection, source, {marked[no].version.key for no in places})
        if not sent:
            continue
        before = await _standing(connection, source, entity, list(sent))
        for no in places:
            version = marked[no].version
            if version.key in sent and version.key in before:
                after = orjson.loads(version.payload)
                given = (version.version_no, version.version_at, sent[version.key], accounts.get(source, frozenset()))
                marked[no] = marked[no]._replace(echo=is_echo(source, before[version.key], after, *given))
    return marked


async def _sent(connection: AsyncConnection, source: Source, keys: set[str]) -> dict[str, list[Sent]]:
    if not keys:
        return {}
    given = {"source": source.value, "keys": sorted(keys), "operations": sorted(TOUCHING[source])}
    found: dict[str, list[Sent]] = {}
    for row in await connection.execute(SENT, given):
        found.setdefault(row.record, []).append(Sent(row.operation, row.body, row.premise, row.created_at))
    return found


async def _standing(
    connection: AsyncConnection, source: Source, entity: str, keys: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    ids = [mirror_id(source, entity, key) for key in keys]
    return {row.source_key: orjson.loads(row.body) for row in await connection.execute(STANDING, {"ids": ids})}
