"""What the benches of the mirror stand on: a database of their own, a served instance, and meters.

Everything lives in a temporary home and is gone afterwards. All processes share the same two cores, whichever side is
measured. Processor time is counted for the database with all its children; memory is what each process holds for itself
plus its share of what is shared (PSS), so that the shared buffers are counted once. Meters need Linux's /proc.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from connectors.servicenow.contract import standard
from schema import cluster, embedded

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
TABLE = "incident"


@dataclass(frozen=True, slots=True)
class Stage:
    """A home and the server in it."""

    home: Path
    server: embedded.Server

    @property
    def socket_folder(self) -> Path:
        return self.server.socket_folder

    def url(self, database: str) -> str:
        return self.server.url(database)


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    home = Path(tempfile.mkdtemp(prefix="evenhand-bench-"))
    home.chmod(0o711)  # when root runs the bench, the account of the server must find its way
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    # Told to end, by `timeout` for one, we still clear away what we started.
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        if len(allowed) > 2:
            os.sched_setaffinity(0, sorted(allowed)[:2])
        with embedded.start(home) as server:
            yield Stage(home, server)
    finally:
        signal.signal(signal.SIGTERM, before)
        if allowed:
            os.sched_setaffinity(0, allowed)
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def served(records: int, round_no: int) -> Iterator[str]:
    """An instance with so many incidents; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    command = [sys.executable, "-m", "connectors.sandbox.stream", str(port), str(records), str(round_no)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{address}/round").raise_for_status()
                break
            except httpx.TransportError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def worker_environment(stage: Stage, database: str, instance: str) -> dict[str, str]:
    """The settings of a worker that reads this instance into this database."""
    return {
        **os.environ,
        "EVENHAND_HOME": str(stage.home / "worker"),
        "EVENHAND_DATABASE_URL": stage.url(database),
        "EVENHAND_SERVICENOW_URL": instance,
        "EVENHAND_SERVICENOW_USER": "bench",
        "EVENHAND_SERVICENOW_PASSWORD": "bench",
    }


def told(command: Sequence[str], environment: Mapping[str, str], timeout_seconds: float = 600) -> dict[str, Any]:
    """Run it to its end; the last line that it wrote, which is JSON."""
    finished = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=timeout_seconds
    )
    if finished.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} failed:\n{finished.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return found


def asked() -> tuple[str, ...]:
    """The columns that our contract asks of an incident, as far as the served instance has them."""
    return standard()[TABLE].asked


async def asking(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


# ---- meters


def processes(stage: Stage) -> list[int]:
    """The database server and its children."""
    data = cluster.find(stage.home)
    if data is None:
        raise RuntimeError("the database of the bench is gone")
    parent = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    found = [parent]
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(_fields(entry)[1]) == parent:
                found.append(int(entry.parent.name))
    return found


def database_cpu_seconds(stage: Stage) -> float:
    """Of the server, of its children that live, and of those that have ended."""
    parent, *children = processes(stage)
    ticks = sum(map(int, _fields(Path(f"/proc/{parent}/stat"))[11:15]))
    for child in children:
        with contextlib.suppress(OSError):
            ticks += sum(map(int, _fields(Path(f"/proc/{child}/stat"))[11:13]))
    return ticks / TICKS


def memory_mb(process_ids: Sequence[int]) -> float:
    """PSS, in megabytes."""
    total = 0
    for process_id in process_ids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def _fields(stat: Path) -> list[str]:
    """Behind the name, which may hold blanks: state, parent, …, 11 user and system time, 13 those of dead children."""
    return stat.read_text().rpartition(")")[2].split()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
