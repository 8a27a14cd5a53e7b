"""A clock that an issue has no more: gone with its cycles, unless the desk did not tell, or nobody has it any more."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import orjson
import pytest
from sqlalchemy import text

from connectors.drain import accept_pages, drain
from connectors.jira.emptied import emptied, refuse_emptied
from connectors.jira.pull import poll, refetch
from connectors.jira.site import JiraConfig
from connectors.jira.translate import translator
from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_sla import RESOLUTION, RESPONSE
from connectors.sandbox.jira_state import JiraState
from connectors.source import Page, SourceRefused
from engine.words import Feed, Source
from schema.store import DbRole, Store

CLOCKS = text("select source_key from mirror.task_sla where gone_at is null order by 1")


async def taken(store: Store, config: JiraConfig, pages: Iterable[Page]) -> None:
    await accept_pages(store, list(pages))
    await drain(store, {Source.JIRA: translator(config.contract)})


async def clocks(store: Store) -> list[str]:
    """The keys of all cycles that stand: issue, clock, start."""
    async with store.begin(DbRole.WORKER) as connection:
        return list((await connection.execute(CLOCKS)).scalars())


async def test_a_clock_that_an_issue_has_no_more_is_gone_with_its_cycles_and_comes_back_with_it(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    before = await clocks(store)
    assert {key.split(":")[1] for key in before} == {RESOLUTION, RESPONSE}
    small.advance(small.now_ms + 60_000)
    act(small, {"op": "withdraw", "metric": RESPONSE})
    read = ["20001", "20003"]
    await taken(store, small_config, await asyncio.to_thread(lambda: list(refetch(small_config, read, Feed.SWEEP))))
    gone = set(before) - set(await clocks(store))
    assert gone == {key for key in before if key.split(":")[:2] in [[issue, RESPONSE] for issue in read]}
    assert len(gone) == 2
    small.advance(small.now_ms + 60_000)
    small.withdrawn.clear()
    await taken(store, small_config, await asyncio.to_thread(lambda: list(refetch(small_config, read, Feed.SWEEP))))
    assert await clocks(store) == before


async def test_clocks_that_cannot_be_told_or_are_not_shown_take_nothing_away(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    before = await clocks(store)
    small.advance(small.now_ms + 60_000)
    small.issues["20003"].values["project"] = {**words.PROJECT, "id": "10999"}  # no request of the desk any more
    pages = await asyncio.to_thread(lambda: list(poll(small_config, None, Feed.SWEEP)))
    assert "20003" in {record["id"] for page in pages if page.entity == "issue" for record in orjson.loads(page.body)}
    told = [record for page in pages if page.entity == "request_sla" for record in orjson.loads(page.body)]
    assert "20001" in {record["issueId"] for record in told}
    assert "20003" not in {record["issueId"] for record in told}
    await taken(store, small_config, pages)
    assert await clocks(store) == before


async def test_a_clock_that_vanishes_from_all_stops_the_reading_until_the_contract_gives_it_up(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    pages = await asyncio.to_thread(lambda: list(poll(small_config, None)))
    assert await emptied(store, pages) == {}
    await taken(store, small_config, pages)
    act(small, {"op": "withdraw", "metric": RESPONSE})
    lost = await asyncio.to_thread(lambda: list(poll(small_config, None)))
    had = len({key.split(":")[0] for key in await clocks(store)})
    assert await emptied(store, lost) == {f"clock {RESPONSE}": had}
    with pytest.raises(SourceRefused, match=f"clock {RESPONSE} .*under `slas`"):
        await refuse_emptied(store, lost)
    slas = {metric: meaning for metric, meaning in small_config.contract.slas.items() if metric != RESPONSE}
    without = replace(small_config, contract=replace(small_config.contract, slas=slas))
    await refuse_emptied(store, await asyncio.to_thread(lambda: list(poll(without, None))))
