"""The report about the data itself: per source and entity what is here, how fresh, how whole, how filled, how doubtful.

Source: figures of the mirror (schema/data_figures.py) held against the targets of the contract in force. Pure but for
the reading: `entity_report` and `monthly` take figures and give what is shown. Shares are None where nothing can be
said, never 0 or 1. Age is by the tool's clock: up to where it was read, against the moment asked for.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from api.contracts import contracts
from api.settings import Settings
from connectors.rules import Terms
from connectors.schedule import settled_before
from engine.words import Source
from schema import data_figures as figures
from schema.data_figures import Day, Held
from schema.store import DbRole, Store

MONTHS = timedelta(days=92)


async def data_report(store: Store, settings: Settings, now: datetime) -> dict[str, Any]:
    """Everything, for every source of which something is mirrored."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        known = await contracts(connection, settings)
        found = []
        for source in Source:
            terms = known[source].terms if source in known else Terms()
            if here := await figures.held(connection, source):
                read_to, sweeps = await figures.read_to(connection, source), await figures.sweeps(connection, source)
                issues = await figures.open_issues(connection, source)
                entities = []
                for each in here:
                    filled = await figures.coverage(connection, source, each.kind)
                    fresh = terms.freshness_for(each.entity)
                    days = await figures.days(
                        connection, source, each.entity, now - MONTHS, minutes=fresh.minutes, days_later=fresh.days,
                        by_seconds=fresh.by_seconds, zone=fresh.time_zone,
                    )  # fmt: skip
                    entities.append(
                        entity_report(each, terms, read_to.get(each.entity), sweeps.get(each.entity, {}),
                                      issues.get(each.entity, {}), filled, days, now)
                    )  # fmt: skip
                calls = await figures.calls(connection, source, now - MONTHS)
                found.append(source_report(source, known[source].hash if source in known else None, entities, calls))
    return {"as_of": now.isoformat(), "sources": found}


def source_report(
    source: Source, contract_hash: str | None, entities: Sequence[dict[str, Any]], calls: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    total, manual = sum(e["records"] for e in entities), sum(e["manual"] for e in entities)
    return {
        "source": source.value,
        "contract": contract_hash,
        "records": total,
        "manual_share": share(manual, total),
        "entities": list(entities),
        "calls": [{**each, "month": each["month"].strftime("%Y-%m")} for each in calls],
        "calls_total": sum(each["calls"] for each in calls),
        "limited_total": sum(each["limited"] for each in calls),
    }


def entity_report(
    held: Held,
    terms: Terms,
    read_to: datetime | None,
    sweep: Mapping[str, Any],
    issues: Mapping[str, int],
    filled: Mapping[str, int],
    days: Sequence[Day],
    now: datetime,
) -> dict[str, Any]:
    """One entity, as it stands against its contract."""
    fresh = terms.freshness_for(held.entity)
    whole = completeness(sweep)
    target = float(terms.completeness)
    return {
        "entity": held.entity,
        "kind": held.kind.value,
        "records": held.records,
        "gone": held.gone,
        "manual": held.manual,
        "manual_share": share(held.manual, held.records),
        "age_minutes": None if read_to is None else max(0, round((now - read_to).total_seconds() / 60)),
        "freshness_target": str(fresh),
        "fresh": None if read_to is None else read_to >= settled_before(fresh, now),
        "attainment": monthly(days),
        "days": [{"day": day.day.isoformat(), "changes": day.changes, "late": day.late} for day in days],
        "completeness": whole,
        "completeness_target": target,
        "complete": None if whole is None else whole >= target,
        "swept_at": sweep["started_at"].isoformat() if sweep else None,
        "issues": dict(issues),
        "coverage": {name: share(count, held.records) for name, count in filled.items()},
        "never_filled": [name for name, count in filled.items() if held.records and not count],
    }


def monthly(days: Sequence[Day]) -> list[dict[str, Any]]:
    """Share of days on which everything was here in time. A day without a change is neither met nor missed."""
    months: dict[str, list[Day]] = defaultdict(list)
    for day in days:
        months[f"{day.day:%Y-%m}"].append(day)
    return [
        {"month": month, "days": len(of), "met": (met := sum(not day.late for day in of)), "share": share(met, len(of))}
        for month, of in sorted(months.items())
    ]


def completeness(sweep: Mapping[str, Any]) -> float | None:
    """Share of the tool's records that stood in the mirror when all keys were compared; only a whole count tells."""
    if not sweep or sweep["state"] == "PARTIAL":
        return None
    return share(max(0, sweep["keys"] - sweep["hinted"]), sweep["keys"])


def share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
