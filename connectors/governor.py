"""How hard we may press a tool: one governor for each account, whose threads and processes know of each other's limits.

Decides who goes first (records to read again, write-backs, polls, sweeps), when a refused request is sent again, how
fast we go on afterwards and when we leave a tool alone. A refusal closes what it names (a rule, an endpoint, a record,
or all) until `Retry-After` where the tool says so, else for 5, 10, 20 ... s; jitter only lengthens what was said. Then
each place rests after a request as long as half the rate needs, and a tenth more is allowed each minute. Sweeps take at
most 30 % of an hourly budget that is known. After 5 failures in a row nobody asks but one probe a minute. Reads are
repeated here, writes never. Seconds are monotonic; clock, sleep and dice are passed in, and so is the `Port` to other
processes, without which a governor works alone. Raises `SourceUnavailable`, as `NotNow` when nothing was sent.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from connectors.limits import ALL, Busy, Told
from connectors.source import SourceUnavailable
from connectors.standings import Books, Port, Standing, Tally

__all__ = ["ALL", "Busy", "Governor", "NotNow", "Port", "Purpose", "Standing", "Tally", "Told"]

IN_FLIGHT = 4  # a node of ServiceNow has few places for API requests
ATTEMPTS = 6
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 5.0, 300.0
LONGEST_REST_SECONDS = 60.0
SWEEP_SHARE = 0.3
FAILURES_TO_OPEN, PROBE_EVERY_SECONDS = 5, 60.0
ASK_OTHERS_EVERY_SECONDS, TELL_OTHERS_EVERY_SECONDS = 1.0, 5.0

T = TypeVar("T")


class Purpose(StrEnum):
    """What a request is for, the most urgent first. Callers may write it small."""

    REFETCH = "REFETCH"
    WRITE = "WRITE"
    POLL = "POLL"
    SWEEP = "SWEEP"


class NotNow(SourceUnavailable):
    """Nothing was sent: the tool wants to be left alone for longer than anybody waits here."""

    def __init__(self, what: str, wait_seconds: float) -> None:
        super().__init__(what)
        self.wait_seconds = wait_seconds


@dataclass(slots=True)
class Governor:
    """Shared by every thread that talks to one tool with one account."""

    in_flight: int = IN_FLIGHT
    attempts: int = ATTEMPTS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    dice: Callable[[], float] = random.random
    failures_to_open: int = FAILURES_TO_OPEN
    port: Port | None = None
    probe: Callable[[], object] | None = None  # the cheapest read; without it the next request is the probe
    requests: int = 0
    refusals: int = 0
    _books: Books = field(default_factory=Books)
    _rules: dict[str, set[str]] = field(default_factory=dict)  # the tool's rule -> scopes that it was seen to limit
    _asked_at: float = float("-inf")
    _told_at: float = float("-inf")
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _waiting: list[Purpose] = field(default_factory=list)
    _taken: int = 0

    def call(self, request: Callable[[], T], *, purpose: str = Purpose.POLL, scopes: Sequence[str] = ()) -> T:
        """The answer of `request`, which raises `Busy` to be sent again later. `scopes` name what may be limited."""
        last, why = None, Purpose(purpose.upper())
        for attempt in range(self.attempts):
            try:
                return self._sent(request, why, scopes)
            except Busy as busy:
                last = busy
                self._refused(busy, attempt, why, scopes)
            except NotNow as closed:
                if last is None:
                    raise
                raise SourceUnavailable(f"{last} Gave up after {attempt} attempts. {closed}") from last
        raise SourceUnavailable(f"{last} Gave up after {self.attempts} attempts.") from last

    def call_once(self, request: Callable[[], T], *, purpose: str = Purpose.WRITE, scopes: Sequence[str] = ()) -> T:
        """The answer of a write, sent at most once. `Busy` comes out: only its sender knows how to look for it."""
        why = Purpose(purpose.upper())
        try:
            return self._sent(request, why, scopes)
        except Busy as busy:
            self._refused(busy, 0, why, scopes)
            raise

    def hear(self, told: Told, scopes: Sequence[str] = ()) -> None:
        """What an answer that was no refusal says about limits."""
        now, scope = self.clock(), next(iter(scopes), ALL)
        with self._turn:
            if told.rule:
                self._rules.setdefault(told.rule, set()).add(scope)
            limit = self._books.limit(scope)
            if told.limit_per_hour and told.limit_per_hour != limit.limit_per_hour:
                limit.limit_per_hour, limit.dirty = told.limit_per_hour, True
            if told.wait_seconds:
                limit.close_until(now + told.wait_seconds)

    def flush(self) -> None:
        """Tell the other processes, and the book of calls, what they do not know yet."""
        self._tell_others(self.clock(), at_once=True)

    # ---- one request

    def _sent(self, request: Callable[[], T], purpose: Purpose, scopes: Sequence[str]) -> T:
        self._ask_others()
        self._await_opening(purpose, scopes)
        with self._place(purpose):
            began = self.clock()
            with self._turn:
                self.requests += 1
                self._books.tally(purpose).calls += 1
            answer = request()
            now = self.clock()
            with self._turn:
                every = self._books.limit(ALL)
                if every.failures:
                    every.failures, every.dirty = 0, True
                share = min(limit.share(now) for limit in self._books.of(scopes))
            self._rest(min((now - began) * (1 / share - 1), LONGEST_REST_SECONDS), purpose)
        self._tell_others(now)
        return answer

    def _await_opening(self, purpose: Purpose, scopes: Sequence[str]) -> None:
        """Return when the request may go out. Somebody may close it again while we wait: hence the loop."""
        turn_at = self._sweep_turn(scopes) if purpose is Purpose.SWEEP else 0.0
        while True:
            now = self.clock()
            with self._turn:
                wait = max(turn_at, *(limit.open_at for limit in self._books.of(scopes))) - now
                broken = self._books.limit(ALL).failures >= self.failures_to_open
                if broken and wait <= 0:
                    self._books.limit(ALL).close_until(now + PROBE_EVERY_SECONDS)  # whoever comes meanwhile is refused
            if wait > LONGEST_WAIT_SECONDS or (broken and wait > 0):
                why = "It failed several times in a row." if broken else "It has limited us."
                raise NotNow(f"The tool is left alone for another {wait:.0f} s. {why}", wait)
            if broken:
                self._probe(now)
                return
            if wait <= 0:
                return
            self._rest(wait, purpose)

    def _probe(self, now: float) -> None:
        """One cheap read decides for everybody. Without one, the request that comes is let through in its place."""
        self._tell_others(now, at_once=True)
        if self.probe is None:
            return
        try:
            self.probe()
        except (Busy, SourceUnavailable) as failed:
            raise NotNow(f"The tool does not answer yet: {failed}", PROBE_EVERY_SECONDS) from failed
        with self._turn:
            self._books.limit(ALL).heal()

    def _sweep_turn(self, scopes: Sequence[str]) -> float:
        """Sweeps are spaced evenly, so that no hour, wherever it begins, holds more than their share."""
        with self._turn:
            known = [limit.limit_per_hour for limit in self._books.of(scopes) if limit.limit_per_hour]
            if not known:
                return 0.0
            pace = self._books.limit(f"sweep {next(iter(scopes), ALL)}".strip())
            turn_at = max(self.clock(), pace.open_at)
            pace.close_until(turn_at + 3600 / (SWEEP_SHARE * min(known)))
            return turn_at

    def _refused(self, busy: Busy, attempt: int, purpose: Purpose, scopes: Sequence[str]) -> None:
        now = self.clock()
        told = busy.retry_after_seconds
        backoff = min(FIRST_WAIT_SECONDS * 2**attempt * (0.5 + self.dice()), LONGEST_WAIT_SECONDS)
        wait = backoff if told is None else told * (1 + 0.1 * self.dice())
        with self._turn:
            self.refusals += 1
            tally = self._books.tally(purpose)
            tally.limited += busy.limited
            tally.failed += not busy.limited
            for scope in self._closed_by(busy, scopes):
                limit = self._books.limit(scope)
                if busy.limited:
                    limit.halve(now)
                limit.limit_per_hour = busy.limit_per_hour or limit.limit_per_hour
                limit.close_until(now + wait)
            if not busy.limited:
                every = self._books.limit(ALL)
                every.failures += 1
                if every.failures >= self.failures_to_open:
                    every.close_until(now + PROBE_EVERY_SECONDS)
        self._tell_others(now, at_once=True)

    def _closed_by(self, busy: Busy, scopes: Sequence[str]) -> Sequence[str]:
        if busy.rule:
            self._rules.setdefault(busy.rule, set()).add(next(iter(scopes), ALL))
            return sorted(self._rules[busy.rule])
        return [busy.scope if busy.scope in scopes else ALL]

    def _rest(self, seconds: float, purpose: Purpose) -> None:
        if seconds > 0:
            self.sleep(seconds)
            with self._turn:
                self._books.tally(purpose).waited_seconds += seconds

    # ---- places

    @contextmanager
    def _place(self, purpose: Purpose) -> Iterator[None]:
        """One of the few places, for the most urgent that wait first."""
        with self._turn:
            self._waiting.append(purpose)
            self._turn.wait_for(lambda: self._taken < self.in_flight and not self._more_urgent(purpose))
            self._waiting.remove(purpose)
            self._taken += 1
        try:
            yield
        finally:
            with self._turn:
                self._taken -= 1
                self._turn.notify_all()

    def _more_urgent(self, purpose: Purpose) -> bool:
        order = list(Purpose)
        return any(order.index(other) < order.index(purpose) for other in self._waiting)

    # ---- other processes

    def _ask_others(self) -> None:
        now = self.clock()
        with self._turn:
            due = self.port is not None and now - self._asked_at >= ASK_OTHERS_EVERY_SECONDS
            if due:
                self._asked_at = now
        if self.port is None or not due:
            return
        standings = self.port.read()
        with self._turn:
            for standing in standings:
                self._books.learn(standing, self.clock())

    def _tell_others(self, now: float, at_once: bool = False) -> None:
        with self._turn:
            due = self.port is not None and (at_once or now - self._told_at >= TELL_OTHERS_EVERY_SECONDS)
            if not due:
                return
            self._told_at = now
            standings, tallies = self._books.news(now), self._books.take_tallies()
        if self.port is not None and (standings or tallies) and not self.port.tell(standings, tallies):
            with self._turn:
                self._books.give_back(standings, tallies)
