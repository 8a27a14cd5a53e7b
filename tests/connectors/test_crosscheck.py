"""Rules that need all records: a reference that never came, a number that stands twice, and how both are settled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from connectors.crosscheck import Found, crosscheck
from connectors.mirror import Sighting, write_versions
from connectors.replay import replay_these
from connectors.rules import Terms, read_terms
from connectors.source import Hook, Translator, Version
from engine.words import Feed, MirrorKind, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store

SEEN = datetime(2026, 3, 4, 10, tzinfo=UTC)
LATER = SEEN + timedelta(minutes=61)  # the freshness target is an hour
SERVICE = mirror_id(Source.SERVICENOW, "cmdb_ci_service", "s1")
LISTED = """select source_key, code, value, state from mirror.data_issue
             where code in ('REFERENCE_MISSING', 'NOT_UNIQUE') order by source_key, code"""
ROWS = "select source_key, number, service_id from mirror.incident order by source_key"


def translate(entity: str, record: Any, at: datetime) -> list[Version]:
    """What a tiny tool says: {key, no, values}."""
    kind = {"incident": MirrorKind.INCIDENT, "cmdb_ci_service": MirrorKind.SERVICE}[entity]
    values = {name: mirror_id(Source.SERVICENOW, "cmdb_ci_service", value) if name == "service_id" else value
              for name, value in record["values"].items()}  # fmt: skip
    version_at = SEEN + timedelta(seconds=record["no"])
    payload = orjson.dumps(record)
    return [Version(Source.SERVICENOW, entity, record["key"], kind, record["no"], version_at, payload, values)]


READS = Translator(translate, lambda body: Hook())


def incident(key: str, no: int = 1, **values: Any) -> tuple[str, dict[str, Any]]:
    return "incident", {"key": key, "no": no, "values": {"number": key, **values}}


A_SERVICE = ("cmdb_ci_service", {"key": "s1", "no": 1, "values": {"name": "Portal"}})


async def mirror(store: Store, *told: tuple[str, dict[str, Any]]) -> None:
    versions = [version for entity, record in told for version in translate(entity, record, SEEN)]
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, [Sighting(version, Feed.POLL, 1, SEEN) for version in versions])


def terms(check: str, field: str, severity: str, more: str = "") -> Terms:
    rule = f"{{check: {check}, field: {field}, severity: {severity}{more}}}"
    return read_terms(f"freshness: {{minutes: 60}}\nrules: {{INCIDENT: [{rule}]}}")


async def check(store: Store, held: Terms, now: datetime = LATER) -> Found:
    async with store.begin(DbRole.WORKER) as connection:
        found = await crosscheck(connection, Source.SERVICENOW, held, now)
        await replay_these(connection, Source.SERVICENOW, found.settled, READS, lambda entity, raw: (entity, raw))
        return found


async def rows(store: Store, statement: str) -> list[tuple[Any, ...]]:
    async with store.begin(DbRole.WORKER) as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


@pytest.mark.capability("I7.1")
@pytest.mark.parametrize("severity", ["WARN", "REJECT"])
async def test_a_reference_is_missing_once_its_time_has_passed(store: Store, severity: str) -> None:
    held = terms("REFERENCE", "service_id", severity)
    await mirror(store, incident("i1", service_id="s1"), incident("i2"))
    assert (await check(store, held, LATER - timedelta(minutes=2))).listed == 0, "it may still come"
    assert (await check(store, held)).listed == 1
    assert (await check(store, held)).listed == 0, "checking again changes nothing"
    left = None if severity == "REJECT" else SERVICE
    assert await rows(store, ROWS) == [("i1", "i1", left), ("i2", "i2", None)]
    assert await rows(store, LISTED) == [("i1", "REFERENCE_MISSING", str(SERVICE), "OPEN")]
    await mirror(store, A_SERVICE)
    found = await check(store, held)
    assert len(found.settled) == (severity == "REJECT")
    assert await rows(store, ROWS) == [("i1", "i1", SERVICE), ("i2", "i2", None)], "what was taken out is back"
    assert await rows(store, LISTED) == [("i1", "REFERENCE_MISSING", str(SERVICE), "RESOLVED")]


@pytest.mark.capability("I7.1")
async def test_a_reference_to_another_kind_or_to_a_record_that_is_gone_is_missing(store: Store) -> None:
    await mirror(store, A_SERVICE, incident("i1", service_id="s1"))
    assert (await check(store, terms("REFERENCE", "service_id", "WARN", ", to: SERVICE"))).listed == 0
    assert (await check(store, terms("REFERENCE", "service_id", "WARN", ", to: TEAM"))).listed == 1
    await check(store, terms("REFERENCE", "service_id", "WARN"))
    assert {row[3] for row in await rows(store, LISTED)} == {"RESOLVED"}
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(text("update mirror.record set gone_at = now() where kind = 'SERVICE'"))
    assert (await check(store, terms("REFERENCE", "service_id", "WARN"))).listed == 1


@pytest.mark.capability("I7.1")
async def test_a_new_version_with_another_value_settles_it(store: Store) -> None:
    held = terms("REFERENCE", "service_id", "REJECT")
    await mirror(store, A_SERVICE, incident("i1", service_id="lost"))
    await check(store, held)
    await mirror(store, incident("i1", no=2, service_id="s1"))
    assert (await rows(store, LISTED))[0][3] == "OPEN", "only a check of all records can tell"
    await check(store, held)
    assert (await rows(store, LISTED))[0][3] == "RESOLVED"
    assert (await rows(store, ROWS))[0][2] == SERVICE


@pytest.mark.capability("I7.1")
async def test_a_number_that_stands_twice_is_listed_at_both(store: Store) -> None:
    held = terms("UNIQUE", "number", "WARN")
    await mirror(store, incident("i1", number="INC1"), incident("i2", number="INC1"), incident("i3"))
    assert (await check(store, held)).listed == 2
    assert [row[:3] for row in await rows(store, LISTED)] == [
        ("i1", "NOT_UNIQUE", "INC1"),
        ("i2", "NOT_UNIQUE", "INC1"),
    ]
    await mirror(store, incident("i2", no=2, number="INC2"))
    await check(store, held)
    assert {row[3] for row in await rows(store, LISTED)} == {"RESOLVED"}


async def test_a_value_that_is_not_used_for_standing_twice_comes_back_when_it_stands_once(store: Store) -> None:
    held = terms("UNIQUE", "service_id", "REJECT")
    await mirror(store, incident("i1", service_id="s1"), incident("i2", service_id="s1"))
    await check(store, held)
    await check(store, held)
    assert [row[2] for row in await rows(store, ROWS)] == [None, None]
    await mirror(store, incident("i2", no=2))
    await check(store, held)
    assert [row[2] for row in await rows(store, ROWS)] == [SERVICE, None]


async def test_the_issues_of_a_rule_that_nobody_has_any_more_are_settled(store: Store) -> None:
    await mirror(store, incident("i1", service_id="lost"))
    await check(store, terms("REFERENCE", "service_id", "REJECT"))
    assert (await rows(store, ROWS))[0][2] is None
    await check(store, Terms())
    assert (await rows(store, LISTED))[0][3] == "RESOLVED"
    assert (await rows(store, ROWS))[0][2] is not None
