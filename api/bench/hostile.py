"""Requests that are made to hurt: how long each is worked on, and how long others wait meanwhile.

Decides: `evenhand serve` itself, asked by one caller for everything in hostile_requests.py, one after the other, while
a heartbeat asks the same process whether it lives, every 2 ms on a connection of its own. What a heartbeat waits longer
than at rest is how long the event loop stood still. Times are wall time: told, and never judged; each answer's code is.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import orjson

from api.bench.dashboards import Connection, asked, posted, serving
from api.bench.hostile_requests import Hostile, campaign
from api.bench.reads_data import Size
from api.bench.stage import say

RESPONSE = "application/graphql-response+json"
LIVES = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
BEAT_SECONDS = 0.002
REST_SECONDS = 3


@dataclass(slots=True)
class Measured:
    """Milliseconds of each request by its name, and of all heartbeats while they ran and before."""

    requests: dict[str, list[float]] = field(default_factory=dict)
    beats: list[float] = field(default_factory=list)
    beats_at_rest: list[float] = field(default_factory=list)
    answers: int = 0
    wrong: int = 0


def run(rounds: int = 3) -> dict[str, Any]:
    with serving(Size(2, 3)) as (port, tokens_of):
        found = asyncio.run(_measured(port, tokens_of[1], rounds))
    times = {name: round(median(each), 1) for name, each in found.requests.items()}
    for name, milliseconds in sorted(times.items(), key=lambda each: each[1]):
        say(f"{milliseconds:8.1f} ms  {name}")
    slowest = max(times, key=times.__getitem__)
    return {
        "peer": "the codes that must come back",
        "better": "lower",
        "target": 0.0,
        "ratio": found.wrong / found.answers,
        "answers": found.answers,
        "wrong": found.wrong,
        "median_ms": round(median(times.values()), 1),
        "slowest_ms": times[slowest],
        "slowest": slowest,
        "heartbeats": len(found.beats),
        "heartbeat_longest_ms": round(max(found.beats), 1),
        "heartbeat_longest_at_rest_ms": round(max(found.beats_at_rest), 1),
    }


async def _measured(port: int, token: str, rounds: int) -> Measured:
    found = Measured()
    await _ask(port, token, found, warming=True)
    async with _beating(port, found.beats_at_rest):
        await asyncio.sleep(REST_SECONDS)
    async with _beating(port, found.beats):
        for _ in range(rounds):
            await _ask(port, token, found)
    return found


async def _ask(port: int, token: str, found: Measured, *, warming: bool = False) -> None:
    for request in campaign():
        connection = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        # Nothing is answered from memory: each round's documents are new to the server.
        status, body, milliseconds = await asked(connection, posted(token, _fresh(request.body), RESPONSE))
        await _close(connection)
        if warming:
            continue
        found.requests.setdefault(request.name, []).append(milliseconds)
        found.answers += 1
        if not _right(request, status, body):
            found.wrong += 1
            say(f"{request.name}: {status} {body[:200].decode(errors='replace')}")


async def _close(connection: Connection) -> None:
    connection[1].close()
    with contextlib.suppress(OSError):  # the other side was quicker
        await connection[1].wait_closed()


def _fresh(body: bytes) -> bytes:
    """The same document with a comment that nobody has sent before, where it is one."""
    mark = b'{"query": "'
    return body.replace(mark, mark + f"#{time.monotonic_ns()}\\n".encode(), 1) if body.startswith(mark) else body


def _right(request: Hostile, status: int, body: bytes) -> bool:
    said = orjson.loads(body) if body else {}
    first = (said.get("errors") or [{"extensions": said}])[0]
    return status == request.status and first["extensions"].get("code") == request.code


@contextlib.asynccontextmanager
async def _beating(port: int, beats: list[float]) -> Any:
    async def beat() -> None:
        connection = await asyncio.open_connection("127.0.0.1", port)
        try:
            while True:
                status, _, milliseconds = await asked(connection, LIVES)
                beats.append(milliseconds if status == 200 else 1e9)
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            await _close(connection)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
