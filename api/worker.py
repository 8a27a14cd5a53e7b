"""The jobs that nobody waits for: read the tools, drain the inbox, score, sequence the log, write back, export.

Each job is safe to repeat and to be cut off anywhere: what was committed is found again. Readers of the two tools run
side by side with the drain, so that pages are mirrored while the next ones are fetched.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import Any
from uuid import UUID

from api import exports, memory, rhythm
from api.actions import runs, writebacks
from api.feeds import drain_all, poll_all
from api.house import House
from api.opening import open_house
from api.settings import Settings
from api.sources import connected
from connectors.outbox import deliver_due
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused

LOG = logging.getLogger("evenhand.worker")
DRAIN_EVERY_SECONDS, SCORE_EVERY_SECONDS, EXPORT_EVERY_SECONDS = 0.5, 15, 2
TURN_EVERY_SECONDS, TEND_EVERY_SECONDS = 5, 300  # how often it is asked what contracts say is due


async def sequence(house: House) -> None:
    """Give every waiting audit entry its place."""
    await house.log.sequence(house.store, house.clock())


async def write_back(house: House, run_id: UUID) -> int:
    """Queue a run's scores for the tools and send what is due. Returns how many were sent."""
    sources = await connected(house.store, house.settings)
    settings = house.settings
    places = writebacks.Places(
        settings.writeback, settings.servicenow.score_column, settings.jira.dashboard_items, settings.public_url
    )
    await writebacks.queue(house.store, run_id, jira=sources.jira is not None, places=places)
    delivered = await deliver_due(house.store, sources.deliverers)
    if delivered.failed or delivered.unknown:
        LOG.warning("write-back: %s failed, %s unsure; see evenhand outbox list", delivered.failed, delivered.unknown)
    for governor in sources.governors:
        await asyncio.to_thread(governor.flush)
    return delivered.done


async def work(settings: Settings, once: bool) -> None:
    memory.settle()
    async with open_house(settings) as house:
        if once:
            await round_of_work(house)
        else:
            await go_on(house)


async def round_of_work(house: House) -> None:
    await rhythm.begin(house)
    await poll_all(house)
    await rhythm.tend(house)
    await score(house)
    await exports.work(house)


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
    known = rhythm.Rhythm()
    await rhythm.begin(house)
    await asyncio.gather(
        every(DRAIN_EVERY_SECONDS, lambda: drain_all(house)),
        every(SCORE_EVERY_SECONDS, lambda: score(house)),
        every(TURN_EVERY_SECONDS, lambda: rhythm.turn(house, known)),
        every(TEND_EVERY_SECONDS, lambda: rhythm.tend(house)),
        every(EXPORT_EVERY_SECONDS, lambda: exports.work(house)),
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
