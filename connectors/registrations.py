"""Webhooks that we have registered at a tool and that die of themselves: kept alive, missed, made anew, made up for.

Decides from the rows of ops.registration what is due: to prolong what lives for less than ten more days, to raise an
alarm about what is gone, and after a new registration to have everything read again since the last moment at which the
old one was seen alive. `healthy_at` is that moment: up to it nothing can have been missed. Reading again is asked for
by moving the watermarks of the tool's polls back to it, so a crash forgets nothing. Times are the caller's, in UTC.
What a registration is and how it is prolonged is the connector's knowledge, handed in as `Tool`.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.words import Source
from schema.store import DbRole, Store

PROLONG_BEFORE = timedelta(days=10)  # of the 30 that a dynamic webhook of Jira lives
LIVE, EXPIRED, REMOVED = "LIVE", "EXPIRED", "REMOVED"

KNOWN = text("""
select external_id, url, state, expires_at, refreshed_at, healthy_at, alarm from ops.registration
 where tenant_id = (select app.tenant()) and source = :source order by external_id for update
""")
KEEP = text("""
insert into ops.registration (tenant_id, source, external_id, url, state, expires_at, refreshed_at, healthy_at, alarm)
values ((select app.tenant()), :source, :external_id, :url, :state, :expires_at, :refreshed_at, :healthy_at, :alarm)
on conflict (tenant_id, source, external_id) do update
   set url = excluded.url, state = excluded.state, expires_at = excluded.expires_at,
       refreshed_at = excluded.refreshed_at, healthy_at = excluded.healthy_at, alarm = excluded.alarm
""")
READ_AGAIN = text("""
update ops.watermark set read_to = :since
 where tenant_id = (select app.tenant()) and source = :source and feed = 'POLL' and read_to > :since
""")


@dataclass(frozen=True, slots=True)
class Registration:
    """A row of ops.registration. `alarm` says what was missed, until it has been made up for."""

    external_id: str
    url: str
    state: str
    expires_at: datetime | None
    refreshed_at: datetime
    healthy_at: datetime
    alarm: str | None = None


class Listed(Protocol):
    """A registration as the tool lists it."""

    @property
    def id(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def expires_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Tool:
    """How a tool's registrations are seen, prolonged and made. All may raise SourceUnavailable or SourceRefused."""

    listed: Callable[[], Sequence[Listed]]
    refresh: Callable[[Sequence[str]], datetime | None]  # until when they live now
    register: Callable[[str], Sequence[str]]  # url in, ids out


@dataclass(frozen=True, slots=True)
class Due:
    """`lost` are those of which an alarm must be raised; `since` is from when on all must be read again."""

    prolong: tuple[str, ...] = ()
    lost: tuple[Registration, ...] = ()
    register: bool = False
    since: datetime | None = None


def due(known: Iterable[Registration], listed: Iterable[str], now: datetime) -> Due:
    """What has to be done, from what we know and which ids the tool still lists."""
    known, standing = list(known), set(listed)
    live = [one for one in known if one.state == LIVE]
    gone = [one for one in live if one.external_id not in standing or _over(one, now)]
    left = [one for one in live if one not in gone]
    missed = [one.healthy_at for one in (*gone, *(one for one in known if one.state != LIVE and one.alarm))]
    return Due(
        tuple(one.external_id for one in left if one.expires_at and one.expires_at - now <= PROLONG_BEFORE),
        tuple(replace(one, state=EXPIRED if _over(one, now) else REMOVED, alarm=_why(one, now)) for one in gone),
        not left,
        min(missed) if missed else None,
    )


def _over(one: Registration, now: datetime) -> bool:
    return one.expires_at is not None and one.expires_at <= now


def _why(one: Registration, now: datetime) -> str:
    how = "expired" if _over(one, now) else "was removed at the tool"
    return f"The webhook {how}. Nothing is sure to have been told since {one.healthy_at.isoformat(timespec='seconds')}."


async def tend(store: Store, source: Source, url: str, tool: Tool, now: datetime) -> Due:
    """Look after the registrations of `url`. Safe to repeat and to be cut off: alarms are written first."""
    listed = {one.id: one for one in await asyncio.to_thread(tool.listed) if one.url == url}
    async with store.begin(DbRole.WORKER) as connection:
        known = await _known(connection, source)
        found = due(known.values(), listed, now)
        for lost in found.lost:
            await _keep(connection, source, lost)
        for one in listed.values():  # also those that somebody else registered for us, or a run that was cut off
            if not (one.expires_at and one.expires_at <= now):
                refreshed_at = known[one.id].refreshed_at if one.id in known else now
                await _keep(connection, source, Registration(one.id, url, LIVE, one.expires_at, refreshed_at, now))
    if found.prolong:
        await _prolong(store, source, tool, found.prolong, now)
    if not any(not one.expires_at or one.expires_at > now for one in listed.values()):
        await _register(store, source, url, tool, now)
    await _make_up(store, source)
    return found


async def _prolong(store: Store, source: Source, tool: Tool, ids: Sequence[str], now: datetime) -> None:
    until = await asyncio.to_thread(tool.refresh, ids)
    async with store.begin(DbRole.WORKER) as connection:
        known = await _known(connection, source)
        for one in ids:
            await _keep(connection, source, replace(known[one], expires_at=until, refreshed_at=now))


async def _register(store: Store, source: Source, url: str, tool: Tool, now: datetime) -> None:
    made = await asyncio.to_thread(tool.register, url)
    expiry = {one.id: one.expires_at for one in await asyncio.to_thread(tool.listed)}
    async with store.begin(DbRole.WORKER) as connection:
        for one in made:
            await _keep(connection, source, Registration(one, url, LIVE, expiry.get(one), now, now))


async def _make_up(store: Store, source: Source) -> None:
    """Once a webhook lives again: have the time between read again, and let the alarms rest."""
    async with store.begin(DbRole.WORKER) as connection:
        known = (await _known(connection, source)).values()
        missed = [one for one in known if one.state != LIVE and one.alarm]
        if not missed or not any(one.state == LIVE for one in known):
            return
        since = min(one.healthy_at for one in missed)
        await connection.execute(READ_AGAIN, {"source": source.value, "since": since})
        for one in missed:
            await _keep(connection, source, replace(one, alarm=None))


async def _known(connection: AsyncConnection, source: Source) -> dict[str, Registration]:
    rows = await connection.execute(KNOWN, {"source": source.value})
    return {row.external_id: Registration(*row) for row in rows}


async def _keep(connection: AsyncConnection, source: Source, one: Registration) -> None:
    given = {"external_id": one.external_id, "url": one.url, "state": one.state, "expires_at": one.expires_at}
    more = {"refreshed_at": one.refreshed_at, "healthy_at": one.healthy_at, "alarm": one.alarm}
    await connection.execute(KEEP, given | more | {"source": source.value})
