"""Write-backs to the tools: what is to be written, once, however often a worker dies or an answer is lost.

Decides the life of a write: READY, SENDING while a worker talks to the tool, then DONE, FAILED (a person must act) or
UNKNOWN (the tool may have done it or not). A deliverer looks before it writes whenever `unsure` is set, so that a
repeated write has no effect. One worker sends at a time, under an advisory lock; what it finds in SENDING was left by a
dead one. A write that says what the latest one of its record says is that one; a later one takes the place of one that
was never sent, and otherwise waits for it. Trouble is tried again after 30 s, 1, 2, 4 ... min, with jitter; 8 times.
A write that rests on a version of its record is FAILED when the record has moved on, until it is asked for anew.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.governor import NotNow
from connectors.source import SourceRefused, SourceUnavailable
from engine.canonical import canonical_hash, canonical_json
from engine.refusal import Refused
from schema.identity import NAMESPACE
from schema.store import DbRole, Store

BATCH = 50
ATTEMPTS = 8
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 30.0, 3600.0
REASON_CHARACTERS = 500
MOVED_ON = "The record has moved on"


class PremiseGone(Exception):
    """The record is not the one any more that the write was meant for."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write as a deliverer gets it. `unsure`: an earlier attempt may have had its effect, so look first.

    `premise`: the version of the record that the write rests on; a deliverer looks whether it still stands.
    """

    id: UUID
    operation: str
    record: str
    body: Mapping[str, Any]
    unsure: bool
    premise: int | None = None


# Does the write, or finds that it is done. Raises SourceUnavailable (try later), PremiseGone or SourceRefused.
Deliverer = Callable[[Write], None]


@dataclass(frozen=True, slots=True)
class Delivered:
    done: int = 0
    unknown: int = 0
    failed: int = 0

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(self.done + other.done, self.unknown + other.unknown, self.failed + other.failed)


# A record's writes are noted one after the other, or two of the same content could follow each other.
IN_TURN = text("select pg_advisory_xact_lock(hashtextextended(:line, 0))")
LATEST = text("""
select id, state, attempts, premise, reason, operation = :operation and body = cast(:body as jsonb) as same
  from ops.outbox
 where tenant_id = (select app.tenant()) and target = :target and record = :record and operation = :operation
 order by created_at desc, id desc limit 1 for update
""")
REPLACE = text("""
update ops.outbox set id = :id, body = cast(:body as jsonb), premise = :premise
 where tenant_id = (select app.tenant()) and id = :replaced
""")
ANEW = text("""
update ops.outbox set state = 'UNKNOWN', attempts = 0, next_at = null, premise = :premise
 where tenant_id = (select app.tenant()) and id = :id
""")
ENQUEUE = text("""
insert into ops.outbox (tenant_id, id, target, operation, record, body, premise, state, attempts, created_at)
values ((select app.tenant()), :id, :target, :operation, :record, cast(:body as jsonb), :premise, 'READY', 0,
        clock_timestamp())
on conflict (tenant_id, id) do nothing
""")
KNOWN = text("select exists (select from ops.outbox where tenant_id = (select app.tenant()) and id = :id)")
LOCK = text("select pg_try_advisory_xact_lock(hashtext('outbox:' || (select app.tenant())::text))")
RECOVER = text("""
update ops.outbox set state = 'UNKNOWN', reason = 'The worker ended while it was sending.' where state = 'SENDING'
""")
# the oldest write of each record first; a younger one waits until it is settled
CLAIM = text("""
with due as (
  select o.id from ops.outbox o
   where o.state in ('READY', 'UNKNOWN') and o.target = any(:targets) and o.id <> all(:tried)
     and (o.next_at is null or o.next_at <= coalesce(cast(:now as timestamptz), clock_timestamp()))
     and not exists (select from ops.outbox e
                      where e.tenant_id = o.tenant_id and e.target = o.target and e.record = o.record
                        and e.state in ('READY', 'UNKNOWN', 'SENDING') and (e.created_at, e.id) < (o.created_at, o.id))
   order by o.created_at, o.id limit :count for update skip locked)
update ops.outbox o set state = 'SENDING', attempts = o.attempts + 1, next_at = null
  from due, ops.outbox before
 where o.id = due.id and before.tenant_id = o.tenant_id and before.id = o.id and o.tenant_id = (select app.tenant())
returning o.id, o.target, o.operation, o.record, o.body, o.premise, o.attempts, before.state = 'UNKNOWN' as unsure
""")
SETTLE = text("""
update ops.outbox set state = cast(:state as text), reason = :reason, attempts = :attempts,
       next_at = coalesce(cast(:now as timestamptz), clock_timestamp()) + make_interval(secs => :wait),
       done_at = case when cast(:state as text) = 'DONE' then now() end
 where tenant_id = (select app.tenant()) and id = :id
""")
DEAD = text("""
select id, target, operation, record, attempts, reason, created_at from ops.outbox
 where tenant_id = (select app.tenant()) and state = 'FAILED' order by created_at, id limit :most
""")
# An earlier attempt may have had its effect after all: UNKNOWN looks before it writes.
RETRY = text("""
update ops.outbox set state = 'UNKNOWN', attempts = 0, next_at = null
 where tenant_id = (select app.tenant()) and state = 'FAILED' and (cast(:ids as uuid[]) is null or id = any(:ids))
returning id
""")


async def enqueue(
    connection: AsyncConnection,
    target: str,
    operation: str,
    record: str,
    body: Mapping[str, Any],
    premise: int | None = None,
) -> UUID:
    """Note a write in the caller's transaction, as the worker role. `body` is canonical JSON."""
    content = canonical_hash({"operation": operation, "body": body})
    given = {
        "id": uuid5(NAMESPACE, f"outbox:{target}:{record}:{content}"),
        "target": target,
        "operation": operation,
        "record": record,
        "body": canonical_json(body).decode(),
        "premise": premise,
    }
    await connection.execute(IN_TURN, {"line": f"outbox:{target}:{record}"})
    named = {name: given[name] for name in ("target", "operation", "record", "body")}
    latest = (await connection.execute(LATEST, named)).one_or_none()
    if latest is not None and latest.same:
        if latest.state == "FAILED" and latest.premise != premise and (latest.reason or "").startswith(MOVED_ON):
            await connection.execute(ANEW, {"id": latest.id, "premise": premise})
        return UUID(str(latest.id))
    if latest is not None and await connection.scalar(KNOWN, {"id": given["id"]}):
        given["id"] = uuid5(latest.id, content)  # what was written before is wanted again, after something else
    if latest is not None and latest.state == "READY" and latest.attempts == 0:
        await connection.execute(REPLACE, {name: given[name] for name in ("id", "body", "premise")} | _was(latest))
    else:
        await connection.execute(ENQUEUE, given)
    return given["id"]  # type: ignore[return-value]


def _was(latest: Row[Any]) -> dict[str, UUID]:
    return {"replaced": latest.id}


async def deliver_due(
    store: Store,
    deliverers: Mapping[str, Deliverer],
    now: datetime | None = None,
    dice: Callable[[], float] = random.random,
) -> Delivered:
    """Send what is due to these targets, each write at most once a call. Nothing when another worker is sending."""
    async with store.begin(DbRole.WORKER) as watch:
        if not await watch.scalar(LOCK):
            return Delivered()
        async with store.begin(DbRole.WORKER) as connection:
            await connection.execute(RECOVER)
        total, tried = Delivered(), list[UUID]()
        while True:
            async with store.begin(DbRole.WORKER) as connection:
                wanted = {"targets": list(deliverers), "tried": tried, "count": BATCH, "now": now}
                claimed = (await connection.execute(CLAIM, wanted)).all()
            if not claimed:
                return total
            for row in claimed:
                tried.append(row.id)
                settled = await _send(deliverers[row.target], row, dice)
                async with store.begin(DbRole.WORKER) as connection:
                    await connection.execute(SETTLE, settled | {"id": row.id, "now": now})
                total += _COUNTED[settled["state"]]


# READY again: the tool wants to be left alone, and nothing was sent
_COUNTED = {"DONE": Delivered(done=1), "FAILED": Delivered(failed=1), "UNKNOWN": Delivered(unknown=1)}
_COUNTED["READY"] = _COUNTED["UNKNOWN"]


async def _send(deliverer: Deliverer, row: Row[Any], dice: Callable[[], float]) -> dict[str, Any]:
    """How the row stands afterwards. `wait` is None, or the seconds until the next try."""
    write = Write(row.id, row.operation, row.record, row.body, row.unsure, row.premise)
    after: dict[str, Any] = {"state": "DONE", "reason": None, "attempts": row.attempts, "wait": None}
    try:
        await asyncio.to_thread(deliverer, write)
    except NotNow as error:
        state = "UNKNOWN" if row.unsure else "READY"
        after |= {"state": state, "reason": _said(error), "attempts": row.attempts - 1, "wait": error.wait_seconds}
    except SourceUnavailable as error:
        if row.attempts >= ATTEMPTS:
            return after | {"state": "FAILED", "reason": _said(error)}
        backoff = min(FIRST_WAIT_SECONDS * 2 ** (row.attempts - 1), LONGEST_WAIT_SECONDS) * (0.8 + 0.4 * dice())
        after |= {"state": "UNKNOWN", "reason": _said(error), "wait": backoff}
    except PremiseGone as error:
        after |= {"state": "FAILED", "reason": _said(f"{MOVED_ON}: {error}")}
    except (SourceRefused, Refused) as error:
        after |= {"state": "FAILED", "reason": _said(error)}
    return after


def _said(error: object) -> str:
    return str(error)[:REASON_CHARACTERS]


async def dead_letters(connection: AsyncConnection, most: int = 1_000) -> list[dict[str, Any]]:
    """Writes that a person must look at, oldest first."""
    return [dict(row._mapping) for row in await connection.execute(DEAD, {"most": most})]


async def retry(connection: AsyncConnection, ids: list[UUID] | None) -> list[UUID]:
    """Send these dead letters again, or all of them. The tool is read first. Returns those that will be sent."""
    return [row.id for row in await connection.execute(RETRY, {"ids": ids})]
