"""What the intake answers is what the inbox holds, however many knock at once."""

import asyncio
import itertools
from collections import Counter, defaultdict

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.words import Source
from tests.webhooks.receiving import NOW, connected, stored
from webhooks.intake import Arrival, Intake, Limits, NotStored, Outcome
from webhooks.reasons import Reason

EXAMPLE = itertools.count(1)


def arrival(delivery_id: str, body: bytes = b"{}", source: Source = Source.SERVICENOW) -> Arrival:
    return Arrival(source, delivery_id, body, {"content-type": "application/json"}, NOW)


async def test_what_waits_is_written_together(database_url: str) -> None:
    intake = Intake(database_url)
    arrivals = [arrival(f"evt_{n}", b"%d" % n) for n in range(300)]
    assert set(await asyncio.gather(*map(intake.store, arrivals))) == {Outcome.NEW}
    await intake.close()
    rows = await stored(database_url)
    assert len(rows) == 300
    assert {(row["delivery_id"], row["body"]) for row in rows} == {(one.delivery_id, one.body) for one in arrivals}
    async with connected(database_url) as connection:
        transactions = await connection.fetchval("select count(distinct xmin::text) from inbox.delivery")
    assert transactions == 1


async def test_batches_keep_their_limits(database_url: str) -> None:
    intake = Intake(database_url, limits=Limits(batch_rows=7, batch_bytes=40))
    await asyncio.gather(
        *(intake.store(arrival(f"evt_{n}", b"x" * size)) for n, size in enumerate([1] * 20 + [30] * 4))
    )
    await intake.close()
    async with connected(database_url) as connection:
        batches = await connection.fetch(
            "select count(*) as rows, sum(length(body)) as bytes from inbox.delivery group by xmin::text"
        )
    assert sum(batch["rows"] for batch in batches) == 24
    assert max(batch["rows"] for batch in batches) == 7
    assert max(batch["bytes"] for batch in batches) <= 40


async def test_the_same_id_is_stored_once_and_another_body_beside_it(database_url: str) -> None:
    intake = Intake(database_url)
    bodies = [b"a", b"a", b"b", b"a", b"c"]
    outcomes = await asyncio.gather(*(intake.store(arrival("evt_1", body)) for body in bodies))
    outcomes.append(await intake.store(arrival("evt_1", b"a", Source.JIRA)))
    await intake.close()
    assert outcomes == ["new", "duplicate", "conflict", "duplicate", "conflict", "new"]
    rows = [(row["source"], row["body"], row["conflict_no"]) for row in await stored(database_url)]
    assert rows == [("servicenow", b"a", 0), ("servicenow", b"b", 1), ("servicenow", b"c", 2), ("jira", b"a", 0)]
    async with connected(database_url) as connection:
        key = await connection.fetchrow("select * from inbox.delivery_key where source = 'servicenow'")
    assert (key["duplicates"], key["conflicts"]) == (2, 2)


@given(arrivals=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([b"1", b"2"])), max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_outcomes_follow_the_simple_model(database_url: str, arrivals: list[tuple[str, bytes]]) -> None:
    example = next(EXAMPLE)
    intake = Intake(database_url, limits=Limits(batch_rows=4))
    outcomes = await asyncio.gather(*(intake.store(arrival(f"{example}-{key}", body)) for key, body in arrivals))
    await intake.close()
    first: dict[str, bytes] = {}
    kept: dict[str, list[bytes]] = defaultdict(list)
    for (key, body), outcome in zip(arrivals, outcomes, strict=True):
        expected = "new" if key not in first else "duplicate" if first[key] == body else "conflict"
        first.setdefault(key, body)
        assert outcome == expected
        if expected != "duplicate":
            kept[f"{example}-{key}"].append(body)
    rows = [row for row in await stored(database_url) if row["delivery_id"].startswith(f"{example}-")]
    for delivery_id, bodies in kept.items():
        mine = [(row["conflict_no"], row["body"]) for row in rows if row["delivery_id"] == delivery_id]
        assert mine == list(enumerate(bodies))
    assert len(rows) == sum(map(len, kept.values()))


async def test_two_processes_take_the_same_ids_in_opposite_order(database_url: str) -> None:
    one, two = Intake(database_url), Intake(database_url)
    ids = [f"evt_{n}" for n in range(200)]
    answers = await asyncio.gather(
        *(one.store(arrival(i)) for i in ids), *(two.store(arrival(i)) for i in reversed(ids))
    )
    await one.close()
    await two.close()
    assert Counter(answers) == {"new": 200, "duplicate": 200}
    assert sorted(row["delivery_id"] for row in await stored(database_url)) == sorted(ids)


async def test_one_bad_row_does_not_refuse_its_neighbours(database_url: str) -> None:
    intake = Intake(database_url)
    ids = [f"evt_{n}" for n in range(20)]
    ids[13] = "no text may hold \x00"
    answers = await asyncio.gather(*(intake.store(arrival(i)) for i in ids), return_exceptions=True)
    await intake.close()
    bad = answers.pop(13)
    assert isinstance(bad, NotStored)
    assert bad.reason is Reason.ROW_REFUSED
    assert set(answers) == {Outcome.NEW}
    assert sorted(row["delivery_id"] for row in await stored(database_url)) == sorted(ids[:13] + ids[14:])


async def test_the_number_of_a_conflict_stops_at_the_end_of_its_type(database_url: str) -> None:
    intake = Intake(database_url)
    await intake.store(arrival("evt_1", b"a"))
    async with connected(database_url) as connection:
        await connection.execute("update inbox.delivery_key set conflicts = 32766")
    for body in (b"b", b"c", b"d"):
        assert await intake.store(arrival("evt_1", body)) == "conflict"
    await intake.close()
    assert [row["conflict_no"] for row in await stored(database_url)] == [0, 32767, 32767, 32767]


async def test_a_connection_that_the_server_closed_is_opened_anew(database_url: str) -> None:
    intake = Intake(database_url)
    await intake.store(arrival("evt_1"))
    async with connected(database_url) as connection:
        ended = await connection.fetch(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where application_name = 'evenhand_intake' and datname = current_database()"
        )
    assert len(ended) == 1
    assert await intake.store(arrival("evt_2")) == "new"
    await intake.close()


async def test_a_writer_that_is_lost_in_a_statement_refuses_and_the_next_try_succeeds(database_url: str) -> None:
    intake = Intake(database_url)
    await intake.store(arrival("evt_0"))
    async with connected(database_url) as connection:
        async with connection.transaction():
            await connection.execute("lock table inbox.delivery_key in exclusive mode")
            waiting = [asyncio.create_task(intake.store(arrival(f"evt_{n}"))) for n in range(1, 6)]
            await asyncio.sleep(0.1)
            waiting.append(asyncio.create_task(intake.store(arrival("evt_6"))))  # behind the one that hangs
            await asyncio.sleep(0.1)
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'evenhand_intake' and datname = current_database()"
            )
            refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert [one.reason for one in refused if isinstance(one, NotStored)] == [Reason.DATABASE_AWAY] * 6
    again = await asyncio.gather(*(intake.store(arrival(f"evt_{n}")) for n in range(7)))
    await intake.close()
    assert again == ["duplicate"] + ["new"] * 6


async def test_the_queue_is_bounded_in_rows_and_bytes(database_url: str) -> None:
    intake = Intake(database_url, limits=Limits(waiting_rows=3, waiting_bytes=10))
    for sizes, refused in (([1, 1, 1, 1], [3]), ([6, 6, 4], [1])):
        answers = await asyncio.gather(
            *(intake.store(arrival(f"evt_{sizes}_{n}".replace(" ", ""), b"x" * size)) for n, size in enumerate(sizes)),
            return_exceptions=True,
        )
        full = [n for n, one in enumerate(answers) if isinstance(one, NotStored) and one.reason is Reason.INTAKE_FULL]
        assert full == refused
    assert await intake.store(arrival("evt_after", b"x" * 10)) == "new"
    await intake.close()


async def test_the_intake_reads_nothing_of_what_it_has_written(database_url: str) -> None:
    intake = Intake(database_url)
    await intake.store(arrival("evt_1", b"what an employee earns"))
    await intake.close()
    async with connected(database_url) as connection:
        assert await connection.fetchval("select count(*) from inbox.delivery") == 1
        await connection.execute("set role evenhand_intake")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select body from inbox.delivery")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("update inbox.delivery set state = 'DONE'")
