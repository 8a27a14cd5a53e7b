"""One made-up organisation in a database of its own, and the pool of what its documents may name."""

import os
from collections.abc import AsyncIterator

import pytest

from api.graphql.served import CORE
from schema.embedded import Server
from tests.api.graphql.generated.asking import Place, database, opened
from tests.api.graphql.generated.pool import Pool, with_cursors

SEED = 1


@pytest.fixture(scope="session")
async def place(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    name = f"generated_{os.getpid()}"
    await database(postgres.url("postgres"), name, template)
    async with opened(postgres.url(name), tmp_path_factory.mktemp("generated") / "keys", SEED) as there:
        yield there


@pytest.fixture(scope="session")
async def pool(place: Place) -> Pool:
    return await with_cursors(place, CORE)
