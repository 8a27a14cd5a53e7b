"""Grants of roles: two named people decide, the operator's command line carries it out, the audit log keeps both names.

A grant is one row for a person and a role. It works from its transaction on, because policies and rights read the row
at each request; prolonging, ending and giving again change that row, and the audit log keeps what it was before.
Times are instants; `until` is the first moment at which the role is no longer held. Whoever holds a grant need not be
mirrored: an outside auditor is in no tool.
Refuses: EMPLOYEE and MANAGER, which follow from the mirror; one name twice; the holder himself among those who decide;
governance roles without an end; an end in the past; roles that exclude each other; people who have left.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.audit import Log
from engine.refusal import Code, Refused
from engine.words import Role
from schema.store import SYSTEM, DbRole, Store, Viewer

By = tuple[UUID | str, UUID | str]

GRANT_LOCK = 0x6772616E
NAME_MAX = 200
FOLLOW_FROM_THE_MIRROR = frozenset({Role.EMPLOYEE, Role.MANAGER})
GOVERNANCE = frozenset({Role.HR, Role.FINANCE, Role.AUDITOR, Role.PAYROLL, Role.PLAN_ADMIN})
# Role -> roles that nobody may hold beside it. Read in both directions.
EXCLUDES: Mapping[Role, frozenset[Role]] = {
    Role.FINANCE: frozenset({Role.PAYROLL, Role.PLAN_ADMIN}),
    Role.AUDITOR: frozenset({Role.HR, Role.FINANCE, Role.PAYROLL, Role.PLAN_ADMIN, Role.ITSM_ADMIN}),
}

# Exclusion looks at several rows of a person, so grants wait for each other.
LOCK = text("select pg_advisory_xact_lock(:lock)")
STANDING = text(
    """select role, valid_to from access.role_grant
        where tenant_id = :tenant and person_id = :person_id and (valid_to is null or valid_to > :now)"""
)
HOLDER = text(
    """select name, email, app.has_left(id) as has_left
         from mirror.person where tenant_id = :tenant and id = :person_id"""
)
CALLED = text(
    """select id from mirror.person
        where tenant_id = :tenant and lower(email) = lower(:email) and human and gone_at is null order by id"""
)
GRANT = text(
    """insert into access.role_grant as held (tenant_id, person_id, role, granted_by, valid_from, valid_to)
       values (:tenant, :person_id, :role, :granted_by, :now, :until)
       on conflict (tenant_id, person_id, role) do update
          set granted_by = excluded.granted_by, valid_to = excluded.valid_to,
              valid_from = case when held.valid_to <= :now then excluded.valid_from else held.valid_from end"""
)
REVOKE = text(
    """update access.role_grant set valid_to = :now
        where tenant_id = :tenant and person_id = :person_id and role = :role
          and (valid_to is null or valid_to > :now)"""
)


async def grant(
    store: Store,
    log: Log,
    *,
    person_id: UUID,
    role: Role,
    by: By,
    until: datetime | None,
    now: datetime,
    viewer: Viewer = SYSTEM,
) -> bool:
    """Give somebody a role, or another end to the grant that stands. False when exactly this stands already."""
    deciders = two_names(by)
    grantable(role)
    ends(role, until, now)
    async with store.begin(DbRole.WORKER, viewer) as connection:
        return await give(connection, log, viewer, person_id, role, deciders, until, now)


async def give(
    connection: AsyncConnection,
    log: Log,
    viewer: Viewer,
    person_id: UUID,
    role: Role,
    deciders: tuple[str, str],
    until: datetime | None,
    now: datetime,
) -> bool:
    """The grant itself, once it is known who decided. False when exactly this stands already."""
    await connection.execute(LOCK, {"lock": GRANT_LOCK})
    whose = {"tenant": viewer.tenant_id, "person_id": person_id}
    not_himself(deciders, person_id, (await connection.execute(HOLDER, whose)).one_or_none())
    held = {Role(row.role): row.valid_to for row in (await connection.execute(STANDING, whose | {"now": now})).all()}
    if role in held and held[role] == until:
        return False
    compatible(role, held)
    row = whose | {"role": role.value, "granted_by": ", ".join(deciders), "now": now, "until": until}
    await connection.execute(GRANT, row)
    said = {"until": until.isoformat() if until else None}
    await record(connection, log, viewer, "role.granted/v1", person_id, role, deciders, said, now)
    return True


async def revoke(
    store: Store, log: Log, *, person_id: UUID, role: Role, by: By, now: datetime, viewer: Viewer = SYSTEM
) -> None:
    """End a grant now."""
    deciders = two_names(by)
    grantable(role)
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await connection.execute(LOCK, {"lock": GRANT_LOCK})
        whose = {"tenant": viewer.tenant_id, "person_id": person_id, "role": role.value, "now": now}
        if not (await connection.execute(REVOKE, whose)).rowcount:
            raise Refused(
                Code.NOT_FOUND,
                f"Nobody with this id holds {role.value}.",
                "Look at the grants again: the id may be another person's, or the grant has ended.",
                ("person",),
            )
        await record(connection, log, viewer, "role.revoked/v1", person_id, role, deciders, {}, now)


async def person_called(store: Store, word: str, viewer: Viewer = SYSTEM) -> UUID:
    """Whom an operator means: an id, which need not be mirrored, or the e-mail address of one mirrored person."""
    try:
        return UUID(word)
    except ValueError:
        pass
    async with store.begin(DbRole.WORKER, viewer) as connection:
        scope = {"tenant": viewer.tenant_id, "email": word.replace("\0", "")}
        found = (await connection.execute(CALLED, scope)).scalars().all()
    if len(found) != 1:
        several = f"{len(found)} people have this address: {', '.join(map(str, found))}."
        raise Refused(
            Code.BAD_INPUT if found else Code.NOT_FOUND,
            several if found else "Nobody who is mirrored has this address.",
            "Give the person's id.",
            ("person",),
        )
    return UUID(str(found[0]))


def two_names(by: By) -> tuple[str, str]:
    """Who decided, as they are kept: two names that are not one."""
    first, second = (" ".join(str(name).split()) for name in by)
    if not all(0 < len(name) <= NAME_MAX and name.isprintable() for name in (first, second)):
        raise Refused(
            Code.BAD_INPUT, "A grant needs the names of two people who decided.", "Name both, in plain text.", ("by",)
        )
    if first.casefold() == second.casefold():
        raise Refused(
            Code.SOD_VIOLATION, f"{first} stands twice.", "Have a second person decide, and name that person.", ("by",)
        )
    return first, second


def grantable(role: Role) -> None:
    if role in FOLLOW_FROM_THE_MIRROR:
        raise Refused(
            Code.BAD_INPUT,
            f"{role.value} is neither granted nor revoked: it follows from the tools.",
            "Correct the person or the reporting line there, and sync.",
            ("role",),
        )


def ends(role: Role, until: datetime | None, now: datetime) -> None:
    if until is None and role in GOVERNANCE:
        raise Refused(Code.BAD_INPUT, f"{role.value} needs an end.", "Say until when; it can be prolonged.", ("until",))
    if until is not None and until <= now:
        raise Refused(Code.BAD_INPUT, "The end lies in the past.", "Give a later day, or revoke the grant.", ("until",))


def not_himself(deciders: tuple[str, str], person_id: UUID, holder: "Row[tuple[object, ...]] | None") -> None:
    own = {str(person_id)} | (
        {str(name).casefold() for name in (holder.name, holder.email) if name} if holder else set()
    )
    if own & {name.casefold() for name in deciders}:
        raise Refused(
            Code.SOD_VIOLATION, "Nobody decides about a role of his own.", "Have two other people decide.", ("by",)
        )
    if holder and holder.has_left:
        raise Refused(
            Code.STATE_CONFLICT,
            "The tools or the identity provider say that this person has left.",
            "Correct it there and sync.",
            ("person",),
        )


def compatible(role: Role, held: Iterable[Role]) -> None:
    for other in sorted(held):
        if other in EXCLUDES.get(role, ()) or role in EXCLUDES.get(other, ()):
            raise Refused(
                Code.SOD_VIOLATION,
                f"{role.value} excludes {other.value}, which this person holds.",
                f"Revoke {other.value} first, or choose somebody else.",
                ("role",),
            )


async def record(
    connection: AsyncConnection,
    log: Log,
    viewer: Viewer,
    ty: str,
    person_id: UUID,
    role: Role,
    deciders: tuple[str, str],
    said: Mapping[str, object],
    now: datetime,
) -> None:
    await log.record(
        connection,
        viewer,
        ty=ty,
        object_type="role",
        object_id=role.value,
        subject_id=person_id,
        data={"by": list(deciders), **said},
        at=now,
    )
