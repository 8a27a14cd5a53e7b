"""202 means durable: whatever kills the receiving process afterwards, the row is there."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.webhooks.receiving import standard, stored

ROOT = Path(__file__).parents[2]


async def started(database_url: str, port: int) -> Process:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "DATABASE_URL": database_url}
    app = ["--factory", "tests.webhooks.receiving:app", "--port", str(port), "--log-level", "error"]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "uvicorn", *app, env=environment)
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while True:
            try:
                await client.get(f"http://127.0.0.1:{port}/")
                return process
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("kill_after", [1, 7])
async def test_a_killed_process_loses_nothing_that_it_acknowledged(database_url: str, kill_after: int) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hooks/servicenow"
    bodies = {f"evt_{n}": b'{"n":%d}' % n for n in range(40)}
    acknowledged: set[str] = set()
    lost: list[str] = []
    process = await started(database_url, port)

    async def send(client: httpx.AsyncClient, delivery_id: str) -> str:
        body = bodies[delivery_id]
        headers = standard(body, delivery_id, at_s=int(datetime.now(UTC).timestamp()))
        answer = await client.post(url, content=body, headers=headers)
        assert answer.status_code == 202
        return str(answer.json()["outcome"])

    async def send_until_killed(client: httpx.AsyncClient, delivery_id: str) -> None:
        try:
            assert await send(client, delivery_id) == "new"
            acknowledged.add(delivery_id)
            if len(acknowledged) == kill_after:
                os.kill(process.pid, signal.SIGKILL)
        except httpx.TransportError:
            lost.append(delivery_id)

    limits = httpx.Limits(max_connections=4)
    async with httpx.AsyncClient(limits=limits, timeout=30) as client:
        await asyncio.gather(*(send_until_killed(client, one) for one in bodies))
    assert await process.wait() == -signal.SIGKILL
    assert len(acknowledged) >= kill_after
    assert lost  # the kill came in the middle, or this proves nothing
    found = {row["delivery_id"]: row["body"] for row in await stored(database_url)}
    assert acknowledged <= set(found)

    process = await started(database_url, port)
    try:
        async with httpx.AsyncClient(limits=limits, timeout=30) as client:
            for delivery_id in bodies:
                assert await send(client, delivery_id) == ("duplicate" if delivery_id in found else "new")
    finally:
        process.terminate()
        await process.wait()
    assert {row["delivery_id"]: row["body"] for row in await stored(database_url)} == bodies
    assert len(await stored(database_url)) == len(bodies)
