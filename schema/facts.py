"""The only bridge from rows to engine facts: business time, who stands for which service, everybody's name.

Business time is computed once for a changed record and an agreed calendar, and kept beside the record. Only humans who
are active earn. RACI follows what the service record says: its owner is accountable, its support team responsible, its
change team consulted. Ids are the mirror's own, as text.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.calendar import Calendar, business_seconds
from engine.canonical import canonical_hash
from engine.facts import Person, ServiceFacts, TeamFacts
from engine.plan_document import calendar_document
from engine.refusal import Refused
from engine.words import RaciRole
from schema.store import copy_rows

EARNERS = """select id, name from mirror.person
 where tenant_id = :tenant and gone_at is null and active and human order by id"""
MEMBERS = """select t.id, t.name, m.person_id from mirror.team t
  join mirror.team_membership m on m.tenant_id = t.tenant_id and m.team_id = t.id and m.gone_at is null
 where t.tenant_id = :tenant and t.gone_at is null order by t.id, m.person_id"""
SERVICES = """select id, name, criticality, owner_id, support_team_id, change_team_id from mirror.service
 where tenant_id = :tenant and gone_at is null order by id"""
# What changed since, or was counted in another calendar. A record whose ends were rewritten has lost its calendar.
UNCOUNTED = """select id, opened_at, resolved_at from mirror.incident
 where tenant_id = :tenant and calendar_hash is distinct from :calendar and resolved_at >= opened_at"""
COUNT = """update mirror.incident i set resolve_business_seconds = c.seconds, calendar_hash = :calendar
  from counted c where i.tenant_id = :tenant and i.id = c.id"""


async def count_business_time(connection: AsyncConnection, tenant_id: UUID, calendar: Calendar) -> int:
    """Count business time (F-01) where it is missing or of another calendar. Returns for how many."""
    scope = {"tenant": tenant_id, "calendar": canonical_hash(calendar_document(calendar))}
    rows = (await connection.execute(text(UNCOUNTED), scope)).all()
    if not rows:
        return 0
    await connection.execute(text("create temp table counted (id uuid, seconds bigint) on commit drop"))
    counted = [(row.id, open_seconds(calendar, row.opened_at, row.resolved_at)) for row in rows]
    await copy_rows(connection, "counted", ("id", "seconds"), counted)
    await connection.execute(text(COUNT), scope)
    return len(rows)


def open_seconds(calendar: Calendar, opened_at: datetime, resolved_at: datetime) -> int | None:
    """Unknown where no calendar reaches: one odd date must not stop a run."""
    try:
        return business_seconds(calendar, opened_at, resolved_at)
    except Refused:
        return None


async def people(connection: AsyncConnection, tenant_id: UUID) -> tuple[Person, ...]:
    """Everybody who can earn."""
    rows = (await connection.execute(text(EARNERS), {"tenant": tenant_id})).all()
    return tuple(Person(str(row.id), row.name) for row in rows)


async def teams(connection: AsyncConnection, tenant_id: UUID, earners: frozenset[str]) -> tuple[TeamFacts, ...]:
    """Teams with those of their members who can earn. A team without such a member is left out."""
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in (await connection.execute(text(MEMBERS), {"tenant": tenant_id})).all():
        if str(row.person_id) in earners:
            members[str(row.id), row.name].append(str(row.person_id))
    return tuple(TeamFacts(team_id, name, tuple(ids)) for (team_id, name), ids in sorted(members.items()))


async def services(
    connection: AsyncConnection,
    tenant_id: UUID,
    earners: frozenset[str],
    all_teams: tuple[TeamFacts, ...],
    budgets_minor: Mapping[str, int],
) -> tuple[ServiceFacts, ...]:
    """Services with budget (from the plan, by name), criticality (the tool's word) and the people of each RACI role."""
    members_of = {team.id: team.member_ids for team in all_teams}
    by_name = {team.name: team.member_ids for team in all_teams}
    found = []
    for row in (await connection.execute(text(SERVICES), {"tenant": tenant_id})).all():
        owner = (str(row.owner_id),) if str(row.owner_id) in earners else ()
        raci = {
            RaciRole.ACCOUNTABLE: owner,
            RaciRole.RESPONSIBLE: members_of.get(str(row.support_team_id), ()),
            RaciRole.CONSULTED: members_of.get(str(row.change_team_id), ()),
        }
        found.append(ServiceFacts(str(row.id), row.name, budgets_minor.get(row.name), row.criticality, raci, by_name))
    return tuple(found)
