"""A worker that mirrors for days holds no more than at its beginning: objects are counted, no clock is looked at."""

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from api.bench.stage import asked, served
from api.feeds import Scope, poll_all
from api.settings import read
from connectors import drain as draining
from connectors.drain import accept_pages, drain
from connectors.sandbox.stream import named, row
from connectors.servicenow.contract import standard
from connectors.servicenow.translate import translator
from connectors.source import Page, Version
from engine.words import Feed, Source
from schema.store import Store

RECORDS, ROUNDS, STRETCHES = 200, 4, 3  # the stretch before them is the warm-up
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


async def mirrored(house: Any, instance: str, rounds: Sequence[int]) -> int:
    """Every record changes in each round, and is read and written again. How many versions came."""
    count = 0
    for number in rounds:
        (await asyncio.to_thread(httpx.post, f"{instance}/round/{number}")).raise_for_status()
        count += (await poll_all(house, scope=Scope(entities=("incident",)))).revisions
    return count


def held() -> tuple[int, Mapping[type, int]]:
    """Blocks of memory that are taken, and how many objects of each type can be reached."""
    urlsplit.cache_clear()  # type: ignore[attr-defined]  # remembers a bounded number of addresses
    for _ in range(3):
        gc.collect()
    return sys.getallocatedblocks(), Counter(map(type, gc.get_objects()))


async def test_rounds_of_reading_and_writing_leave_nothing_behind(database_url: str) -> None:
    """What is kept grows in every stretch. A pool that opens one more connection, or a thread, does so once."""
    looks = []
    with served(RECORDS, 0) as instance:
        place = {"EVENHAND_SERVICENOW_URL": instance, "EVENHAND_SERVICENOW_USER": "bench"}
        settings = read({**place, "EVENHAND_SERVICENOW_PASSWORD": "bench", "EVENHAND_DATABASE_URL": database_url})
        store = Store(database_url)
        try:
            house: Any = SimpleNamespace(store=store, settings=settings, clock=lambda: NOW)
            held()  # looking for the first time makes objects of its own
            for stretch in range(STRETCHES + 1):
                rounds = range(stretch * ROUNDS, (stretch + 1) * ROUNDS)
                assert await mirrored(house, instance, rounds) == RECORDS * ROUNDS
                looks.append(held())
        finally:
            await store.close()
    pairs = list(pairwise(looks))
    blocks = min(after[0] - before[0] for before, after in pairs)
    assert blocks < RECORDS * ROUNDS / 2, "less than half an object for each version"
    growth = {kind: min(after[1][kind] - before[1][kind] for before, after in pairs) for kind in looks[-1][1]}
    assert {kind.__qualname__: more for kind, more in growth.items() if more >= ROUNDS} == {}


def standing() -> int:
    return sum(type(one) is Version for one in gc.get_objects())


async def test_no_more_than_two_portions_are_held_at_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is written while the next one is read, however long the inbox is."""
    a_page, pages, portion_pages = 20, 15, 3
    found = [
        [named(row(number * a_page + each, 100_000, 1), ",".join(asked())) for each in range(a_page)]
        for number in range(pages)
    ]
    bodies = [orjson.dumps(rows) for rows in found]
    monkeypatch.setattr(draining, "BATCH_BYTES", max(map(len, bodies)) * (portion_pages - 1) + 1)
    counted: list[int] = []
    before = standing()
    reader = translator(standard())

    def counting(entity: str, record: Mapping[str, Any], observed_at: datetime) -> Any:
        if record["sys_id"] in last_of_page:
            counted.append(standing() - before)
        return reader.translate(entity, record, observed_at)

    last_of_page = {rows[-1]["sys_id"] for rows in found}
    store = Store(database_url)
    try:
        for number, body in enumerate(bodies):
            await accept_pages(store, [Page(Source.SERVICENOW, "incident", Feed.POLL, f"{number}", body, NOW)])
        one = type(reader)(counting, reader.read_hook)
        done = await drain(store, {Source.SERVICENOW: one})
    finally:
        await store.close()
    assert done.revisions == a_page * pages
    assert max(counted) <= 2 * portion_pages * a_page
    assert max(counted) > portion_pages * a_page, "reading goes on while a portion is written"
