"""A run: one snapshot of the mirror, one plan version, one engine version, and everything that follows from them.

The snapshot is read in one transaction that sees one moment. The same three inputs are the same run, with the same
result hash; a second call finds it and writes nothing. Results are append-only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.audit import Log
from api.actions.plans import Published, latest
from connectors.history import snapshot
from engine.facts import CycleFacts, Measured
from engine.results import Settlement
from engine.scoring import result_hash, settle
from engine.terms import Plan
from engine.version import ENGINE_VERSION
from engine.words import SubjectKind
from schema import facts, results
from schema.identity import NAMESPACE
from schema.measure import Window, measure
from schema.results import Frame
from schema.store import SYSTEM, DbRole, Store, Viewer
from schema.tables.money import AwardProposal, PoolAllocation
from schema.tables.scores import AttributionSplit, KpiValue, Run, Score

ATTEMPTS = 5
# Serialization failure: a record that this run counted was rewritten meanwhile. Deadlock: several of them, in another
# order. Unique violation: somebody else computed the same run meanwhile, and the next attempt finds it.
OVERTAKEN = frozenset({"40001", "40P01", "23505"})
FOUND = text(
    """select id, result_hash from score.run where tenant_id = :tenant and cycle_id = :cycle and plan_version_id = :plan
          and snapshot_hash = :snapshot and engine_version = :engine"""
)
# What went into a run, record by record: which version counted for what, or why it did not.
LINEAGE = text(
    """with inputs as (
         select l.left_out, l.metric, l.subject_kind, l.subject_id, l.record_id,
                sha256(convert_to(concat_ws(':', l.metric, l.subject_kind, l.subject_id, l.record_id,
                  encode(r.payload_hash, 'hex'), coalesce(l.measure::text, '-'), coalesce(l.left_out, '')), 'UTF8'))
                  as line
           from score.kpi_lineage l
           join mirror.revision r on r.tenant_id = l.tenant_id and r.id = l.revision_id
          where l.tenant_id = :tenant and l.run_id = :run_id)
       select encode(sha256(coalesce(string_agg(line, ''::bytea
                order by metric, subject_kind, subject_id, record_id), ''::bytea)), 'hex') as digest,
              count(*) filter (where left_out is null) as used,
              count(*) filter (where left_out is not null) as left_out
         from inputs"""
)
AS_OF = text("select coalesce(max(version_at), 'epoch') from mirror.record where tenant_id = :tenant")


@dataclass(frozen=True, slots=True)
class Ran:
    """Which run answers, and whether this call computed it."""

    run_id: UUID
    result_hash: str
    new: bool


async def run(store: Store, log: Log, now: datetime, plan_key: str = "", viewer: Viewer = SYSTEM) -> Ran:
    """Score the newest plan's cycle on the mirror as it is now. Starts anew when it was overtaken."""
    for attempt in range(ATTEMPTS):
        try:
            return await run_once(store, log, now, plan_key, viewer)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") not in OVERTAKEN or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def run_once(store: Store, log: Log, now: datetime, plan_key: str, viewer: Viewer) -> Ran:
    async with store.begin(DbRole.WORKER, viewer, isolation="REPEATABLE READ") as connection:
        published = await latest(connection, viewer, plan_key)
        plan, snapshot_hash = published.plan, await snapshot(connection)
        scope = {
            "tenant": viewer.tenant_id,
            "cycle": published.cycle_id,
            "plan": published.id,
            "snapshot": snapshot_hash,
            "engine": ENGINE_VERSION,
        }
        known = (await connection.execute(FOUND, scope)).first()
        if known:
            return Ran(known.id, known.result_hash, False)
        run_id = uuid5(NAMESPACE, "run:" + ":".join(str(part) for part in scope.values()))
        as_of = (await connection.execute(AS_OF, {"tenant": viewer.tenant_id})).scalar_one()
        frame = Frame(viewer.tenant_id, run_id, published.cycle_id, as_of)
        settlement, overall = await compute(connection, plan, frame)
        digest = result_hash(settlement, plan.content_hash, snapshot_hash, ENGINE_VERSION)
        await keep(connection, frame, published, snapshot_hash, digest, settlement, overall, now)
        lineage = (await connection.execute(LINEAGE, {"tenant": viewer.tenant_id, "run_id": run_id})).one()
        await log.record(
            connection,
            viewer,
            ty="run.closed/v1",
            object_type="run",
            object_id=str(run_id),
            data={
                "inputs": {"left_out": lineage.left_out, "sha256": lineage.digest, "used": lineage.used},
                "plan": plan.content_hash,
                "result": digest,
                "snapshot": snapshot_hash,
            },
            at=now,
        )
        return Ran(run_id, digest, True)


async def compute(connection: AsyncConnection, plan: Plan, frame: Frame) -> tuple[Settlement, tuple[Measured, ...]]:
    """Measure the mirror, then let the engine settle. The second part of the answer speaks about all records."""
    window = Window(
        run_id=frame.run_id,
        starts=local_midnight(plan.cycle.starts_on, plan.calendar.time_zone),
        ends=local_midnight(plan.cycle.ends_before, plan.calendar.time_zone),
        excluded_causes={component.metric: component.excluded_causes for component in plan.components},
        tolerance_seconds={c.metric: int(c.tolerance.record_minutes * 60) for c in plan.components},
        tenant_id=frame.tenant_id,
    )
    await facts.count_business_time(connection, frame.tenant_id, plan.calendar)
    measured = await measure(connection, plan.metrics, plan.subject_kind, window)
    overall = await measure(connection, plan.metrics, SubjectKind.TENANT, window)
    people = await facts.people(connection, frame.tenant_id)
    earners = frozenset(person.id for person in people)
    teams = await facts.teams(connection, frame.tenant_id, earners)
    budgets_minor: Mapping[str, int] = plan.pool.budgets_minor if plan.pool else {}
    services = await facts.services(connection, frame.tenant_id, earners, teams, budgets_minor)
    cycle = CycleFacts(plan.cycle.key, plan.cycle.starts_on, plan.cycle.ends_before, measured, services, people, teams)
    return settle(plan, cycle), overall


def local_midnight(day: date, time_zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)


async def keep(
    connection: AsyncConnection,
    frame: Frame,
    published: Published,
    snapshot_hash: str,
    digest: str,
    settlement: Settlement,
    overall: Sequence[Measured],
    now: datetime,
) -> None:
    """Write what the run found. Order of tables: the run, then what refers to it."""
    the_run = {
        "tenant_id": frame.tenant_id,
        "id": frame.run_id,
        "cycle_id": frame.cycle_id,
        "plan_version_id": published.id,
        "snapshot_hash": snapshot_hash,
        "engine_version": ENGINE_VERSION,
        "result_hash": digest,
        "signals": results.signal_list(settlement),
        "data_as_of": frame.data_as_of,
        "closed_at": now,
    }
    rows: list[tuple[Any, list[dict[str, Any]]]] = [
        (Run, [the_run]),
        (KpiValue, [*results.kpi_rows(frame, settlement), *results.overall_rows(frame, overall)]),
        (Score, list(results.score_rows(frame, settlement, digest))),
        (AttributionSplit, list(results.split_rows(frame, settlement))),
        (PoolAllocation, list(results.allocation_rows(frame, published.plan, settlement))),
        (AwardProposal, list(results.proposal_rows(frame, settlement))),
    ]
    for table, values in rows:
        if values:
            await connection.execute(insert(table), values)
