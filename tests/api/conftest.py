"""The small house, written once and asked by many."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from api.settings import Budget, Settings
from api.signing.development import DevelopmentSigner
from schema.embedded import Server
from schema.store import Store
from tests.api import small_house
from tests.api.small_house import NOW, person


@asynccontextmanager
async def small(postgres: Server, template: str, keys: Path, name: str) -> AsyncIterator[House]:
    """The small house in a database of this name."""
    name = f"{name}_{os.getpid()}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    await admin.execute(f'create database "{name}" template "{template}"')
    await admin.close()
    signer = DevelopmentSigner(keys, environment="test")
    url = postgres.url(name)
    store = Store(url)
    log = Log("dev.invalid/small/audit", open_system_key(keys), signer)
    await small_house.fill(store, log)
    hosts = ("small.test", "127.0.0.1", "localhost")
    plenty = Budget(10**9, 10**9)  # the tests of a house ask more in a minute than its people
    settings = Settings(home=keys.parent, public_url="http://small.test", hosts=hosts, budget=plenty)
    try:
        yield House(store=store, database_url=url, log=log, signer=signer, settings=settings, clock=clock)
    finally:
        await store.close()


@asynccontextmanager
async def asking(house: House) -> AsyncIterator["Asking"]:
    transport = httpx.ASGITransport(app=create_app(house), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://small.test") as client:
        yield Asking(house, client)


@pytest.fixture(scope="session")
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One house for all who only read."""
    async with small(postgres, template, tmp_path_factory.mktemp("small") / "keys", "small_house") as opened:
        yield opened


@pytest.fixture(scope="session")
async def ask(house: House) -> AsyncIterator["Asking"]:
    async with asking(house) as ready:
        yield ready


def clock() -> datetime:
    return NOW


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
