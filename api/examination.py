"""Is every connection fit to be trusted? What `evenhand doctor` asks, of each tool and of ourselves.

Changes nothing. A tool that is not configured is said so; without any there is nothing to examine.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sqlalchemy import text

from api.house import House
from api.sources import Sources, connected
from connectors.jira import check as jira_check
from connectors.servicenow import check as servicenow_check
from connectors.source import Check, CheckState
from engine.words import Source
from schema.store import DbRole

Found = tuple[Source, Check]
DEGRADED = text("select source, why, since from ops.connection where state <> 'OK'")
LAGGING = text(
    """select count(*) filter (where state = 'READY') as waiting, count(*) filter (where state = 'DEAD') as dead,
              min(received_at) filter (where state = 'READY') as oldest
         from inbox.delivery where source = :source and state <> 'DONE'"""
)


async def examine(house: House, wanted: Sequence[str] = ()) -> list[Found]:
    """All checks of the connected tools, or of those named."""
    sources = await connected(house.store, house.settings)
    found: list[Found] = []
    for source, ask in _doctors(house, sources):
        if not wanted or source.value in wanted:
            found += [(source, check) for check in await asyncio.to_thread(ask)]
            found += [(source, check) for check in await ourselves(house, source)]
    return found


def _doctors(house: House, sources: Sources) -> Iterator[tuple[Source, Callable[[], list[Check]]]]:
    now = house.clock()
    if sources.servicenow:
        yield Source.SERVICENOW, partial(servicenow_check.check, sources.servicenow, now)
    if sources.jira:
        hook = f"{house.settings.public_url}/hooks/jira"
        yield Source.JIRA, partial(jira_check.check, sources.jira, now, hook)


async def ourselves(house: House, source: Source) -> list[Check]:
    """What of a connection stands with us: held sweeps, deliveries that wait or could not be read, secrets."""
    async with house.store.begin(DbRole.WORKER, read_only=True) as connection:
        degraded = {row.source: row for row in await connection.execute(DEGRADED)}
        inbox = (await connection.execute(LAGGING, {"source": source.value})).one()
    found = []
    if held := degraded.get(source.value):
        fix = f"Look at it, then let them go: evenhand sweep --source {source} --allow N."
        found.append(Check("sweeps", CheckState.FAIL, f"Held since {held.since:%Y-%m-%d %H:%M} UTC. {held.why}", fix))
    else:
        found.append(Check("sweeps", CheckState.OK, "No sweep is held back."))
    dead = CheckState.WARN if inbox.dead else CheckState.OK
    what = f"{inbox.waiting} deliveries wait, {inbox.dead} could not be read."
    found.append(Check("inbox", dead, what, "List them: evenhand inbox list --state dead."))
    tool = house.settings.servicenow if source is Source.SERVICENOW else house.settings.jira
    if not tool.webhook_secrets:
        fix = f"Set EVENHAND_{source.value.upper()}_WEBHOOK_SECRET; until then only polls bring changes."
        found.append(Check("webhook secret", CheckState.WARN, "Webhooks of this tool are refused.", fix))
    return found
