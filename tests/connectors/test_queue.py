"""The inbox as a queue: who takes what, in which order, in which portions, and what is left after a crash."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from connectors import drain as draining
from connectors.drain import accept_pages, drain
from schema.store import DbRole, Store
from tests.connectors.test_drain import READ, event, hook, incident, page, rows


async def test_deliveries_of_a_source_that_nobody_reads_wait(store: Store) -> None:
    await accept_pages(store, [page([incident()])])
    assert (await drain(store, {})).deliveries == 0
    assert (await drain(store, READ)).deliveries == 1


# ---- crashes, batches, watermarks


async def test_a_drain_that_dies_half_way_leaves_nothing_and_is_done_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept_pages(store, [page([incident(number, count) for number in range(1, 20) for count in range(3)])])
    written = draining.write_versions

    async def dies(*arguments: Any, **named: Any) -> Any:
        await written(*arguments, **named)
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(draining, "write_versions", dies)
        with pytest.raises(asyncio.CancelledError):
            await drain(store, READ)
    assert await rows(store, "select 1 from mirror.revision union all select 1 from mirror.record") == []
    assert await rows(store, "select distinct state from inbox.delivery") == [("READY",)]
    done = await drain(store, READ)
    assert (done.revisions, done.heads) == (57, 19)


async def test_two_workers_share_the_inbox_and_take_nothing_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "BATCH_DELIVERIES", 7)
    await hook(store, [event(incident(number % 5, number)) for number in range(60)])
    first, second = await asyncio.gather(drain(store, READ), drain(store, READ))
    assert first.deliveries + second.deliveries == 60
    assert first.revisions + second.revisions == 60
    assert await rows(store, "select max(reopen_count), count(*) from mirror.incident") == [(59, 5)]


async def test_the_next_batch_is_read_while_one_is_written_and_the_order_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    read, write = draining._read_all, draining.write_versions

    def reads(claimed: Any, translators: Any) -> Any:
        told.append(f"read {claimed[0].id % 5}")
        return read(claimed, translators)

    async def writes(connection: Any, sightings: Any, **named: Any) -> Any:
        await asyncio.sleep(0.2)
        told.append(f"write {sightings[0].delivery_id % 5}")
        return await write(connection, sightings, **named)

    monkeypatch.setattr(draining, "BATCH_DELIVERIES", 1)
    monkeypatch.setattr(draining, "_read_all", reads)
    monkeypatch.setattr(draining, "write_versions", writes)
    await hook(store, [event(incident(number)) for number in range(3)])
    first = (await rows(store, "select min(id) % 5 from inbox.delivery"))[0][0]
    assert (await drain(store, READ)).revisions == 3
    one, two, three = (f"{(first + number) % 5}" for number in range(3))
    assert told[:3] == [f"read {one}", f"read {two}", f"write {one}"]
    assert [word for word in told if word.startswith("write")] == [f"write {one}", f"write {two}", f"write {three}"]


async def test_a_backlog_is_not_sorted_for_every_batch(store: Store) -> None:
    """The planner has seen no statistics of a queue that has just filled up."""
    await hook(store, [event(incident(number)) for number in range(300)])
    wanted = {"sources": ["servicenow"], "count": 10, "bytes": 10**6}
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(draining.IN_ORDER, {"on": "off"})
        lines = list((await connection.execute(text(f"explain {draining.CLAIM.text}"), wanted)).scalars())
        claim = "\n".join(lines).rpartition("WindowAgg")[0]  # what comes out is put in order, a batch at most
        assert "Index Scan using delivery_20" in claim  # the index of what waits, month by month
        assert "Sort  (" not in claim
        assert "Seq Scan" not in claim


async def test_a_batch_is_bounded_by_bytes_but_always_moves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "BATCH_BYTES", 10)
    await accept_pages(store, [page([incident(number)]) for number in range(3)])
    assert (await drain(store, READ, limit=2)).deliveries == 2
    assert (await drain(store, READ)).deliveries == 1
