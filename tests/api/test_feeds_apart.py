"""One table that cannot be read keeps no other from being read, swept or read again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from api import feeds, rhythm
from api.sources import Reading
from connectors.drain import PLACE, accept_pages, watermark
from connectors.hints import due_hints, note_hints
from connectors.replay import read_anew
from connectors.schedule import Schedule
from connectors.source import Hint, Hook, Key, KeySet, Page, SourceRefused, SourceUnavailable, Translator
from engine.refusal import Code, Refused
from engine.words import Feed, Source
from schema.store import DbRole, Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = Source.SERVICENOW
KEY = f"{1:032x}"


def page(entity: str, number: int = 1, cursor: str | None = None) -> Page:
    return Page(HERE, entity, Feed.POLL, f"{entity}:{number}", b"[]", NOW, cursor, 1)


@dataclass
class Tools:
    """Three tables, of which some fail; remembers what was asked."""

    failing: dict[str, Exception] = field(default_factory=dict)
    entities: tuple[str, ...] = ("first", "second", "third")
    asked: list[str] = field(default_factory=list)
    pages: dict[str | None, list[Page]] = field(default_factory=dict)  # by cursor
    refused: dict[str | None, Refused] = field(default_factory=dict)  # by cursor
    governors: tuple[()] = ()
    contracts: dict[Source, Any] = field(default_factory=dict)
    translators: Any = field(
        default_factory=lambda: {HERE: Translator(lambda _entity, _record, _at: (), lambda _body: Hook())}
    )

    def ask(self, entity: str) -> None:
        self.asked.append(entity)
        if entity in self.failing:
            raise self.failing[entity]

    def awake(self, _now: datetime) -> list[Source]:
        return [HERE]

    @property
    def readings(self) -> Iterator[Reading]:
        for entity in self.entities:
            yield Reading(HERE, entity, self.poll(entity), self.keys(entity), lambda _key: True)

    def poll(self, entity: str) -> Any:
        def pages(_since: datetime | None, _feed: Feed, cursor: str | None) -> Iterator[Page]:
            self.ask(entity)
            if cursor in self.refused:
                raise self.refused[cursor]
            yield from self.pages.get(cursor, ()) if self.pages else [page(entity)]

        return pages

    def keys(self, entity: str) -> Any:
        def found() -> KeySet:
            self.ask(entity)
            return KeySet(HERE, entity, [Key(KEY, 0, NOW)], True, NOW)

        return found

    def refetch(self, hints: Any) -> Iterator[Page]:
        for entity in sorted({hint.entity for hint in hints}):
            self.ask(entity)
            yield page(entity)


@pytest.fixture
async def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    found = Tools()

    async def connected(*_: Any) -> Tools:
        return found

    monkeypatch.setattr(feeds, "connected", connected)
    monkeypatch.setattr(rhythm, "connected", connected)
    return found


@pytest.fixture
async def house(database_url: str) -> Any:
    store = Store(database_url)
    yield SimpleNamespace(store=store, settings=None, clock=lambda: NOW)
    await store.close()


async def hint(store: Store, *entities: str) -> None:
    async with store.begin(DbRole.WORKER) as connection:
        await note_hints(connection, (Hint(HERE, entity, KEY) for entity in entities), "a test")


async def hinted(store: Store) -> list[str]:
    return sorted(each.hint.entity for each in await due_hints(store, [HERE]))


@pytest.mark.parametrize("failure", [SourceRefused("no rights"), SourceUnavailable("broken")])
async def test_a_table_that_fails_keeps_no_other_from_being_read(house: Any, tools: Tools, failure: Exception) -> None:
    tools.failing["second"] = failure
    with pytest.raises(type(failure)):
        await feeds.poll_all(house)
    assert [await watermark(house.store, HERE, entity) is not None for entity in tools.entities] == [True, False, True]


async def test_a_table_that_fails_keeps_no_other_from_being_swept(house: Any, tools: Tools) -> None:
    tools.failing["first"] = SourceUnavailable("broken")
    swept = await feeds.sweep_all(house)
    assert {each.entity: each.state for each in swept} == {"first": "PARTIAL", "second": "DONE", "third": "DONE"}
    async with house.store.begin(DbRole.WORKER) as connection:
        (note,) = await connection.scalars(text("select note from ops.sweep where entity = 'first'"))
    assert "broken" in note


async def test_a_tool_that_does_not_answer_at_all_was_not_swept(house: Any, tools: Tools) -> None:
    tools.failing = dict.fromkeys(tools.entities, SourceUnavailable("down"))
    with pytest.raises(SourceUnavailable):
        await feeds.sweep_all(house)
    async with house.store.begin(DbRole.WORKER) as connection:
        assert await connection.scalar(text("select count(*) from ops.sweep")) == 0


async def test_records_of_other_tables_are_read_again_though_one_table_fails(house: Any, tools: Tools) -> None:
    tools.failing["first"] = SourceRefused("no rights")
    await hint(house.store, "first", "second", "third")
    with pytest.raises(SourceRefused):
        await feeds.drain_all(house)
    assert await hinted(house.store) == ["first"]
    assert tools.asked.count("first") <= 3, "it is not asked for ever"


async def test_what_can_never_be_asked_for_is_not_asked_for_ever(house: Any, tools: Tools) -> None:
    tools.failing["unknown"] = Refused(Code.BAD_INPUT, "'unknown' is not in the data contract.", "Name it.")
    await hint(house.store, "second", "unknown")
    await feeds.drain_all(house)
    assert await hinted(house.store) == []


async def test_a_first_load_whose_last_rows_vanished_ends_all_the_same(house: Any, tools: Tools) -> None:
    tools.entities = ("first",)
    await accept_pages(house.store, [page("first", 1, cursor="there")], resumable=True)
    tools.pages = {"there": [], None: [page("first", 2)]}
    await feeds.poll_all(house)
    assert await watermark(house.store, HERE, "first") == NOW - timedelta(minutes=10)


async def test_a_first_load_whose_place_is_none_any_more_begins_anew(house: Any, tools: Tools) -> None:
    tools.entities = ("first",)
    await accept_pages(house.store, [page("first", 1, cursor="there")], resumable=True)
    tools.pages = {None: [page("first", 2)]}
    tools.refused = {"there": Refused(Code.BAD_INPUT, "Its place is not of this table.", "Begin this reading anew.")}
    await feeds.poll_all(house)
    assert tools.asked == ["first", "first"]
    assert await watermark(house.store, HERE, "first") == NOW - timedelta(minutes=10)
    tools.refused = {None: tools.refused["there"]}
    with pytest.raises(Refused):
        await feeds.poll_all(house, scope=feeds.Scope(whole=True))
    assert len(tools.asked) == 3, "what is refused without a place is not asked for ever"


async def test_what_is_to_be_read_anew_does_not_go_on_where_a_first_load_stopped(house: Any) -> None:
    await accept_pages(house.store, [page("first", 1, cursor="there")], resumable=True)
    async with house.store.begin(DbRole.WORKER) as connection:
        await read_anew(connection, HERE, ["first"])
        assert await connection.scalar(PLACE, {"source": HERE, "entity": "first", "feed": Feed.POLL}) is None


async def turned(house: Any, tools: Tools, known: rhythm.Rhythm) -> Exception | None:
    """What a turn raised. Of the tools nothing but their failures is asked."""
    schedule = SimpleNamespace(terms=SimpleNamespace(schedule=Schedule()))
    tools.contracts = {HERE: schedule, Source.JIRA: schedule}
    try:
        await rhythm.turn(house, known)
    except (SourceRefused, SourceUnavailable, Refused) as failed:
        return failed
    return None


REFUSALS = (SourceRefused("no rights"), Refused(Code.BAD_INPUT, "A bad place.", "Begin anew."))


@pytest.mark.parametrize("failure", REFUSALS)
async def test_what_a_person_must_repair_keeps_neither_sweeps_nor_other_tools_waiting(
    house: Any, tools: Tools, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    swept: list[Source] = []

    async def poll(_house: Any, scope: feeds.Scope) -> None:
        if scope.sources == (HERE,):
            raise failure

    async def sweep(_house: Any, scope: feeds.Scope) -> None:
        swept.extend(scope.sources)

    async def nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr(rhythm, "poll_all", poll)
    monkeypatch.setattr(rhythm, "sweep_all", sweep)
    for name in ("read_histories", "note_stopped_clocks", "read_whole_when_due", "look_after_webhooks"):
        monkeypatch.setattr(rhythm, name, nothing)
    known = rhythm.Rhythm()
    assert await turned(house, tools, known) is failure
    assert swept == [HERE, Source.JIRA]
    assert set(known.polled) == {HERE, Source.JIRA}, "it is not asked again every few seconds"


async def test_a_sweep_that_was_cut_off_is_still_to_be_done(house: Any, tools: Tools) -> None:
    swept = await feeds.sweep_all(house, scope=feeds.Scope(entities=("first", "second")))
    assert len(swept) == 2
    assert await rhythm.swept_at(house.store, HERE, tools.entities) is None
    assert await rhythm.swept_at(house.store, HERE, tools.entities[:2]) is not None
