"""Which issues have a running clock whose planned end has passed, so that a breach is seen.

A clock breaches without the issue's `updated` moving: no poll would ever bring it. Left out are issues that are gone,
and clocks that were looked at since they ran out: asking again would say the same.
Runs as the worker role. `now` is the tool's clock, or ours.
"""

from datetime import datetime

from sqlalchemy import text

from schema.store import DbRole, Store

A_ROUND = 500
DUE = text("""
select distinct split_part(s.source_key, ':', 1) as issue_id
  from mirror.task_sla s
 where s.source = 'jira' and s.gone_at is null and s.ended_at is null and s.has_breached is not true
   and s.planned_end_at <= :now
   and not exists (select from mirror.record r
                    where r.tenant_id = (select app.tenant()) and r.id = s.task_id and r.gone_at is not null)
   and not exists (select from mirror.record c
                    where c.tenant_id = (select app.tenant()) and c.id = s.id and c.shown_at >= s.planned_end_at)
 order by 1 limit :most
""")


async def due_issues(store: Store, now: datetime, most: int = A_ROUND) -> list[str]:
    """Ids of issues for `pull.refetch_due`."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        return list((await connection.execute(DUE, {"now": now, "most": most})).scalars())
