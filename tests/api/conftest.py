"""The small house, written once and asked by many."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import asyncpg
import httpx
import pytest

from api import identity
from api.actions.audit import Log
from api.app import create_app
from api.house import House
from api.sealing import open_system_key
from api.settings import Settings
from api.signing.development import DevelopmentSigner
from schema.embedded import Server
from schema.store import Store
from tests.api import small_house
from tests.api.small_house import NOW, person


@pytest.fixture(scope="session")
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house with a database of its own, filled."""
    name = f"small_house_{os.getpid()}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    await admin.execute(f'create database "{name}" template "{template}"')
    await admin.close()
    keys: Path = tmp_path_factory.mktemp("small") / "keys"
    signer = DevelopmentSigner(keys, environment="test")
    url = postgres.url(name)
    store = Store(url)
    log = Log("dev.invalid/small/audit", open_system_key(keys), signer)
    await small_house.fill(store, log)
    settings = Settings(
        home=keys.parent, public_url="http://small.test", hosts=("small.test", "127.0.0.1", "localhost")
    )
    yield House(store=store, database_url=url, log=log, signer=signer, settings=settings, clock=clock)
    await store.close()


def clock() -> datetime:
    return NOW


@pytest.fixture(scope="session")
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(house), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://small.test") as client:
        yield client


class Asking:
    """Asks GraphQL as somebody. Expects an answer without errors unless told otherwise."""

    def __init__(self, house: House, client: httpx.AsyncClient) -> None:
        self.house, self.client = house, client

    def token(self, who: str) -> str:
        return identity.mint(self.house.signer, person(who), NOW)

    async def post(self, who: str, query: str, variables: object = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token(who)}"}
        return await self.client.post("/graphql", headers=headers, json={"query": query, "variables": variables})

    async def __call__(self, who: str, query: str, **variables: object) -> dict[str, object]:
        found = (await self.post(who, query, variables)).json()
        assert "errors" not in found, found["errors"]
        return dict(found["data"])


@pytest.fixture(scope="session")
def ask(house: House, http: httpx.AsyncClient) -> Asking:
    return Asking(house, http)
