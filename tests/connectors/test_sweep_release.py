"""A held sweep lets go when a person or the tool says so, and one record that cannot be asked for holds up no other."""

import asyncio
from dataclasses import replace

from connectors.source import SourceRefused
from connectors.sweep import compare
from schema.store import Store
from tests.connectors.test_sweep import GONE, Tool, mirror, name, rows, seen

STATE = "select state, why is null from ops.connection"


async def held(store: Store) -> Tool:
    """Twenty of a hundred records are gone at once."""
    await mirror(store, *(seen(number) for number in range(100)))
    tool = Tool(dict.fromkeys(range(80), 0))
    assert (await tool.sweep(store, 60)).state == "HELD"
    assert await rows(store, STATE) == [("DEGRADED", False)]
    return tool


async def test_a_connection_is_well_again_when_what_was_hidden_is_shown_again(store: Store) -> None:
    tool = await held(store)
    assert (await tool.sweep(store, 61, complete=False)).state == "PARTIAL"
    assert await rows(store, STATE) == [("DEGRADED", False)], "a set with gaps says nothing"
    tool.standing = dict.fromkeys(range(100), 0)
    assert (await tool.sweep(store, 62)).state == "DONE"
    assert await rows(store, STATE) == [("OK", True)]


async def test_a_connection_stays_degraded_while_another_table_is_held(store: Store) -> None:
    tool = await held(store)
    other = replace(tool.keys(61), entity="problem")
    assert (await compare(store, other, tool.exists, asyncio.to_thread)).state == "DONE"
    assert await rows(store, STATE) == [("DEGRADED", False)]


async def test_what_a_person_let_go_goes_with_the_next_sweep_without_asking_again(store: Store) -> None:
    tool = await held(store)
    assert (await tool.sweep(store, 61, allowed=20)).gone == 0
    assert await rows(store, STATE) == [("OK", True)]
    for number in range(70, 75):
        del tool.standing[number]  # few more: those alone are counted now
    swept = await tool.sweep(store, 62)
    assert (swept.state, swept.gone) == ("DONE", 20)
    assert await rows(store, GONE) == [(name(number),) for number in range(80, 100)]


async def test_more_than_a_person_let_go_is_held_again(store: Store) -> None:
    tool = await held(store)
    await tool.sweep(store, 61, allowed=20)
    for number in range(60, 80):
        del tool.standing[number]
    swept = await tool.sweep(store, 62)
    assert (swept.state, swept.gone) == ("HELD", 0)


async def test_a_record_that_cannot_be_asked_for_keeps_no_other_from_going(store: Store) -> None:
    await mirror(store, *(seen(number) for number in range(5)))
    tool = Tool({2: 0, 3: 0, 4: 0})
    told = tool.exists

    def exists(key: str) -> bool:
        if key == name(0):
            raise SourceRefused("No rights on this record.")
        return told(key)

    tool.exists = exists  # type: ignore[method-assign]
    assert (await tool.sweep(store, 60)).gone == 0
    swept = await tool.sweep(store, 61)
    assert (swept.state, swept.gone) == ("PARTIAL", 1)
    assert "No rights on this record." in swept.note
    assert await rows(store, GONE) == [(name(1),)]
    assert await rows(store, "select source_key, misses from ops.suspicion") == [(name(0), 0)]
