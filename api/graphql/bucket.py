"""How much one person may ask: a leaky bucket of points for each (tenant, person), shared by all processes.

Decides: 50,000 points and 500 back in a second, or what the settings say for this account. The bucket stands in the
database (access.bucket) and runs by its clock. A process takes a lease in one short transaction of its own, and pays
what is asked from it: a hundredth of a bucket, so that cheap requests write nothing, or enough for four more of a dear
one, up to a twentieth. Points are taken before the work and not given back, whatever becomes of it. A lease lives in
memory: with a process that ends it is lost, and what a person may take beyond his bucket is at most one lease for each
process. Points are those of price.py.
Refuses: an operation that the bucket does not hold (THROTTLED), with the seconds after which it will.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from sqlalchemy import text

from api.settings import Budget, Settings
from engine.refusal import Code, Refused
from schema.store import DbRole, Store, Viewer

LEASES, LEASES_OF_DEAR = 100, 20  # in a bucket
AHEAD = 4  # operations like this one
PURSES_MAX = 10_000
TAKE = text("select taken, available from app.take_points(:wanted, :needed, :size, :restore)")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a caller has, as far as this process knows. Points; the rate is points a second."""

    maximum_available: int
    currently_available: int
    restore_rate: int

    def cost(self, requested: int) -> dict[str, int]:
        """What every answer says of its price."""
        return {
            "requested": requested,
            "maximumAvailable": self.maximum_available,
            "currentlyAvailable": self.currently_available,
            "restoreRate": self.restore_rate,
        }


class Throttled(Refused):
    """Not now; `after_seconds` from now the bucket will hold it."""

    def __init__(self, what: str, after_seconds: int) -> None:
        super().__init__(Code.THROTTLED, what, f"Ask again in {after_seconds} s, or for less.")
        self.after_seconds = after_seconds


class Free:
    """A purse that is always full: for who is not charged."""

    async def pay(self, points: int) -> Standing:
        return self.standing()

    def standing(self) -> Standing:
        budget = Budget()
        return Standing(budget.points, budget.points, budget.per_second)


class Purse:
    """What one person has in this process: the rest of a lease, and what the bucket held when it was last asked."""

    def __init__(self, store: Store, viewer: Viewer, budget: Budget) -> None:
        self._store = store
        self._viewer = Viewer(viewer.person_id, viewer.tenant_id)
        self._budget = budget
        self._lease = 0
        self._seen: tuple[int, float] | None = None  # available then, and when by our own clock
        self._taking = asyncio.Lock()

    async def pay(self, points: int) -> Standing:
        """Take the points, or refuse; what is left."""
        if self._seen is None or self._lease < points:
            async with self._taking:
                if self._seen is None or self._lease < points:  # somebody may have taken while we waited
                    await self._take(points)
                else:
                    self._lease -= points
        else:
            self._lease -= points
        return self.standing()

    def standing(self) -> Standing:
        """Points that come back are counted by our own clock between two looks at the bucket."""
        budget = self._budget
        available, then = self._seen or (budget.points, 0.0)
        back = int((time.monotonic() - then) * budget.per_second)
        return Standing(budget.points, min(budget.points, self._lease + available + back), budget.per_second)

    async def _take(self, points: int) -> None:
        """Pay from the bucket what the lease does not hold, and take a new lease beside it where there is one."""
        self._hold(points, self.standing().currently_available)  # whoever is throttled does not ask the database
        budget, lease, self._lease = self._budget, self._lease, 0  # nobody else pays from it while we wait
        needed = max(0, points - lease)
        ahead = max(budget.points // LEASES, min(AHEAD * points, budget.points // LEASES_OF_DEAR))
        asked = {"needed": needed, "wanted": needed + ahead}
        asked |= {"size": budget.points, "restore": budget.per_second}
        taken = 0
        try:
            async with self._store.begin(DbRole.APP, self._viewer) as connection:
                taken, available = (await connection.execute(TAKE, asked)).one()
            self._seen = available, time.monotonic()
            self._hold(points, lease + taken + (available if taken < needed else 0))
            taken -= points
        finally:
            self._lease += lease + taken

    def _hold(self, points: int, held: int) -> None:
        """Refuse unless so many points are there."""
        if points > held:
            after = ceil((points - held) / self._budget.per_second)
            raise Throttled(f"The operation costs {points} points; {held} are left.", after)


class Buckets:
    """The purses of this process; who has not asked for longest is forgotten first."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._budget = settings.budget
        self._own = dict(settings.own_budgets)
        self._purses: OrderedDict[tuple[UUID, UUID | None], Purse] = OrderedDict()

    def purse(self, viewer: Viewer) -> Purse:
        who = (viewer.tenant_id, viewer.person_id)
        found = self._purses.get(who)
        if found is None:
            budget = self._own.get(viewer.person_id, self._budget) if viewer.person_id else self._budget
            found = self._purses[who] = Purse(self._store, viewer, budget)
            if len(self._purses) > PURSES_MAX:
                self._purses.popitem(last=False)
        self._purses.move_to_end(who)
        return found
