"""The durable door: a delivery is in the inbox, committed, before its sender hears yes.

Natural batching: what arrives while one transaction commits is written together by the next, in one statement and one
round trip; nobody waits for company. Two deliveries of one id never share a batch, so each is judged against what is
already stored: `new`, `duplicate` (same body: counted only) or `conflict` (other body: stored beside the first).
When a row makes its batch fail, the batch is halved until the row stands alone; its neighbours are stored.
Works as the database role evenhand_intake, which can read nothing of what it has written.
Refuses (`NotStored`): more than the queue holds, a database that is away, a row that the database will not have.
When a commit's answer is lost the row may stand all the same; the sender's next try is then a duplicate.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from engine.words import Source
from schema.identity import DEFAULT_TENANT
from schema.store import DbRole, async_url
from webhooks.reasons import Reason

LOG = logging.getLogger("evenhand.webhooks")

CONNECT_SECONDS = 3
ANSWER_SECONDS = 5  # above the server's own limits: reached only when the connection is half open
SETTINGS = {
    "role": DbRole.INTAKE.value,
    "application_name": DbRole.INTAKE.value,
    "timezone": "UTC",
    "synchronous_commit": "on",  # whatever the server's default: yes means durable
    "statement_timeout": "2s",
    "lock_timeout": "1s",
    "plan_cache_mode": "force_generic_plan",
}

# The rows come sorted by key, so that two processes never wait for each other. A key whose counters are both zero is
# fresh; only of the others is anything said. A conflict number stops at the end of its type instead of failing; the
# rows behind it are all kept.
STORE = """
with arrived as materialized (
  select no, source, delivery_id, body, sha256(body) as body_sha256, headers, received_at
    from unnest($2::text[], $3::text[], $4::bytea[], $5::text[], $6::timestamptz[])
         with ordinality as a (source, delivery_id, body, headers, received_at, no)
), keyed as (
  insert into inbox.delivery_key as k (tenant_id, source, delivery_id, body_sha256, conflicts, duplicates)
  select $1::uuid, source, delivery_id, body_sha256, 0, 0 from arrived
  on conflict (tenant_id, source, delivery_id) do update
    set conflicts = least(k.conflicts + (k.body_sha256 <> excluded.body_sha256)::int, 32767),
        duplicates = k.duplicates + (k.body_sha256 = excluded.body_sha256)::int
  returning source, delivery_id, body_sha256, conflicts, conflicts + duplicates = 0 as fresh
), stored as (
  insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256, headers,
                              received_at, state, attempts)
  select $1::uuid, a.source, '', 'WEBHOOK', a.delivery_id, k.conflicts, a.body, a.body_sha256, a.headers::jsonb,
         a.received_at, 'READY', 0
    from arrived a join keyed k using (source, delivery_id) where k.fresh or k.body_sha256 <> a.body_sha256
)
select a.no, k.body_sha256 = a.body_sha256 from arrived a join keyed k using (source, delivery_id) where not k.fresh
"""

# Faults that one row can cause. Any other error means that the database cannot be worked with now.
ROW_FAULTS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.TransactionRollbackError,
    ValueError,  # what the driver itself cannot write
)


class Outcome(StrEnum):
    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


class NotStored(Exception):
    """The delivery is not (known to be) in the inbox. The sender must not hear yes."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Arrival:
    """One verified request. `headers` are those worth keeping, never a signature."""

    source: Source
    delivery_id: str
    body: bytes
    headers: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """What may wait in memory, and what one transaction may carry."""

    waiting_rows: int = 2_000
    waiting_bytes: int = 64 << 20
    batch_rows: int = 500
    batch_bytes: int = 8 << 20


Word = Outcome | Reason  # what a sender is told in the end: what became of his delivery, or why it was turned away
Tell = Callable[[Word], None]


@dataclass(slots=True)
class Place:
    """A place in the queue: the row, and how its sender hears of it, once."""

    arrival: Arrival
    tell: Tell
    told: bool = False


class Intake:
    """One queue and one connection. `counts` tells what came and what was turned away since the start."""

    def __init__(self, url: str, tenant_id: UUID = DEFAULT_TENANT, limits: Limits = Limits()) -> None:
        self._url = "postgresql" + async_url(url).removeprefix("postgresql+asyncpg")
        self._tenant_id = tenant_id
        self._limits = limits
        self._waiting: deque[Place] = deque()
        self._waiting_rows = 0  # with those in flight
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._connection: Any = None
        self._statement: Any = None
        self.counts: Counter[str] = Counter()

    async def store(self, arrival: Arrival) -> Outcome:
        """Answers once the row is committed; raises NotStored otherwise."""
        told: asyncio.Future[Word] = asyncio.get_running_loop().create_future()
        self.offer(arrival, lambda word: None if told.done() else told.set_result(word))  # the request may be cancelled
        word = await told
        if isinstance(word, Reason):
            raise NotStored(word)
        return word

    def offer(self, arrival: Arrival, tell: Tell) -> None:
        """As `store`, for callers that have no task to wait in. `tell` is called once and must not raise."""
        size_bytes = len(arrival.body)
        full = self._waiting_rows >= self._limits.waiting_rows
        if full or self._waiting_bytes + size_bytes > self._limits.waiting_bytes:
            tell(Reason.INTAKE_FULL)
            return
        self._waiting.append(Place(arrival, tell))
        self._waiting_rows += 1
        self._waiting_bytes += size_bytes
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain())

    def _tell(self, place: Place, word: Word) -> None:
        if place.told:
            return
        place.told = True
        self._waiting_rows -= 1
        self._waiting_bytes -= len(place.arrival.body)
        place.tell(word)

    def _tell_all(self, places: Iterable[Place], word: Word) -> None:
        for place in places:
            self._tell(place, word)

    async def close(self) -> None:
        """Let what waits be written, then hang up."""
        if self._writer is not None:
            await self._writer
        await self._hang_up()

    async def _drain(self) -> None:
        batch: list[Place] = []
        try:
            while self._waiting:
                batch = self._gather()
                await self._write(batch)
        finally:  # also when we are cancelled: nobody is left without an answer
            self._writer = None
            self._give_up(batch)

    def _gather(self) -> list[Place]:
        """The longest run from the head of the queue within the limits, in which no id comes twice."""
        batch: list[Place] = []
        keys = set()
        size_bytes = 0
        while self._waiting and len(batch) < self._limits.batch_rows:
            arrival = self._waiting[0].arrival
            key = (arrival.source, arrival.delivery_id)
            size_bytes += len(arrival.body)
            if key in keys or (batch and size_bytes > self._limits.batch_bytes):
                break
            keys.add(key)
            batch.append(self._waiting.popleft())
        return batch

    async def _write(self, batch: Sequence[Place]) -> None:
        try:
            outcomes = await self._commit([place.arrival for place in batch])
        except ROW_FAULTS as error:
            if len(batch) == 1:
                LOG.error("the database refuses a delivery of %s (%s)", batch[0].arrival.source, type(error).__name__)
                self._tell(batch[0], Reason.ROW_REFUSED)
            else:
                await self._write(batch[: len(batch) // 2])
                await self._write(batch[len(batch) // 2 :])
        except Exception as error:
            LOG.error("the inbox cannot be written (%s): %d deliveries refused", type(error).__name__, len(batch))
            await self._hang_up()
            self._give_up(batch)  # those behind would only wait for the same failure
        else:
            for place, outcome in zip(batch, outcomes, strict=True):
                self._tell(place, outcome)

    def _give_up(self, batch: Sequence[Place]) -> None:
        behind = [*self._waiting]
        self._waiting.clear()
        self._tell_all((*batch, *behind), Reason.DATABASE_AWAY)

    async def _commit(self, rows: Sequence[Arrival]) -> list[Outcome]:
        """One statement, hence one transaction: when it returns, the rows are on disk."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS,
                command_timeout=ANSWER_SECONDS,
                server_settings={**SETTINGS, "app.tenant_id": str(self._tenant_id)},
            )
            self._statement = await self._connection.prepare(STORE)
        order = sorted(range(len(rows)), key=lambda no: (rows[no].source, rows[no].delivery_id))
        ordered = [rows[no] for no in order]
        known = await self._statement.fetch(
            self._tenant_id,
            [row.source.value for row in ordered],
            [row.delivery_id for row in ordered],
            [row.body for row in ordered],
            [orjson.dumps(row.headers).decode() for row in ordered],
            [row.received_at for row in ordered],
        )
        outcomes = [Outcome.NEW] * len(rows)
        for no, same in known:
            outcomes[order[no - 1]] = Outcome.DUPLICATE if same else Outcome.CONFLICT
        return outcomes

    async def _hang_up(self) -> None:
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            connection.terminate()
