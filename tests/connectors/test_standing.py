"""Which version stands is a function of what was seen, of nothing else: the mirror against a model in plain words."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api import feeds
from connectors.drain import _write_batch
from connectors.heads import COMMITTED_WITHIN
from connectors.history import snapshot
from connectors.reading import Delivered, read_delivery
from connectors.servicenow import pull
from engine.words import Feed, Source
from schema.store import DbRole, Store
from tests.connectors.test_drain import READ, START, event, incident

OVERLAP = 10  # minutes


class Told(NamedTuple):
    """A version of one record, and when the API showed it; `read` None: a webhook did. Everything in minutes."""

    count: int
    stamp: int
    read: int | None = None
    what: str = ""


def standing(told: Sequence[Told]) -> tuple[int, int, str]:
    """The model: count, stamp and content of the version that stands."""
    shown = [one for one in told if one.read is not None]
    last = {
        each[:2] + each[3:]: max([one.read for one in shown if one[:2] + one[3:] == each[:2] + each[3:]], default=-1)
        for each in told
    }

    def denied(count: int, stamp: int, what: str) -> bool:
        return any(
            (one.count, one.stamp) < (count, stamp)
            and one.read >= stamp + OVERLAP
            and one.read > last[count, stamp, what]
            for one in shown
        )

    left = [version for version in last if not denied(*version)]
    return max(left, key=lambda version: (version[0], version[1], last[version], digest(version)))


def raw(count: int, stamp: int, what: str) -> dict[str, Any]:
    return incident(count=count, minute=stamp, short_description=what, reopen_count=str(count), category=str(stamp))


def digest(version: tuple[int, int, str]) -> bytes:
    (sighting,) = read_delivery(delivered(0, Told(*version[:2], 0, version[2])), READ[Source.SERVICENOW]).sightings
    return sha256(sighting.version.payload).digest()


def delivered(number: int, told: Told) -> Delivered:
    record = raw(told.count, told.stamp, told.what)
    feed, body = (Feed.WEBHOOK, event(record)) if told.read is None else (Feed.POLL, orjson.dumps([record]))
    return Delivered(number, Source.SERVICENOW, "incident", feed, body, minute(told.read or 0))


def minute(count: int) -> datetime:
    return START + timedelta(minutes=count)


def portions(told: Sequence[Told], dice: random.Random) -> list[list[Told]]:
    """The same in some order, cut anywhere."""
    order, found = dice.sample(told, len(told)), list[list[Told]]()
    for one in order:
        if not found or dice.random() < 0.5:
            found.append([])
        found[-1].append(one)
    return found


SHOWN = """
select r.version_no, r.version_at, r.payload_hash, r.shown_at, i.reopen_count,
       r.revision_id = i.revision_id and not s.gone and s.revision_id = r.revision_id as agree
  from mirror.record r join mirror.incident i on i.tenant_id = r.tenant_id and i.id = r.id
  join lateral (select * from mirror.standing s where s.tenant_id = r.tenant_id and s.record_id = r.id
                 order by s.no desc limit 1) s on true
"""


async def end(connection: AsyncConnection, batches: Sequence[Sequence[Told]]) -> tuple[Any, ...]:
    """What the mirror says after these deliveries, in a transaction that leaves nothing behind."""
    number = 0
    async with connection.begin_nested() as nested:
        for batch in batches:
            each = [delivered(number + place, told) for place, told in enumerate(batch, 1)]
            await _write_batch(connection, [read_delivery(one, READ[one.source]) for one in each], READ)
            number += len(batch)
        (row,) = (await connection.execute(text(SHOWN))).all()
        found = (*row, await snapshot(connection))
        await nested.rollback()
    return found


def expected(told: Sequence[Told]) -> tuple[Any, ...]:
    count, stamp, what = standing(told)
    shown_at = max((minute(one.read) for one in told if one.read is not None), default=None)
    return count, minute(stamp), digest((count, stamp, what)), shown_at, count, True


async def check(store: Store, told: Sequence[Told], orders: Sequence[Sequence[Sequence[Told]]]) -> None:
    hashes = set()
    async with store.begin(DbRole.WORKER) as connection:
        for batches in orders:
            *found, hashed = await end(connection, batches)
            wanted = list(expected(told))
            if wanted[3] is None:
                found[3] = None
            assert found == wanted, batches
            hashes.add(hashed)
        await connection.rollback()
    assert len(hashes) == 1


# ---- what is wanted, by name

STANDS = {
    "a rolled back version falls when the record is read": ([Told(4, 0, 1), Told(5, 20), Told(4, 0, 30)], 4),
    "a reading within the overlap denies nothing": ([Told(4, 0, 1), Told(5, 20), Told(4, 0, 29)], 5),
    "a reading from before the commit denies nothing": ([Told(5, 20), Told(4, 0, 15)], 5),
    "a webhook that repeats it brings nothing back": ([Told(5, 20), Told(4, 0, 30), Told(5, 20), Told(5, 20)], 4),
    "being shown later makes it real": ([Told(5, 20), Told(4, 0, 30), Told(5, 20, 31)], 5),
    "shown before, and lost in a restore": ([Told(7, 20, 21), Told(3, 0, 40)], 3),
    "users go on after a restore": ([Told(7, 20, 21), Told(3, 0, 40), Told(4, 45)], 4),
    "users went on before it was noticed": ([Told(7, 20), Told(4, 45), Told(3, 0, 44)], 4),
    "three in one transaction, and then one that is real": ([Told(7, 20), Told(3, 0, 30), Told(4, 31)], 4),
    "of two that were not the later one may still be": ([Told(5, 10), Told(6, 25), Told(4, 0, 30)], 6),
    "one of two webhooks was denied before they came": ([Told(3, 0, 20), Told(5, 8), Told(4, 15)], 4),
    "a late page that was read long ago": ([Told(5, 20, 25), Told(4, 0, 12), Told(5, 20)], 5),
    "a silent change below a rolled back version": ([Told(4, 0, 1), Told(5, 20), Told(4, 0, 30, "silently")], 4),
}


@pytest.mark.capability("I7.1")
@pytest.mark.parametrize("name", STANDS)
async def test_a_reading_denies_what_must_have_committed_in_any_order_and_portion(store: Store, name: str) -> None:
    told, count = STANDS[name]
    assert standing(told)[0] == count
    orders: list[Any] = []
    for order in permutations(told):
        orders += [[[one] for one in order], [list(order[:1]), list(order[1:])], [list(order[:2]), list(order[2:])]]
    await check(store, told, [[told], *orders])


COUNTS, MINUTES = st.integers(0, 6), st.integers(0, 40)
READS = st.one_of(st.none(), MINUTES)
# Counts go back as after a restore, and stamps with them or not: one content a version.
RESTORED = st.lists(st.builds(Told, COUNTS, MINUTES, READS), min_size=1, max_size=7)
# Stamps rise with the counts, as users make them: versions that are rolled back, and changes without a version.
USUAL = st.lists(
    st.builds(
        lambda count, late, read, what: Told(count, count * 6 + late, read, what),
        COUNTS, st.integers(0, 5), READS, st.sampled_from(["", "silently"]),
    ),
    min_size=1, max_size=7,
)  # fmt: skip


@pytest.mark.capability("I7.1")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.one_of(RESTORED, USUAL), seed=st.integers(0, 10**6))
@example(told=[Told(7, 20), Told(4, 25), Told(3, 0, 30)], seed=1)
async def test_the_mirror_and_the_model_agree(store: Store, told: list[Told], seed: int) -> None:
    dice = random.Random(seed)
    await check(store, told, [[told], *(portions(told + dice.choices(told, k=2), dice) for _ in range(4))])


def test_a_version_is_denied_by_the_overlap_of_the_polls() -> None:
    """Both say the same of a transaction: within this time it has committed."""
    assert COMMITTED_WITHIN[Source.SERVICENOW] == pull.OVERLAP == feeds.OVERLAP[Source.SERVICENOW]
