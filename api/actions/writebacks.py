"""Scores on their way back into the tools, so that people see them where they work; and what could not be written.

Services and teams go to ServiceNow's score table and to dashboards; a service also shows its score on its newest
records, each under the version that the mirror holds. Which places are written to is a setting. A person's score never
leaves this house. The same score for the same record is one write, however often.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.audit import Log
from api.actions.rights import Action, require
from connectors import outbox
from connectors.outbox import enqueue
from engine.refusal import Code, Refused
from schema.store import SYSTEM, DbRole, Store, Viewer

NEWEST = 25
SCORES = text(
    """select s.subject_kind, s.subject_id, s.subject_label, s.value, s.status, s.result_hash, s.data_as_of,
              c.label as cycle, r.source_key
         from score.score s
         join score.cycle c on c.tenant_id = s.tenant_id and c.id = s.cycle_id
         join mirror.record r on r.tenant_id = s.tenant_id and r.id = s.subject_id and r.source = 'servicenow'
        where s.tenant_id = :tenant and s.run_id = :run_id and s.subject_kind in ('SERVICE', 'TEAM')
        order by s.subject_kind, r.source_key"""
)
RECORDS = text(
    """select i.source_key, r.version_no from mirror.incident i
         join mirror.record r on r.tenant_id = i.tenant_id and r.id = i.id
        where i.tenant_id = :tenant and i.source = :source and i.service_id = :service_id and i.gone_at is null
        order by i.opened_at desc nulls last, i.source_key limit :newest"""
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where scores are written to: words of the setting, and what some of them need."""

    words: Collection[str] = ("servicenow.table", "jira.property")
    column: str = "u_evenhand_score"
    dashboard_items: Sequence[str] = ()
    link_url: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A write before it is queued."""

    target: str
    operation: str
    record: str
    body: Mapping[str, Any]
    premise: int | None = None


async def queue(
    store: Store, run_id: UUID, viewer: Viewer = SYSTEM, *, jira: bool = True, places: Places = Places()
) -> int:
    """Queue the scores of a run. Returns how many writes stand for it, new or known."""
    words = {word for word in places.words if jira or not word.startswith("jira.")}
    async with store.begin(DbRole.WORKER, viewer) as connection:
        rows = (await connection.execute(SCORES, {"tenant": viewer.tenant_id, "run_id": run_id})).all()
        planned = [one for row in rows for one in await planned_for(connection, viewer, row, words, places)]
        if "jira.dashboard" in words and rows:
            shown = {"cycle": rows[0].cycle, "scores": [shown_of(row) for row in rows]}
            planned += [Planned("jira", "dashboard", item, shown) for item in places.dashboard_items]
        for one in planned:
            await enqueue(connection, one.target, one.operation, one.record, one.body, one.premise)
    return len(planned)


async def planned_for(
    connection: AsyncConnection, viewer: Viewer, row: Row[Any], words: Collection[str], places: Places
) -> list[Planned]:
    shown, planned = shown_of(row), list[Planned]()
    if "servicenow.table" in words:
        columns = {f"u_{name}": value for name, value in shown.items()}
        planned.append(Planned("servicenow", "score", row.source_key, columns | {"u_record": row.source_key}))
    if "servicenow.column" in words:
        incidents = await newest_records(connection, viewer, "servicenow", row.subject_id)
        value = {places.column: shown["value"]}
        planned += [Planned("servicenow", "column", key, value, version) for key, version in incidents]
    if "jira.property" in words or "jira.link" in words:
        for key, _ in await newest_records(connection, viewer, "jira", row.subject_id):
            if "jira.property" in words:
                planned.append(Planned("jira", "score", key, shown))
            if "jira.link" in words:
                planned.append(Planned("jira", "link", key, link_of(row, shown, places)))
    return planned


def shown_of(row: Row[Any]) -> dict[str, str | None]:
    return {
        "cycle": row.cycle,
        "data_as_of": row.data_as_of.isoformat(),
        "result_hash": row.result_hash,
        "status": row.status,
        "subject": row.subject_label,
        "subject_kind": row.subject_kind,
        "value": None if row.value is None else str(row.value),
    }


def link_of(row: Row[Any], shown: Mapping[str, str | None], places: Places) -> dict[str, Any]:
    """One link a subject: another score of it replaces the link, as its global id stays."""
    return {
        "globalId": f"system=evenhand&subject={row.subject_id}",
        "application": {"type": "evenhand", "name": "Evenhand"},
        "object": {
            "url": places.link_url,
            "title": f"{shown['subject']}: {shown['value'] or 'no data'} ({shown['cycle']})",
            "summary": f"{shown['status']}, data as of {shown['data_as_of']}",
        },
    }


async def newest_records(
    connection: AsyncConnection, viewer: Viewer, source: str, service_id: UUID
) -> list[tuple[str, int]]:
    """Newest records of a service in a tool, with the version of each that is mirrored."""
    scope = {"tenant": viewer.tenant_id, "source": source, "service_id": service_id, "newest": NEWEST}
    return [(row.source_key, row.version_no) for row in await connection.execute(RECORDS, scope)]


async def dead_letters(store: Store, viewer: Viewer = SYSTEM) -> list[dict[str, Any]]:
    """Writes that failed for good, oldest first."""
    async with store.begin(DbRole.WORKER, viewer, read_only=True) as connection:
        return await outbox.dead_letters(connection)


async def retry(store: Store, log: Log, viewer: Viewer, ids: list[UUID] | None, now: datetime) -> int:
    """Send dead letters again, or with no ids all of them. Each is looked for at the tool first."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.OUTBOX_RETRY)
        taken = await outbox.retry(connection, ids)
        if ids and not taken:
            raise Refused(
                Code.NOT_FOUND, "No write that failed has such an id.", "List them: evenhand outbox list.", ("id",)
            )
        if taken:
            said = {"writes": [str(one) for one in taken[:50]], "count": len(taken)}
            given = {"object_type": "outbox", "object_id": str(taken[0]), "subject_id": None}
            await log.record(connection, viewer, ty="outbox.retried/v1", data=said, at=now, **given)  # type: ignore[arg-type]
    return len(taken)
