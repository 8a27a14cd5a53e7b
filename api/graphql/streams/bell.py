"""The bell: one connection of the process that hears when something changed, for everybody who waits.

Decides: who is woken by what. A notification names tenant, kind and number and nothing else (0003_feed.sql); whoever
wakes reads in his own name what there is. A bell that was deaf for a while rings everybody when it hears again, so a
lost notification costs time and nothing else. The connection is opened when somebody waits, and is asked for a sign of
life so that a half-open one is noticed. Times are seconds.
"""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from schema.store import DbRole

LOG = logging.getLogger("evenhand.streams")
CHANNEL = "feed_change"
CONNECT_SECONDS = 3
EVERYBODY = ("", "")
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Hearing:
    """How the bell keeps its ear open."""

    alive_seconds: float = 20  # between two signs of life
    answer_seconds: float = 5
    again_seconds: float = 1  # before it tries anew


class Bell:
    """`wait` until something of a kind changed, or until the time is up."""

    def __init__(self, url: str, hearing: Hearing | None = None) -> None:
        self._url = url
        self._hearing = hearing or Hearing()
        self._rung: Counter[Key] = Counter()
        self._waiting: dict[asyncio.Future[None], Key] = {}
        self._task: asyncio.Task[None] | None = None

    def rung(self, tenant: UUID, kind: str) -> int:
        """Ask this before reading, and give it to `wait` afterwards: what rang in between is not slept through."""
        self._listen()
        return self._rung[str(tenant), kind] + self._rung[EVERYBODY]

    async def wait(self, tenant: UUID, kind: str, rung: int, seconds: float) -> None:
        """Until this kind rings beyond `rung`, at most so long."""
        if self.rung(tenant, kind) != rung or seconds <= 0:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = (str(tenant), kind)
        try:
            await asyncio.wait((waiting,), timeout=seconds)
        finally:
            del self._waiting[waiting]
            waiting.cancel()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def _listen(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        while True:
            try:
                await self._hear_once()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as deaf:
                LOG.warning("changes are not heard: %s; they are read when somebody looks", type(deaf).__name__)
            await asyncio.sleep(self._hearing.again_seconds)

    async def _hear_once(self) -> None:
        """Listen until the connection ends."""
        settings = {"role": DbRole.APP.value, "application_name": "evenhand_bell"}
        connection = await asyncpg.connect(
            self._url, timeout=CONNECT_SECONDS, command_timeout=self._hearing.answer_seconds, server_settings=settings
        )
        try:
            cut = asyncio.Event()
            connection.add_termination_listener(lambda _: cut.set())
            await connection.add_listener(CHANNEL, self._notified)
            self._ring(EVERYBODY)
            while not cut.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(cut.wait(), self._hearing.alive_seconds)
                if not cut.is_set():
                    await connection.execute("select 1")
        finally:
            connection.terminate()

    def _notified(self, connection: Any, pid: int, channel: str, payload: str) -> None:
        tenant, _, rest = payload.partition(":")
        self._ring((tenant, rest.partition(":")[0]))

    def _ring(self, key: Key) -> None:
        self._rung[key] += 1
        for waiting, wanted in self._waiting.items():
            if key in (wanted, EVERYBODY) and not waiting.done():
                waiting.set_result(None)
