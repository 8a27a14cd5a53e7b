"""The three feeds of the mirror: webhooks for latency, polls for completeness, sweeps for truth.

Decides what is read when, and in which order: masters first, since Jira's options lead to people, teams and services of
ServiceNow. A reading is safe to repeat and to be cut off anywhere; its watermark moves with its last page or not at
all. What a webhook or a sweep only spoke of is read again by id, and the note to do so goes when that is in the inbox.
A table that cannot be read keeps no other waiting: the rest is read first, then its failure is raised.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, groupby, islice
from typing import Any

from sqlalchemy import text

from api.house import House
from api.sources import Reading, Sources, connected
from connectors.drain import Drained, accept_pages, drain, forget_place, place, watermark
from connectors.governor import NotNow
from connectors.hints import Asked, due_hints, note_suspicions, settle_hints
from connectors.jira.emptied import refuse_emptied
from connectors.mirror import NEVER
from connectors.source import Page, SourceRefused, SourceUnavailable
from connectors.sweep import Swept, compare, could_not
from engine.refusal import Refused
from engine.words import Feed, Source
from schema.store import DbRole

LOG = logging.getLogger("evenhand.feeds")
MANY_ROWS = 5_000
PAUSE_SECONDS = 5  # before records that could not be read are asked for again
MOST_ROUNDS = 50  # of reading again what is asked for while reading
OVERLAP = {Source.SERVICENOW: timedelta(minutes=10), Source.JIRA: timedelta(minutes=15),
           Source.VENDOR: timedelta(days=1)}  # fmt: skip
Failure = SourceRefused | SourceUnavailable
Say = Callable[[str], None]
Watch = Callable[[str, int, int | None], None]  # what is read, records so far, of how many where the tool tells


def quiet(_what: str, _records: int, _total: int | None) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be read: nothing named is everything. `since` reads from there on, whatever the watermark says."""

    sources: tuple[Source, ...] = ()
    entities: tuple[str, ...] = ()
    since: datetime | None = None
    whole: bool = False  # every record, as a content sweep

    def takes(self, reading: Reading) -> bool:
        return (not self.sources or reading.source in self.sources) and (
            not self.entities or reading.entity in self.entities
        )

    @property
    def feed(self) -> Feed:
        return Feed.SWEEP if self.whole else Feed.POLL


EVERYTHING = Scope()


async def poll_all(house: House, say: Say = LOG.info, scope: Scope = EVERYTHING, watch: Watch = quiet) -> Drained:
    """Read every connected tool once and mirror what came.

    One tool after the other, each mirrored to its end: what Jira's options mean is known only then.
    """
    total = Drained()
    for source, readings in groupby((await connected(house.store, house.settings)).readings, lambda r: r.source):
        wanted = [reading for reading in readings if scope.takes(reading)]
        if not wanted:
            continue
        done = asyncio.Event()
        draining = asyncio.create_task(drain_until(house, done))
        try:
            failed = await read_each(house, wanted, say, scope, watch)
        except BaseException:
            draining.cancel()  # what waits is found again
            await asyncio.wait([draining])
            raise
        done.set()
        drained = await draining
        say(f"mirrored {source}: {drained.revisions} revisions of {drained.heads} records")
        total += drained
        if failed:
            raise failed[0]
    if total.revisions > MANY_ROWS:
        await refresh_statistics(house)
    await count_calls(house)
    return total


async def read_each(house: House, readings: Iterable[Reading], say: Say, scope: Scope, watch: Watch) -> list[Failure]:
    """Read these, whichever of them fail; why they did. A tool that wants to be left alone is."""
    failed: list[Failure] = []
    for reading in readings:
        try:
            await read(house, reading, say, scope, watch)
        except (SourceRefused, SourceUnavailable) as error:
            say(f"could not read {reading.source} {reading.entity}: {error}")
            failed.append(error)
            if isinstance(error, NotNow):
                break
    return failed


async def count_calls(house: House) -> None:
    """Put what was asked of the tools, and what they refused, into the books."""
    for governor in (await connected(house.store, house.settings)).governors:
        await asyncio.to_thread(governor.flush)


async def read(house: House, reading: Reading, say: Say, scope: Scope = EVERYTHING, watch: Watch = quiet) -> int:
    """All pages of one feed into the inbox; the watermark moves with the last one, or not at all."""
    store, feed = house.store, scope.feed
    known = await watermark(store, reading.source, reading.entity)
    since = None if scope.whole else scope.since or known
    first_load = since is None and not scope.whole  # a sweep that goes on would stamp its pages with a moment long past
    cursor = await place(store, reading.source, reading.entity, feed) if first_load else None
    try:
        pages = await asyncio.to_thread(_begun, reading.poll(since, feed, cursor))
    except Refused:
        if cursor is None:
            raise
        # the place was kept under another contract, which read the table in another order
        await forget_place(store, reading.source, reading.entity, feed)
        return await read(house, reading, say, scope, watch)
    held: Page | None = None
    began: datetime | None = None
    count = records = 0
    total: int | None = None
    while (page := await asyncio.to_thread(next, pages, None)) is not None:
        began = began or page.observed_at
        await refuse_emptied(store, [page])
        count += 1
        records += page.records if page.entity == reading.entity else 0
        total = total or page.total
        watch(f"{reading.source} {reading.entity}", records, total)
        if page.entity == reading.entity:
            page, held = held, page
        if page is not None:
            await accept_pages(store, [page], resumable=first_load)
        if held is not None and count % 10 == 0:
            say(f"reading {reading.source} {reading.entity}: {count} pages")
    if held is None and cursor is not None:  # what stood behind that place is there no more
        await forget_place(store, reading.source, reading.entity, feed)
        return await read(house, reading, say, scope, watch)
    if held is not None and began is not None:
        # reading from some day on says nothing of the days before it
        moves = scope.since is None or (known is not None and scope.since <= known)
        await accept_pages(store, [held], began - OVERLAP[reading.source] if moves else None)
    watch(f"{reading.source} {reading.entity}", records, records)
    say(f"read {reading.source} {reading.entity}: {count} pages")
    return count


def _begun(pages: Iterator[Page]) -> Iterator[Page]:
    """The same, with its first page already asked for."""
    return chain(list(islice(pages, 1)), pages)


async def drain_until(house: House, done: asyncio.Event) -> Drained:
    """Mirror until there is nothing more to come. Records that cannot be read again wait: pages go on coming."""
    total = Drained()
    while not done.is_set():
        try:
            total += await drain_all(house)
        except (SourceRefused, SourceUnavailable) as error:
            LOG.warning("some records wait to be read again: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), PAUSE_SECONDS)
        await asyncio.sleep(0.02)
    return total + await drain_all(house)


async def drain_all(house: House) -> Drained:
    """Mirror everything that waits, and read again what webhooks and sweeps only spoke of."""
    sources = await connected(house.store, house.settings)
    drained = await drain_inbox(house, sources)
    for _ in range(MOST_ROUNDS):
        asked = await due_hints(house.store, sources.awake(house.clock()))
        if not asked:
            break
        read_so_far, failed = await read_again(house, sources, asked)
        drained += await drain_inbox(house, sources)
        if failed and not read_so_far:
            raise failed[0]
    return drained


async def drain_inbox(house: House, sources: Sources) -> Drained:
    """Mirror what is in the inbox; what another contract overtook meanwhile is read anew under that one."""
    drained = await drain(house.store, sources.translators)
    if drained.overtaken:
        drained += await drain(house.store, (await connected(house.store, house.settings)).translators)
    return drained


async def read_again(house: House, sources: Sources, asked: Sequence[Asked]) -> tuple[int, list[Failure]]:
    """These records as the tools have them now; one that a tool does not show may be gone.

    Table by table, so that one which cannot be read keeps no other waiting. Returns how many records are done with, and
    why others are not.
    """
    done: list[Asked] = []
    failed: list[Failure] = []
    by_table = sorted(asked, key=lambda each: (each.hint.source, each.hint.entity))
    waiting = [list(these) for _, these in groupby(by_table, lambda each: (each.hint.source, each.hint.entity))]
    while waiting:
        these = waiting.pop(0)
        try:
            for page in await asyncio.to_thread(list, sources.refetch([each.hint for each in these])):
                await accept_pages(house.store, [page])
        except (SourceRefused, SourceUnavailable) as error:
            failed.append(error)
            continue
        except Refused as refused:  # no contract knows the table any more, or one of the ids is none
            if len(these) > 1:
                waiting += [[each] for each in these]
                continue
            LOG.warning("a record of %s is not read again: %s", these[0].hint.entity, refused)
        done += these
    if done:
        await drain_inbox(house, sources)
        await suspect_unseen(house, done)
        await settle_hints(house.store, done)
    return len(done), failed


UNSEEN = text("""
select h.source, h.entity, h.key from unnest(cast(:sources as text[]), cast(:entities as text[]), cast(:keys as text[]),
                                             cast(:asked as timestamptz[])) as h (source, entity, key, asked)
  join mirror.record m on m.tenant_id = (select app.tenant()) and m.source = h.source and m.entity = h.entity
   and m.source_key = h.key
 where m.gone_at is null and m.shown_at = :never
""")


async def suspect_unseen(house: House, asked: Sequence[Asked]) -> None:
    """A record that webhooks brought, and that its tool has never shown when it was asked for."""
    given = {
        "sources": [each.hint.source.value for each in asked],
        "entities": [each.hint.entity for each in asked],
        "keys": [each.hint.key for each in asked],
        "asked": [each.asked_at for each in asked],
        "never": NEVER,
    }
    async with house.store.begin(DbRole.WORKER) as connection:
        unseen = {(row.source, row.entity, row.key) for row in await connection.execute(UNSEEN, given)}
        doubtful = (each.hint for each in asked if (each.hint.source, each.hint.entity, each.hint.key) in unseen)
        await note_suspicions(connection, doubtful, "the tool did not show it when asked")


async def sweep_all(house: House, say: Say = LOG.info, scope: Scope = EVERYTHING, allowed: int = 0) -> list[Swept]:
    """Compare all keys of the tools with the mirror, and read again what is missing or old here."""
    swept: list[Swept] = []
    failed: list[tuple[Reading, Failure]] = []
    for reading in (await connected(house.store, house.settings)).readings:
        if not scope.takes(reading):
            continue
        try:
            keys = await asyncio.to_thread(reading.keys)
            one = await compare(house.store, keys, reading.exists, asyncio.to_thread, allowed)
        except (SourceRefused, SourceUnavailable) as error:
            failed.append((reading, error))
            continue
        say(f"swept {one.source} {one.entity}: {_told(one)}")
        swept.append(one)
    if failed and not swept:  # nothing answered: the turn of all comes again at once
        raise failed[0][1]
    for reading, failure in failed:
        swept.append(await could_not(house.store, reading.source, reading.entity, failure, house.clock()))
        say(f"swept {reading.source} {reading.entity}: {_told(swept[-1])}")
    await drain_all(house)
    await count_calls(house)
    return swept


NOTE_CONTENT = text("""
insert into ops.sweep (tenant_id, source, entity, kind, started_at, finished_at, state, keys, mirrored, hinted,
                       suspected, gone)
select (select app.tenant()), source, entity, 'CONTENT', :now, clock_timestamp(), 'DONE', count(*),
       count(*) filter (where gone_at is null), 0, 0, 0
  from mirror.record
 where (source, entity) in (select * from unnest(cast(:sources as text[]), cast(:entities as text[])))
 group by source, entity
""")


async def note_content_sweep(house: House, scope: Scope) -> None:
    """Remember that every record of these entities has been read and compared."""
    readings = [each for each in (await connected(house.store, house.settings)).readings if scope.takes(each)]
    given = {"sources": [each.source.value for each in readings], "entities": [each.entity for each in readings]}
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(NOTE_CONTENT, given | {"now": house.clock()})


def _told(swept: Swept) -> str:
    counts = f"{swept.keys} there, {swept.mirrored} here, {swept.hinted} read again, {swept.suspected} absent"
    return f"{counts}, {swept.gone} gone, {swept.state}{'. ' + swept.note if swept.note else ''}"


async def refresh_statistics(house: House) -> None:
    """Tell the planner about a large load now; autovacuum would come too late for the first run."""
    async with house.store.begin(DbRole.WORKER) as connection:
        tables = await connection.execute(
            text("select tablename from pg_tables where schemaname = 'mirror' order by 1")
        )
        for table in tables.scalars().all():
            await connection.execute(text(f'analyze mirror."{table}"'))


def listed(swept: Iterable[Swept]) -> list[dict[str, Any]]:
    """For people and programs: one line a sweep."""
    return [
        {
            "source": each.source.value, "entity": each.entity, "state": each.state, "keys": each.keys,
            "mirrored": each.mirrored, "read_again": each.hinted, "absent": each.suspected, "gone": each.gone,
            "note": each.note,
        }
        for each in swept
    ]  # fmt: skip
