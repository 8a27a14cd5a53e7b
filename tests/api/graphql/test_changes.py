"""Changes as they happen: told to whoever may read them, to nobody else, and none is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from api.house import House
from api.ids import global_id
from engine.feed_words import ChangeKind
from schema.embedded import Server
from schema.store import DbRole, Viewer
from tests.api.conftest import Asking, asking, small
from tests.api.graphql.following import CHECKING, Place, Socket, decide, here, move, open_place, score_anew, socket
from tests.api.small_house import GRANTS, LINE, Model, key, person

SCORES = """subscription ($filter: ScoreFilter!, $after: String) {
  scoreChanged(filter: $filter, after: $after) { cursor occurredAt reason score { id subjectLabel value } } }"""
AWARDS = """subscription ($filter: AwardFilter!, $after: String) {
  awardChanged(filter: $filter, after: $after) { cursor state award { id awardRef state person { name } } } }"""
BATCHES = """subscription ($after: String) {
  payoutBatchChanged(filter: {}, after: $after) { state payoutBatch { id sequence state } } }"""


@pytest.fixture(scope="module")
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house of this module alone: its numbers move."""
    folder = tmp_path_factory.mktemp("changes")
    async with small(postgres, template, folder / "keys", folder.name) as opened:
        yield opened


@pytest.fixture(scope="module")
async def place(house: House) -> AsyncIterator[Place]:
    async with open_place(house) as opened:
        yield opened


@pytest.fixture(scope="module")
async def ask(house: House) -> AsyncIterator[Asking]:
    async with asking(house) as ready:
        yield ready


async def test_a_score_is_told_when_it_is_another_one_and_only_then(place: Place) -> None:
    async with socket(place, "mia") as line:
        await line.subscribe(SCORES, filter={"subjectKind": ["PERSON"]})
        await move(place.house)
        while await line.quiet(0.5):  # it begins when it begins
            await move(place.house)
        await line.subscribe(SCORES, name="2", filter={"subjectKind": ["PERSON"]}, after=await here(place.house))
        await line.send("complete", id="1")
        await score_anew(place.house, values={"ana": "0.9", "cara": "0.8"})  # cara is in another line
        told = await line.data("2")
        assert (told["score"]["subjectLabel"], told["score"]["value"]) == ("ana", "0.900000")
        assert told["reason"] == "VALUE"
        assert told["occurredAt"] == "2026-11-21T09:00:00.123456Z"
        await score_anew(place.house, values={"ana": "0.9"})  # the same again for ana
        assert await line.quiet(0.5)


async def told(line: Socket, field: str, wanted: int) -> set[str]:
    """Ids of so many things that are told, and of everything that follows."""
    found = {(await line.data())[field]["id"] for _ in range(wanted)}
    while not await line.quiet(0.3):
        found.add("one too many")
    return found


async def follow(stack: AsyncExitStack, place: Place, who: str, query: str, variables: dict[str, Any]) -> Socket:
    line = await stack.enter_async_context(socket(place, who))
    await line.subscribe(query, **variables)
    return line


async def test_everybody_is_told_exactly_what_a_query_shows_him(house: House, ask: Asking) -> None:
    """Every score changes at once, then every award; each person hears of those that the lists show him."""
    names = {label for _, label in Model("ava").subjects()}
    earners = {"dan", "mia", "max"}
    things: list[tuple[str, str, str, dict[str, Any]]] = [
        ("scores", "{ scores(first: 200) { nodes { id } } }", SCORES, {"filter": {}}),
        ("awards", "{ awards(first: 200, filter: {state: [APPROVED]}) { nodes { id } } }", AWARDS,
         {"filter": {"state": ["APPROVED"]}}),
    ]  # fmt: skip
    async with open_place(house) as place:
        for field, query, subscription, variables in things:
            begin = await here(house, ChangeKind.SCORE if field == "scores" else ChangeKind.AWARD)
            async with AsyncExitStack() as stack:
                given = {**variables, "after": begin}
                lines = {who: await follow(stack, place, who, subscription, given) for who in LINE}
                if field == "scores":
                    await score_anew(house, values=dict.fromkeys(names, "0.4"))
                else:
                    await asyncio.gather(*(decide(house, who) for who in earners))
                for who, line in lines.items():
                    shown: Any = (await ask(who, query))[field]
                    ids = {each["id"] for each in shown["nodes"]}
                    assert await told(line, field[:-1], len(ids)) == ids, (who, field)
                    assert len(ids) == len(
                        Model(who).subjects() if field == "scores" else Model(who).awards() & earners
                    )


async def test_the_event_itself_is_hidden_with_its_row(place: Place) -> None:
    """Row security on the table of changes says the same as that of the rows, for every person and kind."""
    await move(place.house)
    rows = {"SCORE": "score.score", "AWARD": "pay.award", "PAYOUT_BATCH": "pay.file"}
    for who in LINE:
        async with place.house.store.begin(DbRole.APP, Viewer(person(who)), read_only=True) as connection:
            for kind, table in rows.items():
                events = await connection.execute(
                    text("select distinct row_id from feed.change where kind = :kind"), {"kind": kind}
                )
                seen = await connection.execute(
                    text(f"select id from {table} where id in (select row_id from feed.change) or :all"),
                    {"all": kind != "SCORE"},
                )
                visible, told_of = set(seen.scalars()), set(events.scalars())
                assert told_of <= visible, (who, kind)
                assert len(told_of) > 0 or not visible, (who, kind)


async def test_a_payout_file_is_told_to_payroll(place: Place) -> None:
    async with socket(place, "paul") as payroll, socket(place, "ana") as stranger:
        for line in (payroll, stranger):
            await line.subscribe(BATCHES, after=await here(place.house, ChangeKind.PAYOUT_BATCH))
        async with place.house.store.begin(DbRole.PAY, Viewer(person("paul"))) as connection:
            await connection.execute(text("update pay.file set state = 'PULLED'"))
        assert (await payroll.data()) == {
            "state": "PULLED",
            "payoutBatch": {"id": global_id("PayoutBatch", key("file", "1")), "sequence": "1", "state": "PULLED"},
        }
        assert await stranger.quiet(0.3)


async def test_after_a_lost_connection_nothing_is_missing_and_repeats_have_the_same_cursor(house: House) -> None:
    async with open_place(house) as place:
        async with socket(place, "hanna") as line:
            await line.subscribe(SCORES, filter={}, after=await here(house))
            await move(house)
            first = await line.data()
            line.raw.transport.abort()  # as a cable that is pulled out
        missed = await move(house)
        async with socket(place, "hanna") as line:
            await line.subscribe(SCORES, filter={}, after=first["cursor"])
            second = await line.data()
            assert second["score"]["value"] == missed
    last = await move(house)
    async with open_place(house) as place, socket(place, "hanna") as line:  # a process that was started anew
        await line.subscribe(SCORES, name="a", filter={}, after=first["cursor"])
        again, third = await line.data("a"), await line.data("a")
        assert (again["cursor"], third["score"]["value"]) == (second["cursor"], last)
        assert len({first["cursor"], second["cursor"], third["cursor"]}) == 3
        assert await line.quiet(0.3)


async def test_changes_while_the_bell_is_deaf_are_told_when_it_hears_again(house: House) -> None:
    async with open_place(house) as place, socket(place, "hanna") as line:
        await line.subscribe(SCORES, filter={}, after=await here(house))
        admin = await asyncpg.connect(house.database_url)
        try:
            cut = """select pg_terminate_backend(pid) from pg_stat_activity
                      where application_name = 'evenhand_bell' and datname = current_database()"""
            assert await admin.fetch(cut)
        finally:
            await admin.close()
        unheard = await move(house)
        assert (await line.data())["score"]["value"] == unheard
        heard = await move(house)
        assert (await line.data())["score"]["value"] == heard


async def test_many_changes_at_once_come_in_their_order(house: House) -> None:
    """More than are read at a time."""
    async with open_place(house) as place, socket(place, "ava") as line:
        await line.subscribe(SCORES, filter={"subjectKind": ["PERSON"]}, after=await here(house))
        runs = [f"0.{number:02}" for number in range(10, 40)]
        for value in runs:
            await score_anew(house, values=dict.fromkeys(("ana", "ben", "cara", "dan"), value))
        found = [await line.data() for _ in range(4 * len(runs))]
    assert [each["score"]["value"] for each in found[::4]] == [f"{value}0000" for value in runs]
    assert len({each["cursor"] for each in found}) == len(found)


async def test_a_change_that_commits_late_is_not_passed_over(house: House) -> None:
    """Two acts overlap: whichever number the slower one gets, whoever reads meanwhile will still see it."""
    finn = Viewer(person("finn"))
    move = text("update pay.award set state = 'APPROVED', approved_by = :finn, approved_at = now() where id = :id")
    async with open_place(house) as place, socket(place, "hanna") as line:
        await line.subscribe(AWARDS, filter={}, after=await here(house, ChangeKind.AWARD))
        async with house.store.begin(DbRole.PAY, finn) as slow:
            await slow.execute(move, {"finn": finn.person_id, "id": key("award", "ana")})
            await decide(house, "ben")
            assert (await line.data())["award"]["person"] == {"name": "ben"}
        assert (await line.data())["award"]["person"] == {"name": "ana"}


async def test_whoever_has_a_number_is_seen_before_the_next_number_is_given(house: House) -> None:
    """An act that has its number and is not committed yet holds up the others: a reader never goes past it."""
    async with house.store.begin(DbRole.WORKER) as slow:
        await slow.execute(text("select app.change_number()"))
        other = asyncio.create_task(move(house, "dan"))
        _, waiting = await asyncio.wait((other,), timeout=0.5)
        assert waiting
    await other


@pytest.mark.parametrize("who", ["finn", "ana"])
async def test_who_has_left_is_told_nothing_more(house: House, who: str) -> None:
    async with open_place(house, CHECKING) as place, socket(place, who) as line:
        await line.subscribe(AWARDS, filter={}, after=await here(house, ChangeKind.AWARD))
        async with place.house.store.begin(DbRole.WORKER) as connection:
            await connection.execute(
                text("update mirror.person set active = false where id = :who"), {"who": person(who)}
            )
        assert await line.end() == 4403


async def test_a_role_that_ends_ends_the_stream(house: House) -> None:
    change = text("update access.role_grant set valid_to = cast(:until as timestamptz) where person_id = :who")

    async def grant(until: datetime | None) -> None:
        async with house.store.begin(DbRole.WORKER) as connection:
            await connection.execute(change, {"who": person("hanna"), "until": until})

    try:
        async with (
            open_place(house, CHECKING) as place,
            socket(place, "hanna") as line,
            socket(place, "ava") as other,
        ):
            for each in (line, other):
                await each.subscribe(SCORES, filter={}, after=await here(house))
                await grant(datetime.now(UTC) - timedelta(seconds=1))
            assert await line.end() == 4403
            async with socket(place, "hanna") as anew:  # she may watch what is left to her
                await anew.subscribe(SCORES, filter={}, after=await here(house))
                await move(place.house, "ben")
                assert (await other.data())["score"]["subjectLabel"] == "ben"
                assert await anew.quiet(0.3)
    finally:
        await grant(None)


async def test_a_token_that_expires_ends_the_stream(house: House) -> None:
    async with open_place(house, CHECKING) as place, socket(place) as line:
        await line.begin(place.token("hanna", 600))
        await line.subscribe(AWARDS, filter={}, after=await here(house, ChangeKind.AWARD))
        place.time.later(seconds=629)  # the leeway of 30 s is part of it
        assert await line.quiet(0.4)
        place.time.later(seconds=2)
        assert await line.end() == 4403


@pytest.mark.parametrize(
    ("after", "code"),
    [
        ("", "INVALID_CURSOR"),
        ("x", "INVALID_CURSOR"),
        ("WyJTQ09SRSIsMSwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIl0", "INVALID_CURSOR"),  # of scores
        ("WyJBV0FSRCIsOTk5OTk5LCIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiXQ", "INVALID_CURSOR"),  # yet to come
        ("WyJBV0FSRCIsLTEsIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJd", "INVALID_CURSOR"),
        ("WyJBV0FSRCIsdHJ1ZSwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIl0", "INVALID_CURSOR"),
    ],
)
async def test_a_cursor_that_is_none_is_refused(place: Place, after: str, code: str) -> None:
    async with socket(place, "hanna") as line:
        await line.subscribe(AWARDS, filter={}, after=after)
        message = await line.read()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)
        await line.subscribe("{ __typename }", name="2")
        assert (await line.read())["payload"]["data"] == {"__typename": "Query"}


def test_the_roles_of_the_house_are_among_those_who_watch() -> None:
    assert set(GRANTS) <= set(LINE)
