"""How many work at a time, who waits, and who is sent away. Nothing is timed: waits end because somebody says so."""

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from api.graphql import turns
from api.graphql.turns import EACH_MAX, Turns
from engine.refusal import Code, Refused


async def settled() -> None:
    """Everybody who can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_person_has_eight_at_a_time_and_others_have_theirs() -> None:
    every = Turns(together=100)
    async with AsyncExitStack() as held:
        for _ in range(EACH_MAX):
            await held.enter_async_context(every.taken("ana"))
        with pytest.raises(Refused) as refused:
            async with every.taken("ana"):
                pass
        assert refused.value.code is Code.THROTTLED
        async with every.taken("ben"):
            pass
    async with every.taken("ana"):
        pass


async def test_whoever_waits_also_counts_as_one_of_the_eight() -> None:
    every = Turns(together=1)
    async with AsyncExitStack() as held:
        waiting = [asyncio.create_task(held.enter_async_context(every.taken("ana"))) for _ in range(EACH_MAX)]
        await settled()
        with pytest.raises(Refused):
            async with every.taken("ana"):
                pass
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_turns_come_in_order_and_none_is_lost() -> None:
    every, order = Turns(together=2), []

    async def work(name: str) -> None:
        async with every.taken(name):
            order.append(name)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(work(str(n))) for n in range(50)]
    await asyncio.sleep(0)
    for gone in tasks[5:40:7]:
        gone.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == sorted(order, key=int)
    assert len(order) >= 40
    async with AsyncExitStack() as held:  # both turns are there again
        await held.enter_async_context(every.taken("a"))
        await held.enter_async_context(every.taken("b"))


async def test_a_pool_that_stands_still_sends_people_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "STILL_SECONDS", 0.05)
    every = Turns(together=1)
    async with every.taken("ana"):
        with pytest.raises(Refused) as refused:
            async with every.taken("ben"):
                pass
        assert refused.value.code is Code.DATABASE_UNAVAILABLE
    async with every.taken("ben"):
        pass


async def test_a_pool_that_moves_keeps_people_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of 25 waits far longer than anybody waits for a pool that stands still."""
    monkeypatch.setattr(turns, "STILL_SECONDS", 2)
    every, done = Turns(together=1), []

    async def work(name: str) -> None:
        async with every.taken(name):
            await asyncio.sleep(0.1)
            done.append(name)

    await asyncio.gather(*(work(str(n)) for n in range(25)))
    assert len(done) == 25


async def test_the_queue_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAITING_MAX", 3)
    every = Turns(together=1)
    async with every.taken("0"):
        waiting = [asyncio.create_task(every.taken(str(n)).__aenter__()) for n in range(1, 4)]
        await settled()
        with pytest.raises(Refused) as refused:
            async with every.taken("5"):
                pass
        assert refused.value.code is Code.DATABASE_UNAVAILABLE
        for each in waiting:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each
