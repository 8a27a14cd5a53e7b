"""A store on a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from schema.store import Store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = Store(database_url)
    yield opened
    await opened.close()
