"""Large reads as acts: asked for, called off, worked on by one worker at a time, done, fetched, forgotten.

Decides: everybody may ask for what he may read, with a purpose, two at a time; asking, the finished file and every
download are entries of the audit log. A worker holds a read by a lease and a number; whoever holds an older number
changes nothing any more. Times are UTC. Refused: no purpose, a third read beside two that are under way, calling off
what is not one's own or is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.audit import Log
from engine.refusal import Code, Refused
from schema.store import SYSTEM, DbRole, Store, Viewer

OPEN_MAX = 2
PURPOSE_MIN, PURPOSE_MAX = 10, 500
KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=60)
NUL = "\\u0000"

ONE_AT_A_TIME = text("select pg_advisory_xact_lock(1702389860, hashtext(:person))")
OPEN = text("select count(*) from feed.export where person_id = :person and state in ('QUEUED', 'RUNNING')")
ASK = text(
    """insert into feed.export (tenant_id, id, person_id, document, variables, purpose, state, rows, bytes, attempt,
                                asked_at)
       values (:tenant, :id, :person, :document, cast(:variables as jsonb), :purpose, 'QUEUED', 0, 0, 0, :now)"""
)
CALL_OFF = text(
    """update feed.export set state = 'CANCELLED', finished_at = :now, leased_until = null
        where id = :id and person_id = :person and state in ('QUEUED', 'RUNNING')"""
)
# Whose lease is over died; the others are left to those who hold them.
CLAIM = text(
    """update feed.export set state = 'RUNNING', attempt = attempt + 1, leased_until = :until
        where id = (select id from feed.export
                     where state = 'QUEUED' or (state = 'RUNNING' and leased_until < :now)
                     order by asked_at, id limit 1 for update skip locked)
       returning id, person_id, document, variables, scope_sha256, cursor, rows, bytes, attempt"""
)
ADVANCE = text(
    """update feed.export set cursor = :cursor, rows = :rows, bytes = :bytes, scope_sha256 = :scope,
              leased_until = :until
        where id = :id and attempt = :attempt and state = 'RUNNING'"""
)
FINISH = text(
    """update feed.export set state = 'READY', sha256 = :sha256, finished_at = :now, file_ends_at = :kept,
              leased_until = null where id = :id and attempt = :attempt and state = 'RUNNING'"""
)
FAIL = text(
    """update feed.export set state = 'FAILED', failure = :failure, finished_at = :now, leased_until = null
        where id = :id and attempt = :attempt and state = 'RUNNING'"""
)
FORGET = text("update feed.export set state = 'EXPIRED' where state = 'READY' and file_ends_at <= :now")
LIVING = text("select id from feed.export where state in ('QUEUED', 'RUNNING', 'READY')")


@dataclass(frozen=True, slots=True)
class Job:
    """A read that this worker holds: what is asked, for whom, and how far it has come."""

    id: UUID
    person_id: UUID
    document: str
    variables: Mapping[str, Any]
    scope_sha256: str | None
    cursor: str | None
    rows: int
    bytes: int
    attempt: int


class Lost(Exception):
    """Somebody else holds this read by now, or it was called off."""


async def ask(
    store: Store, log: Log, viewer: Viewer, document: str, variables: Mapping[str, Any], purpose: str, now: datetime
) -> UUID:
    """Queue a read. Its query has been looked at already."""
    if not PURPOSE_MIN <= len(purpose.strip()) <= PURPOSE_MAX or not purpose.isprintable():
        few = f"Say in {PURPOSE_MIN} to {PURPOSE_MAX} characters on one line what it is for."
        raise Refused(Code.BAD_INPUT, "The purpose cannot be kept.", few, ("purpose",))
    written = _writable(variables)
    export_id, who = uuid4(), {"person": str(viewer.person_id)}
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await connection.execute(ONE_AT_A_TIME, who)
        if ((await connection.execute(OPEN, {"person": viewer.person_id})).scalar() or 0) >= OPEN_MAX:
            raise Refused(Code.THROTTLED, f"{OPEN_MAX} exports of yours are under way.", "Wait for one, or cancel it.")
        row = {"tenant": viewer.tenant_id, "id": export_id, "person": viewer.person_id, "document": document,
               "variables": written, "purpose": purpose, "now": now}  # fmt: skip
        await connection.execute(ASK, row)
        digests = {"document": sha256(document.encode()).hexdigest(), "variables": sha256(written.encode()).hexdigest()}
        await _note(connection, log, viewer, "bulk_export.asked/v1", export_id, digests, now, purpose)
    return export_id


def _writable(variables: Mapping[str, Any]) -> str:
    """The values as they are kept. The database keeps no U+0000."""
    written = orjson.dumps(dict(variables)).decode()
    if NUL in written:
        raise Refused(Code.BAD_INPUT, "The variables cannot be kept.", "Send plain values.", ("variables",))
    return written


async def call_off(store: Store, log: Log, viewer: Viewer, export_id: UUID, now: datetime) -> None:
    async with store.begin(DbRole.WORKER, viewer) as connection:
        done = await connection.execute(CALL_OFF, {"id": export_id, "person": viewer.person_id, "now": now})
        if not done.rowcount:
            raise Refused(Code.NOT_FOUND, "There is no such export under way.", "Read its state.", ("exportId",))
        await _note(connection, log, viewer, "bulk_export.cancelled/v1", export_id, {}, now)


async def claim(store: Store, now: datetime) -> Job | None:
    """The next read that nobody works on."""
    async with store.begin(DbRole.WORKER) as connection:
        found = (await connection.execute(CLAIM, {"now": now, "until": now + LEASE})).first()
        return Job(*found) if found else None


async def advance(store: Store, job: Job, now: datetime) -> None:
    """Keep how far a read has come. What the file holds beyond that does not count."""
    row = {"cursor": job.cursor, "rows": job.rows, "bytes": job.bytes, "scope": job.scope_sha256, "until": now + LEASE}
    async with store.begin(DbRole.WORKER) as connection:
        await _held(connection, ADVANCE, job, row)


async def finish(store: Store, log: Log, job: Job, file_sha256: str, now: datetime) -> None:
    viewer = Viewer(job.person_id)
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await _held(connection, FINISH, job, {"sha256": file_sha256, "now": now, "kept": now + KEPT})
        made = {"rows": job.rows, "bytes": str(job.bytes), "sha256": file_sha256}
        await _note(connection, log, viewer, "bulk_export.made/v1", job.id, made, now)


async def fail(store: Store, log: Log, job: Job, failure: str, now: datetime) -> None:
    viewer = Viewer(job.person_id)
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await _held(connection, FAIL, job, {"failure": failure, "now": now})
        await _note(connection, log, viewer, "bulk_export.failed/v1", job.id, {"rows": job.rows}, now)


async def downloaded(store: Store, log: Log, viewer: Viewer, export_id: UUID, file_sha256: str, now: datetime) -> None:
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await _note(connection, log, viewer, "bulk_export.downloaded/v1", export_id, {"sha256": file_sha256}, now)


async def forget(store: Store, now: datetime) -> set[UUID]:
    """End the time of what was kept long enough. Answers whose files are still needed."""
    async with store.begin(DbRole.WORKER, SYSTEM) as connection:
        await connection.execute(FORGET, {"now": now})
        return set((await connection.execute(LIVING)).scalars())


async def _held(connection: AsyncConnection, statement: Any, job: Job, row: dict[str, Any]) -> None:
    if not (await connection.execute(statement, {"id": job.id, "attempt": job.attempt, **row})).rowcount:
        raise Lost


async def _note(
    connection: AsyncConnection,
    log: Log,
    viewer: Viewer,
    ty: str,
    export_id: UUID,
    data: Mapping[str, object],
    now: datetime,
    reason: str | None = None,
) -> None:
    about = str(export_id)
    await log.record(connection, viewer, ty=ty, object_type="export", object_id=about, data=data, at=now, reason=reason)
