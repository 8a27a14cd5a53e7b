"""What `bench reads` stands on: one database with its organisation, our server and the peer's, and meters.

Decides: both servers share one core, whose time is measured; the database and the readers have the other, where there
are two. Both read the same database at the same settings, as the same role. Ours is `evenhand serve` itself and gets
real tokens; the peer gets the viewer's id in a header. Meters count processor time in nanoseconds from the scheduler's
own books: of every thread of a server, and of every backend that serves clients. They need Linux's /proc.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson

from api import identity, settings
from api.bench import node
from api.bench.intake import await_port, pin
from api.bench.reads_data import Size, fill, key
from api.bench.reads_queries import QUERIES, Asked
from api.bench.stage import say
from api.signing.development import DevelopmentSigner
from schema import embedded
from schema.identity import DEFAULT_TENANT
from schema.store import migrate

PEER_FOLDER = Path(__file__).parent / "postgraphile"
BACKENDS = "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Stage:
    """What all measurements share."""

    database_url: str
    size: Size
    ports: Mapping[str, int]
    pids: Mapping[str, int]
    cores: list[int]
    tokens: Mapping[int, str] = field(repr=False)  # of each manager

    def request(self, side: str, name: str, manager: int) -> bytes:
        """The whole HTTP request by which this manager asks this question."""
        query = QUERIES[name]
        body = json_body(query.sides[side], query.about(manager, self.size))
        who = {"ours": f"authorization: Bearer {self.tokens[manager]}", "peer": f"x-viewer: {key('person', manager)}"}
        head = (
            "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"accept: application/json\r\ncontent-length: {len(body)}\r\n{who[side]}\r\n\r\n"
        )
        return head.encode() + body

    def requests(self, side: str, name: str) -> bytes:
        """Those of all managers, as the readers take them."""
        found = [b64encode(self.request(side, name, manager)) for manager in range(1, self.size.managers + 1)]
        return b"\n".join(found)


def json_body(asked: Asked, who: UUID) -> bytes:
    return orjson.dumps({"query": asked.text, "variables": asked.variables(who)})


@contextlib.contextmanager
def staged(size: Size) -> Iterator[Stage]:
    """Database and both servers, gone afterwards with all they wrote."""
    packages = node.installed(PEER_FOLDER, settings.read(os.environ).home)
    home = Path(tempfile.mkdtemp(prefix="evenhand-bench-"))
    home.chmod(0o711)  # when root runs the bench, the account of the server must find its way
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    servers: dict[str, subprocess.Popen[bytes]] = {}
    try:
        pin(cores[1:2])  # what we start inherits it: the database and the readers
        with embedded.start(home) as server:
            say("writing the organisation")
            asyncio.run(migrate(server.url()))
            asyncio.run(fill(server.url(), size))
            try:
                pin(cores[:1])
                ports = {side: free_port() for side in ("ours", "peer")}
                servers["ours"] = our_server(home, server.url(), ports["ours"])
                servers["peer"] = peer_server(home, server.url(), ports["peer"], packages)
                pin(cores[1:2])
                for port in ports.values():
                    await_port(port)
                pids = {side: process.pid for side, process in servers.items()}
                yield Stage(server.url(), size, ports, pids, cores, tokens(home, size))
            finally:
                for process in servers.values():
                    process.terminate()
                for process in servers.values():
                    process.wait()
    finally:
        pin(cores)
        shutil.rmtree(home, ignore_errors=True)


def our_server(home: Path, database_url: str, port: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "EVENHAND_HOME": str(home / "serve"),
        "EVENHAND_PORT": str(port),
        "EVENHAND_DATABASE_URL": database_url,
        "EVENHAND_GRAPHQL_BUDGET": "2000000000/2000000000",  # nobody here asks too much
    }
    return subprocess.Popen([sys.executable, "-m", "api.cli", "serve"], env=environment, stdout=subprocess.DEVNULL)


def peer_server(home: Path, database_url: str, port: int, packages: Path) -> subprocess.Popen[bytes]:
    folder = home / "peer"
    folder.mkdir()
    (folder / "node_modules").symlink_to(packages / "node_modules")
    for name in ("package.json", "server.mjs"):
        shutil.copy(PEER_FOLDER / name, folder / name)
    environment = {
        **node.environment(),
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
        "BENCH_TENANT": str(DEFAULT_TENANT),
    }
    command = [str(node.node()), "server.mjs", str(port), database_url]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


def tokens(home: Path, size: Size) -> dict[int, str]:
    """As our server takes them: it has made its keys by the time it listens."""
    signer = DevelopmentSigner(home / "serve" / "keys", environment="development")
    now = datetime.now(UTC)
    return {manager: identity.mint(signer, key("person", manager), now) for manager in range(1, size.managers + 1)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


# ---- meters


async def backends(database_url: str) -> list[int]:
    connection = await asyncpg.connect(database_url)
    try:
        return [row["pid"] for row in await connection.fetch(BACKENDS)]
    finally:
        await connection.close()


def cpu_ns(pid: int) -> int:
    """What all threads of this process have used; 0 for one that is gone."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(thread.read_text().split()[0])
    return total
