"""Reading at speed: one prepared statement in one snapshot, under the viewer's row security, without a toolkit between.

Decides: connections of their own for compiled reads, as the application role, read-only, REPEATABLE READ, each
statement stopped after 2 s. Plans of PostgreSQL are made once for all values (plan_cache_mode): planning a statement
costs more than a small answer. The viewer is told to the database with the transaction and forgotten with it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from schema.viewer import DbRole, Viewer

STATEMENT_MILLISECONDS = 2000
STATEMENTS_KEPT = 200
PLAIN = re.compile(r"[A-Za-z0-9_.:-]{0,100}", re.ASCII)
SETTINGS = {
    "role": DbRole.APP.value,
    "application_name": f"{DbRole.APP.value}_reads",
    "timezone": "UTC",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "statement_timeout": str(STATEMENT_MILLISECONDS),
    "lock_timeout": "1000",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}

LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)


class Reads:
    """A pool, opened when first needed."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._size = size
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is not None:
                return self._pool
            pool = asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=self._size,
                reset=_ended,
                statement_cache_size=STATEMENTS_KEPT,
                max_cached_statement_lifetime=0,
                max_cacheable_statement_size=0,
                server_settings=SETTINGS,
            )
            self._pool = await pool
        return self._pool

    @asynccontextmanager
    async def snapshot(self, viewer: Viewer) -> AsyncIterator[Any]:
        """A connection inside a transaction for this viewer. Raises ConnectionError while the database is away."""
        pool = await self._opened()
        connection = await self._begun(pool, viewer)
        try:
            yield connection
        except LOST as lost:
            raise ConnectionError("the database went away") from lost
        finally:
            with suppress(*LOST):
                if not connection.is_closed():
                    await connection.execute("rollback")
            await pool.release(connection)

    async def _begun(self, pool: Any, viewer: Viewer) -> Any:
        """A restart of the database leaves connections that are dead: the next one is tried, and then a new one."""
        for _ in range(self._size + 1):
            connection = await pool.acquire()
            try:
                await connection.execute(_begin(viewer))
                return connection
            except (*LOST, asyncpg.InternalClientError):  # the latter: a last word that came while nobody listened
                connection.terminate()
                await pool.release(connection)
            except BaseException:
                await pool.release(connection)
                raise
        raise ConnectionError("the database is away")

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()
            self._pool = None


def _begin(viewer: Viewer) -> str:
    """One message instead of two. Ids are written by uuid itself; a request id that is not plain is left out."""
    request = viewer.request_id if PLAIN.fullmatch(viewer.request_id) else ""
    return (
        f"begin; select set_config('app.tenant_id', '{viewer.tenant_id}', true),"
        f" set_config('app.person_id', '{viewer.person_id or ''}', true),"
        f" set_config('app.request_id', '{request}', true)"
    )


async def _ended(connection: Any) -> None:
    """Nothing outlives the transaction, so nothing but it needs ending."""
    if connection.is_in_transaction():
        await connection.execute("rollback")
