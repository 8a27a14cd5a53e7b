"""What was read under a contract is never written after another one has come into force and been applied.

Two at work on one database: one mirrors, the other puts the next contract in force.
"""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.ext.asyncio import AsyncConnection

from api import feeds, rhythm
from api.actions import contracts
from api.contracts import DIALECTS
from api.house import House
from api.sources import connected
from connectors import drain as draining
from connectors import replay as replaying
from connectors.drain import drain
from connectors.source import Page, Translator, Version
from engine.words import Feed, Source
from schema.store import DbRole, Store
from tests.api.actions.firm import NOW, Firm
from tests.api.actions.small_tool import document, furnished, small_instance

LACKING = "successful_issues"
HERE = Source.SERVICENOW
KNOWN = "select count(*) from mirror.change where outcome = 'SUCCESSFUL_ISSUES'"
UNKNOWN = "select count(*) from mirror.data_issue where code = 'UNMAPPED_SOURCE_VALUE' and state = 'OPEN'"
READY = "select count(*) from inbox.delivery where state = 'READY'"


@pytest.fixture(scope="module")
def instance() -> Iterator[str]:
    with small_instance() as url:
        yield url


@pytest.fixture
async def house(empty: Firm, instance: str, tmp_path: Path) -> House:
    """Its contract lacks a word, the next one with it is tested, and changes wait in the inbox."""
    tree = yaml.safe_load(document())
    del tree["entities"]["change_request"]["fields"]["outcome"]["values"][LACKING]
    house = await furnished(empty, instance, tmp_path, yaml.safe_dump(tree, sort_keys=False))
    await rhythm.begin(house)
    author = empty.viewer("itsm-admin")
    await contracts.propose(house.store, house.log, author, HERE, document(), NOW)
    await contracts.try_on(house.store, house.log, author, house.settings, HERE, None, NOW, 1)
    for reading in (await connected(house.store, house.settings)).readings:
        if reading.entity == "change_request":
            await feeds.read(house, reading, quiet)
    return house


def quiet(_: str) -> None:
    pass


async def activate(empty: Firm, house: House) -> contracts.Applied:
    other = empty.viewer("second-admin")
    return await contracts.activate(house.store, house.log, other, house.settings, HERE, None, NOW)


async def old(house: House) -> Translator:
    return (await connected(house.store, house.settings)).translators[HERE]


def held_up(translator: Translator) -> tuple[Translator, threading.Event, threading.Event]:
    """The same, waiting at its first record: it has begun, it may go on."""
    begun, go_on = threading.Event(), threading.Event()

    def translate(entity: str, record: Mapping[str, Any], at: datetime) -> list[Version]:
        begun.set()
        assert go_on.wait(30)
        return list(translator.translate(entity, record, at))

    return replace(translator, translate=translate), begun, go_on


@pytest.mark.capability("I7.1")
async def test_a_batch_that_a_contract_overtook_is_read_anew(empty: Firm, house: House) -> None:
    slow, begun, go_on = held_up(await old(house))
    batch = asyncio.create_task(drain(house.store, {HERE: slow}))
    assert await asyncio.to_thread(begun.wait, 30)
    await activate(empty, house)
    await contracts.replay(house.store, house.settings, quiet)
    assert await replaying.waiting(house.store) == []
    go_on.set()
    done = await batch
    assert (done.deliveries, done.overtaken) == (0, frozenset({HERE}))
    assert await empty.value(READY) > 0
    assert await empty.value("select count(*) from mirror.change") == 0
    await feeds.drain_all(house)
    assert (await empty.value(READY), await empty.value(UNKNOWN)) == (0, 0)
    assert await empty.value(KNOWN) > 0


@pytest.mark.capability("I7.1")
async def test_a_contract_waits_for_a_batch_that_is_being_written_and_replays_it(
    empty: Firm, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on, write = asyncio.Event(), asyncio.Event(), draining._write_batch

    async def slowly(connection: AsyncConnection, *given: Any) -> Any:
        writing.set()
        await go_on.wait()
        return await write(connection, *given)

    monkeypatch.setattr(draining, "_write_batch", slowly)
    batch = asyncio.create_task(drain(house.store, {HERE: await old(house)}))
    await asyncio.wait_for(writing.wait(), 30)
    activation = asyncio.create_task(activate(empty, house))
    await asyncio.wait([activation], timeout=0.5)
    assert not activation.done(), "it would ask for nothing: what is being written cannot be seen yet"
    go_on.set()
    assert (await batch).deliveries > 0
    assert (await activation).replays == ["change_request"]
    assert await empty.value(UNKNOWN) > 0
    await contracts.replay(house.store, house.settings, quiet)
    assert (await empty.value(UNKNOWN), await empty.value(KNOWN) > 0) == (0, True)


async def test_a_replay_that_a_contract_overtook_leaves_the_rest_to_that_contract(empty: Firm, house: House) -> None:
    await feeds.drain_all(house)
    before = await old(house)
    await activate(empty, house)
    (waiting,) = await replaying.waiting(house.store)
    restore = DIALECTS[HERE].restore
    assert (await replaying.replay(house.store, waiting, before, restore, quiet)).records == 0
    assert await replaying.waiting(house.store) == [waiting]
    await contracts.replay(house.store, house.settings, quiet)
    assert await empty.value(UNKNOWN) == 0


@pytest.mark.parametrize("contract", [None, "a text that nobody noted"])
async def test_a_text_that_only_the_installation_brings_holds_up_nothing(
    empty: Firm, house: House, contract: str | None
) -> None:
    """Neither does a translator that reads by no contract; only what people put in force stands above them."""
    done = await drain(house.store, {HERE: replace(await old(house), contract=contract)})
    assert (done.deliveries > 0, done.overtaken) == (True, frozenset())


async def test_a_source_that_was_overtaken_keeps_no_other_waiting(empty: Firm, house: House) -> None:
    before = await old(house)
    await activate(empty, house)
    await note_page_of_jira(house.store)
    jira = Translator(lambda _entity, _record, _at: (), before.read_hook)
    done = await drain(house.store, {HERE: before, Source.JIRA: jira})
    assert (done.deliveries, done.overtaken) == (1, frozenset({HERE}))


async def note_page_of_jira(store: Store) -> None:
    page = Page(Source.JIRA, "issue", Feed.POLL, "one", b"[]", NOW)
    async with store.begin(DbRole.WORKER) as connection:
        await draining.take_in(connection, [page])
