"""How suppliers met their agreements: as they report it, and as it follows from the mirrored clocks of their contracts.

Source: vendor_sla_result; task_sla with its definition, of the type UNDERPINNING_CONTRACT with a vendor. A clock counts
for the month in which it started, in the given time zone. Met: completed and not breached. Missed: breached, whether or
not it still runs. Cancelled clocks count for nothing; one of which stage or breach is not known is counted as unknown.
A month is FINAL once it is over and no clock of it runs or is unknown; until then it is PROVISIONAL.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.words import Finality

COMPUTED = text("""
with clocks as (
  select t.source, coalesce(d.vendor_id, t.vendor_id) as vendor_id,
         coalesce(d.name, t.source || ' ' || coalesce(lower(t.target), 'agreement')) as agreement,
         date_trunc('month', t.started_at at time zone :zone)::date as month, t.stage, t.has_breached
    from mirror.task_sla t
    left join mirror.sla_definition d on d.tenant_id = t.tenant_id and d.id = t.definition_id
   where t.tenant_id = (select app.tenant()) and t.gone_at is null
     and coalesce(d.sla_type, t.sla_type) = 'UNDERPINNING_CONTRACT' and coalesce(d.vendor_id, t.vendor_id) is not null
     and t.stage is distinct from 'CANCELLED'),
counted as (
  select source, vendor_id, agreement, month,
         count(*) filter (where stage = 'COMPLETED' and not has_breached) as met,
         count(*) filter (where has_breached and stage is not null) as missed,
         count(*) filter (where stage in ('IN_PROGRESS', 'PAUSED')) as running,
         count(*) filter (where stage is null or has_breached is null) as unknown
    from clocks group by 1, 2, 3, 4)
select c.source, c.vendor_id, v.name as vendor, c.agreement, c.month as starts_on,
       (c.month + interval '1 month')::date as ends_before, c.met, c.met + c.missed as total, c.running, c.unknown,
       case when c.month is not null and c.running = 0 and c.unknown = 0
             and (c.month + interval '1 month') <= (cast(:now as timestamptz) at time zone :zone)
            then 'FINAL' else 'PROVISIONAL' end as status
  from counted c left join mirror.vendor v on v.tenant_id = (select app.tenant()) and v.id = c.vendor_id
 order by v.name, c.agreement, c.source, c.month
""")
REPORTED = text("""
select r.id, r.source_key, r.revision_id, r.vendor_id, coalesce(v.name, r.vendor_name) as vendor, r.agreement, r.metric,
       r.service_id, r.period_starts_on as starts_on, r.period_ends_on as ends_before, r.met, r.total, r.attainment,
       r.status, r.final_on
  from mirror.vendor_sla_result r
  left join mirror.vendor v on v.tenant_id = r.tenant_id and v.id = r.vendor_id
 where r.tenant_id = (select app.tenant()) and r.gone_at is null
 order by vendor, r.agreement, r.metric, r.period_starts_on, r.source_key
""")


@dataclass(frozen=True, slots=True)
class Computed:
    """A month of one agreement. `starts_on` None: when these clocks started is not known."""

    source: str
    vendor_id: UUID
    vendor: str | None
    agreement: str
    starts_on: date | None
    ends_before: date | None
    met: int
    total: int
    running: int
    unknown: int
    status: Finality


@dataclass(frozen=True, slots=True)
class Result:
    """What a supplier reported, as it stands."""

    id: UUID
    source_key: str
    revision_id: int
    vendor_id: UUID | None
    vendor: str | None
    agreement: str | None
    metric: str | None
    service_id: UUID | None
    starts_on: date | None
    ends_before: date | None
    met: int | None
    total: int | None
    attainment: Decimal | None
    status: Finality | None
    final_on: date | None


async def computed(connection: AsyncConnection, now: datetime, zone: str = "UTC") -> list[Computed]:
    """Every month of every agreement with a supplier, from the clocks."""
    rows = await connection.execute(COMPUTED, {"now": now, "zone": zone})
    return [Computed(**{**row._mapping, "status": Finality(row.status)}) for row in rows]


async def reported(connection: AsyncConnection) -> list[Result]:
    rows = await connection.execute(REPORTED)
    return [Result(**{**row._mapping, "status": Finality(row.status) if row.status else None}) for row in rows]
