"""When which tool is read: the schedules of the data contracts, asked again and again, and what hangs on them.

A source is polled and swept when its contract says so, never in its blackout. What another contract asked for is
replayed, and the rules that need all records are checked. A source that fails does not keep the others waiting. What
was polled is remembered by the process alone: after a start everything is read once.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from api.actions import contracts
from api.feeds import Scope, poll_all, sweep_all
from api.house import House
from api.sources import connected
from connectors.schedule import due
from connectors.source import SourceRefused, SourceUnavailable
from engine.words import Source
from schema.store import DbRole, Store

SWEPT = text("select max(finished_at) from ops.sweep where source = :source and kind = 'KEYS'")


@dataclass(slots=True)
class Rhythm:
    """When this process last asked each tool."""

    polled: dict[Source, datetime] = field(default_factory=dict)


async def begin(house: House) -> None:
    """Note which contracts the installation brings; another one than before is applied to what is stored."""
    sources = await connected(house.store, house.settings)
    await contracts.note_brought(house.store, house.settings, sources.contracts, house.clock())


async def turn(house: House, rhythm: Rhythm) -> None:
    """Read what is due now. What failed is raised when all have had their turn; it is due again at once."""
    failed: list[SourceRefused | SourceUnavailable] = []
    for source, contract in (await connected(house.store, house.settings)).contracts.items():
        now, only = house.clock(), Scope(sources=(source,))
        wanted = due(contract.terms.schedule, now, rhythm.polled.get(source), await swept_at(house.store, source))
        try:
            if wanted.poll:
                await poll_all(house, scope=only)
                rhythm.polled[source] = now
            if wanted.sweep:
                await sweep_all(house, scope=only)
        except (SourceRefused, SourceUnavailable) as error:
            failed.append(error)
    if failed:
        raise failed[0]


async def swept_at(store: Store, source: Source) -> datetime | None:
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        at: datetime | None = await connection.scalar(SWEPT, {"source": source})
        return at


async def tend(house: House) -> None:
    """Apply contracts to what is stored, and hold it against their rules."""
    await contracts.replay(house.store, house.settings, lambda _: None)
    await contracts.check_rules(house.store, house.settings, house.clock())
