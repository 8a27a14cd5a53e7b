"""Reading at speed: one prepared statement in one snapshot, under the viewer's row security, without a toolkit between.

Decides: connections of their own for compiled reads, as the application role, read-only, REPEATABLE READ, each
statement stopped after 2 s. Plans of PostgreSQL are made once for all values (plan_cache_mode): planning a statement
costs more than a small answer. The viewer is told to the database with the transaction and forgotten with it; a
statement that tells him itself (app.enter) needs no transaction around it, and so no second way to the database.
A connection that was left in the middle of something is closed, never used again. Raises ConnectionError while the
database is away.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from schema.viewer import DbRole, Viewer

STATEMENT_MILLISECONDS = 2000
STATEMENTS_KEPT = 1000
ENTER = "select app.enter($1, $2, $3)"
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
    "max_parallel_workers_per_gather": "0",  # the statement itself sets who asks, before anything else of it runs
}
LOST = (
    OSError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.ConnectionFailureError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InternalClientError,  # what the server said before it went was no answer to anything
)


def told(viewer: Viewer) -> tuple[str, str, str]:
    """The viewer as app.enter takes him."""
    return str(viewer.tenant_id), str(viewer.person_id or ""), viewer.request_id


class Snapshot:
    """One moment, for one viewer."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def row(self, statement: str, parameters: Sequence[Any]) -> Any:
        return await self._connection.fetchrow(statement, *parameters)


class Reads:
    """At most `size` connections, opened when needed; the one that was used last is used first."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._places = asyncio.Semaphore(size)
        self._idle: list[Any] = []

    async def row(self, viewer: Viewer, statement: str, parameters: Sequence[Any]) -> Any:
        """The first row of a statement whose last parameters tell the viewer; None where there is none."""
        async with self._places:
            connection, found = await self._first(statement, (*parameters, *told(viewer)))
            self._idle.append(connection)
            return found

    @asynccontextmanager
    async def snapshot(self, viewer: Viewer) -> AsyncIterator[Snapshot]:
        """Several statements at one moment."""
        async with self._places:
            connection, _ = await self._first("begin", ())
            try:
                await connection.fetchrow(ENTER, *told(viewer))
                yield Snapshot(connection)
            except LOST as lost:
                raise ConnectionError("the database went away") from lost
            finally:
                await self._ended(connection)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _first(self, statement: str, parameters: Sequence[Any]) -> tuple[Any, Any]:
        """A connection and the first row of its first statement. A restart of the database leaves connections that are
        dead: the next one is tried, and then a new one."""
        while True:
            old = bool(self._idle)
            try:
                connection = self._idle.pop() if old else await self._opened()
            except LOST as lost:
                raise ConnectionError("the database is away") from lost
            try:
                if not connection.is_closed():
                    return connection, await connection.fetchrow(statement, *parameters)
            except LOST as lost:
                connection.terminate()
                if not old:
                    raise ConnectionError("the database went away") from lost
            except (asyncpg.PostgresError, asyncpg.DataError):
                await self._ended(connection)  # refused; the connection is as it was
                raise
            except BaseException:
                connection.terminate()
                raise

    async def _ended(self, connection: Any) -> None:
        """Nothing outlives the transaction; a connection that cannot end it, or has no time to, goes as well."""
        try:
            if connection.is_in_transaction():
                await connection.execute("rollback")
        except BaseException as wrong:
            connection.terminate()
            if not isinstance(wrong, (*LOST, asyncpg.InterfaceError)):
                raise
        else:
            self._idle.append(connection)

    async def _opened(self) -> Any:
        return await asyncpg.connect(
            self._url,
            statement_cache_size=STATEMENTS_KEPT,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,
            server_settings=SETTINGS,
        )
