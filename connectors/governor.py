"""How hard we may press a tool: never more than a few requests at once, and no request before the tool wants one.

Decides when a request that failed for now is sent again: after `Retry-After` where the tool names it, else after 5, 10,
20 … seconds, both with jitter; and when to give up (`SourceUnavailable`). One governor a connection, shared by all its
threads: when one is told to wait, all wait. Reads are repeated here, writes never. The clock, the sleep and the dice
are passed in. Seconds are monotonic.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from connectors.source import SourceUnavailable

IN_FLIGHT = 4  # a node of ServiceNow has few places for API requests
ATTEMPTS = 6
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 5.0, 300.0

T = TypeVar("T")


class Busy(Exception):
    """The tool cannot answer now. `retry_after_seconds` when it said for how long."""

    def __init__(self, what: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_seconds = retry_after_seconds


@dataclass(slots=True)
class Governor:
    """Shared by every thread that talks to one tool with one account."""

    in_flight: int = IN_FLIGHT
    attempts: int = ATTEMPTS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    dice: Callable[[], float] = random.random
    requests: int = 0
    refusals: int = 0
    _open_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = threading.BoundedSemaphore(self.in_flight)

    def call(self, request: Callable[[], T]) -> T:
        """The answer of `request`, which raises `Busy` to be sent again later."""
        for attempt in range(self.attempts):
            self._await_opening()
            try:
                with self._places:
                    return self._counted(request)
            except Busy as busy:
                if attempt + 1 == self.attempts:
                    raise SourceUnavailable(f"{busy} Gave up after {self.attempts} attempts.") from busy
                self._close_for(busy.retry_after_seconds, attempt)
        raise SourceUnavailable("The governor allows no attempt.")

    def call_once(self, request: Callable[[], T]) -> T:
        """The answer of a write, sent at most once. `Busy` comes out: only its sender knows how to look for it."""
        self._await_opening()
        try:
            with self._places:
                return self._counted(request)
        except Busy as busy:
            self._close_for(busy.retry_after_seconds, 0)
            raise

    def _counted(self, request: Callable[[], T]) -> T:
        with self._lock:
            self.requests += 1
        return request()

    def _await_opening(self) -> None:
        while (wait := self._open_at - self.clock()) > 0:
            self.sleep(wait)

    def _close_for(self, told_seconds: float | None, attempt: int) -> None:
        """Nobody asks before then. Jitter only lengthens what the tool has named."""
        backoff = FIRST_WAIT_SECONDS * 2**attempt * (0.5 + self.dice())
        wait = told_seconds * (1 + 0.1 * self.dice()) if told_seconds is not None else backoff
        with self._lock:
            self.refusals += 1
            self._open_at = max(self._open_at, self.clock() + min(wait, LONGEST_WAIT_SECONDS))
