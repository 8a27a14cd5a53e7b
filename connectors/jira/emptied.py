"""Whether a custom field has turned empty for everybody at once: lost rights or a changed API, and never an edit.

Decides by what the mirror holds: of at least ten issues that had a value and are now read again, not one has it any
more. Such pages must not be taken, or every one of these records would lose its service or its team. Pure but for the
look into the mirror, as the worker role.
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
Emptied = Mapping[str, int]  # our field -> issues that lost it


async def refuse_emptied(store: Store, pages: Iterable[Page]) -> None:
    """SourceRefused, with the fields, when these pages would empty one of them for everybody."""
    lost = await emptied(store, pages)
    if lost:
        told = ", ".join(f"{name} (had a value in all {count} issues that were read)" for name, count in lost.items())
        raise SourceRefused(
            f"Fields of the Jira contract have turned empty: {told}. Nothing was taken. See whether the integration "
            "account may still see them, and whether their ids changed; a field that was given up is null in the "
            "contract."
        )


async def emptied(store: Store, pages: Iterable[Page], least: int = LEAST) -> Emptied:
    now = _held(pages)
    if not now:
        return {}
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        rows = (await connection.execute(FILLED, {"keys": sorted(now)})).mappings().all()
    before: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name, filled in row.items():
            if filled is True:
                before[name].add(row["source_key"])
    return lost_fields(before, now, least)


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


def _filled(issue: Mapping[str, Any]) -> dict[str, bool]:
    return {ours: issue["fields"].get(theirs) is not None for ours, theirs in field_ids_of(issue).items()}
