"""What the mirror knows of implemented changes: who approved them and when, as facts for engine/boards.py.

Source: change, change_approval, group_approval, team_membership, state_change, cab_agenda_item, cab_meeting, and the
body of the change for its risk. One statement over the whole period. When an approver decided is the move of his row to
where it stands; without such a move that is not known. An agenda item is evidence that a change was looked at, nothing
more. Rows carry the key of the tool and the revision, so that each can be followed to its bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.boards import Approval, Change, Policy
from engine.words import Source

# Every table is joined whole. After a first load the planner knows nothing of them yet and would walk each in turn.
JOIN_WHOLE = text("select set_config('enable_nestloop', :on, true)")
IMPLEMENTED = text("""
with words as (
  select * from unnest(cast(:sources as text[]), cast(:words as text[])) as w (source, word)),
risks as (
  select * from unnest(cast(:risk_sources as text[]), cast(:risk_columns as text[])) as k (source, column_name)),
begun as materialized (
  select distinct on (s.task_id) s.task_id, s.changed_at, s.changed_by
    from mirror.state_change s join words w on w.source = s.source and w.word = s.new_value
   where s.tenant_id = (select app.tenant()) and s.field in ('state', 'status') and s.gone_at is null
     and s.changed_at is not null
   order by s.task_id, s.changed_at, s.source_key),
taken as (
  select c.*, coalesce(c.work_started_at, b.changed_at) as started_at, b.changed_by
    from mirror.change c left join begun b on b.task_id = c.id
   where c.tenant_id = (select app.tenant()) and c.gone_at is null
     and (c.work_started_at is not null or b.changed_at is not null or c.state in ('RESOLVED', 'CLOSED'))
     and (cast(:since as timestamptz) is null or coalesce(c.work_started_at, b.changed_at, c.closed_at) >= :since)
     and (cast(:before as timestamptz) is null or coalesce(c.work_started_at, b.changed_at, c.closed_at) < :before)),
members as materialized (
  select m.person_id, jsonb_agg(jsonb_build_object('team', t.name, 'gone_at', m.gone_at) order by t.name) as teams
    from mirror.team_membership m join mirror.team t on t.tenant_id = m.tenant_id and t.id = m.team_id
   where m.tenant_id = (select app.tenant()) group by 1),
decided as materialized (
  select s.task_id,
         jsonb_agg(jsonb_build_array(s.changed_at, s.new_value) order by s.changed_at, s.source_key) as moves
    from mirror.state_change s
   where s.tenant_id = (select app.tenant()) and s.gone_at is null and s.field in ('state', 'approval')
     and s.changed_at is not null
     and s.task_id in (select a.id from mirror.change_approval a union all select g.id from mirror.group_approval g)
   group by 1),
rows as (
  select a.change_id, jsonb_build_object(
           'key', a.source || ':' || a.source_key, 'group', false, 'state', a.state, 'source_state', a.source_state,
           'by', coalesce(p.name, a.approver_id::text), 'human', p.human, 'revision', a.revision_id,
           'decided_at', null, 'moves', coalesce(d.moves, '[]'),
           'teams', coalesce(m.teams, '[]')) as row
    from mirror.change_approval a
    left join members m on m.person_id = a.approver_id
    left join mirror.person p on p.tenant_id = a.tenant_id and p.id = a.approver_id
    left join decided d on d.task_id = a.id
   where a.tenant_id = (select app.tenant()) and a.gone_at is null
     and (a.state in ('APPROVED', 'REJECTED') or a.state is null)
  union all
  select g.change_id, jsonb_build_object(
           'key', g.source || ':' || g.source_key, 'group', true, 'state', g.state, 'source_state', g.source_state,
           'by', t.name, 'human', null, 'revision', g.revision_id, 'decided_at', g.decided_at,
           'moves', coalesce(d.moves, '[]'),
           'teams', case when t.name is null then '[]' else jsonb_build_array(jsonb_build_object('team', t.name)) end)
    from mirror.group_approval g
    left join mirror.team t on t.tenant_id = g.tenant_id and t.id = g.team_id
    left join decided d on d.task_id = g.id
   where g.tenant_id = (select app.tenant()) and g.gone_at is null
     and (g.state in ('APPROVED', 'REJECTED') or g.state is null)),
approvals as materialized (select change_id, jsonb_agg(row order by row ->> 'key') as rows from rows group by 1),
agendas as materialized (
  select i.change_id, jsonb_agg(jsonb_build_object(
           'key', i.source || ':' || i.source_key, 'revision', i.revision_id, 'meeting', m.name,
           'meeting_at', m.starts_at, 'decision', i.source_decision, 'state', i.source_state) order by i.source_key)
         as rows
    from mirror.cab_agenda_item i
    left join mirror.cab_meeting m on m.tenant_id = i.tenant_id and m.id = i.meeting_id
   where i.tenant_id = (select app.tenant()) and i.gone_at is null group by 1)
select c.id, c.number, c.source, c.source_key, c.revision_id, c.change_type, c.state, c.cab_required, c.unauthorized,
       c.started_at, c.closed_at, c.approval_decided_at, coalesce(p.name, c.changed_by) as implementer,
       s.name as service, t.name as team, coalesce(a.rows, '[]') as approvals, coalesce(g.rows, '[]') as agenda,
       (select convert_from(b.body, 'UTF8')::jsonb ->> k.column_name
          from mirror.revision v join mirror.payload b on b.tenant_id = v.tenant_id and b.month = v.month
           and b.revision_id = v.id
         where v.tenant_id = c.tenant_id and v.id = c.revision_id and k.column_name is not null) as risk,
       c.source in (select source from mirror.change_approval where tenant_id = (select app.tenant())
                    union select source from mirror.group_approval where tenant_id = (select app.tenant())) as known
  from taken c
  left join approvals a on a.change_id = c.id
  left join agendas g on g.change_id = c.id
  left join risks k on k.source = c.source
  left join mirror.person p on p.tenant_id = c.tenant_id and p.id = c.assignee_id
  left join mirror.service s on s.tenant_id = c.tenant_id and s.id = c.service_id
  left join mirror.team t on t.tenant_id = c.tenant_id and t.id = c.team_id
 order by c.started_at nulls last, c.source, c.number, c.source_key
""")


@dataclass(frozen=True, slots=True)
class Implemented:
    """A change as facts, and what people want to see beside it."""

    change: Change
    key: str
    revision_id: int
    service: str | None
    team: str | None
    approvals: Sequence[Mapping[str, Any]]
    agenda: Sequence[Mapping[str, Any]]


async def implemented(
    connection: AsyncConnection, policy: Policy, since: datetime | None, before: datetime | None
) -> list[Implemented]:
    """Every change that was implemented in the period, in the order in which work on them began."""
    words = [(source.value, word) for source, of in policy.implementing.items() for word in of]
    asked = any(need.risks for need in policy.needs)
    given = {
        "sources": [source for source, _ in words],
        "words": [word for _, word in words],
        "risk_sources": [source.value for source in policy.risk] if asked else [],
        "risk_columns": list(policy.risk.values()) if asked else [],
        "since": since,
        "before": before,
    }
    await connection.execute(JOIN_WHOLE, {"on": "off"})
    found = (await connection.execute(IMPLEMENTED, given)).all()
    await connection.execute(JOIN_WHOLE, {"on": "on"})
    return [_implemented(row) for row in found]


def _implemented(row: Any) -> Implemented:
    approvals = [{**each, "decided_at": _decided_at(each, row.started_at)} for each in row.approvals]
    change = Change(
        id=str(row.id),
        number=row.number,
        source=Source(row.source),
        change_type=row.change_type,
        state=row.state,
        cab_required=row.cab_required,
        unauthorized=row.unauthorized,
        risk=row.risk or None,
        started_at=row.started_at,
        closed_at=row.closed_at,
        decided_at=row.approval_decided_at,
        implementer=row.implementer,
        approvals=tuple(_approval(each) for each in approvals),
        approvals_known=row.known,
    )
    return Implemented(change, row.source_key, row.revision_id, row.service, row.team, approvals, row.agenda)


def _decided_at(row: Mapping[str, Any], started_at: datetime | None) -> str | None:
    """When the approval came that stood when the work began; of one that was not there yet, when it came after that."""
    if row["decided_at"]:
        return str(row["decided_at"])
    moves = [(datetime.fromisoformat(at), at, word) for at, word in row["moves"]]
    before = [each for each in moves if started_at is None or each[0] <= started_at]
    if before and before[-1][2] == row["source_state"]:
        return str(before[-1][1])
    after = (at for _, at, word in moves[len(before) :] if word == row["source_state"])
    return next(after, None)


def _approval(row: Mapping[str, Any]) -> Approval:
    at = row["decided_at"]
    teams = dict.fromkeys(each["team"] for each in row["teams"] if _was_in(each.get("gone_at"), at))
    return Approval(
        row["key"], row["group"], row["state"], datetime.fromisoformat(at) if at else None, row["by"],
        tuple(teams), row["human"],
    )  # fmt: skip


def _was_in(left_at: str | None, decided_at: str | None) -> bool:
    """A member still, or when he decided."""
    if left_at is None:
        return True
    return decided_at is not None and datetime.fromisoformat(left_at) > datetime.fromisoformat(decided_at)
