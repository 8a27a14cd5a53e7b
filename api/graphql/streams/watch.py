"""Watching on behalf of one person: who he is again and again, and which changes he may see.

Decides: at every event and at least once a minute the token is verified anew, the person must still be somebody who is
here, and must still hold every role that he held when he began; else the stream ends (`Barred`). Changes are read from
feed.change under his row security, together with the row that changed: what he cannot read did not happen. They are
read a hundred at a time, in the order of their numbers, and nothing between two places is left out. The clock is the
house's, times are seconds. Refused: a cursor of another list, or of a time that this database does not know.
"""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Table, and_, func, select, text, tuple_
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api import identity
from api.graphql.reading import Reading
from api.graphql.streams.bell import Bell
from api.house import House
from engine.feed_words import ChangeKind
from engine.refusal import Code, Refused
from schema.store import Viewer
from schema.tables.changes import Change

QUEUE_MAX = 100
CHANGE: Any = Change.__table__  # type: ignore[attr-defined]
LAST = UUID(int=2**128 - 1)
NUMBER_MAX = 2**63 - 1
# Whoever has left holds none, but he is not known any more either: that is asked first.
HELD = text(
    """select role from access.role_grant where person_id = (select app.person())
          and valid_from <= now() and (valid_to is null or now() < valid_to)"""
)
AWAY = (OperationalError, InterfaceError, PoolTimeout, ConnectionError)
Place = tuple[int, UUID]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long, in seconds; and how many."""

    check: float = 60  # between two looks at who somebody is
    again: float = 1  # before a database that is away is asked anew
    init: float = 10  # for the first message of a WebSocket
    ping: float = 25
    comment: float = 15
    patience: float = 10  # for one message to be taken
    limit: float = 60  # after which a reader that takes nothing is cut off
    subscriptions_max: int = 20  # of one WebSocket
    streams_max: int = 20  # of one person in this process


class Barred(Exception):
    """The stream ends: he is not, or no longer, who may read it."""

    def __init__(self, no: Refused) -> None:
        super().__init__(no.what)
        self.no = no


def away(error: BaseException) -> bool:
    """Whether the database is away, and not something wrong with what we asked."""
    return isinstance(error, AWAY) or (isinstance(error, DBAPIError) and error.connection_invalidated)


@dataclass(slots=True)
class Watch:
    """One person's watching over one connection."""

    house: House
    bell: Bell
    pace: Pace
    turns: asyncio.Semaphore  # how many watchers read at a time
    token: str
    trust: identity.Trust
    request_id: str
    viewer: Viewer = field(init=False)
    _expires: float = field(init=False)
    _held: frozenset[str] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        claims = self._claims()
        self.viewer = identity.subject(claims, self.request_id)
        self._expires = float(claims.more["exp"]) + identity.LEEWAY_SECONDS

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """A snapshot of his, after it was seen that he still may."""
        async with self.turns, Reading(self.house.store, self.viewer) as reading:
            await self._check(reading)
            yield reading

    async def changes(
        self, kind: ChangeKind, table: Table, narrow: Sequence[ColumnElement[bool]], after: str | None
    ) -> AsyncGenerator[RowMapping, None]:
        """Changes behind `after`, or from now on, for as long as he watches."""
        place = decoded(kind, after) if after is not None else None
        while True:
            rung = self.bell.rung(self.viewer.tenant_id, kind)
            try:
                async with self.reading() as reading:
                    newest = await _newest(reading, kind)
                    if place is None:
                        place = (newest, LAST)
                    elif place[0] > newest:
                        raise _unknown()
                    found = await reading.rows(_beyond(kind, place, table, narrow))
            except Exception as error:
                if not away(error):
                    raise
                await asyncio.sleep(self.pace.again)
                continue
            for row in found:
                yield row
                place = (row["number"], row["row_id"])
            if len(found) < QUEUE_MAX:
                place = max(place, (newest, LAST))
                await self.wait(kind, rung)

    async def wait(self, kind: str, rung: int) -> None:
        """Until something of the kind happens, or until it is time to look who he is."""
        left = self._expires - self.house.clock().timestamp()
        await self.bell.wait(self.viewer.tenant_id, kind, rung, min(self.pace.check, max(left, 0.01)))

    async def _check(self, reading: Reading) -> None:
        try:
            self._claims()
            await reading.require_known()
        except Refused as no:
            raise Barred(no) from None
        held = frozenset(row["role"] for row in await reading.rows(HELD))
        if self._held is None:
            self._held = held
        elif self._held - held:
            raise Barred(Refused(Code.ACCESS_DENIED, "A role that you held has ended.", "Connect anew."))

    def _claims(self) -> identity.Claims:
        return identity.verify(self.token, self.trust, self.house.clock())


async def _newest(reading: Reading, kind: ChangeKind) -> int:
    newest = select(func.app.newest_change(kind.value).label("number"))
    return int((await reading.rows(newest))[0]["number"])


def _beyond(kind: ChangeKind, place: Place, table: Table, narrow: Sequence[ColumnElement[bool]]) -> Any:
    here = tuple_(CHANGE.c.number, CHANGE.c.row_id)
    joined = CHANGE.join(table, and_(table.c.tenant_id == CHANGE.c.tenant_id, table.c.id == CHANGE.c.row_id))
    return (
        select(CHANGE.c.number, CHANGE.c.row_id, CHANGE.c.reason, CHANGE.c.at)
        .select_from(joined)
        .where(CHANGE.c.kind == kind.value, here > tuple_(*place), *narrow)
        .order_by(CHANGE.c.number, CHANGE.c.row_id)
        .limit(QUEUE_MAX)
    )


def encoded(kind: ChangeKind, row: RowMapping) -> str:
    """The cursor of a change: the same for everybody who sees it."""
    raw = json.dumps([kind.value, row["number"], str(row["row_id"])], separators=(",", ":"))
    return urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()


def decoded(kind: ChangeKind, cursor: str) -> Place:
    try:
        of, number, row_id = json.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
        if of != kind.value or type(number) is not int or not 0 <= number <= NUMBER_MAX:
            raise ValueError
        return number, UUID(row_id)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _unknown() from None


def _unknown() -> Refused:
    return Refused(
        Code.INVALID_CURSOR,
        "The cursor does not belong to this subscription.",
        "Subscribe without `after`, then read the list anew.",
        ("after",),
    )
