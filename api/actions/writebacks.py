"""Scores on their way back into the tools, so that people see them where they work.

Services and teams go to ServiceNow's score table; a service whose tickets live in Jira also shows its score on its
newest issues. A person's score never leaves this house. The same score for the same record is one write, however often.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.outbox import enqueue
from schema.store import SYSTEM, DbRole, Store, Viewer

NEWEST_ISSUES = 25
SCORES = text(
    """select s.subject_kind, s.subject_id, s.subject_label, s.value, s.status, s.result_hash, s.data_as_of,
              c.label as cycle, r.source_key
         from score.score s
         join score.cycle c on c.tenant_id = s.tenant_id and c.id = s.cycle_id
         join mirror.record r on r.tenant_id = s.tenant_id and r.id = s.subject_id and r.source = 'servicenow'
        where s.tenant_id = :tenant and s.run_id = :run_id and s.subject_kind in ('SERVICE', 'TEAM')
        order by s.subject_kind, r.source_key"""
)
ISSUES = text(
    """select i.source_key from mirror.incident i
        where i.tenant_id = :tenant and i.source = 'jira' and i.service_id = :service_id and i.gone_at is null
        order by i.opened_at desc nulls last, i.source_key limit :newest"""
)


async def queue(store: Store, run_id: UUID, viewer: Viewer = SYSTEM, *, jira: bool = True) -> int:
    """Queue the scores of a run. Returns how many writes stand for it, new or known."""
    count = 0
    async with store.begin(DbRole.WORKER, viewer) as connection:
        rows = (await connection.execute(SCORES, {"tenant": viewer.tenant_id, "run_id": run_id})).all()
        for row in rows:
            shown = {
                "cycle": row.cycle,
                "data_as_of": row.data_as_of.isoformat(),
                "result_hash": row.result_hash,
                "status": row.status,
                "subject": row.subject_label,
                "subject_kind": row.subject_kind,
                "value": None if row.value is None else str(row.value),
            }
            columns = {f"u_{name}": value for name, value in shown.items()}
            await enqueue(connection, "servicenow", "score", row.source_key, columns | {"u_record": row.source_key})
            issues = await newest_issues(connection, viewer, row.subject_id) if jira else []
            for issue_id in issues:
                await enqueue(connection, "jira", "score", issue_id, shown)
            count += 1 + len(issues)
    return count


async def newest_issues(connection: AsyncConnection, viewer: Viewer, service_id: UUID) -> list[str]:
    scope = {"tenant": viewer.tenant_id, "service_id": service_id, "newest": NEWEST_ISSUES}
    return list((await connection.execute(ISSUES, scope)).scalars().all())
