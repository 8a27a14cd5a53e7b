"""What a person may ask in a time: one bucket for all processes, paid before the work, nobody else's to touch."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.graphql.bucket import AHEAD, LEASES, LEASES_OF_DEAR, Buckets, Throttled
from api.house import House
from api.settings import Budget, Settings, read
from engine.refusal import Code, Refused
from schema.identity import DEFAULT_TENANT
from schema.store import DbRole, Store, Viewer
from tests.api.conftest import Asking, asking
from tests.api.small_house import OTHER_TENANT

SLOW = Budget(20_000, 1)  # so slow that nothing comes back while a test runs
WHO = Viewer(UUID(int=1))


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = Store(database_url)
    yield opened
    await opened.close()


def process(store: Store, budget: Budget = SLOW, **own: Any) -> Buckets:
    """The buckets as one process sees them."""
    return Buckets(store, Settings(budget=budget, **own))


async def paid(buckets: Buckets, points: int, who: Viewer = WHO) -> bool:
    try:
        await buckets.purse(who).pay(points)
    except Throttled:
        return False
    return True


async def test_cheap_requests_write_nothing_while_the_lease_lasts(store: Store, admin: asyncpg.Connection) -> None:
    here = process(store)
    lease = SLOW.points // LEASES
    first = await here.purse(WHO).pay(0)
    assert (first.maximum_available, first.restore_rate) == (SLOW.points, SLOW.per_second)
    written = await admin.fetch("select *, xmin from access.bucket")
    for _ in range(lease):
        await here.purse(WHO).pay(1)
    assert await admin.fetch("select *, xmin from access.bucket") == written
    left = await here.purse(WHO).pay(1)
    assert await admin.fetch("select *, xmin from access.bucket") != written
    assert SLOW.points - lease - 1 <= left.currently_available <= SLOW.points - lease + 5


async def test_dear_requests_are_paid_for_some_at_a_time(store: Store, admin: asyncpg.Connection) -> None:
    here, price = process(store), SLOW.points // LEASES  # as much as a lease of cheap ones
    await here.purse(WHO).pay(price)
    written = await admin.fetch("select *, xmin from access.bucket")
    for _ in range(AHEAD):
        await here.purse(WHO).pay(price)
    assert await admin.fetch("select *, xmin from access.bucket") == written


async def test_processes_share_one_bucket_and_a_restart_forgets_nothing(
    store: Store, admin: asyncpg.Connection
) -> None:
    one, two = process(store), process(store)
    assert await paid(one, 12_000)
    assert not await paid(two, 12_000)
    assert await paid(two, 7_000)
    assert not await paid(process(store), 7_000)
    with pytest.raises(Throttled) as refused:
        await process(store).purse(WHO).pay(5_000)
    missing = 5_000 - (SLOW.points - 19_000 - SLOW.points // LEASES_OF_DEAR)  # of the second there was no lease left
    assert refused.value.code is Code.THROTTLED
    assert missing - 20 <= refused.value.after_seconds <= missing
    assert await paid(process(store), 12_000, Viewer(UUID(int=2)))
    # time goes on: in the database, whose clock counts
    await admin.execute("update access.bucket set empty_at = empty_at - interval '1 hour'")
    assert await paid(process(store), 3_600 - 20)


async def test_many_at_once_never_take_more_than_there_is(store: Store) -> None:
    several = [process(store) for _ in range(4)]
    done = await asyncio.gather(*(paid(several[n % 4], 700) for n in range(60)))
    assert (SLOW.points - 4 * SLOW.points // LEASES_OF_DEAR) // 700 <= sum(done) <= SLOW.points // 700


async def test_whoever_is_throttled_does_not_ask_the_database_again(store: Store) -> None:
    here = process(store)
    assert not await paid(here, SLOW.points + 1)
    assert await paid(here, SLOW.points)
    statements = 0
    real = store.begin

    def counting(*given: Any, **more: Any) -> Any:
        nonlocal statements
        statements += 1
        return real(*given, **more)

    store.begin = counting  # type: ignore[method-assign]
    for _ in range(20):
        assert not await paid(here, 1_000)
    assert statements == 0


@pytest.mark.parametrize("ahead", ["1 day", "10 years"])
async def test_a_bucket_is_never_fuller_than_full(store: Store, admin: asyncpg.Connection, ahead: str) -> None:
    """The clock was set back, or the settings made the bucket smaller: nobody waits longer than for a full one."""
    await admin.execute(
        f"insert into access.bucket values ($1, $2, now() + interval '{ahead}')", DEFAULT_TENANT, WHO.person_id
    )
    with pytest.raises(Throttled) as refused:
        await process(store, Budget(100, 10)).purse(WHO).pay(100)
    assert refused.value.after_seconds == 10


async def test_nobody_touches_a_bucket_but_by_its_function(store: Store, admin: asyncpg.Connection) -> None:
    """The role that reads for people sees no bucket, writes none, and takes for its own viewer alone."""
    await process(store).purse(WHO).pay(10_000)
    before = await admin.fetch("select * from access.bucket")
    for statement in (
        "select * from access.bucket",
        "update access.bucket set empty_at = now()",
        "delete from access.bucket",
        f"insert into access.bucket values ('{DEFAULT_TENANT}', '{uuid4()}', now())",
    ):
        for role in DbRole:
            with pytest.raises(DBAPIError):
                async with store.begin(role, WHO) as connection:
                    await connection.execute(text(statement))
    for other in (Viewer(UUID(int=2)), Viewer(WHO.person_id, OTHER_TENANT)):
        await process(store).purse(other).pay(20_000)
        await process(store, Budget(1, 1)).purse(replace(other, request_id="x")).pay(0)
    assert await admin.fetch("select * from access.bucket where person_id = $1 and tenant_id = $2", WHO.person_id,
                             DEFAULT_TENANT) == before  # fmt: skip
    with pytest.raises(DBAPIError):  # a job of ours has no bucket
        await process(store).purse(Viewer()).pay(1)


async def test_a_service_account_has_a_budget_of_its_own(store: Store) -> None:
    settings = read({"EVENHAND_GRAPHQL_BUDGET": "100/1", "EVENHAND_GRAPHQL_OWN_BUDGETS": f"{WHO.person_id}=900/2"})
    here = Buckets(store, settings)
    assert (await here.purse(WHO).pay(900)).maximum_available == 900
    assert not await paid(here, 101, Viewer(UUID(int=2)))
    for wrong in ({"BUDGET": "100"}, {"BUDGET": "0/1"}, {"BUDGET": "1/99999999999"}, {"OWN_BUDGETS": "x=1/1"}):
        with pytest.raises(Refused):
            read({f"EVENHAND_GRAPHQL_{name}": said for name, said in wrong.items()})


POOR = 3_000


@pytest.fixture
async def poor(house: House) -> AsyncIterator[Asking]:
    """The small house, where everybody has 3,000 points and next to nothing comes back."""
    connection = await asyncpg.connect(house.database_url)
    await connection.execute("delete from access.bucket")
    async with asking(replace(house, settings=replace(house.settings, budget=Budget(POOR, 1)))) as ready:
        yield ready
    await connection.execute("delete from access.bucket")
    await connection.close()


PAGE = "{ people(first: 100) { nodes { reports(first: 10) { nodes { name } } } } }"
PRICE = 1 + 100 * (1 + 1 + 10)


async def test_who_asks_too_much_is_told_when_to_come_again(poor: Asking) -> None:
    answers = [await poor.post("ana", PAGE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    costs = [answer.json()["extensions"]["cost"] for answer in answers]
    told = {(cost["maximumAvailable"], cost["restoreRate"], cost["requested"]) for cost in costs}
    assert told == {(POOR, 1, PRICE)}
    for no, cost in enumerate(costs):
        assert 0 <= cost["currentlyAvailable"] - (POOR - min(no + 1, 2) * PRICE) < 60
    error = answers[2].json()["errors"][0]
    assert (error["extensions"]["code"], "data" in answers[2].json()) == ("THROTTLED", False)
    assert answers[2].headers["retry-after"] == str(error["extensions"]["retryAfterSeconds"])
    assert 0 <= 3 * PRICE - POOR - error["extensions"]["retryAfterSeconds"] < 60
    assert (await poor.post("ben", PAGE)).status_code == 200  # everybody has his own
    small = await poor.post("ana", "{ viewer { budget { maximumAvailable currentlyAvailable restoreRate } } }")
    assert small.status_code == 200
    budget, cost = small.json()["data"]["viewer"]["budget"], small.json()["extensions"]["cost"]
    assert cost["requested"] == 2
    assert {name: budget[name] for name in ("maximumAvailable", "restoreRate")}.items() <= cost.items()
    assert abs(budget["currentlyAvailable"] - cost["currentlyAvailable"]) < 60


async def test_what_fails_is_paid_and_what_is_refused_is_not(poor: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError

    async def left() -> int:
        found = (await poor.post("ana", "{ __typename }")).json()["extensions"]["cost"]
        return int(found["currentlyAvailable"])

    assert await left() == POOR
    for query in ("{", "{ wrong }", "{ people(first: 200) { nodes { reports(first: 200) { nodes { name } } } } }"):
        answer = (await poor.post("ana", query)).json()
        assert answer["errors"]
        names = {"requested", "maximumAvailable", "currentlyAvailable", "restoreRate"}
        assert set(answer["extensions"]["cost"]) == names
        assert await left() == POOR
    monkeypatch.setattr("api.graphql.root.by_key", broken)
    answer = (await poor.post("ana", '{ explain(id: "x", depth: 10) { tree } viewer { person { name } } }')).json()
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert await left() <= POOR - 500
