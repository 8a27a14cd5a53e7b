"""The jobs that nobody waits for: read the tools, drain the inbox, score what changed, sequence the log, write back.

Each job is safe to repeat and to be cut off anywhere: what was committed is found again. Readers of the two tools run
side by side with the drain, so that pages are mirrored while the next ones are fetched.
"""

import asyncio
import gc
import logging
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import text

from api.actions import runs, writebacks
from api.house import House
from api.opening import open_house
from api.settings import Settings
from api.sources import Reading, connected
from connectors.drain import Drained, accept_pages, drain, watermark
from connectors.outbox import deliver_due
from connectors.source import Page, SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused
from engine.words import Source
from schema.store import DbRole

LOG = logging.getLogger("evenhand.worker")
DRAIN_EVERY_SECONDS, SCORE_EVERY_SECONDS, POLL_EVERY_SECONDS = 0.5, 15, 60
MANY_ROWS = 5_000
OVERLAP = {Source.SERVICENOW: timedelta(minutes=10), Source.JIRA: timedelta(minutes=15)}
Say = Callable[[str], None]


async def poll_all(house: House, say: Say = LOG.info) -> Drained:
    """Read every connected tool once and mirror what came.

    One tool after the other, masters first, each mirrored to its end: what Jira's options mean is known only then.
    """
    total = Drained()
    for source, readings in groupby((await connected(house.store, house.settings)).readings, lambda r: r.source):
        done = asyncio.Event()
        draining = asyncio.create_task(drain_until(house, done))
        try:
            for reading in readings:
                await read(house, reading, say)
        except BaseException:
            draining.cancel()  # what waits is found again
            await asyncio.wait([draining])
            raise
        done.set()
        drained = await draining
        say(f"mirrored {source}: {drained.revisions} revisions of {drained.heads} records")
        total += drained
    if total.revisions > MANY_ROWS:
        await refresh_statistics(house)
    return total


async def read(house: House, reading: Reading, say: Say) -> None:
    """All pages of one feed into the inbox; the watermark moves with the last one, or not at all."""
    since = await watermark(house.store, reading.source, reading.entity)
    pages = await asyncio.to_thread(reading.poll, since)
    held: Page | None = None
    first: datetime | None = None
    count = 0
    while (page := await asyncio.to_thread(next, pages, None)) is not None:
        first = first or page.observed_at
        count += 1
        if page.entity == reading.entity:
            page, held = held, page
        if page is not None:
            await accept_pages(house.store, [page])
    if held is not None and first is not None:
        await accept_pages(house.store, [held], first - OVERLAP[reading.source])
    say(f"read {reading.source} {reading.entity}: {count} pages")


async def drain_until(house: House, done: asyncio.Event) -> Drained:
    total = Drained()
    while not done.is_set():
        total += await drain_all(house)
        await asyncio.sleep(0.02)
    return total + await drain_all(house)


async def drain_all(house: House) -> Drained:
    """Mirror everything that waits, and read again what webhooks only hinted at."""
    sources = await connected(house.store, house.settings)
    drained = await drain(house.store, sources.translators)
    if drained.refetch:
        hinted = drained.refetch
        for page in await asyncio.to_thread(lambda: list(sources.refetch(hinted))):
            await accept_pages(house.store, [page])
        drained += await drain(house.store, sources.translators)
    return drained


async def refresh_statistics(house: House) -> None:
    """Tell the planner about a large load now; autovacuum would come too late for the first run."""
    async with house.store.begin(DbRole.WORKER) as connection:
        tables = await connection.execute(
            text("select tablename from pg_tables where schemaname = 'mirror' order by 1")
        )
        for table in tables.scalars().all():
            await connection.execute(text(f'analyze mirror."{table}"'))


async def sequence(house: House) -> None:
    """Give every waiting audit entry its place."""
    await house.log.sequence(house.store, house.clock())


async def write_back(house: House, run_id: UUID) -> int:
    """Queue a run's scores for the tools and send what is due. Returns how many were sent."""
    sources = await connected(house.store, house.settings)
    await writebacks.queue(house.store, run_id, jira=sources.jira is not None)
    delivered = await deliver_due(house.store, sources.deliverers)
    if delivered.failed or delivered.unknown:
        LOG.warning("write-back: %s failed, %s unsure; see ops.outbox", delivered.failed, delivered.unknown)
    return delivered.done


def spare_the_collector() -> None:
    """Look for garbage rarely: what a batch makes has no cycles, and looking for some took a quarter of a load."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


async def sync_once(settings: Settings) -> dict[str, Any]:
    spare_the_collector()
    async with open_house(settings) as house:
        drained = await poll_all(house)
        return {"deliveries": drained.deliveries, "revisions": drained.revisions, "records": drained.heads}


async def work(settings: Settings, once: bool) -> None:
    spare_the_collector()
    async with open_house(settings) as house:
        if once:
            await round_of_work(house)
        else:
            await go_on(house)


async def round_of_work(house: House) -> None:
    await poll_all(house)
    await score(house)


async def score(house: House) -> None:
    """Score and write back, if a plan is published. Nothing changed means nothing is written."""
    try:
        ran = await runs.run(house.store, house.log, house.clock())
    except Refused as refused:
        if refused.code is not Code.NOT_FOUND:
            raise
        return
    await sequence(house)
    await write_back(house, ran.run_id)  # known writes are known: what was cut off before is sent now


async def go_on(house: House) -> None:
    """All jobs in their rhythm, until cancelled. A tool that fails is tried again; the others go on."""
    await asyncio.gather(
        every(DRAIN_EVERY_SECONDS, lambda: drain_all(house)),
        every(SCORE_EVERY_SECONDS, lambda: score(house)),
        every(POLL_EVERY_SECONDS, lambda: poll_all(house)),
    )


async def every(seconds: float, job: Callable[[], Any]) -> None:
    while True:
        try:
            await job()
        except (SourceRefused, SourceUnavailable, Refused) as failed:
            LOG.warning("%s: %s", type(failed).__name__, failed)
        except Exception as failed:  # a database that restarts, or a defect: without its text, which may hold a value
            LOG.error("a job failed, it is tried again: %s at %s", type(failed).__name__, place(failed))
        await asyncio.sleep(seconds)


def place(failed: Exception) -> str:
    """Where it happened, without a word of what was said."""
    frames = traceback.extract_tb(failed.__traceback__)[-3:]
    return " ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)
