"""Whose turn it is: how many operations work at a time, for one person and in the whole process.

Decides: 8 operations of a person at a time. Beyond what the pool of connections carries, operations wait in the order
in which they came, as long as others come to their end. Where none does for 2.5 s, which is longer than a statement may
take, the pool stands still. At most 400 wait.
Refuses: a ninth operation of a person (THROTTLED); whoever waits for a pool that stands still, or behind too many
(DATABASE_UNAVAILABLE).
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.refusal import Code, Refused

EACH_MAX = 8
WAITING_MAX = 400
STILL_SECONDS = 2.5


class Turns:
    """Of one process. `together` is what the pool of connections carries."""

    def __init__(self, together: int) -> None:
        self._free = together
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._moved_at = 0.0
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
            await self._take()
            try:
                yield
            finally:
                self._give()
        finally:
            self._working[who] -= 1
            if not self._working[who]:
                del self._working[who]

    async def _take(self) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        if len(self._waiting) >= WAITING_MAX:
            raise _busy()
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await self._wait(place)
        except BaseException:
            if place.done() and not place.cancelled():
                self._give()  # it came in the moment in which we went
            else:
                place.cancel()
                self._waiting.remove(place)
            raise

    async def _wait(self, place: asyncio.Future[None]) -> None:
        now = asyncio.get_running_loop().time
        since = now()
        while not place.done():
            left = max(since, self._moved_at) + STILL_SECONDS - now()
            if left <= 0:
                raise _busy()
            await asyncio.wait((place,), timeout=left)

    def _give(self) -> None:
        """To whoever waits longest, or back."""
        self._moved_at = asyncio.get_running_loop().time()
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._free += 1


def _busy() -> Refused:
    return Refused(Code.DATABASE_UNAVAILABLE, "Too many are reading.", "Try again in a second.")
