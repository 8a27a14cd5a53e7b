"""The reporting line follows the mirrored people."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import text

from connectors.drain import accept_pages, drain
from connectors.servicenow.contract import standard
from connectors.servicenow.translate import translator
from connectors.source import Page
from engine.words import Feed, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store

READ = {Source.SERVICENOW: translator(standard())}


async def staff(store: Store, managers: dict[int, int | None], count: int = 0) -> dict[tuple[int, int], int]:
    """Mirror people with these managers; (manager, person) -> depth."""
    people: list[dict[str, Any]] = [
        {
            "sys_id": f"{person:032x}", "sys_mod_count": str(count), "sys_updated_on": "2026-01-01 00:00:00",
            "name": str(person), "manager": f"{manager:032x}" if manager else "",
        }
        for person, manager in managers.items()
    ]  # fmt: skip
    body, now = orjson.dumps(people), datetime(2026, 1, 1, tzinfo=UTC)
    await accept_pages(store, [Page(Source.SERVICENOW, "sys_user", Feed.POLL, f"page-{count}", body, now)])
    await drain(store, READ)
    number = {mirror_id(Source.SERVICENOW, "sys_user", f"{person:032x}"): person for person in range(20)}
    async with store.begin(DbRole.WORKER) as connection:
        lines = await connection.execute(text("select manager_id, person_id, depth from access.reporting_closure"))
        return {(number[line.manager_id], number[line.person_id]): line.depth for line in lines}


async def test_everybody_is_below_the_whole_line(store: Store) -> None:
    assert await staff(store, {1: None, 2: 1, 3: 2, 4: 2}) == {
        (1, 2): 1, (1, 3): 2, (1, 4): 2, (2, 3): 1, (2, 4): 1,
    }  # fmt: skip


async def test_the_line_is_made_anew_when_people_change(store: Store) -> None:
    await staff(store, {1: None, 2: 1, 3: 2})
    assert await staff(store, {3: 1}, count=1) == {(1, 2): 1, (1, 3): 1}


async def test_a_line_that_bites_its_tail_ends_and_nobody_is_below_himself(store: Store) -> None:
    line = await staff(store, {1: 3, 2: 1, 3: 2, 4: 4, 5: 3})
    assert all(manager != person for manager, person in line)
    assert line[3, 5] == 1
    assert line[1, 5] == 3
