"""What every test may ask for: a PostgreSQL of our own, and in it a fresh, migrated database."""

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from schema import embedded
from schema.store import migrate

TEMPLATE = "evenhand_template"
MEMORY = Path("/dev/shm")  # a copy of the template takes 20 ms in memory, 300 ms on a disk that just deleted one
MEMORY_MIN_BYTES = 2_000_000_000
NUMBER = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[embedded.Server]:
    """The embedded server in a home of its own, started when the first test asks and shared by all."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_MIN_BYTES
    home = Path(tempfile.mkdtemp(prefix="evenhand-tests-", dir=MEMORY if roomy else None))
    home.chmod(0o711)  # when root runs the tests, the account of the server must find its way
    server = embedded.start(home)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)


@pytest.fixture(scope="session")
async def template(postgres: embedded.Server) -> str:
    """Name of a database that has been migrated once and is copied for each test."""
    await _administer(postgres, f'CREATE DATABASE "{TEMPLATE}"')
    await migrate(postgres.url(TEMPLATE))
    return TEMPLATE


@pytest.fixture
async def database_url(postgres: embedded.Server, template: str) -> AsyncIterator[str]:
    """URL of a migrated database that belongs to this test alone, as the administrator."""
    name = f"test_{os.getpid()}_{next(NUMBER)}"
    await _administer(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    try:
        yield postgres.url(name)
    finally:
        await _administer(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _administer(server: embedded.Server, statement: str) -> None:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute(statement)
    finally:
        with contextlib.suppress(OSError):
            await connection.close()
