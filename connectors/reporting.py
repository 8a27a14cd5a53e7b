"""Who is below whom: the reporting line as a closure, made from the mirrored people.

Decides that a person is below every manager up the line, with the distance. A line that bites its own tail ends where
it comes back to somebody it has passed, so nobody is below himself. Only people who are still there count.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

DEEPEST = 60  # no line is longer; it bounds what a mistake in the directory can cost
LOCK = text("select pg_advisory_xact_lock(hashtext('reporting_closure:' || (select app.tenant())::text))")
CLEAR = text("delete from access.reporting_closure where tenant_id = (select app.tenant())")
FILL = text("""
with recursive line (manager_id, person_id, depth, passed) as (
  select p.manager_id, p.id, 1, array[p.id] from mirror.person p
   where p.manager_id is not null and p.manager_id <> p.id and p.gone_at is null
  union all
  select m.manager_id, line.person_id, line.depth + 1, line.passed || m.id
    from line join mirror.person m on m.tenant_id = (select app.tenant()) and m.id = line.manager_id
   where m.manager_id is not null and m.gone_at is null and line.depth < :deepest
     and m.manager_id <> all(line.passed) and m.manager_id <> m.id)
insert into access.reporting_closure (tenant_id, manager_id, person_id, depth)
select (select app.tenant()), manager_id, person_id, min(depth) from line group by manager_id, person_id
""")


async def rebuild_reporting_closure(connection: AsyncConnection) -> None:
    """Make the closure anew from mirror.person, in the caller's transaction as the worker role."""
    await connection.execute(LOCK)
    await connection.execute(CLEAR)
    await connection.execute(FILL, {"deepest": DEEPEST})
