"""A house with a few mirrored people, and an identity provider that pushes accounts to it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson

from api import identity
from api.actions import access
from api.actions.audit import Log
from api.app import create_app
from api.house import House
from api.sealing import open_system_key
from api.settings import Settings
from api.signing.development import DevelopmentSigner
from connectors.mirror import Sighting, write_versions
from connectors.source import Version
from engine.canonical import canonical_json
from engine.words import Feed, MirrorKind, Role, Source
from schema.embedded import Server
from schema.identity import mirror_id
from schema.store import DbRole, Store, Viewer

# Long ago, so that what begins or ends by this clock has done so by the database's too; the end of grants lies far off.
START = datetime(2021, 1, 4, 9, 0, tzinfo=UTC)
UNTIL = datetime(2099, 1, 1, tzinfo=UTC)
MEDIA = "application/scim+json"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
STAFF = ("ana", "ben", "cara", "hugo")
ROLES = (("Pay: auditors", Role.AUDITOR), ("Tool people", Role.ITSM_ADMIN))


def person(name: str) -> UUID:
    found = mirror_id(Source.SERVICENOW, "sys_user", name)
    assert found
    return found


@dataclass
class Clock:
    """Goes on a little each time it is looked at."""

    now: datetime = START

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=10)
        return self.now


@dataclass
class Office:
    """The house, an administrator's eye on its database, and the identity provider's HTTP client."""

    house: House
    client: httpx.AsyncClient
    admin: asyncpg.Connection
    clock: Clock

    async def ask(self, method: str, path: str, said: Any = None, **headers: str) -> httpx.Response:
        token = identity.mint_service(self.house.signer, "scim:write", self.clock())
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"authorization": f"Bearer {token}", "content-type": MEDIA} | named
        content = said if isinstance(said, bytes) else None if said is None else orjson.dumps(said)
        return await self.client.request(method, f"/scim/v2{path}", content=content, headers=sent)

    async def account(self, name: str, /, **more: Any) -> dict[str, Any]:
        """Make an account of this name; by its address it is the mirrored person's."""
        mails = [{"value": f"{name}@example.com", "type": "work", "primary": True}]
        said = {"schemas": [USER], "userName": name, "emails": mails, "active": True} | more
        answer = await self.ask("POST", "/Users", said)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def group(self, name: str, *members: dict[str, Any]) -> dict[str, Any]:
        said = {"schemas": [GROUP], "displayName": name, "members": [{"value": each["id"]} for each in members]}
        answer = await self.ask("POST", "/Groups", said)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def patch(self, what: dict[str, Any], *operations: dict[str, Any], **headers: str) -> httpx.Response:
        place = f"/{what['meta']['resourceType']}s/{what['id']}"
        return await self.ask("PATCH", place, {"schemas": [PATCH], "Operations": list(operations)}, **headers)

    async def patched(self, what: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
        answer = await self.patch(what, *operations)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def rows(self, statement: str, *values: Any) -> list[Any]:
        return [tuple(row) for row in await self.admin.fetch(statement, *values)]

    async def grant(self, name: str, role: Role, until: datetime | None = UNTIL) -> None:
        by, whose, now = ("Kim Lee", "Noor Haddad"), person(name), self.clock()
        await access.grant(self.house.store, self.house.log, person_id=whose, role=role, by=by, until=until, now=now)

    async def may_enter(self, name: str) -> bool:
        """Over HTTP, with a token that was good before."""
        token = identity.mint(self.house.signer, person(name), self.clock())
        headers = {"authorization": f"Bearer {token}"}
        answer = await self.client.post("/graphql", headers=headers, json={"query": "{ __typename }"})
        assert answer.status_code in (200, 401), answer.text
        return answer.status_code == 200

    async def holds(self, name: str, role: Role) -> bool:
        """As policies and rights ask it."""
        async with self.house.store.begin(DbRole.APP, Viewer(person(name))) as connection:
            return bool(await connection.scalar(access.text("select app.granted(:role)"), {"role": role.value}))

    async def requests(self) -> list[tuple[str, str, str]]:
        """Who is asked to have which role, and what became of it."""
        names = {person(name): name for name in STAFF}
        asked = await self.rows("select person_id, role, state from access.role_request order by asked_at, role")
        return [(names[UUID(str(who))], role, state) for who, role, state in asked]


async def mirror_people(store: Store, names: tuple[str, ...], now: datetime, **more: Any) -> None:
    seen = []
    for number, name in enumerate(names):
        values = {"name": name.title(), "email": f"{name.title()}@Example.com", "employee_number": f"4{number:03}"}
        values |= {"human": True, "active": True, "manager_id": None} | more
        body = canonical_json({"name": name, "at": now.isoformat()})
        no = int(now.timestamp())
        version = Version(Source.SERVICENOW, "sys_user", name, MirrorKind.PERSON, no, now, body, values)
        seen.append(Sighting(version, Feed.POLL, 1, now))
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, seen)


@asynccontextmanager
async def office(url: str, keys: Path, **settings: Any) -> AsyncIterator[Office]:
    signer = DevelopmentSigner(keys, environment="test")
    store, clock = Store(url), Clock()
    log = Log("dev.invalid/office/audit", open_system_key(keys), signer)
    given = Settings(home=keys.parent, public_url="http://office.test", hosts=("office.test", "127.0.0.1"))
    given = replace(given, scim_roles=ROLES, **settings)
    house = House(store=store, database_url=url, log=log, signer=signer, settings=given, clock=clock)
    await mirror_people(store, STAFF, START)
    admin = await asyncpg.connect(url, statement_cache_size=0)
    transport = httpx.ASGITransport(app=create_app(house), raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://office.test") as client:
            yield Office(house, client, admin, clock)
    finally:
        await admin.close()
        await store.close()


@asynccontextmanager
async def shared(postgres: Server, template: str, keys: Path) -> AsyncIterator[Office]:
    """One office for all tests of a file; each makes its own accounts."""
    name = f"office_{os.getpid()}"
    admin = await asyncpg.connect(postgres.url("postgres"))
    await admin.execute(f'create database "{name}" template "{template}" strategy file_copy')
    try:
        async with office(postgres.url(name), keys) as opened:
            yield opened
    finally:
        await admin.execute(f'drop database "{name}" with (force)')
        await admin.close()
