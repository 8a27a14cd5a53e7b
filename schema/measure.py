"""Metric declarations compiled to set-based SQL: which mirrored revision counts for which subject, and for how much.

Measuring writes the lineage first and adds up the lineage afterwards, so a value and its evidence cannot disagree.
A record falls into the cycle by the metric's finality column, read in the plan's time zone. A record whose measure is
unknown, or whose closed root cause the plan excludes, stays in the lineage with the reason and counts for nothing.
Units: seconds for durations, 0 or 1 for shares; engine/metrics scales them. Populations follow F-03.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.facts import Measured, Subject
from engine.metrics.catalogue import CATALOGUE, Metric
from engine.words import Aggregator, Measure, RootCause, SubjectKind
from schema.identity import DEFAULT_TENANT

UNKNOWN = "UNKNOWN"

# Why an incident is somebody else's: engine/adjustments/exclusions.py says it in Python, a test holds the two together.
SOMEBODY_ELSES = """left join mirror.problem p on p.tenant_id = i.tenant_id and p.id = i.problem_id
     and p.state = 'CLOSED' and p.root_cause = any(:excluded_causes)
     and p.closed_by_id is not null and p.closed_by_id is distinct from i.assignee_id"""
EXCLUDED = "case when p.id is not null then 'ROOT_CAUSE_' || p.root_cause end, p.id"


def incidents(measure: str, at: str) -> str:
    return f"""select i.id, i.revision_id, i.number, i.service_id, i.team_id, i.{at}, ({measure})::bigint,
       {EXCLUDED}
  from mirror.incident i {SOMEBODY_ELSES}
 where i.tenant_id = :tenant and i.gone_at is null and i.{at} >= :starts and i.{at} < :ends
   and i.state is distinct from 'CANCELLED'"""  # noqa: S608 - fragments of this module only


def changes(measure: str, at: str) -> str:
    """Changes that somebody must approve. One of an unknown type may be such a change: it is listed as unknown."""
    return f"""select c.id, c.revision_id, c.number, c.service_id, c.team_id, c.{at},
       (case when c.change_type is not null then {measure} end)::bigint, null::text, null::uuid
  from mirror.change c
 where c.tenant_id = :tenant and c.gone_at is null and c.{at} >= :starts and c.{at} < :ends
   and coalesce(c.change_type, 'NORMAL') in ('NORMAL', 'EMERGENCY')
   and c.state is distinct from 'CANCELLED'"""  # noqa: S608


# By a person: an account that is known to be a machine approves nothing.
APPROVED = """exists (select from mirror.change_approval a left join mirror.person who
                  on who.tenant_id = a.tenant_id and who.id = a.approver_id
                where a.tenant_id = c.tenant_id and a.change_id = c.id and a.state = 'APPROVED' and a.gone_at is null
                  and who.human is not false)"""

# Measure -> rows (record, revision, number, service, team, moment, measure, left_out, evidence).
POPULATION: Mapping[Measure, str] = {
    # Time on hold is what the customer-facing resolution clock recorded as paused inside business hours. A hold that is
    # longer than all of the business time was counted in other hours: the rest is unknown, not 0, the best there is.
    Measure.BUSINESS_SECONDS_TO_RESOLVE: incidents(
        """select case when i.resolve_business_seconds = 0 then 0
               when hold.seconds <= i.resolve_business_seconds then i.resolve_business_seconds - hold.seconds end
             from (select coalesce(max(t.business_pause_seconds), 0) as seconds
             from mirror.task_sla t left join mirror.sla_definition d
               on d.tenant_id = t.tenant_id and d.id = t.definition_id
            where t.tenant_id = i.tenant_id and t.task_id = i.id and t.gone_at is null
              and coalesce(d.sla_type, t.sla_type) = 'SLA' and coalesce(d.target, t.target) = 'RESOLUTION') hold""",
        "resolved_at",
    ),
    Measure.SECONDS_TO_RESOLVE: incidents("i.resolve_seconds", "resolved_at"),
    Measure.SLA_MET: f"""select t.id, t.revision_id, i.number, i.service_id, i.team_id, t.ended_at,
       (case when not t.has_breached then 1
             when t.has_breached and t.ended_at <= t.planned_end_at + make_interval(secs => :tolerance_seconds) then 1
             when t.has_breached then 0 end)::bigint, {EXCLUDED}
  from mirror.task_sla t
  join mirror.incident i on i.tenant_id = t.tenant_id and i.id = t.task_id and i.gone_at is null
  left join mirror.sla_definition d on d.tenant_id = t.tenant_id and d.id = t.definition_id {SOMEBODY_ELSES}
 where t.tenant_id = :tenant and t.gone_at is null and t.ended_at >= :starts and t.ended_at < :ends
   and t.stage = 'COMPLETED' and i.state is distinct from 'CANCELLED' and coalesce(d.sla_type, t.sla_type) = 'SLA'
   and coalesce(d.target, t.target) = 'RESOLUTION'""",  # noqa: S608
    Measure.MADE_SLA: incidents("i.made_sla::int", "opened_at"),
    Measure.REOPENED: incidents("(i.reopen_count > 0)::int", "opened_at"),
    Measure.NOT_REASSIGNED: incidents("(i.reassignment_count = 0)::int", "opened_at"),
    Measure.CHANGE_SUCCEEDED: changes(
        """case when c.outcome is not null then (c.outcome = 'SUCCESSFUL' and not exists (select from mirror.incident i
             where i.tenant_id = c.tenant_id and i.caused_by_id = c.id and i.gone_at is null))::int end""",
        "closed_at",
    ),
    # Approved, but nobody stamped when: unknown, not skipped.
    Measure.APPROVED_BEFORE_WORK: changes(
        f"""case when c.unauthorized or not {APPROVED} then 0
             when c.approval_decided_at is null then null
             else (c.approval_decided_at <= c.work_started_at)::int end""",
        "work_started_at",
    ),
    Measure.SATISFIED: f"""select r.id, r.revision_id, i.number, i.service_id, i.team_id, r.answered_at,
       (r.rating >= 4)::int::bigint, {EXCLUDED}
  from mirror.csat_response r
  join mirror.incident i on i.tenant_id = r.tenant_id and i.id = r.task_id and i.gone_at is null {SOMEBODY_ELSES}
 where r.tenant_id = :tenant and r.gone_at is null and r.answered_at >= :starts and r.answered_at < :ends""",  # noqa: S608
}

SUBJECT: Mapping[SubjectKind, str] = {
    SubjectKind.SERVICE: "service_id",
    SubjectKind.TEAM: "team_id",
    SubjectKind.TENANT: "cast(:tenant as uuid)",
}
LABEL: Mapping[SubjectKind, str] = {
    SubjectKind.SERVICE: "select id, name from mirror.service where tenant_id = :tenant",
    SubjectKind.TEAM: "select id, name from mirror.team where tenant_id = :tenant",
    SubjectKind.TENANT: "select cast(:tenant as uuid), 'All records'",
}


@dataclass(frozen=True, slots=True)
class Window:
    """What a run measures: its id, the moments of the cycle (UTC, the end is outside) and the plan's choices."""

    run_id: UUID
    starts: datetime
    ends: datetime
    excluded_causes: Mapping[str, frozenset[RootCause]]  # by metric key
    tolerance_seconds: Mapping[str, int]  # by metric key
    tenant_id: UUID = DEFAULT_TENANT


def lineage_sql(metric: Metric, kind: SubjectKind) -> str:
    """INSERT of the lineage of one metric for all subjects of a kind."""
    return f"""insert into score.kpi_lineage (tenant_id, run_id, metric, subject_kind, subject_id, record_id,
       revision_id, number, measure, left_out, evidence_id)
select :tenant, :run_id, :metric, :kind, {SUBJECT[kind]}, record_id, revision_id, number, measure,
       coalesce(left_out, case when measure is null then '{UNKNOWN}' end), evidence_id
  from ({POPULATION[metric.measure]}) as population (record_id, revision_id, number, service_id, team_id, at, measure,
       left_out, evidence_id)
 where {SUBJECT[kind]} is not null"""  # noqa: S608


# The median of whole seconds is exact as a double; a share is kept as its two counts. Both parts are added up once: the
# planner, which has no statistics of lines that were just written, would look for the reasons again for every subject.
ADD_UP = """with used as materialized (
  select l.subject_id, count(*) filter (where l.left_out is null) as n,
         coalesce(sum(l.measure) filter (where l.left_out is null), 0)::bigint as total,
         percentile_cont(0.5) within group (order by l.measure) filter (where l.left_out is null) as median
    from score.kpi_lineage l
   where l.tenant_id = :tenant and l.run_id = :run_id and l.metric = :metric and l.subject_kind = :kind
   group by l.subject_id),
reasons as materialized (
  select subject_id, jsonb_object_agg(left_out, hits) as excluded from (
    select l.subject_id, l.left_out, count(*) as hits from score.kpi_lineage l
     where l.tenant_id = :tenant and l.run_id = :run_id and l.metric = :metric and l.subject_kind = :kind
       and l.left_out is not null group by 1, 2) counted group by subject_id)
select u.subject_id, u.n, u.total, u.median, r.excluded from used u left join reasons r using (subject_id)
 order by u.subject_id"""


async def measure(
    connection: AsyncConnection, metric_keys: Iterable[str], kind: SubjectKind, window: Window
) -> tuple[Measured, ...]:
    """Write the lineage of these metrics and return their values, one for every subject of the kind that exists."""
    labels = (await connection.execute(text(LABEL[kind]), {"tenant": window.tenant_id})).all()
    measured: list[Measured] = []
    for key in metric_keys:
        metric = CATALOGUE[key]
        scope = {"tenant": window.tenant_id, "run_id": window.run_id, "metric": key, "kind": kind.value}
        bounds = {
            "starts": window.starts,
            "ends": window.ends,
            "excluded_causes": sorted(window.excluded_causes.get(key, frozenset())),
            "tolerance_seconds": window.tolerance_seconds.get(key, 0),
        }
        statement = lineage_sql(metric, kind)
        used = {name: value for name, value in bounds.items() if f":{name}" in statement}
        await connection.execute(text(statement), scope | used)
        rows = {row.subject_id: row for row in (await connection.execute(text(ADD_UP), scope)).all()}
        for subject_id, label in labels:
            row = rows.get(subject_id)
            subject = Subject(kind, str(subject_id), label)
            if row is None:
                measured.append(Measured(key, subject, None, 0))
                continue
            excluded = tuple(sorted((row.excluded or {}).items()))
            measured.append(value(metric, subject, row.n, row.total, row.median, excluded))
    return tuple(measured)


def value(
    metric: Metric, subject: Subject, n: int, total: int, median: float | None, excluded: tuple[tuple[str, int], ...]
) -> Measured:
    """The metric's value in its unit, exact. No record left means no value, never 0."""
    if n == 0:
        return Measured(metric.key, subject, None, 0, excluded=excluded)
    if metric.aggregator is Aggregator.MEDIAN:
        return Measured(metric.key, subject, Fraction(median or 0.0) * metric.scale, n, excluded=excluded)
    return Measured(metric.key, subject, Fraction(total, n) * metric.scale, n, total, n, excluded)
