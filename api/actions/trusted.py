"""Registering the documents that clients may ask for by their hash, and retiring them: audited, by ITSM administrators.

The text is kept byte for byte: its hash is its id. Registering the same text again changes nothing, and brings a
retired one back. That a text can be answered is checked before (api/graphql/checking.py).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import text

from api.actions.audit import Log
from api.actions.rights import Action, require
from engine.refusal import Code, Refused
from schema.store import DbRole, Store, Viewer

LISTED = text("select id, name, computed, registered_at, retired_at from ops.trusted_document order by name, id")
REGISTER = text(
    """insert into ops.trusted_document as d (tenant_id, id, name, body, computed, registered_by, registered_at)
       values (:tenant, :id, :name, :body, :computed, :person, :now)
       on conflict (tenant_id, id) do update
          set retired_at = null, computed = excluded.computed, registered_by = excluded.registered_by,
              registered_at = excluded.registered_at
        where d.retired_at is not null or d.computed <> excluded.computed
       returning id"""
)
RETIRE = text("update ops.trusted_document set retired_at = :now where id = :id and retired_at is null returning name")


async def listed(store: Store) -> list[dict[str, Any]]:
    """Every document that was ever registered."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        return [dict(row) for row in (await connection.execute(LISTED)).mappings()]


async def register(
    store: Store, log: Log, viewer: Viewer, key: str, name: str, body: str, *, computed: bool, now: datetime
) -> bool:
    """Keep the text under the sha256 of its bytes, hex. Returns whether anything changed."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.QUERY_REGISTER)
        found = await connection.execute(
            REGISTER,
            {
                "tenant": viewer.tenant_id,
                "id": key,
                "name": name,
                "body": body,
                "computed": computed,
                "person": viewer.person_id,
                "now": now,
            },
        )
        changed = found.first() is not None
        if changed:
            await _record(log, connection, viewer, "query.registered/v1", key, name, now)
        return changed


async def retire(store: Store, log: Log, viewer: Viewer, key: str, now: datetime) -> str:
    """Answer it no longer. Returns its name."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.QUERY_RETIRE)
        name = (await connection.execute(RETIRE, {"id": key, "now": now})).scalar()
        if name is None:
            raise Refused(
                Code.NOT_FOUND, "No document is registered under this id.", "See them: evenhand documents list."
            )
        await _record(log, connection, viewer, "query.retired/v1", key, name, now)
        return str(name)


async def _record(log: Log, connection: Any, viewer: Viewer, ty: str, key: str, name: str, now: datetime) -> None:
    await log.record(
        connection, viewer, ty=ty, object_type="trusted_document", object_id=key, data={"name": name}, at=now
    )
