"""Moves between two versions: the audit rows of records that moved, read one record at a time.

Decides how much of that is asked for: so many records a turn, those that moved first, whatever waits behind them. The
tool's own advice is to leave its audit table alone but for single records; a first load therefore catches up slowly.
How far it has come is a line number of the diary (mirror.standing), kept with the pages that were read.
"""

import asyncio
from collections import defaultdict

from sqlalchemy import text

from api.house import House
from api.sources import connected
from connectors.drain import accept_pages
from connectors.history import CUTTING
from connectors.servicenow.history import AUDIT, history
from connectors.source import Page
from schema.store import DbRole

A_TURN = 100
TABLES = ("change_request", "sysapproval_approver", "sysapproval_group", "problem", "incident")
MOVED = text("""
select s.no, r.entity, r.source_key from mirror.standing s
  join mirror.record r on r.tenant_id = s.tenant_id and r.id = s.record_id
 where s.tenant_id = (select app.tenant()) and s.no > :since and not s.gone
   and r.source = 'servicenow' and r.entity = any(:tables)
 order by s.no limit :most
""")
PLACE = text("select cursor from ops.reading where source = 'servicenow' and entity = :audit and feed = 'POLL'")
KEEP_PLACE = text("""
insert into ops.reading (tenant_id, source, entity, feed, began_at, cursor)
values ((select app.tenant()), 'servicenow', :audit, 'POLL', :now, :cursor)
on conflict (tenant_id, source, entity, feed) do update set cursor = excluded.cursor, began_at = excluded.began_at
""")


async def read_histories(house: House, most: int = A_TURN) -> int:
    """The histories of the next records that moved, into the inbox. Returns of how many lines of the diary."""
    servicenow = (await connected(house.store, house.settings)).servicenow
    if servicenow is None or AUDIT not in servicenow.contract:
        return 0
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(CUTTING)  # no line may come below the last of these later
        since = int(await connection.scalar(PLACE, {"audit": AUDIT}) or 0)
        lines = (await connection.execute(MOVED, {"since": since, "tables": list(TABLES), "most": most})).all()
    if not lines:
        return 0
    moved: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        moved[line.entity].add(line.source_key)

    def read() -> list[Page]:
        return [page for table, keys in sorted(moved.items()) for page in history(servicenow, table, sorted(keys))]

    await accept_pages(house.store, await asyncio.to_thread(read))
    async with house.store.begin(DbRole.WORKER) as connection:
        place = {"audit": AUDIT, "now": house.clock(), "cursor": str(lines[-1].no)}
        await connection.execute(KEEP_PLACE, place)
    return len(lines)
