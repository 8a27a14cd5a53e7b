"""The bench of reads compares what is equal: at its smallest size, and without looking at a clock."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from api.bench import node, reads
from api.bench.reads_data import Size, key
from api.bench.reads_stage import Stage, staged
from engine.refusal import Refused

SMALLEST = Size(managers=2, people=3)
# a person, four scores with their cycles, six values each, two records each, and what pages them
BIG = 1 + 1 + 3 * (1 + 1 + 4 * (2 + 6 * (2 + 2)))


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    try:
        node.node()
    except Refused as no:
        pytest.skip(no.what)
    with staged(SMALLEST) as opened:
        yield opened


def test_both_sides_answer_the_same(stage: Stage) -> None:
    assert reads.checked(stage, "big")["objects"] == BIG
    small = reads.checked(stage, "small")
    assert small["objects"] == 29
    assert 800 < small["bytes"] < 1200


def test_readers_get_good_answers_and_both_meters_run(stage: Stage) -> None:
    for side in reads.SIDES:
        # only two ask here, and nobody may ask more than eight things at once
        figures = reads.measure(stage, side, "small", 0.5, connections=4)
        assert figures["per_second"] > 1
        assert figures["server_us"] > 10
        assert figures["database_us"] > 10


def test_an_answer_that_differs_is_an_error_of_the_bench(stage: Stage) -> None:
    asyncio.run(_told(stage, "update mirror.person set active = false where id = $1"))
    with pytest.raises(RuntimeError, match="ours, big: 401"):
        reads.checked(stage, "big")


async def _told(stage: Stage, statement: str) -> None:
    """Manager 1 has left: we know him no more; the peer has no such check and answers what the policies leave."""
    connection = await asyncpg.connect(stage.database_url)
    try:
        await connection.execute(statement, key("person", 1))
    finally:
        await connection.close()
