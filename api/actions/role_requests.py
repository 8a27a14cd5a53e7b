"""Roles that the identity provider asks for: a group is a wish, and a second person decides.

Decides: a group that a setting maps to a role asks that role for each of its members who is joined to one mirrored
person. The wish becomes a grant only when somebody of HR approves it: the identity provider's administrator is the
first person, HR the second one. Leaving the group, or the group losing its name, withdraws the wish and ends the grant
that came from it; a grant that two people gave by hand stays. A grant that ran out is asked for again; what was
refused is not, until the membership has ended and begun anew. When an account ends, all grants of its person end, so
that a later re-activation brings none of them back.
Refuses: deciding about a role of one's own; what access.grant refuses (missing end, excluded roles, people who left).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import access
from api.actions.audit import Log
from api.actions.rights import Action, require
from engine.refusal import Code, Refused
from engine.words import Role, Source
from schema.identity import mirror_id
from schema.store import SYSTEM, DbRole, Store, Viewer

Roles = Mapping[str, Role]  # name of a group -> the role that it asks for
Wanted = dict[tuple[UUID, Role], str]

LEFT = text("select p from app.people_of(:account) p where app.has_left(p)")
MEMBERS = text(
    """select g.name, p.body from mirror.account_group g
         join mirror.revision v on v.tenant_id = g.tenant_id and v.id = g.revision_id
         join mirror.payload p on p.tenant_id = v.tenant_id and p.month = v.month and p.revision_id = v.id
        where g.tenant_id = :tenant and g.source = 'scim' and g.gone_at is null and lower(g.name) = any(:names)
        order by g.name, g.source_key"""
)
# Who is meant by an account that may enter: one person, or nobody as long as it is not clear.
PEOPLE = text(
    """select a.id, min(p::text)::uuid as person_id from mirror.account a cross join lateral app.people_of(a.id) p
        where a.tenant_id = :tenant and a.id = any(:accounts) and a.active and a.gone_at is null
          and not app.has_left(p)
        group by a.id having count(*) = 1"""
)
WISHES = text(
    """select q.id, q.person_id, q.role, q.asked_by, q.state, q.decided_by,
              exists (select from access.role_grant g
                       where g.tenant_id = q.tenant_id and g.person_id = q.person_id and g.role = q.role
                         and (g.valid_to is null or g.valid_to > :now)) as held
         from access.role_request q
        where q.tenant_id = :tenant and q.state in ('REQUESTED', 'APPROVED', 'REFUSED') order by q.asked_at, q.id"""
)
HELD = text(
    """select person_id, role from access.role_grant
        where tenant_id = :tenant and person_id = any(:people) and (valid_to is null or valid_to > :now)"""
)
ASK = text(
    """insert into access.role_request (tenant_id, id, person_id, role, asked_by, state, asked_at)
       values (:tenant, :id, :person_id, :role, :asked_by, 'REQUESTED', :now)"""
)
WITHDRAW = text("update access.role_request set state = 'WITHDRAWN' where tenant_id = :tenant and id = :id")
END = text(
    """update access.role_grant set valid_to = :now
        where tenant_id = :tenant and person_id = :person_id and role = :role and granted_by = :granted_by
          and (valid_to is null or valid_to > :now)"""
)
END_ALL = text(
    """update access.role_grant set valid_to = :now
        where tenant_id = :tenant and person_id = any(:people) and (valid_to is null or valid_to > :now)
        returning person_id, role"""
)
OPEN = text(
    """select q.id, q.person_id, p.name, q.role, q.asked_by, q.asked_at from access.role_request q
         left join mirror.person p on p.tenant_id = q.tenant_id and p.id = q.person_id
        where q.tenant_id = :tenant and q.state = 'REQUESTED' order by q.asked_at, q.id"""
)
ONE = text("select * from access.role_request where tenant_id = :tenant and id = :id for update")
DECIDE = text(
    """update access.role_request set state = :state, decided_by = :by, decided_at = :now
        where tenant_id = :tenant and id = :id"""
)


async def who_has_left(connection: AsyncConnection, account: UUID) -> frozenset[UUID]:
    """People joined to this account of whom everything says that they have left."""
    return frozenset((await connection.execute(LEFT, {"account": account})).scalars().all())


async def end_grants(
    connection: AsyncConnection, log: Log, viewer: Viewer, people: Collection[UUID], client: str, now: datetime
) -> None:
    """End every role of people whose account has ended."""
    if not people:
        return
    await connection.execute(access.LOCK, {"lock": access.GRANT_LOCK})
    whose = {"tenant": viewer.tenant_id, "people": list(people), "now": now}
    for row in (await connection.execute(END_ALL, whose)).all():
        by = ("identity provider", client)
        await access.record(connection, log, viewer, "role.revoked/v1", row.person_id, Role(row.role), by, {}, now)


async def settle(connection: AsyncConnection, log: Log, viewer: Viewer, roles: Roles, now: datetime) -> None:
    """Raise the requests that groups ask for now, and withdraw those that nothing asks for any more.

    Without a mapping nothing is done: a setting that got lost must not end the roles of a house.
    """
    if not roles:
        return
    await connection.execute(access.LOCK, {"lock": access.GRANT_LOCK})
    wanted = await asked_for(connection, viewer.tenant_id, roles)
    scope = {"tenant": viewer.tenant_id, "now": now}
    settled = set()
    for wish in (await connection.execute(WISHES, scope)).all():
        role = Role(wish.role)
        if (wish.person_id, role) not in wanted:
            await withdraw(connection, log, viewer, wish, now)
        elif wish.state == "APPROVED" and not wish.held:
            await connection.execute(WITHDRAW, scope_of(viewer, wish.id))
        else:
            settled.add((wish.person_id, role))
    people = [person for person, _ in wanted]
    held = (await connection.execute(HELD, scope | {"people": people})).all()
    settled |= {(row.person_id, Role(row.role)) for row in held}
    for (person_id, role), group in wanted.items():
        if (person_id, role) not in settled:
            await ask(connection, log, viewer, person_id, role, group, now)


async def asked_for(connection: AsyncConnection, tenant: UUID, roles: Roles) -> Wanted:
    """Which person is to have which role, and the first group that says so."""
    named = {name.lower(): role for name, role in roles.items()}
    found: list[tuple[UUID, Role, str]] = []
    for row in (await connection.execute(MEMBERS, {"tenant": tenant, "names": list(named)})).all():
        for member in orjson.loads(row.body).get("members", []):
            account = mirror_id(Source.SCIM, "User", member["value"])
            if account:
                found.append((account, named[row.name.lower()], row.name))
    accounts = list({account for account, _, _ in found})
    rows = (await connection.execute(PEOPLE, {"tenant": tenant, "accounts": accounts})).all()
    person = {row.id: row.person_id for row in rows}
    wanted: Wanted = {}
    for account, role, group in found:
        if account in person:
            wanted.setdefault((person[account], role), group)
    return wanted


async def ask(
    connection: AsyncConnection, log: Log, viewer: Viewer, person_id: UUID, role: Role, group: str, now: datetime
) -> None:
    plain = "".join(mark if mark.isprintable() else " " for mark in group)
    asked_by = " ".join(f"group {plain}".split())[: access.NAME_MAX]
    request = uuid4()
    row = scope_of(viewer, request) | {"person_id": person_id, "role": role.value, "asked_by": asked_by, "now": now}
    await connection.execute(ASK, row)
    await note(connection, log, viewer, "role.requested/v1", request, person_id, role, {"by": asked_by}, now)


async def withdraw(connection: AsyncConnection, log: Log, viewer: Viewer, wish: "Row[Any]", now: datetime) -> None:
    """Nothing asks for it any more. The grant that it led to ends; another one does not."""
    await connection.execute(WITHDRAW, scope_of(viewer, wish.id))
    role, by = Role(wish.role), (wish.asked_by, str(wish.decided_by))
    await note(connection, log, viewer, "role.request_withdrawn/v1", wish.id, wish.person_id, role, {}, now)
    ended = {"tenant": viewer.tenant_id, "person_id": wish.person_id, "role": wish.role, "now": now}
    if wish.state == "APPROVED" and (await connection.execute(END, ended | {"granted_by": ", ".join(by)})).rowcount:
        await access.record(connection, log, viewer, "role.revoked/v1", wish.person_id, role, by, {}, now)


async def open_requests(
    store: Store, log: Log, roles: Roles, now: datetime, viewer: Viewer = SYSTEM
) -> list[dict[str, Any]]:
    """What waits for a decision, after another look at the groups: people may have been mirrored since."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await settle(connection, log, viewer, roles, now)
        return [dict(row._mapping) for row in await connection.execute(OPEN, {"tenant": viewer.tenant_id})]


async def approve(store: Store, log: Log, viewer: Viewer, request: UUID, until: datetime | None, now: datetime) -> bool:
    """Grant what a group asks for. The viewer is the second person."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.ROLE_APPROVE)
        # The order in which settle takes them: grants first, then the request.
        await connection.execute(access.LOCK, {"lock": access.GRANT_LOCK})
        wish = await the_request(connection, viewer, request)
        role = Role(wish.role)
        access.ends(role, until, now)
        by = (wish.asked_by, str(viewer.person_id))
        new = await access.give(connection, log, viewer, wish.person_id, role, by, until, now)
        await connection.execute(
            DECIDE, scope_of(viewer, request) | {"state": "APPROVED", "by": viewer.person_id, "now": now}
        )
        return new


async def refuse(store: Store, log: Log, viewer: Viewer, request: UUID, now: datetime) -> None:
    """Say no to what a group asks for."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.ROLE_REFUSE)
        await connection.execute(access.LOCK, {"lock": access.GRANT_LOCK})
        wish = await the_request(connection, viewer, request)
        await connection.execute(
            DECIDE, scope_of(viewer, request) | {"state": "REFUSED", "by": viewer.person_id, "now": now}
        )
        role = Role(wish.role)
        await note(connection, log, viewer, "role.request_refused/v1", request, wish.person_id, role, {}, now)


async def the_request(connection: AsyncConnection, viewer: Viewer, request: UUID) -> "Row[Any]":
    wish = (await connection.execute(ONE, scope_of(viewer, request))).one_or_none()
    if wish is None:
        raise Refused(Code.NOT_FOUND, "There is no such request.", "List the requests again.", ("request",))
    if wish.state != "REQUESTED":
        raise Refused(
            Code.STATE_CONFLICT, f"This request is {wish.state.lower()}.", "List the requests again.", ("request",)
        )
    return wish


def scope_of(viewer: Viewer, request: UUID) -> dict[str, Any]:
    return {"tenant": viewer.tenant_id, "id": request}


async def note(
    connection: AsyncConnection,
    log: Log,
    viewer: Viewer,
    ty: str,
    request: UUID,
    person_id: UUID,
    role: Role,
    said: Mapping[str, object],
    now: datetime,
) -> None:
    await log.record(
        connection, viewer, ty=ty, object_type="role_request", object_id=str(request), subject_id=person_id,
        data={"role": role.value, **said}, at=now,
    )  # fmt: skip
