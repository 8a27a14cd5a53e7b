"""The mirror against what the imitated tools really hold: row by row, hash by hash, column by column.

The truth is asked for in one piece, without paging, or read once in peace, and held against the sandbox's own state.
"""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import text

from api.sources import Sources, connected
from connectors.jira import pull as jira_pull
from connectors.source import Version
from connectors.typed import typed_columns
from engine.words import Feed, MirrorKind, Source
from schema.store import DbRole
from schema.tables.mirror import TYPED

RUNNING, CALCULATED = ("IN_PROGRESS", "PAUSED"), ("business_seconds", "business_pause_seconds")


async def differences(place: Any, entities: tuple[str, ...]) -> list[str]:
    """Every record in which the mirror and the tools differ, in words."""
    sources = await connected(place.house.store, place.house.settings)
    expected = servicenow_truth(place, sources, entities)
    if "issue" in entities:
        expected |= await asyncio.to_thread(jira_truth, place, sources)
    read = {(source, entity) for source, entity, _ in expected}
    found = {key: held for key, held in (await mirrored(place)).items() if key[:2] in read or key[1] in entities}
    wrong = [f"missing {'/'.join(key)}" for key in sorted(expected.keys() - found.keys())]
    wrong += [f"too much {'/'.join(key)}" for key in sorted(found.keys() - expected.keys())]
    for key in sorted(expected.keys() & found.keys()):
        version, (digest, row) = expected[key], found[key]
        if sha256(version.payload).digest() != digest:
            wrong.append(f"other content {'/'.join(key)}")
            continue
        columns = typed_columns(version.kind)
        told = {name: version.values.get(name) for name in columns}
        shown = {name: row.get(name) for name in columns}
        still = CALCULATED if told.get("stage") in RUNNING else ()  # a running clock differs each time it is read
        wrong += [
            f"{'/'.join(key)}.{n}: {shown[n]!r}, not {told[n]!r}"
            for n in columns
            if shown[n] != told[n] and n not in still
        ]
    return wrong + await inconsistencies(place)


Key = tuple[str, str, str]


def servicenow_truth(place: Any, sources: Sources, entities: tuple[str, ...]) -> dict[Key, Version]:
    """What the instance holds, asked for in one piece, and held against its own state."""
    assert sources.servicenow
    truth = place.control.get("/_sandbox/truth").json()["servicenow"]
    translate = sources.translators[Source.SERVICENOW].translate
    expected: dict[Key, Version] = {}
    for reading in sources.readings:
        if reading.source is not Source.SERVICENOW or reading.entity not in entities:
            continue
        shape = sources.servicenow.contract[reading.entity]
        asked = {
            "sysparm_fields": ",".join(shape.asked), "sysparm_limit": "100000", "sysparm_display_value": "false",
            "sysparm_exclude_reference_link": "true", "sysparm_query": shape.base.rstrip("^"),
        }  # fmt: skip
        answer = place.control.get(
            f"/api/now/v2/table/{reading.entity}", params=asked,
            auth=place.login,
        )  # fmt: skip
        rows = answer.json()["result"] if answer.status_code != 404 else []
        if not shape.base:
            assert {row["sys_id"] for row in rows} == truth.get(reading.entity, {}).keys()
        for row in rows:
            for version in translate(reading.entity, row, datetime.now(UTC)):
                expected["servicenow", version.entity, version.key] = version
    return expected


def jira_truth(place: Any, sources: Sources) -> dict[Key, Version]:
    """What the site holds: read once more in peace, and held against its own state."""
    assert sources.jira
    translate = sources.translators[Source.JIRA].translate
    truth = place.control.get("/_sandbox/truth").json()["jira"]["issue"]
    expected: dict[Key, Version] = {}
    for page in jira_pull.poll(sources.jira, None, Feed.SWEEP):
        for record in orjson.loads(page.body):
            for version in translate(page.entity, record, page.observed_at):
                expected["jira", version.entity, version.key] = version
    ours = {key for source, entity, key in expected if entity == "issue"}
    assert ours == truth.keys()
    cycles = sum(
        len(metric["completedCycles"]) + (metric.get("ongoingCycle") is not None)
        for issue in truth.values() for metric in issue["sla"] or ()
    )  # fmt: skip
    assert cycles == sum(entity == "request_sla" for _, entity, _ in expected)
    return expected


async def mirrored(place: Any) -> dict[Key, tuple[bytes, dict[str, Any]]]:
    found: dict[Key, tuple[bytes, dict[str, Any]]] = {}
    async with place.house.store.begin(DbRole.WORKER) as connection:
        heads = (
            await connection.execute(
                text(
                    "select id, source, entity, source_key, kind, payload_hash from mirror.record where gone_at is null"
                )
            )
        ).all()
        typed: dict[tuple[str, Any], dict[str, Any]] = {}
        for kind in {row.kind for row in heads}:
            table = TYPED[MirrorKind(kind)].__tablename__
            for row in await connection.execute(text(f"select * from mirror.{table} where gone_at is null")):
                typed[kind, row.id] = dict(row._mapping)
    for row in heads:
        shown = typed.get((row.kind, row.id), {})
        found[row.source, row.entity, row.source_key] = (bytes(row.payload_hash), shown)
    return found


INCONSISTENT = {
    "a record and its typed row stand in two revisions, or one of them is gone alone": """
      select count(*) from mirror.record r join mirror.{table} t on t.tenant_id = r.tenant_id and t.id = r.id
       where r.kind = '{kind}' and (t.revision_id <> r.revision_id or (t.gone_at is null) <> (r.gone_at is null))""",
    "the last line of the diary is not what stands": """
      select count(*) from mirror.record r where r.kind = '{kind}' and (
        select (s.revision_id, s.gone) from mirror.standing s where s.tenant_id = r.tenant_id and s.record_id = r.id
         order by s.no desc limit 1) is distinct from (r.revision_id, r.gone_at is not null)""",
}


async def inconsistencies(place: Any) -> list[str]:
    wrong = []
    async with place.house.store.begin(DbRole.WORKER) as connection:
        for kind, table in TYPED.items():
            for what, query in INCONSISTENT.items():
                count = await connection.scalar(text(query.format(table=table.__tablename__, kind=kind.value)))
                if count:
                    wrong.append(f"{kind}: {what} ({count})")
        waiting = await connection.scalar(text("select count(*) from inbox.delivery where state = 'READY'"))
        hints = await connection.scalar(text("select count(*) from ops.hint"))
    return wrong + ([f"{waiting} deliveries and {hints} hints still wait"] if waiting or hints else [])
