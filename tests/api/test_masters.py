"""Jira's names lead to masters in ServiceNow; a name that two bear leads to neither."""

from datetime import UTC, datetime

from sqlalchemy import text

from api.sources import MASTERED
from connectors.mirror import Sighting, mark_gone, write_versions
from connectors.source import Version
from engine.words import Feed, MirrorKind, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store

AT = datetime(2026, 3, 1, tzinfo=UTC)
LATER = datetime(2026, 4, 1, tzinfo=UTC)
PEOPLE = {
    "a": "kim@example.com", "b": "kim@example.com", "c": "lee@example.com", "d": "noor@example.com",
    "e": "noor@example.com", "f": "ada@example.com", "g": None,
}  # fmt: skip
GONE = ("d", "f")


async def test_a_name_that_two_bear_leads_to_neither(database_url: str) -> None:
    store = Store(database_url)
    versions = [
        Version(
            Source.SERVICENOW, "sys_user", key, MirrorKind.PERSON, 1, AT, key.encode(), {"name": key, "email": email}
        )
        for key, email in PEOPLE.items()
    ]
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, [Sighting(version, Feed.POLL, 1, AT) for version in versions])
        ids = [found for key in GONE if (found := mirror_id(Source.SERVICENOW, "sys_user", key))]
        await mark_gone(connection, ids, LATER)
        found = {row[0]: row[1] for row in (await connection.execute(MASTERED["people"])).all()}
        assert (await connection.execute(text("select count(*) from mirror.person"))).scalar_one() == len(PEOPLE)
    await store.close()
    assert found == {
        "lee@example.com": "c",
        "noor@example.com": "e",  # the other one has left
        "ada@example.com": "f",  # has left, and nobody else is called so
    }
