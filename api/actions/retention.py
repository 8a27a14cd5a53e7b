"""How long raw bytes are kept: by the month, and never while somebody still needs one of them.

A month of deliveries goes when all of them are done; a month of bodies when no scored number rests on one. Hashes,
versions and typed rows stay for ever. Decided by the database itself (app.drop_part), so that no role can go around it.
Refused: a month that is not over, and one that is still needed (RETENTION_HOLD).
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.actions.audit import Log
from api.actions.rights import Action, require
from engine.refusal import Code, Refused
from schema.store import DbRole, Store, Viewer

TABLES = {"deliveries": "inbox.delivery", "bodies": "mirror.payload"}
IN_USE = "55006"
LISTED = text(
    """select case i.inhparent when 'inbox.delivery'::regclass then 'deliveries' else 'bodies' end as what,
              right(c.relname, 7) as month, greatest(c.reltuples, 0)::bigint as rows_about,
              pg_total_relation_size(c.oid) as bytes
         from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('inbox.delivery'::regclass, 'mirror.payload'::regclass)
          and c.relname ~ '_[0-9]{4}_[0-9]{2}$' order by 1, 2"""
)
DROP = text("select app.drop_part(:parent, :month)")
AHEAD = text("select app.make_parts(current_date, 3)")


async def listed(store: Store) -> list[dict[str, Any]]:
    """Every month that has a part of its own; rows as the planner estimates them."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        return [dict(row) for row in (await connection.execute(LISTED)).mappings()]


async def drop(store: Store, log: Log, viewer: Viewer, what: str, month: date, now: datetime) -> int:
    """Drop a month at once. Returns how many rows went; 0 when there is no such month any more."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.RETENTION_DROP)
        try:
            dropped = int(await connection.scalar(DROP, {"parent": TABLES[what], "month": month}) or 0)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != IN_USE:
                raise
            said = str(error.orig).rpartition(">: ")[2]
            raise Refused(
                Code.RETENTION_HOLD,
                f"The {what} of {month:%Y-%m} stay: {said}.",
                "Wait until the month is over, its deliveries are done and nothing that is paid rests on them.",
                ("month",),
            ) from error
        await log.record(
            connection,
            viewer,
            ty="retention.dropped/v1",
            object_type="part",
            object_id=f"{what}:{month:%Y-%m}",
            data={"rows": dropped},
            at=now,
        )
    return dropped


async def look_ahead(store: Store) -> None:
    """Make room for the months to come. What fits no month is kept all the same, but cannot be dropped by one."""
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(AHEAD)
