"""Data contracts from proposal to force: read, tried on a sample, put in force by another person, applied to the past.

Decides what happens with another contract: the same transaction that puts it in force notes which entities are to be
read again from what is stored, and resets the feeds of which stored records lack a column. The text that the
installation brings is noted as a version too, so that it is always known which one was used, and a new release that
brings another one replays as well. Refused: a text that is no contract, and what documents.py refuses.
"""

import asyncio
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import documents
from api.actions.audit import Log
from api.actions.documents import Document
from api.contracts import DIALECTS, Contract, brought, change, read_contract, source_of, used
from api.settings import Settings
from api.sources import Sources, completed, under
from connectors import replay as replaying
from connectors.conformance import SAMPLE_RECORDS, Sample, newest, of_pages, try_out
from connectors.crosscheck import Found, crosscheck
from connectors.overtaken import Overtaken, refuse_overtaken
from connectors.replay import Replayed, Say
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused
from engine.words import DocumentKind, Feed, Source
from schema.store import SYSTEM, DbRole, Store, Viewer

KIND = DocumentKind.DATA_CONTRACT
MOST_PAGES = 3  # of the live tool, for each entity of a sample
RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a contract in force asks for: replayed from what is stored, read anew from the tool."""

    document: Document
    replays: list[str]
    anew: list[str]


async def propose(store: Store, log: Log, viewer: Viewer, name: str, body: str, now: datetime) -> Document:
    """Keep a contract of this tool as its next version, if it can be read."""
    contract = read_contract(source_of(name), body)
    if not contract.terms.owner:
        raise Refused(
            Code.PLAN_INVALID, "owner: this key is missing.", "Name who answers for this contract.", ("owner",)
        )
    return await documents.propose(store, log, viewer, KIND, name, body, contract.terms.owner, now)


async def try_on(
    store: Store,
    log: Log,
    viewer: Viewer,
    settings: Settings,
    name: str,
    version_no: int | None,
    now: datetime,
    count: int = SAMPLE_RECORDS,
) -> dict[str, Any]:
    """Try a version on the newest stored records, and on a sample of the tool itself where one is connected."""
    source = source_of(name)
    async with store.begin(DbRole.WORKER, viewer) as connection:
        document = await documents.find(connection, KIND, name, version_no)
        stored = await newest(connection, source, DIALECTS[source].restore, count)
    contract = await completed(store, read_contract(source, document.body))
    plain = DIALECTS[source].translator(contract.tool)
    report: dict[str, Any] = {"stored": try_out(stored, plain, contract.terms.rules), "sample": count}
    live = await under(store, settings, {**await _others(store, settings), source: contract})
    if source in live.contracts:
        since = max((sample.at for sample in stored), default=None)  # what was never read is sampled from its beginning
        recent = since - RECENT if since else None
        samples, failed = await asyncio.to_thread(_sampled, live, source, recent, count)
        report["tool"] = try_out(samples, plain, contract.terms.rules)
        report["tool_failed"] = failed
    await documents.keep_test(store, log, viewer, document, report, now)
    return {"name": name, "version": document.version_no, "content_hash": document.content_hash, **report}


async def activate(
    store: Store, log: Log, viewer: Viewer, settings: Settings, name: str, version_no: int | None, now: datetime
) -> Applied:
    """Put a tested version in force, and note what is to be read again."""
    source = source_of(name)
    async with store.begin(DbRole.WORKER, viewer) as connection:
        document = await documents.find(connection, KIND, name, version_no)
        before = await documents.activate(connection, log, viewer, document, now)
        was = read_contract(source, before.body if before else brought(settings, source))
        return await _apply(connection, source, was, read_contract(source, document.body), document, now)


async def retire(store: Store, log: Log, viewer: Viewer, settings: Settings, name: str, now: datetime) -> Applied:
    """Go back to the contract that the installation brings."""
    source = source_of(name)
    async with store.begin(DbRole.WORKER, viewer) as connection:
        before = await documents.retire(connection, log, viewer, KIND, name, now)
        after = read_contract(source, brought(settings, source))
        await documents.bring(connection, viewer, KIND, name, after.text, after.terms.owner, now)
        return await _apply(connection, source, read_contract(source, before.body), after, before, now)


async def note_brought(store: Store, settings: Settings, sources: Iterable[Source], now: datetime) -> list[Applied]:
    """Note the contracts that the installation brings for these tools. Another one than before is applied."""
    found = []
    for source in sources:
        contract = read_contract(source, brought(settings, source))
        async with store.begin(DbRole.WORKER) as connection:
            owner = contract.terms.owner
            brings = await documents.bring(connection, SYSTEM, KIND, source, contract.text, owner, now)
            if brings and brings.before:
                was = read_contract(source, brings.before.body)
                found.append(await _apply(connection, source, was, contract, brings.document, now))
            elif brings:  # whatever is mirrored already was read under a contract that nobody noted
                replays = await replaying.ask(connection, source, [replaying.ALL], (), now)
                anew = await replaying.read_anew(connection, source, contract.asked)
                found.append(Applied(brings.document, replays, anew))
    return found


async def replay(
    store: Store, settings: Settings, say: Say, source: str = "", entity: str = "", now: datetime | None = None
) -> Replayed:
    """Do the replays that wait. With `now` those of this source and entity are asked for first, whatever changed."""
    if now is not None:
        async with store.begin(DbRole.WORKER) as connection:
            for known in [source_of(source)] if source else list(DIALECTS):
                await replaying.ask(connection, known, [entity or replaying.ALL], (), now, anew=False)
    total = Replayed()
    for each in await replaying.waiting(store, source, entity):
        contract = await in_use(store, settings, each.source)
        restore = DIALECTS[each.source].restore
        total += await replaying.replay(store, each, contract.translator, restore, say)
    return total


async def check_rules(store: Store, settings: Settings, now: datetime) -> dict[Source, Found]:
    """Hold the mirror against the rules that need all records; what is settled gets its value back."""
    found = {}
    for source in DIALECTS:
        contract = await in_use(store, settings, source)
        with suppress(Overtaken):  # by another contract, meanwhile: the next check holds against that one
            found[source] = await _check(store, contract, now)
    return found


async def _check(store: Store, contract: Contract, now: datetime) -> Found:
    source, restore, translator = contract.source, DIALECTS[contract.source].restore, contract.translator
    async with store.begin(DbRole.WORKER) as connection:
        await refuse_overtaken(connection, {source: translator}, [source])
        found = await crosscheck(connection, source, contract.terms, now)
        settled = sorted(found.settled)
        for start in range(0, len(settled), replaying.BATCH_RECORDS):
            these = settled[start : start + replaying.BATCH_RECORDS]
            await replaying.replay_these(connection, source, these, translator, restore)
    return found


async def in_use(store: Store, settings: Settings, source: Source) -> Contract:
    """The contract that counts now, complete."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        agreed = await documents.in_force(connection, KIND)
    return await completed(store, used(settings, source, agreed))


async def _apply(
    connection: AsyncConnection, source: Source, was: Contract, after: Contract, document: Document, now: datetime
) -> Applied:
    follows = change(was, after)
    replays = await replaying.ask(connection, source, follows.entities, follows.kinds, now)
    return Applied(document, replays, await replaying.read_anew(connection, source, follows.anew))


def _sampled(live: Sources, source: Source, since: datetime | None, count: int) -> tuple[list[Sample], dict[str, str]]:
    """Some recent records of every feed of a tool, and why a feed gave none."""
    found: list[Sample] = []
    failed: dict[str, str] = {}
    for reading in live.readings:
        if reading.source is source:
            pages = reading.poll(since, Feed.POLL, None)
            try:
                found += of_pages(islice(pages, MOST_PAGES), count)
            except (SourceRefused, SourceUnavailable) as error:
                failed[reading.entity] = str(error)
            finally:
                if isinstance(pages, Generator):
                    pages.close()  # and with it the connection
    return found, failed


async def _others(store: Store, settings: Settings) -> Mapping[Source, Contract]:
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        agreed = await documents.in_force(connection, KIND)
    return {source: used(settings, source, agreed) for source in DIALECTS}
