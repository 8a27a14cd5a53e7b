"""A served small house whose numbers move, and a WebSocket that follows them as a client does."""

import asyncio
import itertools
import json
import socket as socket_module
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from sqlalchemy import insert, text
from websockets.asyncio.client import ClientConnection, connect

from api import identity
from api.app import create_app
from api.graphql.streams.watch import LAST, Pace
from api.house import House
from engine.feed_words import ChangeKind
from schema.identity import DEFAULT_TENANT
from schema.store import DbRole, Viewer
from schema.tables import scores
from tests.api.small_house import CYCLE, NOW, PLAN, RUNS, person, results

PROTOCOL = "graphql-transport-ws"
QUICK = Pace(check=30, again=0.05, init=0.5, ping=30, comment=0.2)
CHECKING = replace(QUICK, check=0.2)  # looks again and again who somebody is; that is work
PATIENCE_SECONDS = 10
NARROW_BYTES = 64 * 1024
STANDING = text(
    """select s.subject_label, s.value from score.score s
        where s.run_id = (select r.id from score.run r order by r.run_no desc limit 1)"""
)
VALUES = itertools.count(700_001)


@dataclass
class Time:
    """The clock of the house, which a test may move."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Place:
    """A house behind a port, with its clock."""

    house: House
    port: int
    time: Time

    def token(self, who: str, seconds: int = 3600) -> str:
        return identity.mint(self.house.signer, person(who), self.time(), seconds)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"


@asynccontextmanager
async def open_place(house: House, pace: Pace = QUICK, *, narrow: bool = False) -> AsyncIterator[Place]:
    """Serve the house. `narrow` leaves little room for what is sent and not yet taken."""
    time = Time()
    moving = replace(house, clock=time)
    listener = socket_module.create_server(("127.0.0.1", 0))
    if narrow:
        listener.setsockopt(socket_module.SOL_SOCKET, socket_module.SO_SNDBUF, NARROW_BYTES)
    config = uvicorn.Config(create_app(moving, pace), log_level="warning", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield Place(moving, listener.getsockname()[1], time)
    finally:
        server.should_exit = True
        await running
        listener.close()


class Socket:
    """A client of the protocol."""

    def __init__(self, raw: ClientConnection) -> None:
        self.raw = raw

    async def send(self, kind: str, **more: Any) -> None:
        await self.raw.send(json.dumps({"type": kind, **more}))

    async def read(self) -> dict[str, Any]:
        """The next message that is no ping."""
        while True:
            frame = await asyncio.wait_for(self.raw.recv(), PATIENCE_SECONDS)
            assert isinstance(frame, str), "frames are text"
            message: dict[str, Any] = json.loads(frame)
            if message["type"] != "ping":
                return message

    async def begin(self, token: str) -> None:
        await self.send("connection_init", payload={"Authorization": f"Bearer {token}"})
        assert await self.read() == {"type": "connection_ack"}

    async def subscribe(self, query: str, name: str = "1", **variables: Any) -> None:
        await self.send("subscribe", id=name, payload={"query": query, "variables": variables})

    async def data(self, name: str = "1") -> Any:
        message = await self.read()
        assert (message["id"], message["type"]) == (name, "next"), message
        assert "errors" not in message["payload"], message
        return next(iter(message["payload"]["data"].values()))

    async def quiet(self, seconds: float = 0.5) -> bool:
        """Whether nothing is told for a while."""
        try:
            async with asyncio.timeout(seconds):
                await self.read()
        except TimeoutError:
            return True
        return False

    async def end(self) -> int:
        """The number with which the server ends the connection."""
        await asyncio.wait_for(self.raw.wait_closed(), PATIENCE_SECONDS)
        return self.raw.close_code or 0


@asynccontextmanager
async def socket(place: Place, who: str = "", host: str = "", **more: Any) -> AsyncIterator[Socket]:
    """A connection, by another host where one is named; for somebody it has begun."""
    url = place.url.replace("http", "ws").replace("127.0.0.1", host or "127.0.0.1")
    link = socket_module.socket()
    link.setsockopt(socket_module.SOL_SOCKET, socket_module.SO_RCVBUF, NARROW_BYTES)
    link.connect(("127.0.0.1", place.port))
    async with connect(url, sock=link, subprotocols=[PROTOCOL], compression=None, **more) as raw:  # type: ignore[list-item]
        one = Socket(raw)
        if who:
            await one.begin(place.token(who))
        yield one


async def score_anew(house: House, *, values: dict[str, str] | None = None) -> UUID:
    """Another run; subjects named in `values` get that value, all others the one that they have."""
    run_id = uuid4()
    run = {"tenant_id": DEFAULT_TENANT, "id": run_id, "cycle_id": CYCLE, "plan_version_id": PLAN,
           "snapshot_hash": str(run_id), "engine_version": "1", "result_hash": "ab" * 32, "signals": [],
           "data_as_of": NOW, "closed_at": NOW}  # fmt: skip
    rows = dict(results(str(run_id), run_id))[scores.Score]
    for row in rows:
        row["value"] = (values or {}).get(row["subject_label"])
    async with house.store.begin(DbRole.WORKER) as connection:
        standing = {row[0]: row[1] for row in await connection.execute(STANDING)}
        for row in rows:
            row["value"] = standing[row["subject_label"]] if row["value"] is None else row["value"]
        await connection.execute(insert(scores.Run), [run])
        await connection.execute(insert(scores.Score), rows)
    return run_id


async def move(house: House, who: str = "ana") -> str:
    """Give somebody a score that he never had; returns it."""
    value = f"0.{next(VALUES):06}"
    await score_anew(house, values={who: value})
    return value


async def here(house: House, kind: ChangeKind = ChangeKind.SCORE) -> str:
    """The place behind everything that has happened: with it, it does not matter when a subscription really begins."""
    async with house.store.begin(DbRole.APP, read_only=True) as connection:
        newest = (await connection.execute(text("select app.newest_change(:kind)"), {"kind": kind.value})).scalar()
    return urlsafe_b64encode(json.dumps([kind.value, newest, str(LAST)]).encode()).decode()


async def decide(house: House, who: str, state: str = "APPROVED") -> None:
    """Finance decides somebody's award."""
    finn = Viewer(person("finn"))
    async with house.store.begin(DbRole.PAY, finn) as connection:
        await connection.execute(
            text("update pay.award set state = :state, approved_by = :finn, approved_at = :now, version = version + 1"
                 " where person_id = :who and run_id = :run"),
            {"state": state, "finn": finn.person_id, "now": NOW, "who": person(who), "run": RUNS["new"]},
        )  # fmt: skip
