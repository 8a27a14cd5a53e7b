"""What really is in the database of a home: read past row security, for tests that look behind the answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from schema import embedded
from tests.journeys.place import Place


@asynccontextmanager
async def reading(place: Place) -> AsyncIterator[Any]:
    with embedded.start(place.home) as server:
        connection = await asyncpg.connect(server.url())
        try:
            yield connection
        finally:
            await connection.close()
