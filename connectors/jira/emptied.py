"""Whether a custom field or a clock has turned empty for everybody at once: lost rights or a changed API, not an edit.

Decides by what the mirror holds: of at least ten issues that had a value and are now read again, not one has it any
more. Such pages must not be taken, or every one of these records would lose its service, its team or its agreement. A
clock that the contract does not name may go. Pure but for the look into the mirror, as the worker role.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import text

from connectors.jira.issues import field_ids_of
from connectors.source import Page, SourceRefused
from engine.words import Source
from schema.store import DbRole, Store

LEAST = 10
FILLED = text("""
select source_key, service_id is not null as service, team_id is not null as team, false as satisfaction,
       false as change_type, false as outcome, false as work_started_at
  from mirror.incident where source = 'jira' and source_key = any(:keys)
union all
select source_key, service_id is not null, team_id is not null, false, change_type is not null, outcome is not null,
       work_started_at is not null
  from mirror.change where source = 'jira' and source_key = any(:keys)
union all
select source_key, false, false, rating is not null, false, false, false
  from mirror.csat_response where source = 'jira' and source_key = any(:keys)
""")
# By the operators that find the index of what stands below a record, as in connectors/remnants.py.
CLOCKED = text("""
select distinct split_part(m.source_key, ':', 1) as issue_id, split_part(m.source_key, ':', 2) as metric
  from unnest(cast(:keys as text[])) as w (key)
 cross join lateral (
       select r.source_key from mirror.record r
        where r.tenant_id = (select app.tenant()) and r.source = 'jira' and r.entity = 'request_sla'
          and r.source_key ~>=~ (w.key || ':') and r.source_key ~<~ (w.key || ';') and r.gone_at is null offset 0) m
""")
Emptied = Mapping[str, int]  # our field -> issues that lost it


async def refuse_emptied(store: Store, pages: Iterable[Page]) -> None:
    """SourceRefused, with the fields, when these pages would empty one of them for everybody."""
    lost = await emptied(store, pages)
    if lost:
        told = ", ".join(f"{name} (had a value in all {count} issues that were read)" for name, count in lost.items())
        raise SourceRefused(
            f"Fields of the Jira contract have turned empty: {told}. Nothing was taken. See whether the integration "
            "account may still see them, and whether their ids changed; a field that was given up is null in the "
            "contract, a clock that was given up is not under `slas`."
        )


async def emptied(store: Store, pages: Iterable[Page], least: int = LEAST) -> Emptied:
    pages = list(pages)
    now, clocked = _held(pages), _clocked(pages)
    if len(now) < least and len(clocked) < least:
        return {}
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        rows = (await connection.execute(FILLED, {"keys": sorted(now)})).mappings().all()
        clocks = (await connection.execute(CLOCKED, {"keys": sorted(clocked)})).all() if clocked else []
    before: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name, filled in row.items():
            if filled is True:
                before[name].add(row["source_key"])
    stood: dict[str, set[str]] = defaultdict(set)
    for clock in clocks:
        stood[_clock(clock.metric)].add(clock.issue_id)
    return {**lost_fields(before, now, least), **lost_fields(stood, clocked, least)}


def lost_fields(before: Mapping[str, set[str]], now: Mapping[str, Mapping[str, bool]], least: int = LEAST) -> Emptied:
    """`before`: field -> issues that had it. `now`: issue -> field -> whether it is filled, of mapped fields alone."""
    lost = {}
    for name, keys in sorted(before.items()):
        again = [now[key][name] for key in keys if key in now and name in now[key]]
        if len(again) >= least and not any(again):
            lost[name] = len(again)
    return lost


def _held(pages: Iterable[Page]) -> dict[str, dict[str, bool]]:
    found: dict[str, dict[str, bool]] = {}
    for page in pages:
        if page.source is Source.JIRA and page.entity == "issue":
            for issue in orjson.loads(page.body):
                if isinstance(issue, dict) and isinstance(issue.get("fields"), dict) and issue.get("id"):
                    found[str(issue["id"])] = _filled(issue)
    return found


def _clocked(pages: Iterable[Page]) -> dict[str, dict[str, bool]]:
    """Issue -> clock of the contract -> whether it has a cycle; of issues whose clocks can be told."""
    found: dict[str, dict[str, bool]] = {}
    for page in pages:
        if page.source is Source.JIRA and page.entity == "request_sla":
            for record in orjson.loads(page.body):
                if isinstance(record, dict) and isinstance(record.get("clocks"), list):
                    running = {key.split(":")[1] for key in record["clocks"]}
                    found[record["issueId"]] = {_clock(metric): metric in running for metric in record["agreed"]}
    return found


def _clock(metric: str) -> str:
    return f"clock {metric}"


def _filled(issue: Mapping[str, Any]) -> dict[str, bool]:
    return {ours: issue["fields"].get(theirs) is not None for ours, theirs in field_ids_of(issue).items()}
