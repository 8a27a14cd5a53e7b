"""A sweep finds what no webhook told: misses are read again, deletes are noted once they are certain, and only then."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text

from connectors.history import snapshot
from connectors.mirror import Sighting, mark_gone, write_versions
from connectors.source import Key, KeySet, Version
from connectors.sweep import Swept, compare
from engine.words import Feed, MirrorKind, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def name(number: int) -> str:
    return f"{number:032x}"


def seen(number: int, count: int = 0, minute: int = 1, feed: Feed = Feed.POLL, what: str = "") -> Sighting:
    """Version `count` of a record, stamped one minute a count, as a feed showed it at `minute`."""
    body = f"{number}:{count}:{what}".encode()
    values = {"number": f"INC{number}", "source_state": f"{count}{what}"}
    told = Version(Source.SERVICENOW, "incident", name(number), MirrorKind.INCIDENT, count, at(count), body, values)
    return Sighting(told, feed, 1, at(minute))


async def mirror(store: Store, *sightings: Sighting) -> None:
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, sightings)


async def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    async with store.begin(DbRole.WORKER) as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


class Tool:
    """What stands in the tool: number -> count. Says of one record whether it is there, and remembers who was asked."""

    def __init__(self, standing: dict[int, int]) -> None:
        self.standing = standing
        self.asked: list[str] = []

    def exists(self, key: str) -> bool:
        self.asked.append(key)
        return int(key, 16) in self.standing

    def keys(self, minute: int, complete: bool = True) -> KeySet:
        keys = [Key(name(number), count, at(count)) for number, count in self.standing.items()]
        return KeySet(Source.SERVICENOW, "incident", keys, complete, at(minute), "" if complete else "Rows are hidden.")

    async def sweep(self, store: Store, minute: int, complete: bool = True, allowed: int = 0) -> Swept:
        return await compare(store, self.keys(minute, complete), self.exists, asyncio.to_thread, allowed)


GONE = "select source_key from mirror.record where gone_at is not null order by 1"
GONE_TYPED = "select source_key from mirror.incident where gone_at is not null order by 1"
HINTS = "select source_key from ops.hint order by 1"


@pytest.mark.capability("I7.1")
async def test_what_is_missing_or_newer_there_is_asked_for_again_and_nothing_else(store: Store) -> None:
    await mirror(store, seen(1, 5), seen(2, 3), seen(3, 9))
    swept = await Tool({1: 5, 2: 4, 3: 9, 4: 0}).sweep(store, 60)
    assert (swept.state, swept.hinted, swept.suspected) == ("DONE", 2, 0)
    assert await rows(store, HINTS) == [(name(2),), (name(4),)]


@pytest.mark.capability("I7.1")
async def test_what_stands_older_in_the_tool_is_read_again_and_then_stands_here(store: Store) -> None:
    """A transaction that was rolled back after its webhook, or an instance that was restored."""
    await mirror(store, seen(1, 6), seen(2, 8), seen(2, 9, feed=Feed.WEBHOOK), seen(3, 55, minute=56))
    tool = Tool({1: 6, 2: 8, 3: 50})
    swept = await tool.sweep(store, 60)
    assert (swept.hinted, await rows(store, HINTS)) == (1, [(name(2),)])  # record 3 may yet be committing
    assert "1 records stand in an older version" in swept.note
    await mirror(store, seen(2, 8, minute=60))
    assert await rows(store, "select source_state from mirror.incident order by source_key") == [
        ("6",),
        ("8",),
        ("55",),
    ]
    assert (await tool.sweep(store, 64)).hinted == 0
    assert (await tool.sweep(store, 65)).hinted == 1


@pytest.mark.capability("I7.1")
async def test_a_deleted_record_is_gone_after_two_sweeps_that_both_asked_for_it(store: Store) -> None:
    await mirror(store, seen(1), seen(2), seen(3))
    tool = Tool({1: 0, 2: 0})
    assert (await tool.sweep(store, 60)).gone == 0
    assert await rows(store, GONE) == []
    assert (await tool.sweep(store, 61)).gone == 1
    assert tool.asked == [name(3), name(3)]
    assert await rows(store, GONE) == await rows(store, GONE_TYPED) == [(name(3),)]
    assert await rows(store, "select count(*) from ops.suspicion") == [(0,)]
    assert await rows(store, "select count(*) from mirror.revision") == [(3,)]  # what was said stays said
    assert (await tool.sweep(store, 62)).suspected == 0


async def test_a_no_from_before_it_was_shown_again_does_not_count(store: Store) -> None:
    await mirror(store, seen(1), seen(2))
    tool = Tool({1: 0})
    await tool.sweep(store, 60)
    await mirror(store, seen(2, minute=70))  # a moment without rights has passed
    assert (await tool.sweep(store, 80)).gone == 0
    assert (await tool.sweep(store, 90)).gone == 1


async def test_the_same_sweep_twice_is_one_no(store: Store) -> None:
    await mirror(store, seen(1), seen(2))
    tool = Tool({1: 0})
    for _ in range(3):
        assert (await tool.sweep(store, 60)).gone == 0


async def test_a_record_that_only_a_list_left_out_stays_and_is_read_again(store: Store) -> None:
    await mirror(store, seen(1), seen(2))
    tool = Tool({1: 0})
    await tool.sweep(store, 60)
    tool.standing[2] = 0
    assert (await tool.sweep(store, 61)).gone == 0
    assert await rows(store, "select count(*) from ops.suspicion") == [(0,)]
    shy = Tool({1: 0})
    shy.exists = lambda key: True  # type: ignore[method-assign]
    assert (await shy.sweep(store, 62)).gone == 0
    assert await rows(store, HINTS) == [(name(2),)]


async def test_an_incomplete_set_deletes_nothing_but_still_finds_what_is_new(store: Store) -> None:
    await mirror(store, seen(1), seen(2))
    for minute in (60, 61, 62):
        swept = await Tool({3: 0}).sweep(store, minute, complete=False)
        assert (swept.state, swept.suspected, swept.gone, swept.note) == ("PARTIAL", 0, 0, "Rows are hidden.")
    assert await rows(store, HINTS) == [(name(3),)]


@pytest.mark.parametrize(("there", "missing"), [(100, 11), (3_000, 31), (9_000, 51), (0, 5)])
async def test_when_too_much_vanishes_at_once_nothing_goes_until_a_person_says_so(
    store: Store, there: int, missing: int
) -> None:
    everything = range(there + missing)
    await mirror(store, *(seen(number) for number in everything))
    tool = Tool(dict.fromkeys(range(there), 0))
    for minute in (60, 61, 62):
        swept = await tool.sweep(store, minute)
        assert (swept.state, swept.suspected, swept.gone) == ("HELD", missing, 0)
    assert tool.asked == []
    ((state, why),) = await rows(store, "select state, why from ops.connection where source = 'servicenow'")
    assert state == "DEGRADED"
    assert f"{missing} of {there + missing}" in why
    await tool.sweep(store, 63, allowed=missing)
    assert (await tool.sweep(store, 64, allowed=missing)).gone == missing


async def test_what_was_made_while_the_sweep_went_on_is_not_missed(store: Store) -> None:
    tool = Tool({1: 0})
    keys = tool.keys(60)
    await mirror(store, seen(1), seen(2, minute=61), seen(3, count=61, minute=0, feed=Feed.WEBHOOK))
    swept = await compare(store, keys, tool.exists, asyncio.to_thread)
    assert swept.suspected == 0


STANDS = """select r.version_no, r.gone_at, i.gone_at, i.source_state, r.revision_id = i.revision_id
              from mirror.record r join mirror.incident i on i.id = r.id"""


@pytest.mark.capability("I7.1")
async def test_gone_and_back_do_not_depend_on_what_is_heard_first(store: Store) -> None:
    """A delete at minute 30; readings before and after it; a webhook that was late; a silent change: in any order."""
    first = seen(1, 0, minute=1)
    record_id = mirror_id(Source.SERVICENOW, "incident", name(1))
    assert record_id is not None
    later: list[Any] = [
        seen(1, 0, minute=40), seen(1, 1, minute=20), seen(1, 2, feed=Feed.WEBHOOK), at(30),
        seen(1, 1, minute=10, what="silently"),
    ]  # fmt: skip
    for chosen in ([0, 1, 2, 3, 4], [1, 2, 3, 4], [1, 3, 4], [0, 3]):
        found: set[Any] = set()
        for order in permutations(later[place] for place in chosen):
            async with store.begin(DbRole.WORKER) as connection:
                await write_versions(connection, [first])
                for each in order:
                    if isinstance(each, datetime):
                        await mark_gone(connection, [record_id], each)
                    else:
                        await write_versions(connection, [each])
                (row,) = (await connection.execute(text(STANDS))).all()
                found.add((*row, await snapshot(connection)))
                await connection.rollback()
        assert len(found) == 1, chosen
        ((_, gone_at, typed_gone_at, _, same, _),) = found
        assert (gone_at is None) == (0 in chosen)
        assert typed_gone_at == gone_at
        assert same


async def test_one_batch_says_the_same_as_one_after_the_other(store: Store) -> None:
    readings = [seen(1, 0, 5), seen(1, 1, 3), seen(1, 0, 9), seen(1, 1, 7, what="x"), seen(1, 1, 8, Feed.WEBHOOK)]
    shown = "select version_no, version_at, payload_hash, read_at, shown_at from mirror.record"

    async def end(batches: Iterable[list[Sighting]]) -> Any:
        async with store.begin(DbRole.WORKER) as connection:
            for batch in batches:
                await write_versions(connection, batch)
            found = [tuple(row) for row in await connection.execute(text(shown))]
            await connection.rollback()
            return found

    alone = await end([[each] for each in readings])
    assert alone == await end([readings]) == await end([readings[:2], readings[2:]])
    assert alone[0][3:] == (at(7), at(9))
