"""What came in and could not be read, or came twice with two bodies; and another try for the first.

A DEAD delivery waits for a person, who mends what was wrong (a contract, a reader) and has it read again. It is read as
it came: the bytes never change. Replaying is an act with a right and an entry in the audit log. Times are UTC.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.audit import Log
from api.actions.rights import Action, require
from engine.refusal import Code, Refused
from schema.store import SYSTEM, DbRole, Store, Viewer

MOST = 1_000
NAMED = 50  # as many ids as an audit entry names

LISTED = text(
    """select id, source, entity, feed, delivery_id, conflict_no, received_at, attempts, octet_length(body) as bytes,
              state, reason
         from inbox.delivery
        where tenant_id = :tenant and state = :state order by received_at desc, id desc limit :most"""
)
CONFLICTS = text(
    """select d.id, d.source, d.delivery_id, d.conflict_no, d.received_at, octet_length(d.body) as bytes,
              encode(d.body_sha256, 'hex') as sha256, d.state
         from inbox.delivery_key k
         join inbox.delivery d on d.tenant_id = k.tenant_id and d.source = k.source and d.delivery_id = k.delivery_id
        where k.tenant_id = :tenant and k.conflicts > 0
        order by d.source, d.delivery_id, d.conflict_no, d.id limit :most"""
)
STATS = text(
    """select s.source, coalesce(q.ready, 0) as ready, coalesce(q.oldest_ready_seconds, 0) as oldest_ready_seconds,
              coalesce(q.dead, 0) as dead, s.deliveries, s.duplicates, s.conflicts
         from (select source, count(*) as deliveries, coalesce(sum(duplicates), 0) as duplicates,
                      coalesce(sum(conflicts), 0) as conflicts
                 from inbox.delivery_key where tenant_id = :tenant group by source) s
         left join (select source, count(*) filter (where state = 'READY') as ready,
                      round(extract(epoch from cast(:now as timestamptz)
                            - min(received_at) filter (where state = 'READY')))::bigint as oldest_ready_seconds,
                      count(*) filter (where state = 'DEAD') as dead
                 from inbox.delivery where tenant_id = :tenant and state in ('READY', 'DEAD') group by source) q
           on q.source = s.source
        order by s.source"""
)
REPLAY = text(
    """update inbox.delivery set state = 'READY', done_at = null
        where tenant_id = :tenant and state = 'DEAD' and (cast(:id as bigint) is null or id = :id)
    returning id"""
)


async def listed(store: Store, state: str, viewer: Viewer = SYSTEM) -> list[dict[str, Any]]:
    """Deliveries in this state, the newest first, without their bodies."""
    return await _rows(store, viewer, LISTED, {"state": state, "most": MOST})


async def conflicts(store: Store, viewer: Viewer = SYSTEM) -> list[dict[str, Any]]:
    """Every body that came under an id under which another one came too."""
    return await _rows(store, viewer, CONFLICTS, {"most": MOST})


async def stats(store: Store, now: datetime, viewer: Viewer = SYSTEM) -> list[dict[str, Any]]:
    """By source: what waits and since when, what is dead, what came at all, twice, or with two bodies."""
    return await _rows(store, viewer, STATS, {"now": now})


async def _rows(store: Store, viewer: Viewer, query: Any, given: dict[str, Any]) -> list[dict[str, Any]]:
    async with store.begin(DbRole.WORKER, viewer, read_only=True) as connection:
        found = await connection.execute(query, given | {"tenant": viewer.tenant_id})
        return [dict(row._mapping) for row in found]


async def replay(
    store: Store, log: Log, viewer: Viewer, delivery_id: int | None, now: datetime, reason: str | None = None
) -> int:
    """Have a dead delivery read again, or all of them. Returns how many. What is still wrong is dead again at once."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.DELIVERY_REPLAY)
        taken = await _taken(connection, viewer, delivery_id)
        if delivery_id is not None and not taken:
            raise Refused(
                Code.NOT_FOUND,
                f"No dead delivery has the id {delivery_id}.",
                "List them: evenhand inbox list.",
                ("id",),
            )
        if taken:
            await log.record(
                connection,
                viewer,
                ty="delivery.replayed/v1",
                object_type="delivery",
                object_id=str(taken[0]),
                data={"count": len(taken), "deliveries": [str(one) for one in taken[:NAMED]]},
                at=now,
                reason=reason,
            )
    return len(taken)


async def _taken(connection: AsyncConnection, viewer: Viewer, delivery_id: int | None) -> list[int]:
    found = await connection.execute(REPLAY, {"tenant": viewer.tenant_id, "id": delivery_id})
    return sorted(row.id for row in found)
