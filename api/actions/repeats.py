"""Acts that are asked for twice: the same key within a day is the same act, and gets the same answer.

Decides: whoever acts gives a key of his own. Its first use does the act and keeps what came of it; another use with the
same input does nothing and answers the same; with another input it is refused. A refused act keeps nothing, so the key
may be used again. While an act is under way its key waits; where nobody knows how it ended, it is done again after
10 s, because no act does harm a second time: its own state guards it.
Refused: IDEMPOTENCY_CONFLICT, STATE_CONFLICT while it is under way, BAD_INPUT for a key that cannot be kept.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import text

from engine.refusal import Code, Refused
from schema.store import DbRole, Store, Viewer

KEPT = timedelta(hours=24)
UNDER_WAY = timedelta(seconds=10)
KEY_MAX = 200
FIELD = ("idempotencyKey",)

FORGET = text("delete from access.act_key where asked_at <= :forgotten")
CLAIM = text(
    """insert into access.act_key (tenant_id, person_id, key, act_sha256, asked_at)
       values (:tenant, :person, :key, :act, :now) on conflict do nothing returning key"""
)
FOUND = text(
    "select act_sha256, outcome, asked_at from access.act_key where key = :key and person_id = app.person() for update"
)
AGAIN = text("update access.act_key set asked_at = :now where key = :key and person_id = app.person()")
KEEP = text(
    """update access.act_key set outcome = cast(:outcome as jsonb)
        where key = :key and person_id = app.person() and act_sha256 = :act"""
)
RELEASE = text(
    "delete from access.act_key where key = :key and person_id = app.person() and act_sha256 = :act and outcome is null"
)


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked for: the act's name, its input without the key, and the key."""

    name: str
    input: Mapping[str, Any]
    key: str

    @property
    def sha256(self) -> bytes:
        return sha256(json.dumps([self.name, self.input], sort_keys=True).encode()).digest()


async def once(store: Store, viewer: Viewer, call: Call, now: datetime, act: Callable[[], Awaitable[Any]]) -> Any:
    """What the act answers, a JSON value: of the act itself, or of the time when it was done."""
    if not 1 <= len(call.key) <= KEY_MAX or not call.key.isprintable():
        raise Refused(Code.BAD_INPUT, "The key cannot be kept.", f"Send 1 to {KEY_MAX} printable characters.", FIELD)
    done = await _claimed(store, viewer, call, now)
    if done is not None:
        return done["value"]
    names = {"key": call.key, "act": call.sha256}
    try:
        value = await act()
    except Exception:
        async with store.begin(DbRole.WORKER, viewer) as connection:
            await connection.execute(RELEASE, names)
        raise
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await connection.execute(KEEP, {**names, "outcome": json.dumps({"value": value})})
    return value


async def _claimed(store: Store, viewer: Viewer, call: Call, now: datetime) -> Mapping[str, Any] | None:
    """None when the key is ours now; what came of the act when it was done before."""
    scope = {"tenant": viewer.tenant_id, "person": viewer.person_id, "key": call.key, "act": call.sha256, "now": now}
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await connection.execute(FORGET, {"forgotten": now - KEPT})
        if (await connection.execute(CLAIM, scope)).scalar():
            return None
        found = (await connection.execute(FOUND, {"key": call.key})).one()
        if found.act_sha256 != call.sha256:
            raise Refused(
                Code.IDEMPOTENCY_CONFLICT, "The key was used for another act or another input.",
                "Use a new key for each act; repeat one only with the same input.", FIELD,
            )  # fmt: skip
        if found.outcome is not None:
            return dict(found.outcome)
        if now - found.asked_at < UNDER_WAY:
            raise Refused(
                Code.STATE_CONFLICT, "The same act is under way.", "Ask again in some seconds with the same key.", FIELD
            )
        await connection.execute(AGAIN, {"key": call.key, "now": now})
    return None
