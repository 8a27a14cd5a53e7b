"""Webhooks: what the imitated tools send to Evenhand, signed as they sign.

Decides body, signature, order, repetition and patience. ServiceNow's business rule signs by Standard Webhooks over
`id.timestamp.body` (secret `whsec_<base64>`); the body is {event_id, table, op, record}, and the same event always has
the same id. A refusal (429, 503) or a lost connection is tried again a bounded number of times; every other answer ends
the delivery. Events happen to the imitated tool before they are sent, so that whoever reads back finds them.
"""

import asyncio
import base64
import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

import orjson

from connectors.sandbox.company_book import LiveEvent
from connectors.sandbox.servicenow_records import Records
from connectors.sandbox.wire import Line
from engine.refusal import Code, Refused

TRIES, PATIENCE_SECONDS, LONGEST_WAIT_SECONDS = 8, 30.0, 5.0
TRY_AGAIN = frozenset({429, 503})
Parcel = tuple[Mapping[str, str], bytes]  # headers, body
Seal = Callable[[int], Parcel]  # signs one event at a time in UNIX seconds


@dataclass(slots=True)
class Outbox:
    """Where the parcels of one tool come from. `live` lets its events happen; `log` repeats what has happened."""

    live: Callable[[], Iterator[Seal]]
    log: Callable[[], Iterator[Seal]] | None = None


@dataclass(slots=True)
class Progress:
    planned: int = 0
    sent: int = 0  # attempts that reached an answer or gave up, one per parcel
    accepted: int = 0
    refused: int = 0
    retries: int = 0
    seconds: float = 0.0
    answers: dict[str, int] = field(default_factory=dict)  # status, or "lost"

    @property
    def counts(self) -> dict[str, int]:
        return {"sent": self.sent, "accepted": self.accepted, "refused": self.refused}


def secret_bytes(secret: str) -> bytes:
    """The key in `whsec_<base64>`; refuses what is not one."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        what = "The webhook secret of the sandbox is not whsec_<base64>."
        raise Refused(Code.BAD_INPUT, what, "Give a secret in the form of Standard Webhooks.") from None


def seal_servicenow(event: LiveEvent, key: bytes) -> Seal:
    """As the business rule in the customer's instance signs."""
    content = {"event_id": event.event_id, "table": event.table, "op": event.op, "record": event.record}
    # copied, because what orjson returns keeps 8 KB each and a whole log of them is held at once
    event_id, body = event.event_id, bytes(memoryview(orjson.dumps(content)))

    def seal(now: int) -> Parcel:
        mac = hmac.digest(key, f"{event_id}.{now}.".encode() + body, sha256)
        headers = {
            "content-type": "application/json", "webhook-id": event_id, "webhook-timestamp": str(now),
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }  # fmt: skip
        return headers, body

    return seal


def servicenow_outbox(
    records: Records, live: list[LiveEvent], key: bytes, log: Callable[[], Iterator[LiveEvent]] | None = None
) -> Outbox:
    def happen() -> Iterator[Seal]:
        for event in live:
            records.apply(event)
            yield seal_servicenow(event, key)

    def replay() -> Iterator[Seal]:
        return (seal_servicenow(event, key) for event in (log() if log else ()))

    return Outbox(happen, replay if log else None)


def wall_seconds() -> int:
    """The moment of sending, which receivers compare with their own clock."""
    return int(time.time())


def settled(parcel: Parcel) -> Seal:
    """A parcel whose signature does not depend on the time, as Jira's."""
    return lambda _now: parcel


def arrange(seals: list[Seal], shuffle_seed: int | None, duplicate_share: float) -> list[Seal]:
    """The order in which the parcels go out, some of them twice. Without a seed order is kept, copies come last."""
    rng = Random(shuffle_seed or 0)
    copies = rng.sample(seals, round(len(seals) * min(max(duplicate_share, 0.0), 1.0)))
    arranged = seals + copies
    if shuffle_seed is not None:
        rng.shuffle(arranged)
    return arranged


async def push(seals: list[Seal], url: str, concurrency: int, progress: Progress) -> None:
    """Send every parcel over `concurrency` connections, each one parcel at a time."""
    waiting = iter(seals)
    progress.planned += len(seals)
    started = time.monotonic()

    async def carry() -> None:
        line = Line(url)
        try:
            for seal in waiting:
                status = await _deliver(line, url, seal, progress)
                progress.sent += 1
                progress.answers[status] = progress.answers.get(status, 0) + 1
                progress.accepted += status.startswith("2")
                progress.refused += not status.startswith("2")
        finally:
            line.close()

    await asyncio.gather(*(carry() for _ in range(min(max(concurrency, 1), max(len(seals), 1)))))
    progress.seconds += time.monotonic() - started


async def _deliver(line: Line, url: str, seal: Seal, progress: Progress) -> str:
    """The last answer to one parcel, after as many tries as it may have."""
    status = "lost"
    for attempt in range(TRIES):
        wait = min(0.05 * 2**attempt, LONGEST_WAIT_SECONDS)
        headers, body = seal(wall_seconds())
        try:
            code, retry_after = await line.post(url, headers, body, PATIENCE_SECONDS)
            status = str(code)
            if code not in TRY_AGAIN:
                return status
            if retry_after.isdigit():
                wait = min(float(retry_after), LONGEST_WAIT_SECONDS)
        except ConnectionError:
            status = "lost"
        if attempt + 1 < TRIES:
            progress.retries += 1
            await asyncio.sleep(wait)
    return status
