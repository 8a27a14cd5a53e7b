"""What a governor remembers of each limit, and how it shares that: seconds from now, so that clocks need not agree.

Decides how a limit heals: closed until a moment, then half the rate, then a tenth of the full rate more each minute.
Pure but for its own fields; the lock is the governor's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from connectors.limits import ALL

FULL, LEAST, GROWTH_A_MINUTE = 1000, 60, 100  # permille of the full rate


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit as it is told between processes."""

    scope: str
    opens_in_seconds: float
    rate_permille: int
    failures: int
    limit_per_hour: int | None


@dataclass(slots=True)
class Tally:
    """Requests for one purpose since the last telling."""

    purpose: str
    calls: int = 0
    limited: int = 0
    failed: int = 0
    waited_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Port:
    """How a governor speaks with those of other processes. Both work in any thread and never raise.

    `tell` answers whether it was written down.
    """

    read: Callable[[], Sequence[Standing]]
    tell: Callable[[Sequence[Standing], Sequence[Tally]], bool]


@dataclass(slots=True)
class Limit:
    """One scope: closed until `open_at`; `permille` of the full rate was allowed then."""

    open_at: float = 0.0
    permille: int = FULL
    failures: int = 0
    limit_per_hour: int | None = None
    dirty: bool = False

    def allowed(self, now: float) -> int:
        return min(FULL, self.permille + int(GROWTH_A_MINUTE * max(0.0, now - self.open_at) / 60))

    def share(self, now: float) -> float:
        return self.allowed(now) / FULL

    def halve(self, now: float) -> None:
        self.permille, self.dirty = max(LEAST, self.allowed(now) // 2), True

    def close_until(self, moment: float) -> None:
        if moment > self.open_at:
            self.open_at, self.dirty = moment, True

    def heal(self) -> None:
        self.failures, self.open_at, self.dirty = 0, 0.0, True


@dataclass(slots=True)
class Books:
    """All limits of an account, and what was asked."""

    limits: dict[str, Limit] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)

    def limit(self, scope: str) -> Limit:
        return self.limits.setdefault(scope, Limit())

    def of(self, scopes: Iterable[str]) -> list[Limit]:
        """The limits that a request of these scopes obeys, without making any."""
        return [self.limit(ALL), *(self.limits[scope] for scope in scopes if scope in self.limits)]

    def tally(self, purpose: str) -> Tally:
        return self.tallies.setdefault(purpose, Tally(purpose))

    def learn(self, standing: Standing, now: float) -> None:
        """What another process was told holds for us. What we know and have not told yet is newer."""
        limit = self.limit(standing.scope)
        limit.limit_per_hour = standing.limit_per_hour or limit.limit_per_hour
        if not limit.dirty:
            limit.open_at = now + standing.opens_in_seconds
            limit.permille, limit.failures = standing.rate_permille, standing.failures

    def news(self, now: float) -> list[Standing]:
        found = [
            Standing(scope, limit.open_at - now, limit.permille, limit.failures, limit.limit_per_hour)
            for scope, limit in self.limits.items()
            if limit.dirty
        ]
        for standing in found:
            self.limits[standing.scope].dirty = False
        return found

    def take_tallies(self) -> list[Tally]:
        taken, self.tallies = list(self.tallies.values()), {}
        return taken

    def give_back(self, standings: Iterable[Standing], tallies: Iterable[Tally]) -> None:
        """They could not be told: they are news again."""
        for standing in standings:
            self.limit(standing.scope).dirty = True
        for back in tallies:
            tally = self.tally(back.purpose)
            tally.calls, tally.limited = tally.calls + back.calls, tally.limited + back.limited
            tally.failed += back.failed
            tally.waited_seconds += back.waited_seconds
