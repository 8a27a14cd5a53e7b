"""Durable webhook accepts per second, over a bare ASGI app that inserts one row with asyncpg for each request.

Ours is `evenhand serve` itself: signatures, duplicates, row security, the whole application. Both run under uvicorn
(uvloop, httptools) as processes of their own against one PostgreSQL in a temporary home with its usual durability, each
with its own table of the same columns, indexes and checks. Rounds are interleaved, and the
order within a round alternates. With two cores or more the servers share one, database and load share the other.
`ratio` is with natural batching (many senders at once); `one_by_one` has a single sender who waits for each answer.
After each measurement the rows are counted: an answer without its row is an error of the bench, not a figure.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from api.bench import intake_peer
from schema import embedded
from schema.store import migrate
from webhooks import servicenow

MANY = 64  # connections of the measurement with natural batching
PEER = "bare ASGI app under uvicorn: one asyncpg pool.execute(insert) per request, no signature, no row security"
TABLES = {"ours": "inbox.delivery", "peer": "bench.delivery"}


@dataclass(frozen=True, slots=True)
class Stage:
    """What all measurements share."""

    database_url: str
    secret: str
    ports: dict[str, int]


def run(rounds: int = 5, seconds: float = 1.5) -> dict[str, Any]:
    """All rounds; about 4 * rounds * (seconds + 0.5) + 15 seconds."""
    with staged() as stage:
        for connections in (1, MANY):  # plans cached, files grown, code warm
            for side in TABLES:
                measure(stage, side, connections, 0.5)
        many, single = [], []
        for number in range(rounds):
            sides = sorted(TABLES, reverse=number % 2 == 1)
            single.append({side: measure(stage, side, 1, seconds) for side in sides})
            many.append({side: measure(stage, side, MANY, seconds) for side in sides})
        fsync = fsync_us(Path(tempfile.gettempdir()))
    return {
        "name": "intake",
        **compared(many, target=3.0),
        "better": "higher",
        "peer": PEER,
        "connections": MANY,
        "one_by_one": compared(single, target=0.8),
        "fsync_us": fsync,
    }


def compared(rounds: list[dict[str, dict[str, float]]], target: float) -> dict[str, Any]:
    """Median of the paired ratios; spread is (largest - smallest) / median."""
    runs = [one["ours"]["per_second"] / one["peer"]["per_second"] for one in rounds]
    figures: dict[str, Any] = {
        "ratio": round(median(runs), 2),
        "target": target,
        "runs": [round(one, 2) for one in runs],
        "spread": round((max(runs) - min(runs)) / median(runs), 2),
    }
    for side in TABLES:
        for figure in ("per_second", "median_us", "p99_us"):
            figures[f"{side}_{figure}"] = round(median(one[side][figure] for one in rounds))
        figures[f"{side}_load_cpu"] = round(median(one[side]["load_cpu"] for one in rounds), 2)
    return figures


def measure(stage: Stage, side: str, connections: int, seconds: float) -> dict[str, float]:
    """One side under load from a process of its own. `load_cpu` near 1 would mean that the load is what we measure."""
    before = asyncio.run(count(stage, side))
    arguments = ["127.0.0.1", stage.ports[side], servicenow.PATH, stage.secret, connections, seconds]
    command = [sys.executable, "-m", "api.bench.load", *map(str, arguments)]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=seconds + 60)
    heard = json.loads(finished.stdout)
    rows = asyncio.run(count(stage, side)) - before
    if heard["others"] or rows != heard["accepted"]:
        raise RuntimeError(f"{side}: {heard['accepted']} answers, {rows} rows, other statuses {heard['others']}")
    figures = {
        "per_second": heard["accepted"] / heard["seconds"],
        "median_us": heard["median_us"],
        "p99_us": heard["p99_us"],
        "load_cpu": heard["cpu_seconds"] / heard["seconds"],
    }
    say(f"{side}, {connections:2} at once: {figures['per_second']:7.0f}/s, median {figures['median_us']:.0f} us")
    return figures


async def count(stage: Stage, side: str) -> int:
    connection = await asyncpg.connect(stage.database_url)
    try:
        return int(await connection.fetchval(f"select count(*) from {TABLES[side]}"))  # noqa: S608 - our own two names
    finally:
        await connection.close()


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """Database and both servers, gone afterwards with all they wrote."""
    home = Path(tempfile.mkdtemp(prefix="evenhand-bench-"))
    home.chmod(0o711)  # when root runs the bench, the account of the server must find its way
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    servers: list[subprocess.Popen[bytes]] = []
    try:
        pin(cores[1:2])  # what we start inherits it: the database and the load
        with embedded.start(home) as server:
            asyncio.run(prepare(server.url()))
            stage = Stage(server.url(), f"whsec_{b64encode(os.urandom(32)).decode()}", {})
            try:
                pin(cores[:1])
                for side in TABLES:
                    servers.append(serve(stage, side, home))
                pin(cores[1:2])
                for port in stage.ports.values():
                    await_port(port)
                yield stage
            finally:
                for process in servers:
                    process.terminate()
                for process in servers:
                    process.wait()
    finally:
        pin(cores)
        shutil.rmtree(home, ignore_errors=True)


async def prepare(database_url: str) -> None:
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(intake_peer.TABLE)
    finally:
        await connection.close()


def serve(stage: Stage, side: str, home: Path) -> subprocess.Popen[bytes]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
    stage.ports[side] = int(port)
    uvicorn = ["-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    commands = {
        "ours": ["-m", "api.cli", "serve"],
        "peer": [*uvicorn, "--port", port, "--factory", "api.bench.intake_peer:app"],
    }
    environment = {
        **os.environ,
        "EVENHAND_HOME": str(home / "serve"),
        "EVENHAND_PORT": port,
        "EVENHAND_DATABASE_URL": stage.database_url,
        "EVENHAND_SERVICENOW_WEBHOOK_SECRET": stage.secret,
    }
    return subprocess.Popen([sys.executable, *commands[side]], env=environment, stdout=subprocess.DEVNULL)


def await_port(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def pin(cores: list[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


def fsync_us(folder: Path) -> int:
    """What this disk takes for one durable write: the floor under any commit."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(50):
            start = time.perf_counter()
            file.write(b"x" * 8192)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return round(median(times) * 1e6)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
