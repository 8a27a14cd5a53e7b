"""Write-backs to the tools: what is to be written, once, however often a worker dies or an answer is lost.

Decides the life of a write: READY, SENDING while a worker talks to the tool, then DONE, FAILED (a person must act) or
UNKNOWN (the tool may have done it or not). A deliverer looks before it writes whenever `unsure` is set, so that a
repeated write has no effect. One worker sends at a time, under an advisory lock; what it finds in SENDING was left by a
dead one. The id of a write follows from target, record and content: the same write is the same row.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.source import SourceRefused, SourceUnavailable
from engine.canonical import canonical_hash, canonical_json
from engine.refusal import Refused
from schema.identity import NAMESPACE
from schema.store import DbRole, Store

BATCH = 50
ATTEMPTS = 8
REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Write:
    """One write as a deliverer gets it. `unsure`: an earlier attempt may have had its effect, so look first."""

    id: UUID
    operation: str
    record: str
    body: Mapping[str, Any]
    unsure: bool


# Does the write, or finds that it is done. Raises SourceUnavailable (try later) or SourceRefused (a person must act).
Deliverer = Callable[[Write], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    done: int = 0
    unknown: int = 0
    failed: int = 0

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(self.done + other.done, self.unknown + other.unknown, self.failed + other.failed)


ENQUEUE = text("""
insert into ops.outbox (tenant_id, id, target, operation, record, body, state, attempts, created_at)
values ((select app.tenant()), :id, :target, :operation, :record, cast(:body as jsonb), 'READY', 0, clock_timestamp())
on conflict (tenant_id, id) do nothing
""")
LOCK = text("select pg_try_advisory_xact_lock(hashtext('outbox:' || (select app.tenant())::text))")
RECOVER = text("""
update ops.outbox set state = 'UNKNOWN', reason = 'The worker ended while it was sending.' where state = 'SENDING'
""")
# the oldest write of each record first; a younger one waits until it is settled
CLAIM = text("""
with due as (
  select o.id from ops.outbox o
   where o.state in ('READY', 'UNKNOWN') and o.target = any(:targets) and o.id <> all(:tried)
     and not exists (select from ops.outbox e
                      where e.tenant_id = o.tenant_id and e.target = o.target and e.record = o.record
                        and e.state in ('READY', 'UNKNOWN', 'SENDING') and (e.created_at, e.id) < (o.created_at, o.id))
   order by o.created_at, o.id limit :count for update skip locked)
update ops.outbox o set state = 'SENDING', attempts = o.attempts + 1
  from due, ops.outbox before
 where o.id = due.id and before.tenant_id = o.tenant_id and before.id = o.id and o.tenant_id = (select app.tenant())
returning o.id, o.target, o.operation, o.record, o.body, o.attempts, before.state = 'UNKNOWN' as unsure
""")
SETTLE = text("""
update ops.outbox set state = cast(:state as text), reason = :reason,
       done_at = case when cast(:state as text) = 'DONE' then now() end
 where tenant_id = (select app.tenant()) and id = :id
""")


async def enqueue(
    connection: AsyncConnection, target: str, operation: str, record: str, body: Mapping[str, Any]
) -> UUID:
    """Note a write in the caller's transaction, as the worker role. `body` is canonical JSON."""
    content = canonical_hash({"operation": operation, "body": body})
    write_id = uuid5(NAMESPACE, f"outbox:{target}:{record}:{content}")
    given = {
        "id": write_id,
        "target": target,
        "operation": operation,
        "record": record,
        "body": canonical_json(body).decode(),
    }
    await connection.execute(ENQUEUE, given)
    return write_id


async def deliver_due(store: Store, deliverers: Mapping[str, Deliverer]) -> Delivered:
    """Send what is due to these targets, each write at most once a call. Nothing when another worker is sending."""
    async with store.begin(DbRole.WORKER) as watch:
        if not await watch.scalar(LOCK):
            return Delivered()
        async with store.begin(DbRole.WORKER) as connection:
            await connection.execute(RECOVER)
        total, tried = Delivered(), list[UUID]()
        while True:
            async with store.begin(DbRole.WORKER) as connection:
                wanted = {"targets": list(deliverers), "tried": tried, "count": BATCH}
                claimed = (await connection.execute(CLAIM, wanted)).all()
            if not claimed:
                return total
            for row in claimed:
                tried.append(row.id)
                write = Write(row.id, row.operation, row.record, row.body, row.unsure)
                state, reason = await _send(deliverers[row.target], write, row.attempts)
                async with store.begin(DbRole.WORKER) as connection:
                    await connection.execute(SETTLE, {"id": row.id, "state": state, "reason": reason})
                total += _COUNTED[state]


_COUNTED = {"DONE": Delivered(done=1), "UNKNOWN": Delivered(unknown=1), "FAILED": Delivered(failed=1)}


async def _send(deliverer: Deliverer, write: Write, attempts: int) -> tuple[str, str | None]:
    try:
        await asyncio.to_thread(deliverer, write)
    except SourceUnavailable as error:
        state = "FAILED" if attempts >= ATTEMPTS else "UNKNOWN"
        return state, str(error)[:REASON_CHARACTERS]
    except (SourceRefused, Refused) as error:
        return "FAILED", str(error)[:REASON_CHARACTERS]
    return "DONE", None
