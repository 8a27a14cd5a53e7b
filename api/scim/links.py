"""What joins accounts, people and groups: the columns of the typed rows that only the database can answer.

An account is joined to one mirrored person or to nobody: by employee number, by mail address, by external id, whichever
first names exactly one. A name joins nobody. What joined an account before stays when its new words join nobody, so
that an account which is renamed as it ends is not forgotten. Until something is clear, the address and the number are
compared each time somebody asks who may enter (app.joined in schema/security).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from scim2_models import InvalidValueException, UniquenessException
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.scim.records import account_values, group_values
from api.scim.resources import MEMBERS_MAX

TAKEN = text(
    """select 1 from mirror.account where tenant_id = :tenant and source = 'scim' and user_name = :user_name
          and id <> :id and gone_at is null"""
)
KNOWN = text(
    """select source_key from mirror.account
        where tenant_id = :tenant and source = 'scim' and source_key = any(:keys) and gone_at is null"""
)
ONE_PERSON = """(select min(p.id::text)::uuid from mirror.person p
                  where p.tenant_id = :tenant and p.gone_at is null and p.human and {0} having count(*) = 1)"""
SAME = (
    "p.employee_number = cast(:employee_number as text)",
    "lower(p.email) = cast(:email as text) and coalesce(p.employee_number = cast(:employee_number as text), true)",
    "cast(:external_id as text) in (p.employee_number, p.source_key)",
    "p.id = (select a.person_id from mirror.account a where a.tenant_id = :tenant and a.id = :id)",
)
JOINED = text(f"select coalesce({', '.join(ONE_PERSON.format(same) for same in SAME)})")
HOLDING = text(
    """select r.source_key from mirror.record r
         join mirror.revision v on v.tenant_id = r.tenant_id and v.id = r.revision_id
         join mirror.payload p on p.tenant_id = v.tenant_id and p.month = v.month and p.revision_id = v.id
        where r.tenant_id = :tenant and r.source = 'scim' and r.entity = 'Group' and r.gone_at is null
          and position(convert_to(:key, 'UTF8') in p.body) > 0 order by r.source_key"""
)


async def account_row(connection: AsyncConnection, tenant: UUID, account_id: UUID, account: Any) -> dict[str, Any]:
    """The columns of an account; its user name is nobody else's."""
    values = account_values(account)
    scope = {"tenant": tenant, "id": account_id}
    if (await connection.execute(TAKEN, scope | {"user_name": values["user_name"]})).first():
        raise UniquenessException(detail="Another account has this userName.")
    asked = {name: values[name] for name in ("employee_number", "email", "external_id")}
    return values | {"person_id": (await connection.execute(JOINED, scope | asked)).scalar()}


async def group_row(connection: AsyncConnection, tenant: UUID, group_id: UUID, group: Any) -> dict[str, Any]:
    """The columns of a group; its members are accounts that are there."""
    keys = {member.value for member in group.members or []}
    if len(keys) > MEMBERS_MAX:
        raise InvalidValueException(
            detail=f"A group has at most {MEMBERS_MAX} members here. Send only groups that carry a role."
        )
    known = set((await connection.execute(KNOWN, {"tenant": tenant, "keys": list(keys)})).scalars())
    if keys - known:
        raise InvalidValueException(detail=f"There is no User {min(map(str, keys - known))} that could be a member.")
    return group_values(group)


ROWS: Mapping[str, Callable[[AsyncConnection, UUID, UUID, Any], Awaitable[dict[str, Any]]]] = {
    "User": account_row,
    "Group": group_row,
}


async def groups_with(connection: AsyncConnection, tenant: UUID, key: str) -> list[str]:
    """Ids of the groups in which this account is."""
    return list((await connection.execute(HOLDING, {"tenant": tenant, "key": key})).scalars())
