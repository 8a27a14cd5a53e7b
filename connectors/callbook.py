"""The limits of an account and the calls made to a tool, as all our processes know them: the governors' shared book.

Decides how two tellings meet: the later opening stands, unless the newer telling is that the tool has healed. Times are
the database's; between processes only seconds from now travel, so that their clocks need not agree. Calls are added up
by tool, purpose and hour. A book that cannot be read or written says so in the log, and the governor works alone.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from sqlalchemy import text

from connectors.standings import Port, Standing, Tally
from engine.words import Source
from schema.store import DbRole, Store

LOG = logging.getLogger("evenhand.governor")
ANSWER_SECONDS = 5
T = TypeVar("T")

READ = text("""
select scope, extract(epoch from open_at - clock_timestamp())::float8 as opens_in_seconds, rate_permille, failures,
       limit_per_hour
  from ops.governor where tenant_id = (select app.tenant()) and account = :account
""")
TELL = text("""
insert into ops.governor as g (tenant_id, account, scope, open_at, rate_permille, failures, limit_per_hour, told_at)
values ((select app.tenant()), :account, :scope, clock_timestamp() + make_interval(secs => :opens_in_seconds),
        :rate_permille, :failures, :limit_per_hour, clock_timestamp())
on conflict (tenant_id, account, scope) do update
   set open_at = case when excluded.failures < g.failures then excluded.open_at
                      else greatest(g.open_at, excluded.open_at) end,
       rate_permille = case when excluded.open_at >= g.open_at then excluded.rate_permille else g.rate_permille end,
       failures = excluded.failures, limit_per_hour = coalesce(excluded.limit_per_hour, g.limit_per_hour),
       told_at = excluded.told_at
""")
COUNT = text("""
insert into ops.call as c (tenant_id, source, purpose, hour, calls, limited, failed, waited_ms)
values ((select app.tenant()), :source, :purpose, date_trunc('hour', clock_timestamp()), :calls, :limited, :failed,
        :waited_ms)
on conflict (tenant_id, source, purpose, hour) do update
   set calls = c.calls + excluded.calls, limited = c.limited + excluded.limited, failed = c.failed + excluded.failed,
       waited_ms = c.waited_ms + excluded.waited_ms
""")


async def read_standings(store: Store, account: str) -> list[Standing]:
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        return [Standing(*row) for row in await connection.execute(READ, {"account": account})]


async def write_down(
    store: Store, source: Source, account: str, standings: Sequence[Standing], tallies: Sequence[Tally]
) -> None:
    async with store.begin(DbRole.WORKER) as connection:
        for one in sorted(standings, key=lambda standing: standing.scope):  # in one order: nobody waits crosswise
            told = {"account": account, "scope": one.scope, "opens_in_seconds": one.opens_in_seconds}
            more = {"rate_permille": one.rate_permille, "failures": one.failures, "limit_per_hour": one.limit_per_hour}
            await connection.execute(TELL, told | more)
        for tally in sorted(tallies, key=lambda tally: tally.purpose):
            counted = {"calls": tally.calls, "limited": tally.limited, "failed": tally.failed}
            named = {"source": source.value, "purpose": tally.purpose, "waited_ms": round(tally.waited_seconds * 1000)}
            await connection.execute(COUNT, counted | named)


def port(store: Store, source: Source, account: str) -> Port:
    """For a governor whose requests run in threads beside the event loop that calls this."""
    loop = asyncio.get_running_loop()

    def read() -> Sequence[Standing]:
        found = _wait(loop, read_standings(store, account))
        return found or ()

    def tell(standings: Sequence[Standing], tallies: Sequence[Tally]) -> bool:
        return _wait(loop, _true(write_down(store, source, account, standings, tallies))) is True

    return Port(read, tell)


async def _true(work: Coroutine[Any, Any, None]) -> bool:
    await work
    return True


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T | None:
    """None when it cannot be had now: the loop has ended, is our own thread's, or the database is away."""
    if loop.is_closed() or not loop.is_running() or _here() is loop:
        work.close()
        return None
    waiting = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return waiting.result(ANSWER_SECONDS)
    except Exception as failed:  # whatever it is, a request to the tool must not fail for it
        waiting.cancel()
        LOG.warning("the governors' book cannot be used now: %s", type(failed).__name__)
        return None


def _here() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
