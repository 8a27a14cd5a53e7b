"""Accounts and groups as the mirror keeps them: one record each, and what stands is the payload of its newest revision.

Every write is a version like that of any tool: source `scim`, our own id as key, numbers that count up. So history,
provenance and snapshots need nothing of their own. The columns of the typed tables are only there to be searched and
joined: user names and mail addresses stand in them in lower case, the payload keeps the spelling that was sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from scim2_models import Context, InvalidValueException, Meta, Reference, Resource
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.scim.resources import TOLERANT, Account, EnterpriseUser, Group
from connectors.mirror import Sighting, write_versions
from connectors.source import Version
from engine.canonical import canonical_json
from engine.words import Feed, MirrorKind, Source
from schema.identity import mirror_id

TEXT_MAX = 500
BASE = "/scim/v2"
# The user's record as it stands, with the body of its newest revision.
STANDS = """select r.id, r.source_key as key, r.version_no, r.version_at, p.body
  from mirror.record r
  join mirror.revision v on v.tenant_id = r.tenant_id and v.id = r.revision_id
  join mirror.payload p on p.tenant_id = v.tenant_id and p.month = v.month and p.revision_id = v.id"""
FIND = text(f"{STANDS} where r.tenant_id = :tenant and r.id = :id and r.gone_at is null")
FOR_WRITING = text(f"{STANDS} where r.tenant_id = :tenant and r.id = :id and r.gone_at is null for update of r")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is different between accounts and groups. `searched` maps a filter's attribute to a condition on the row."""

    entity: str
    place: str
    model: type[Resource[Any]]
    mirrored: MirrorKind
    table: str
    searched: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """One account or group as it stands. `resource` is complete: with its meta and with references written out."""

    id: UUID
    key: str
    version_no: int
    said_at: datetime
    created: str
    body: bytes
    resource: Any

    @property
    def etag(self) -> str:
        return etag(self.version_no)


def etag(version_no: int) -> str:
    return f'W/"{version_no}"'


ACCOUNTS = Kind(
    "User", "Users", Account, MirrorKind.ACCOUNT, "mirror.account",
    {
        "id": "t.source_key = :{0}",
        "username": "t.user_name = lower(:{0})",
        "externalid": "t.external_id = :{0}",
        "active": "t.active = :{0}",
        "displayname": "lower(t.name) = lower(:{0})",
    },
)  # fmt: skip
GROUPS = Kind(
    "Group", "Groups", Group, MirrorKind.ACCOUNT_GROUP, "mirror.account_group",
    {
        "id": "t.source_key = :{0}",
        "externalid": "t.external_id = :{0}",
        "displayname": "lower(t.name) = lower(:{0})",
    },
)  # fmt: skip


def record_id(kind: Kind, key: str) -> UUID:
    found = mirror_id(Source.SCIM, kind.entity, key)
    assert found is not None  # noqa: S101 - a key is never empty: the path would not have led here
    return found


async def find(
    connection: AsyncConnection, kind: Kind, key: str, tenant: UUID, url: str, *, write: bool = False
) -> Standing | None:
    """What stands under this id; locked until the end of the transaction when it is to be written."""
    statement = FOR_WRITING if write else FIND
    row = (await connection.execute(statement, {"tenant": tenant, "id": record_id(kind, key)})).one_or_none()
    return standing(kind, row, url) if row else None


async def page(
    connection: AsyncConnection,
    kind: Kind,
    tenant: UUID,
    url: str,
    conditions: Sequence[tuple[str, Any]],
    first: int,
    count: int,
) -> tuple[int, list[Standing]]:
    """How many there are, and those from `first` (counted from 0) on. Every name in the SQL is one of our own."""
    named = {f"v{number}": value for number, (_, value) in enumerate(conditions)}
    held = [kind.searched[attribute].format(f"v{number}") for number, (attribute, _) in enumerate(conditions)]
    where = " and ".join(["t.tenant_id = :tenant", "t.source = 'scim'", "t.gone_at is null", *held])
    total = (
        await connection.execute(text(f"select count(*) from {kind.table} t where {where}"), {"tenant": tenant} | named)  # noqa: S608
    ).scalar_one()
    if not count or first >= total:
        return total, []
    chosen = f"select t.id from {kind.table} t where {where} order by t.source_key limit :count offset :first"  # noqa: S608
    statement = text(f"{STANDS} where r.tenant_id = :tenant and r.id in ({chosen}) order by r.source_key")
    rows = await connection.execute(statement, {"tenant": tenant, "count": count, "first": first} | named)
    return total, [standing(kind, row, url) for row in rows]


def standing(kind: Kind, row: "Row[Any]", url: str) -> Standing:
    kept = orjson.loads(row.body)
    created = kept.pop("meta")["created"]
    resource = kind.model.model_validate(kept, scim_ctx=Context.DEFAULT, scim_policy=TOLERANT)
    resource.id = row.key
    resource.meta = Meta(
        resource_type=kind.entity,
        created=datetime.fromisoformat(created),
        last_modified=row.version_at,
        location=Reference(f"{url}{BASE}/{kind.place}/{row.key}"),
        version=etag(row.version_no),
    )
    for member in getattr(resource, "members", None) or []:
        member.ref = Reference(f"{url}{BASE}/Users/{member.value}")
        member.type = "User"
    return Standing(row.id, row.key, row.version_no, row.version_at, created, row.body, resource)


def kept(kind: Kind, resource: Resource[Any], created: str) -> bytes:
    """What is stored of a resource: what was said, without what we say about it. Members are a set."""
    said = resource.model_dump(scim_ctx=Context.DEFAULT, exclude={"id", "meta"})
    known = [str(kind.model.__schema__), *kind.model.get_extension_models()]
    said["schemas"] = [schema for schema in known if schema == known[0] or schema in said]
    if "members" in said:
        said["members"] = [{"value": value} for value in sorted({member["value"] for member in said["members"]})]
    sane(said)
    return canonical_json(said | {"meta": {"resourceType": kind.entity, "created": created}})


def sane(value: Any, name: str = "") -> None:
    """Refuse text that no column can hold."""
    if isinstance(value, dict):
        for key, item in value.items():
            sane(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for item in value:
            sane(item, name)
    elif isinstance(value, str) and ("\0" in value or len(value) > TEXT_MAX):
        what = "holds a NUL character" if "\0" in value else f"is longer than {TEXT_MAX} characters"
        raise InvalidValueException(detail=f"{name} {what}.")


async def keep(
    connection: AsyncConnection,
    kind: Kind,
    key: str,
    version_no: int,
    body: bytes,
    values: Mapping[str, Any],
    now: datetime,
) -> None:
    """Write the next version of an account or a group."""
    version = Version(Source.SCIM, kind.entity, key, kind.mirrored, version_no, now, body, values)
    await write_versions(connection, [Sighting(version, Feed.PUSH, 0, now)])


def group_values(group: Any) -> dict[str, Any]:
    """The columns of a group. Who is in it stands in its revision."""
    return {"name": group.display_name, "external_id": group.external_id}


def account_values(account: Any) -> dict[str, Any]:
    """The columns of an account, but for the person, whom only the database can find."""
    enterprise = account[EnterpriseUser]
    addresses = sorted(account.emails or [], key=lambda email: (not email.primary, email.type != "work"))
    addresses = [email.value for email in addresses if email.value]
    name = account.name
    parts = [name.given_name, name.family_name] if name else []
    written = " ".join(part for part in parts if part)
    return {
        "user_name": account.user_name.lower(),
        "external_id": account.external_id,
        "name": account.display_name or (name.formatted if name else None) or written or None,
        "email": addresses[0].lower() if addresses else None,
        "employee_number": (enterprise.employee_number if enterprise else None) or None,
        "active": account.active is True,
    }
