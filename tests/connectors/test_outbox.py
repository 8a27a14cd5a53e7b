"""A write-back has its effect once, whoever dies and whatever answer is lost."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from connectors.governor import NotNow
from connectors.outbox import (
    ATTEMPTS,
    Delivered,
    PremiseGone,
    Write,
    dead_letters,
    deliver_due,
    enqueue,
    retry,
)
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused
from schema.store import DbRole, Store

LATER = datetime.now(UTC) + timedelta(days=1)


async def note(store: Store, record: str = "r1", target: str = "tool", **body: Any) -> UUID:
    async with store.begin(DbRole.WORKER) as connection:
        return await enqueue(connection, target, "put", record, body or {"u_score": "87"})


async def states(store: Store) -> list[tuple[str, int]]:
    async with store.begin(DbRole.WORKER) as connection:
        found = await connection.execute(text("select state, attempts from ops.outbox order by created_at, id"))
        return [tuple(row) for row in found]  # type: ignore[misc]


class Tool:
    """A tool that remembers what was written, and goes wrong on order."""

    def __init__(self, *troubles: Callable[[], None] | None) -> None:
        self.effects: list[UUID] = []
        self.writes: list[Write] = []
        self.troubles = list(troubles)

    def __call__(self, write: Write) -> None:
        self.writes.append(write)
        if not (write.unsure and write.id in self.effects):
            self.effects.append(write.id)
        if self.troubles and (trouble := self.troubles.pop(0)):
            trouble()


def fails(error: Exception) -> Callable[[], None]:
    def raising() -> None:
        raise error

    return raising


async def test_the_same_write_is_one_row_and_another_content_is_another(store: Store) -> None:
    first = await note(store, u_score="87")
    assert await note(store, u_score="87") == first
    assert await note(store, record="r2", u_score="87") != first
    tool = Tool()
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=2)
    assert await note(store, u_score="87") == first
    assert await deliver_due(store, {"tool": tool}) == Delivered()
    assert await note(store, u_score="88") != first
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=1)
    assert [write.body["u_score"] for write in tool.writes] == ["87", "87", "88"]


async def test_a_later_write_takes_the_place_of_one_that_was_never_sent(store: Store) -> None:
    await note(store, u_score="1")
    later = await note(store, u_score="2")
    async with store.begin(DbRole.WORKER) as connection:
        other = await enqueue(connection, "tool", "other", "r1", {"u_score": "1"})  # another operation
    tool = Tool()
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=2)
    assert [(write.id, write.body["u_score"]) for write in tool.writes] == [(later, "2"), (other, "1")]


async def test_what_was_written_before_is_written_again_after_something_else(store: Store) -> None:
    """87, 88, 87: the tool shows 87 in the end, whether 88 was sent in between or only waited."""
    tool = Tool()
    for score, send in (("87", True), ("88", True), ("87", True), ("88", False), ("87", True)):
        await note(store, u_score=score)
        if send:
            await deliver_due(store, {"tool": tool})
    assert [write.body["u_score"] for write in tool.writes] == ["87", "88", "87", "87"]
    assert len({write.id for write in tool.writes}) == 4


async def test_two_workers_that_note_the_same_at_once_note_one(store: Store) -> None:
    noted = await asyncio.gather(*[note(store, u_score="87") for _ in range(5)])
    assert len(set(noted)) == len(await states(store)) == 1


async def test_a_lost_answer_is_looked_for_before_anything_is_written_again(store: Store) -> None:
    await note(store)
    tool = Tool(fails(SourceUnavailable("no answer")))
    assert await deliver_due(store, {"tool": tool}) == Delivered(unknown=1)
    assert await deliver_due(store, {"tool": tool}) == Delivered(), "not at once"
    assert await deliver_due(store, {"tool": tool}, LATER) == Delivered(done=1)
    assert [write.unsure for write in tool.writes] == [False, True]
    assert len(tool.effects) == 1


async def test_a_worker_that_dies_while_it_sends_leaves_a_write_to_be_looked_for(store: Store) -> None:
    await note(store)
    tool = Tool(fails(asyncio.CancelledError()))  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await deliver_due(store, {"tool": tool})
    assert await states(store) == [("SENDING", 1)]
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=1)
    assert [write.unsure for write in tool.writes] == [False, True]
    assert len(tool.effects) == 1


@pytest.mark.parametrize(
    "error", [SourceRefused("no rights: ask the admin"), Refused(Code.BAD_INPUT, "This is wrong.", "Mend it.")]
)
async def test_a_refusal_waits_for_a_person(store: Store, error: Exception) -> None:
    await note(store)
    tool = Tool(fails(error))
    assert await deliver_due(store, {"tool": tool}) == Delivered(failed=1)
    assert await deliver_due(store, {"tool": tool}) == Delivered()
    assert await states(store) == [("FAILED", 1)]


async def test_attempts_are_bounded_and_come_ever_later(store: Store) -> None:
    await note(store)
    tool = Tool(*[fails(SourceUnavailable("down"))] * 20)
    now, waits = datetime.now(UTC), list[float]()
    for attempt in range(ATTEMPTS):
        sent = await deliver_due(store, {"tool": tool}, now, dice=lambda: 0.5)
        assert sent == (Delivered(failed=1) if attempt + 1 == ATTEMPTS else Delivered(unknown=1))
        async with store.begin(DbRole.WORKER) as connection:
            next_at = await connection.scalar(text("select next_at from ops.outbox"))
        if next_at:
            waits.append((next_at - now).total_seconds())
            assert await deliver_due(store, {"tool": tool}, next_at - timedelta(seconds=1)) == Delivered()
            now = next_at
    assert waits == [30, 60, 120, 240, 480, 960, 1920]
    assert await deliver_due(store, {"tool": tool}, now + timedelta(days=1)) == Delivered()
    assert len(tool.writes) == ATTEMPTS


async def test_what_was_not_even_sent_costs_no_attempt(store: Store) -> None:
    await note(store)
    tool = Tool(*[fails(NotNow("limited", 90))] * 20)
    for hours in range(12):
        await deliver_due(store, {"tool": tool}, datetime.now(UTC) + timedelta(hours=hours))
    assert await states(store) == [("READY", 0)]
    tool.troubles.clear()
    tool.effects.clear()
    assert await deliver_due(store, {"tool": tool}, LATER) == Delivered(done=1)
    assert not any(write.unsure for write in tool.writes)


async def test_writes_to_one_record_keep_their_order_and_others_go_on(store: Store) -> None:
    first = await note(store, u_score="1")
    other = await note(store, record="r2")
    tool = Tool(fails(SourceUnavailable("down")))
    await deliver_due(store, {"tool": tool})
    assert [write.id for write in tool.writes] == [first, other]
    second = await note(store, u_score="2")  # the first may have had its effect: it is settled before
    assert await deliver_due(store, {"tool": tool}) == Delivered()
    await deliver_due(store, {"tool": tool}, LATER)
    assert [write.id for write in tool.writes][2:] == [first, second]


async def test_a_write_whose_premise_is_gone_waits_until_it_is_asked_for_on_a_new_one(store: Store) -> None:
    async def asked(premise: int) -> UUID:
        async with store.begin(DbRole.WORKER) as connection:
            return await enqueue(connection, "tool", "put", "r1", {"u_score": "87"}, premise)

    first = await asked(4)
    tool = Tool(fails(PremiseGone("it is version 5 now.")))
    assert await deliver_due(store, {"tool": tool}) == Delivered(failed=1)
    assert await asked(4) == first
    assert await deliver_due(store, {"tool": tool}, LATER) == Delivered()
    assert await asked(5) == first
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=1)
    assert [write.premise for write in tool.writes] == [4, 5]


async def test_a_dead_letter_is_listed_and_looked_for_before_it_is_sent_again(store: Store) -> None:
    ids = [await note(store, record=f"r{number}") for number in range(3)]
    tool = Tool(*[fails(SourceRefused("no rights: ask the admin"))] * 3)
    assert await deliver_due(store, {"tool": tool}) == Delivered(failed=3)
    async with store.begin(DbRole.WORKER) as connection:
        listed = await dead_letters(connection)
        assert [(row["id"], row["reason"]) for row in listed] == [(i, "no rights: ask the admin") for i in ids]
        assert await retry(connection, [ids[1], UUID(int=1)]) == [ids[1]]
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=1)
    assert (tool.writes[-1].id, tool.writes[-1].unsure) == (ids[1], True)
    async with store.begin(DbRole.WORKER) as connection:
        assert sorted(await retry(connection, None)) == sorted([ids[0], ids[2]])
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=2)
    assert sorted(tool.effects) == sorted(ids), "each effect once"


async def test_one_worker_sends_at_a_time_and_only_to_tools_that_it_knows(store: Store) -> None:
    await note(store)
    await note(store, target="elsewhere")
    tool = Tool()
    done = await asyncio.gather(*[deliver_due(store, {"tool": tool}) for _ in range(3)])
    assert sum(each.done for each in done) == 1
    assert sorted(await states(store)) == [("DONE", 1), ("READY", 0)]
