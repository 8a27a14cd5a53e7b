"""The real routes under a real uvicorn, and the sender's side of a signature. Tests that kill a process start `app`."""

import asyncio
import contextlib
import hmac
import os
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import asyncpg
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from webhooks import jira, receive, servicenow
from webhooks.gate import gate
from webhooks.intake import Intake

NOW = datetime(2026, 3, 4, 10, 15, 7, tzinfo=UTC)
STANDARD_KEY = bytes(range(32))
OLDER_KEY = bytes(range(32, 64))
STANDARD_SECRET = f"whsec_{b64encode(STANDARD_KEY).decode()}"
OLDER_SECRET = f"whsec_{b64encode(OLDER_KEY).decode()}"
ALWAYS = [(b"x-content-type-options", b"nosniff")]
SHORT_WAY, REST_SECONDS = True, 5  # tests of the other way, or of a rest, set these
JIRA_SECRET = "a secret that an administrator typed"


def standard(
    body: bytes, delivery_id: str = "evt_1", key: bytes = STANDARD_KEY, at_s: int | None = None
) -> dict[str, str]:
    """Standard Webhooks in four lines, from its specification."""
    timestamp = str(int(NOW.timestamp()) if at_s is None else at_s)
    mac = hmac.new(key, f"{delivery_id}.{timestamp}.".encode() + body, sha256).digest()
    signature = f"v1,{b64encode(mac).decode()}"
    return {"webhook-id": delivery_id, "webhook-timestamp": timestamp, "webhook-signature": signature}


def hub(body: bytes, delivery_id: str = "8b0e4c", secret: str = JIRA_SECRET) -> dict[str, str]:
    """What Jira sends with a body."""
    mac = hmac.new(secret.encode(), body, sha256).hexdigest()
    return {"x-hub-signature": f"sha256={mac}", "x-atlassian-webhook-identifier": delivery_id}


@dataclass
class Receiver:
    """A receiving process within the tests' own loop: its address, its client, its intake."""

    port: int
    intake: Intake
    client: httpx.AsyncClient
    paths: dict[str, str] = field(default_factory=lambda: {"servicenow": servicenow.PATH, "jira": jira.PATH})

    async def post(self, source: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return await self.client.post(self.paths[source], content=body, headers=headers)


@contextlib.asynccontextmanager
async def receiving(
    database_url: str, body_limits: Any = None, porch: bool = False, short_way: bool | None = None, **intake: Any
) -> AsyncIterator[Receiver]:
    senders = [servicenow.sender([STANDARD_SECRET, OLDER_SECRET]), jira.sender([JIRA_SECRET])]
    door = Intake(database_url, **intake)
    hooks = receive.routes(door, senders, lambda: NOW, body_limits or receive.BodyLimits(), ALWAYS)
    app = Starlette(routes=hooks, middleware=[Middleware(receive.Porch, routes=hooks)] if porch else [])
    http = gate(hooks) if (SHORT_WAY if short_way is None else short_way) else "httptools"
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        http=http,
        ws="none",
        lifespan="off",
        timeout_keep_alive=REST_SECONDS,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        listening.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # or each answer waits 40 ms for an acknowledgement
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        limits = httpx.Limits(max_connections=200)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, limits=limits) as client:
                yield Receiver(port, door, client)
        finally:
            server.should_exit = True
            await serving
            await door.close()


@contextlib.asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def stored(database_url: str) -> list[asyncpg.Record]:
    async with connected(database_url) as connection:
        return await connection.fetch("select * from inbox.delivery order by id")


def app() -> Starlette:
    senders = [servicenow.sender([STANDARD_SECRET]), jira.sender([JIRA_SECRET])]
    return Starlette(routes=receive.routes(Intake(os.environ["DATABASE_URL"]), senders, lambda: datetime.now(UTC)))
