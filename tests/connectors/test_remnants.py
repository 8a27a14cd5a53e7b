"""What a complete set leaves out is found by its index, however much stands in the mirror."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from sqlalchemy import text

from connectors.mirror import Sighting, write_versions
from connectors.reading import Reading
from connectors.remnants import left_out, let_remnants_go
from connectors.source import Version, Whole
from engine.words import Feed, MirrorKind, Source
from schema.store import DbRole, Store

EARLY, LATE = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
MANY = 20_000
FILL = """insert into mirror.record (tenant_id, id, source, entity, source_key, kind, version_no, version_at,
                                     payload_hash, revision_id, read_at, shown_at)
select $1, md5(n::text)::uuid, 'jira', 'request_sla', (n / 2) || ':12:' || n, 'TASK_SLA', 1, '2026-01-01', 'x', n,
       '2026-01-01', '2026-01-01' from generate_series(1, $2) n"""


def clock(key: str) -> Sighting:
    version = Version(Source.JIRA, "request_sla", key, MirrorKind.TASK_SLA, 1, EARLY, key.encode(), {})
    return Sighting(version, Feed.POLL, 1, EARLY)


async def test_only_what_the_set_of_its_own_record_leaves_out_goes(store: Store) -> None:
    keys = ["7:12:1", "7:12:2", "7:13:1", "70:12:1", "8:12:1"]
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, [clock(key) for key in keys])
        whole = Whole(Source.JIRA, "request_sla", "7:12:", frozenset({"7:12:2"}))
        none = Whole(Source.JIRA, "request_sla", "8:12:", frozenset())
        kinds = await let_remnants_go(connection, [Reading(1, wholes=[whole, none], observed_at=LATE)])
        gone = await connection.scalars(text("select source_key from mirror.task_sla where gone_at is not null"))
        assert sorted(gone) == ["7:12:1", "8:12:1"]
    assert kinds == {MirrorKind.TASK_SLA}


async def test_a_set_reads_what_stands_below_its_record_and_no_more(store: Store, database_url: str) -> None:
    async with store.begin(DbRole.WORKER) as connection:
        tenant: UUID = await connection.scalar(text("select app.tenant()"))
    admin = await asyncpg.connect(database_url)
    await admin.execute(FILL, tenant, MANY)
    await admin.execute("analyze mirror.record")
    async with store.begin(DbRole.WORKER) as connection:
        prefixes = [f"{number}:12:" for number in range(1_000, 1_050)]
        given = {"entities": ["request_sla"] * 50, "prefixes": prefixes, "keys": [""] * 50, "at": LATE}
        explain = text(f"explain (analyze, timing off) {left_out(Source.JIRA)}")
        plan = "\n".join(await connection.scalars(explain, given))
    assert "record_below" in plan, plan
    assert "Rows Removed by Filter" not in plan, plan
    await admin.close()
