"""Named moments of the mirror, and what one record said at one of them, with the way back to the bytes that brought it.

Whoever administers the tools or audits may name a moment; it is an entry of the audit log with its hash. Naming one
never touches a record. Refused: a name that is taken, a snapshot or record that is not there.
"""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text

from api.actions.audit import Log
from api.actions.rights import Action, require
from connectors.history import CUT, Snapshot, find, stood
from connectors.history import take as taking
from engine.refusal import Code, Refused
from engine.words import Source
from schema.identity import mirror_id
from schema.store import DbRole, Store, Viewer

LISTED = text("select name, taken_at, cut_no, records, hash from mirror.snapshot order by taken_at desc, name")
BROUGHT = text(
    """select source, feed, delivery_id as name, received_at, state, encode(body_sha256, 'hex') as body_sha256
         from inbox.delivery where tenant_id = (select app.tenant()) and id = :id"""
)


async def take(store: Store, log: Log, viewer: Viewer, name: str, now: datetime) -> Snapshot:
    """Name this moment, for a close or a dispute to lean on."""
    if not name.strip():
        raise Refused(Code.BAD_INPUT, "The snapshot has no name.", "Give it one: 'close of March'.", ("name",))
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.SNAPSHOT_TAKE)
        snapshot = await taking(connection, name, now)
        await log.record(
            connection,
            viewer,
            ty="snapshot.taken/v1",
            object_type="snapshot",
            object_id=name,
            data={"cut_no": str(snapshot.cut_no), "records": snapshot.records, "hash": snapshot.hash},
            at=now,
        )
        return snapshot


async def listed(store: Store) -> list[dict[str, Any]]:
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        return [dict(row) for row in (await connection.execute(LISTED)).mappings()]


async def shown(store: Store, source: Source, entity: str, key: str, name: str | None) -> list[dict[str, Any]]:
    """What stands, or stood in the snapshot; the delivery that brought it; the body as it is kept."""
    record_id = mirror_id(source, entity, key)
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        cut = (await find(connection, name)).cut_no if name else int(await connection.scalar(CUT) or 0)
        found = await stood(connection, cut, [record_id]) if record_id else []
        if not found:
            raise Refused(
                Code.NOT_FOUND,
                f"The mirror has no {entity} {key} of {source}{f' in {name}' if name else ''}.",
                "Give the tool's own id: a sys_id, or the number of an issue, not its key.",
                ("key",),
            )
        record = found[0]
        delivery = (await connection.execute(BROUGHT, {"id": record.delivery_id})).mappings().first()
    stands = {
        "gone": record.gone, "revision": record.revision_id, "version_no": record.version_no,
        "version_at": record.version_at, "seen_at": record.observed_at, "feed": record.feed,
        "payload_hash": record.payload_hash.hex(),
    }  # fmt: skip
    brought = dict(delivery) if delivery else {"dropped": "the month of this delivery was dropped"}
    body = orjson.loads(record.body) if record.body is not None else "the month of this body was dropped"
    return [{"stands": stands}, {"delivery": brought}, {"body": body}]
