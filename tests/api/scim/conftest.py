"""The office: one for all who make their own accounts, and a fresh one for who watches roles."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schema.embedded import Server
from tests.api.scim.office import Office, office, shared


@pytest.fixture(scope="module")
async def desk(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """Shared by the tests of a file."""
    async with shared(postgres, template, tmp_path_factory.mktemp("office") / "keys") as opened:
        yield opened


@pytest.fixture
async def fresh(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Nobody's but this test's."""
    async with office(database_url, tmp_path / "keys") as opened:
        yield opened
