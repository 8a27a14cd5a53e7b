"""What every test may ask for: a PostgreSQL of our own, and in it a fresh, migrated database."""

import contextlib
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from schema import embedded
from schema.store import migrate
from tests.journeys.place import fresh_folder
from tests.journeys.playing import told as told  # one demonstration for journeys and faults

TEMPLATE = "evenhand_template"
NUMBER = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[embedded.Server]:
    """The embedded server in a home of its own, started when the first test asks and shared by all."""
    home = fresh_folder("evenhand-tests-")
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
