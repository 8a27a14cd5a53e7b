"""Reading at speed: one prepared statement in one snapshot, under the viewer's row security, without a toolkit between.

Decides: connections of their own for compiled reads, as the application role, read-only, REPEATABLE READ, each
statement stopped after 2 s. Plans of PostgreSQL are made once for all values (plan_cache_mode): planning a statement
costs more than a small answer. The viewer is told to the database with the transaction and forgotten with it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
        """A connection inside a transaction for this viewer."""
        pool = await self._opened()
        async with pool.acquire() as connection:
            await connection.execute(_begin(viewer))
            try:
                yield connection
            finally:
                if not connection.is_closed():
                    await connection.execute("rollback")

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
