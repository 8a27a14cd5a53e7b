"""One request's view of the database: a read-only snapshot under the viewer's row security, asked in batches.

Decides: that all reads of a request happen in one REPEATABLE READ transaction as the application role, one statement
at a time, each stopped after 2 s; and that reads of one kind which are asked for together become one statement.
Nothing in here outlives the request or is shared between viewers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Executable, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry.dataloader import DataLoader

from api import identity
from schema.store import DbRole, Store, Viewer

STATEMENT_MILLISECONDS = 2000
LIMIT_TIME = text("select set_config('statement_timeout', :limit, true), set_config('lock_timeout', '1000', true)")

Load = Callable[[list[Any]], Awaitable[Sequence[Any]]]


class Over(Exception):
    """The request is over; nobody waits for this row any more."""


class Reading:
    """Opened by the first read. `renew` makes the next reads see what an action has just committed."""

    def __init__(self, store: Store, viewer: Viewer) -> None:
        self._store = store
        self.viewer = viewer
        self.statements = 0
        self.known = False  # whether the viewer was found to be somebody who is here
        self._closed = False
        self._failed: BaseException | None = None
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._lock:  # a resolver whose sibling failed may still be reading
            self._closed = True
            error = error or self._failed  # a failed transaction is rolled back, also when its error became an answer
            await self._stack.__aexit__(type(error) if error else None, error, trace)

    async def connection(self) -> AsyncConnection:
        if self._connection is None:
            opened = self._store.begin(DbRole.APP, self.viewer, read_only=True)
            self._connection = await self._stack.enter_async_context(opened)
            await self._connection.execute(LIMIT_TIME, {"limit": str(STATEMENT_MILLISECONDS)})
        return self._connection

    async def require_known(self) -> None:
        """Refuse unless the viewer is somebody who is here; asked once a request."""
        if not self.known:
            async with self._lock:
                await identity.require_known(await self.connection())
                self.known = True

    async def rows(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[RowMapping]:
        """All rows of one statement. Resolvers run side by side, a connection does not: they take turns."""
        async with self._lock:
            if self._closed or self._failed:
                raise self._failed or Over
            connection = await self.connection()
            self.statements += 1
            running = asyncio.ensure_future(connection.execute(statement, parameters or {}))
            try:
                return (await asyncio.shield(running)).mappings().all()
            except asyncio.CancelledError:  # a sibling's error ends the wait; ending the statement would end them all
                self._failed = Over()
                await asyncio.wait([running])
                self._failed = running.exception()
                raise
            except Exception as failed:
                self._failed = failed
                raise

    async def load(self, kind: Hashable, load: Load, key: Hashable) -> Any:
        """The value for `key`, read together with all other keys of this kind that are asked for at the same time."""
        loader = self._loaders.get(kind)
        if loader is None:
            loader = self._loaders[kind] = DataLoader(load_fn=load)
        return await loader.load(key)

    async def renew(self) -> None:
        async with self._lock:
            await self._stack.aclose()
            self._stack, self._connection, self._loaders = AsyncExitStack(), None, {}
