"""Whose turn it is: how many operations work at a time, for one person and in the whole process.

Decides: 8 operations of a person at a time; nobody waits for more than those. Beyond what the pool of connections
carries, operations wait in the order in which they came, each for at most 1 s.
Refuses: a ninth operation of a person (THROTTLED), and whoever waited in vain (DATABASE_UNAVAILABLE).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.refusal import Code, Refused

EACH_MAX = 8
WAIT_SECONDS = 1


class Turns:
    """Of one process. `together` is what the pool of connections carries."""

    def __init__(self, together: int) -> None:
        self._free = asyncio.Semaphore(together)
        self._working: Counter[str] = Counter()

    @asynccontextmanager
    async def taken(self, who: str) -> AsyncIterator[None]:
        """The turn of one operation of this person."""
        if self._working[who] >= EACH_MAX:
            raise Refused(
                Code.THROTTLED, f"{EACH_MAX} operations of yours are being worked on.", "Wait for one of them."
            )
        self._working[who] += 1
        try:
            await self._wait()
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._working[who] -= 1
            if not self._working[who]:
                del self._working[who]

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise Refused(Code.DATABASE_UNAVAILABLE, "Too many are reading.", "Try again in a second.") from None
