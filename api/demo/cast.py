"""Who plays which part in the demonstration: grants for people who neither profit from awards nor submit them.

Parts go to mirrored people outside every service team where there are such people; otherwise (a real log names nobody)
to stand-ins that exist only as holders of a grant. A grant's first decider names the part, and the parts last a year.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import Row, text

from api.actions import access
from api.actions.audit import Log
from engine.refusal import Code, Refused
from engine.words import Role
from schema.identity import DEFAULT_TENANT, NAMESPACE
from schema.store import SYSTEM, DbRole, Store

# Part -> role. FINANCE is played twice: a payout needs two approvals.
PARTS: dict[str, Role] = {
    "plan-admin": Role.PLAN_ADMIN,
    "hr": Role.HR,
    "finance": Role.FINANCE,
    "finance-second": Role.FINANCE,
    "payroll": Role.PAYROLL,
    "auditor": Role.AUDITOR,
    "itsm-admin": Role.ITSM_ADMIN,
}
LASTS = timedelta(days=365)
OUTSIDERS = text(
    """select p.id from mirror.person p
        where p.tenant_id = :tenant and p.active and p.human and p.gone_at is null
          and not exists (select from mirror.service s where s.tenant_id = p.tenant_id
                          and (s.owner_id = p.id or exists (
                            select from mirror.team_membership m where m.tenant_id = p.tenant_id and m.gone_at is null
                               and m.person_id = p.id
                               and m.team_id in (s.support_team_id, s.change_team_id, s.approval_team_id))))
          and not exists (select from mirror.team t where t.tenant_id = p.tenant_id and t.manager_id = p.id)
          and not exists (select from access.reporting_closure c
                          where c.tenant_id = p.tenant_id and c.manager_id = p.id)
          and not exists (select from access.role_grant g where g.tenant_id = p.tenant_id and g.person_id = p.id)
        order by p.source_key limit :wanted"""
)
GRANTED = text(
    """select person_id, granted_by from access.role_grant
        where tenant_id = :tenant and granted_by like 'demo:%' and (valid_to is null or now() < valid_to)"""
)
LEADER = text(
    """select c.manager_id from access.reporting_closure c
         join score.attribution_split a on a.tenant_id = c.tenant_id and a.person_id = c.person_id
        where c.tenant_id = :tenant and c.depth = 1
        group by c.manager_id order by count(*) desc, c.manager_id limit 1"""
)
EARNER = text(
    """select a.person_id from score.attribution_split a
        where a.tenant_id = :tenant
          and not exists (select from access.reporting_closure c where c.tenant_id = a.tenant_id
                          and c.manager_id = a.person_id)
        order by a.person_id limit 1"""
)


async def assign(store: Store, log: Log, now: datetime) -> dict[str, UUID]:
    """Give out the parts once; later calls return what was given out, and give out what is missing."""
    async with store.begin(DbRole.WORKER) as connection:
        given = played((await connection.execute(GRANTED, {"tenant": DEFAULT_TENANT})).all())
        scope = {"tenant": DEFAULT_TENANT, "wanted": len(PARTS)}
        outsiders = list((await connection.execute(OUTSIDERS, scope)).scalars().all())
    for part, role in PARTS.items():
        if part not in given:
            given[part] = outsiders.pop(0) if outsiders else uuid5(NAMESPACE, f"demo:{part}")
            by = (f"demo:{part}", "setup")
            await access.grant(store, log, person_id=given[part], role=role, by=by, until=now + LASTS, now=now)
    return given


def played(grants: Sequence[Row[tuple[object, ...]]]) -> dict[str, UUID]:
    """Part -> person, from the name that stands first in each grant."""
    return {row.granted_by.removeprefix("demo:").partition(",")[0]: row.person_id for row in grants}


async def players(store: Store) -> dict[Role, UUID]:
    """One person for each role that a token can be asked for. Without awards nobody is employee or manager."""
    async with store.begin(DbRole.WORKER, SYSTEM) as connection:
        rows = (await connection.execute(GRANTED, {"tenant": DEFAULT_TENANT})).all()
    given = played(rows)
    found = {role: given[part] for part, role in reversed(PARTS.items()) if part in given}
    async with store.begin(DbRole.WORKER) as connection:
        for role, query in ((Role.MANAGER, LEADER), (Role.EMPLOYEE, EARNER)):
            person = (await connection.execute(query, {"tenant": DEFAULT_TENANT})).scalar()
            if person:
                found[role] = person
    return found


async def player(store: Store, role: Role) -> UUID:
    """The one who plays this role, or words that say why nobody does."""
    found = await players(store)
    if role not in found:
        raise Refused(
            Code.NOT_FOUND,
            f"Nobody plays {role.value.lower()} here yet.",
            "Run `evenhand demo --once` first, or name somebody with --person.",
        )
    return found[role]
