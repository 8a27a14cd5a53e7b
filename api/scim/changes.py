"""Writing accounts and groups: each request is one transaction with its version, its audit entry and what follows.

Writers of a tenant wait for each other, so a user name is taken once, a member exists, and of two changes that rest on
the same version only one is made: the other one finds another ETag (412). What says the same as before is not written.

What follows in the same transaction: all roles of people whose account has just ended are ended, and requests for roles
are raised or withdrawn as groups say (api/actions/role_requests). An account that is made without `active` is active;
left out of a replacement it stays as it was, so that nobody gains or loses by silence; removed by PATCH, it ends.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from scim2_models import Context, InvalidValueException, NotFoundException, PatchOp, PreconditionFailedException
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import role_requests
from api.house import House
from api.scim import links, records
from api.scim.records import ACCOUNTS, GROUPS, Kind, Standing
from api.scim.resources import TOLERANT
from connectors.mirror import mark_gone
from schema.store import DbRole, Viewer

WRITERS_LOCK = 0x5343494D
OPERATIONS_MAX = 100
LOCK = text("select pg_advisory_xact_lock(:lock)")
RENEWED_AT_ONCE = 200
OLD = text(
    """select r.entity, r.source_key from mirror.record r
         join mirror.revision v on v.tenant_id = r.tenant_id and v.id = r.revision_id
        where r.tenant_id = :tenant and r.source = 'scim' and r.gone_at is null and v.month < :before
        order by r.id limit :most"""
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: a service account of this tenant, by the name that its token gives it."""

    house: House
    viewer: Viewer
    client: str
    now: datetime

    @property
    def url(self) -> str:
        return self.house.settings.public_url

    @property
    def tenant(self) -> UUID:
        return self.viewer.tenant_id


async def create(by: Sender, kind: Kind, said: Any) -> Standing:
    resource: Any = kind.model.model_validate(said, scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=TOLERANT)
    if kind is ACCOUNTS and resource.active is None:
        resource.active = True
    async with alone(by) as connection:
        return await write(connection, by, kind, str(uuid4()), None, resource)


async def replace(by: Sender, kind: Kind, key: str, said: Any, if_match: str | None) -> Standing:
    resource: Any = kind.model.model_validate(said, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=TOLERANT)
    async with alone(by) as connection:
        stands = await the_one(connection, by, kind, key, if_match)
        resource.replace(stands.resource)
        if kind is ACCOUNTS and resource.active is None:
            resource.active = stands.resource.active
        return await write(connection, by, kind, key, stands, resource)


async def patch(by: Sender, kind: Kind, key: str, said: Any, if_match: str | None) -> Standing:
    operations = said.get("Operations") if isinstance(said, dict) else None
    if isinstance(operations, list) and len(operations) > OPERATIONS_MAX:
        raise InvalidValueException(detail=f"A PATCH has at most {OPERATIONS_MAX} operations. Send several.")
    change = PatchOp[kind.model].model_validate(  # type: ignore[name-defined]
        said, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=TOLERANT
    )
    async with alone(by) as connection:
        stands = await the_one(connection, by, kind, key, if_match)
        resource = stands.resource.model_copy(deep=True)
        change.patch(resource, scim_policy=TOLERANT)
        return await write(connection, by, kind, key, stands, resource)


async def delete(by: Sender, kind: Kind, key: str, if_match: str | None) -> None:
    """The record is gone from now on; its history stays. An account leaves its groups."""
    async with alone(by) as connection:
        stands = await the_one(connection, by, kind, key, if_match)
        left = await role_requests.who_has_left(connection, stands.id)
        if kind is ACCOUNTS:
            await leave_groups(connection, by, key)
        # Later than what was last said, whatever the clocks of two processes think of each other.
        await mark_gone(connection, [stands.id], max(by.now, stands.said_at + timedelta(microseconds=1)))
        await note(connection, by, kind, "deleted", stands, stands.version_no, [])
        await follow(connection, by, kind, stands.id, left)


async def renew(by: Sender, before: date) -> int:
    """Say again what stands, where its body lies in a month before this one: then that month can be dropped.

    Nothing changes but the version. Returns how many were written.
    """
    count, full = 0, True
    while full:
        async with alone(by) as connection:
            scope = {"tenant": by.tenant, "before": before, "most": RENEWED_AT_ONCE}
            old = (await connection.execute(OLD, scope)).all()
            for entity, key in old:
                kind = next(kind for kind in (ACCOUNTS, GROUPS) if kind.entity == entity)
                stands = await the_one(connection, by, kind, key, None)
                row = await links.ROWS[entity](connection, by.tenant, stands.id, stands.resource)
                await records.keep(connection, kind, key, stands.version_no + 1, stands.body, row, by.now)
                await note(connection, by, kind, "renewed", stands, stands.version_no + 1, [])
        count, full = count + len(old), len(old) == RENEWED_AT_ONCE
    return count


@asynccontextmanager
async def alone(by: Sender) -> AsyncIterator[AsyncConnection]:
    """A transaction in which nobody else writes accounts or groups of this tenant."""
    async with by.house.store.begin(DbRole.WORKER, by.viewer) as connection:
        await connection.execute(LOCK, {"lock": (WRITERS_LOCK + by.tenant.int) % 2**63})
        yield connection


async def the_one(connection: AsyncConnection, by: Sender, kind: Kind, key: str, if_match: str | None) -> Standing:
    """What is to be changed, if it is there and still the version that the change rests on."""
    found = await records.find(connection, kind, key, by.tenant, by.url, write=True)
    if found is None:
        raise NotFoundException(detail=f"There is no such {kind.entity}.")
    if if_match is not None and not matches(if_match, found.etag):
        raise PreconditionFailedException(detail=f"It is at version {found.etag} now. Read it again, then change it.")
    return found


def matches(header: str, tag: str) -> bool:
    """Whether a list of entity tags holds this one; weak or not makes no difference, as in RFC 7644."""
    given = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in given or tag.removeprefix("W/") in given


async def write(
    connection: AsyncConnection, by: Sender, kind: Kind, key: str, stands: Standing | None, resource: Any
) -> Standing:
    """Write the next version, unless it says what stands already."""
    record_id = records.record_id(kind, key)
    body = records.kept(kind, resource, stands.created if stands else by.now.isoformat())
    if stands and body == stands.body:
        return stands
    row = await links.ROWS[kind.entity](connection, by.tenant, record_id, resource)
    left = await role_requests.who_has_left(connection, record_id)
    version_no = stands.version_no + 1 if stands else 1
    await records.keep(connection, kind, key, version_no, body, row, by.now)
    written = await records.find(connection, kind, key, by.tenant, by.url)
    assert written is not None  # noqa: S101 - it was written in this transaction
    await note(connection, by, kind, "changed" if stands else "created", written, version_no, changed(stands, body))
    await follow(connection, by, kind, record_id, left)
    return written


def changed(stands: Standing | None, body: bytes) -> list[str]:
    """Names of the attributes that are not as they were. What they hold stays in the revision."""
    old, new = orjson.loads(stands.body) if stands else {}, orjson.loads(body)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


async def note(
    connection: AsyncConnection, by: Sender, kind: Kind, word: str, what: Standing, version_no: int, names: list[str]
) -> None:
    """The audit entry of a write: which attributes changed, never what they hold."""
    said: dict[str, object] = {"client": by.client, "attributes": names}
    if kind is ACCOUNTS:
        said["active"] = what.resource.active is True and word != "deleted"
    await by.house.log.record(
        connection,
        by.viewer,
        ty=f"{kind.mirrored.value.lower()}.{word}/v1",
        object_type=kind.mirrored.value.lower(),
        object_id=what.key,
        object_version=version_no,
        data=said,
        at=by.now,
    )


async def leave_groups(connection: AsyncConnection, by: Sender, key: str) -> None:
    for name in await links.groups_with(connection, by.tenant, key):
        group = await records.find(connection, GROUPS, name, by.tenant, by.url, write=True)
        if group:
            rest = group.resource.model_copy(deep=True)
            rest.members = [member for member in rest.members or [] if member.value != key]
            await write(connection, by, GROUPS, name, group, rest)


async def follow(connection: AsyncConnection, by: Sender, kind: Kind, record_id: UUID, left: frozenset[UUID]) -> None:
    """What a write means for roles. Who had left before it keeps no grant either: coming back starts anew."""
    log, viewer = by.house.log, by.viewer
    if kind is ACCOUNTS:
        left |= await role_requests.who_has_left(connection, record_id)
        await role_requests.end_grants(connection, log, viewer, left, by.client, by.now)
    await role_requests.settle(connection, log, viewer, dict(by.house.settings.scim_roles), by.now)
