"""The peer of `bench intake`: `uvicorn --factory api.bench.intake_peer:app`.

The least that stores one row durably for one request, as one writes it with asyncpg's pool: no signature, no
duplicates, no row security, no limits.
"""

import os
from datetime import UTC, datetime

import asyncpg
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from schema.identity import DEFAULT_TENANT

TABLE = "create schema bench; create table bench.delivery (like inbox.delivery including all)"
INSERT = (
    "insert into bench.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256, headers,"
    " received_at, state, attempts) values ($1, 'servicenow', '', 'WEBHOOK', $2, 0, $3, sha256($3), $4, $5, 'READY', 0)"
)


def app() -> ASGIApp:
    pool = asyncpg.create_pool(os.environ["EVENHAND_DATABASE_URL"])
    accepted = [(b"content-type", b"application/json"), (b"content-length", b"17")]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await pool
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        kept = orjson.dumps({"content-type": headers.get("content-type")}).decode()
        await pool.execute(INSERT, DEFAULT_TENANT, headers["webhook-id"], body, kept, datetime.now(UTC))
        await send({"type": "http.response.start", "status": 202, "headers": accepted})
        await send({"type": "http.response.body", "body": b'{"outcome":"new"}'})

    return answer
