"""When which tool is read: the schedules of the data contracts, asked again and again, and what hangs on them.

A source is polled and swept when its contract says so, never in its blackout. What another contract asked for is
replayed, and the rules that need all records are checked. A source that fails does not keep the others waiting. What
was polled is remembered by the process alone: after a start everything is read once.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import text

from api.actions import contracts, documents, retention
from api.feeds import Scope, note_content_sweep, poll_all, sweep_all
from api.graphql import storing
from api.histories import read_histories
from api.house import House
from api.sources import connected
from connectors import registrations
from connectors.files import links
from connectors.hints import note_hints
from connectors.jira import registrations as jira_registrations
from connectors.jira.due import due_issues
from connectors.schedule import due
from connectors.source import Hint, SourceRefused, SourceUnavailable
from engine.refusal import Refused
from engine.words import DocumentKind, Source
from schema.store import DbRole, Store

FOLD = text("select app.fold_data_changes()")  # of the tags that answers have
LOG = logging.getLogger("evenhand.rhythm")
WHOLE_EVERY = timedelta(days=7)
READ_WHOLE = text("select max(finished_at) from ops.sweep where source = :source and kind = 'CONTENT'")
# A sweep that was cut off half-way has still to be done: the table counts that was not compared for longest.
SWEPT = text("""
select case when count(*) = cardinality(cast(:entities as text[])) then min(at) end
  from (select max(finished_at) as at from ops.sweep
         where source = :source and kind = 'KEYS' and entity = any(:entities) group by entity) each
""")
Failure = SourceRefused | SourceUnavailable | Refused


@dataclass(slots=True)
class Rhythm:
    """When this process last asked each tool."""

    polled: dict[Source, datetime] = field(default_factory=dict)


async def begin(house: House) -> None:
    """Note which contracts the installation brings; another one than before is applied to what is stored."""
    sources = await connected(house.store, house.settings)
    async with house.store.begin(DbRole.WORKER, read_only=True) as connection:
        noted = await documents.in_force(connection, DocumentKind.DATA_CONTRACT)
    known = [*sources.contracts, *(source for source in sources.files if source in noted)]
    await contracts.note_brought(house.store, house.settings, known, house.clock())


async def turn(house: House, rhythm: Rhythm) -> None:
    """Read what is due now. What failed is raised when all have had their turn.

    A tool that did not answer is due again at once. Where a person must act first, the next poll is soon enough, and
    what could be read is swept all the same.
    """
    failed: list[Failure] = []
    sources = await connected(house.store, house.settings)
    for source, contract in sources.contracts.items():
        now = house.clock()
        swept = await swept_at(house.store, source, [r.entity for r in sources.readings if r.source is source])
        wanted = due(contract.terms.schedule, now, rhythm.polled.get(source), swept)
        try:
            if wanted.poll:
                await poll(house, rhythm, source, now)
        except (SourceRefused, Refused) as error:
            failed.append(error)
        except SourceUnavailable as error:
            failed.append(error)
            continue
        try:
            if wanted.sweep:
                await sweep_all(house, scope=Scope(sources=(source,)))
                await read_whole_when_due(house, source)
                await look_after_webhooks(house, source)
        except (SourceRefused, SourceUnavailable, Refused) as error:
            failed.append(error)
    if failed:
        raise failed[0]


async def poll(house: House, rhythm: Rhythm, source: Source, now: datetime) -> None:
    try:
        await poll_all(house, scope=Scope(sources=(source,)))
    except (SourceRefused, Refused):
        rhythm.polled[source] = now
        raise
    rhythm.polled[source] = now
    await (read_histories(house) if source is Source.SERVICENOW else note_stopped_clocks(house, source))


async def note_stopped_clocks(house: House, source: Source) -> None:
    """A clock breaches without its issue moving: what ran out is read again."""
    issues = await due_issues(house.store, house.clock())
    async with house.store.begin(DbRole.WORKER) as connection:
        await note_hints(connection, (Hint(source, "issue", issue) for issue in issues), "its clock ran out")


async def read_whole_when_due(house: House, source: Source) -> None:
    """Once a week every record is read, content and all: what a script changed behind the tool's back is found so."""
    whole = Scope(sources=(source,), whole=True)
    async with house.store.begin(DbRole.WORKER, read_only=True) as connection:
        last = await connection.scalar(READ_WHOLE, {"source": source.value})
    if last is None or house.clock() - last >= WHOLE_EVERY:
        await poll_all(house, scope=whole)
        await note_content_sweep(house, whole)


async def look_after_webhooks(house: House, source: Source) -> None:
    """Keep what we registered at Jira alive, and have read again what was missed while none lived.

    Only where the tool can reach us. Without the right to register one an administrator has made it, and sees to it.
    """
    jira, settings = (await connected(house.store, house.settings)).jira, house.settings
    secret = next(iter(settings.jira.webhook_secrets), None)
    if source is not Source.JIRA or jira is None or secret is None or not settings.public_url.startswith("https://"):
        return  # our door takes signed bodies alone
    tool = registrations.Tool(
        partial(jira_registrations.registrations, jira),
        partial(jira_registrations.refresh, jira),
        lambda url: jira_registrations.register(jira, url, secret),
    )
    try:
        await registrations.tend(house.store, source, f"{settings.public_url}/hooks/jira", tool, house.clock())
    except SourceRefused as refused:
        LOG.warning("no webhook of Jira could be registered: %s", refused)


async def swept_at(store: Store, source: Source, entities: Sequence[str]) -> datetime | None:
    """When these were compared last, all of them; None when one of them never was."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        at: datetime | None = await connection.scalar(SWEPT, {"source": source, "entities": list(entities)})
        return at


async def tend(house: House) -> None:
    """Apply contracts to what is stored, hold it against their rules, and make room for the months to come."""
    await retention.look_ahead(house.store)
    await contracts.replay(house.store, house.settings, lambda _: None)
    await contracts.check_rules(house.store, house.settings, house.clock())
    async with house.store.begin(DbRole.WORKER) as connection:
        await links.join(connection)
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(FOLD)
    await storing.keep(house, house.clock().date())
