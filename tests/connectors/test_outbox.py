"""A write-back has its effect once, whoever dies and whatever answer is lost."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from connectors.outbox import ATTEMPTS, Delivered, Write, deliver_due, enqueue
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused
from schema.store import DbRole, Store


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
    assert await note(store, u_score="88") != first
    assert await note(store, record="r2", u_score="87") != first
    tool = Tool()
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=3)
    assert await deliver_due(store, {"tool": tool}) == Delivered()
    assert len(tool.writes) == 3
    assert await note(store, u_score="87") == first
    assert await deliver_due(store, {"tool": tool}) == Delivered()


async def test_a_lost_answer_is_looked_for_before_anything_is_written_again(store: Store) -> None:
    await note(store)
    tool = Tool(fails(SourceUnavailable("no answer")))
    assert await deliver_due(store, {"tool": tool}) == Delivered(unknown=1)
    assert await deliver_due(store, {"tool": tool}) == Delivered(done=1)
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


async def test_attempts_are_bounded(store: Store) -> None:
    await note(store)
    tool = Tool(*[fails(SourceUnavailable("down"))] * 20)
    outcomes = [await deliver_due(store, {"tool": tool}) for _ in range(ATTEMPTS + 2)]
    assert outcomes == [Delivered(unknown=1)] * (ATTEMPTS - 1) + [Delivered(failed=1), Delivered(), Delivered()]


async def test_writes_to_one_record_keep_their_order_and_others_go_on(store: Store) -> None:
    first = await note(store, u_score="1")
    second = await note(store, u_score="2")
    other = await note(store, record="r2")
    tool = Tool(fails(SourceUnavailable("down")))
    await deliver_due(store, {"tool": tool})
    assert [write.id for write in tool.writes] == [first, other]
    await deliver_due(store, {"tool": tool})
    assert [write.id for write in tool.writes][2:] == [first, second]


async def test_one_worker_sends_at_a_time_and_only_to_tools_that_it_knows(store: Store) -> None:
    await note(store)
    await note(store, target="elsewhere")
    tool = Tool()
    done = await asyncio.gather(*[deliver_due(store, {"tool": tool}) for _ in range(3)])
    assert sum(each.done for each in done) == 1
    assert sorted(await states(store)) == [("DONE", 1), ("READY", 0)]
