"""Keeping the settled parts of registered documents: for each score of the newest run of each closed cycle.

Decides: a cycle is closed when its last day is over. A later run of it has scores of its own, so what was kept before
is never shown for them; until theirs are kept they are made as ever. The worker does it, some at a time.
"""

from datetime import date

from sqlalchemy import text

from api.graphql.checking import planned_of
from api.graphql.planner.settled import Fragment
from api.house import House
from schema.store import DbRole

PORTION = 500
BODIES = text("select body from ops.trusted_document where retired_at is null order by id")
WAITING = text(
    """select s.id from score.score s join score.cycle c on c.tenant_id = s.tenant_id and c.id = s.cycle_id
        where c.ends_before <= :today and s.run_id in (
          select r.id from score.run r where r.run_no in (
            select max(n.run_no) from score.run n join score.plan_version p
                on p.tenant_id = n.tenant_id and p.id = n.plan_version_id group by n.cycle_id, p.plan_key))
          and not exists (select from score.stored_json j where j.tenant_id = s.tenant_id and j.score_id = s.id
                             and j.fragment_hash = :hash)
        order by s.id limit :portion"""
)
KEEP = text(
    """insert into score.stored_json (tenant_id, score_id, fragment_hash, subject_kind, subject_id, body, result_hash)
       select s.tenant_id, s.id, :hash, s.subject_kind, s.subject_id, b.body, s.result_hash
         from unnest(cast(:ids as uuid[]), cast(:bodies as text[])) b (id, body) join score.score s on s.id = b.id
       on conflict do nothing"""
)


async def keep(house: House, today: date) -> int:
    """Keep what is not kept yet. Returns how many parts were."""
    async with house.store.begin(DbRole.WORKER, read_only=True) as connection:
        bodies = (await connection.execute(BODIES)).scalars().all()
    fragments = {fragment.hash: fragment for body in bodies for fragment in planned_of(body)}
    kept = 0
    for fragment in fragments.values():
        while portion := await _portion(house, fragment, today):
            kept += portion
    return kept


async def _portion(house: House, fragment: Fragment, today: date) -> int:
    async with house.store.begin(DbRole.WORKER) as connection:
        waiting = {"today": today, "hash": fragment.hash, "portion": PORTION}
        ids = list((await connection.execute(WAITING, waiting)).scalars())
        if not ids:
            return 0
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None  # noqa: S101 - a live connection always has its driver
        rows = await driver.fetch(fragment.sql, *fragment.parameters, ids)
        made = {"hash": fragment.hash, "ids": [row[0] for row in rows], "bodies": [row[1] for row in rows]}
        await connection.execute(KEEP, made)
        return len(rows)
