"""An issue that is moved to another type stops being what it was; whichever version comes first, one kind is left."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

from sqlalchemy import text

from connectors.mirror import Sighting, write_versions
from connectors.source import Version
from engine.words import Feed, MirrorKind, Source
from schema.store import DbRole, Store

AT = datetime(2026, 3, 1, tzinfo=UTC)
HERE = """select kind, (select count(*) from mirror.incident i where i.id = r.id and i.gone_at is null),
                 (select count(*) from mirror.change c where c.id = r.id and c.gone_at is null) from mirror.record r"""


def version(no: int, kind: MirrorKind) -> Sighting:
    at = AT + timedelta(minutes=no)
    told = Version(Source.JIRA, "issue", "20417", kind, no, at, f"{no}".encode(), {"number": "OPS-1", "state": "NEW"})
    return Sighting(told, Feed.POLL, 1, at)


async def write(store: Store, *sightings: Sighting) -> list[tuple[Any, ...]]:
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, sightings)
        return [tuple(row) for row in await connection.execute(text(HERE))]


async def test_an_issue_that_is_moved_to_another_type_is_counted_as_that_alone(store: Store) -> None:
    incident, change, back = (
        version(1, MirrorKind.INCIDENT),
        version(2, MirrorKind.CHANGE),
        version(3, MirrorKind.INCIDENT),
    )
    assert await write(store, incident) == [("INCIDENT", 1, 0)]
    assert await write(store, change) == [("CHANGE", 0, 1)]
    assert await write(store, incident) == [("CHANGE", 0, 1)]
    assert await write(store, back) == [("INCIDENT", 1, 0)]


async def test_in_any_order_the_newest_version_says_what_it_is(store: Store) -> None:
    versions = [version(1, MirrorKind.INCIDENT), version(2, MirrorKind.CHANGE), version(3, MirrorKind.CHANGE)]
    for order in permutations(versions):
        async with store.begin(DbRole.WORKER) as connection:
            for each in order:
                await write_versions(connection, [each])
            found = [tuple(row) for row in await connection.execute(text(HERE))]
            assert found == [("CHANGE", 0, 1)]
            await connection.rollback()
