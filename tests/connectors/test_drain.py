"""Whatever way versions arrive, the mirror ends the same; whatever is wrong with them, nothing else is lost."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from connectors.drain import Drained, accept_pages, drain
from connectors.history import snapshot
from connectors.servicenow.contract import standard
from connectors.servicenow.translate import translator
from connectors.source import Page, Translator, Version
from engine.words import Feed, MirrorKind, Source
from schema.store import DbRole, Store

READ = {Source.SERVICENOW: translator(standard())}
START = datetime(2026, 3, 1, tzinfo=UTC)
Raw = dict[str, Any]


def sys_id(number: int) -> str:
    return f"{number:032x}"


def incident(number: int = 1, count: int = 0, minute: int = 0, **columns: Any) -> Raw:
    updated = (START + timedelta(minutes=minute)).strftime("%Y-%m-%d %H:%M:%S")
    usual = {
        "sys_id": sys_id(number), "sys_mod_count": str(count), "sys_updated_on": updated, "number": f"INC{number}",
        "state": "2", "opened_at": "2026-02-28 10:00:00", "made_sla": "true", "reopen_count": str(count),
    }  # fmt: skip
    return usual | columns


def page(records: Sequence[Any], entity: str = "incident", at: int = 0, feed: Feed = Feed.POLL) -> Page:
    body = orjson.dumps(records)
    observed_at = START + timedelta(minutes=at)
    page_id = f"{entity}:{at}:{sha256(body).hexdigest()}"
    return Page(Source.SERVICENOW, entity, feed, page_id, body, observed_at)


async def hook(store: Store, bodies: Iterable[bytes], name: str = "hook") -> None:
    """Webhooks as the intake leaves them in the inbox."""
    rows = [{"id": f"{name}-{place}", "body": body, "sha": sha256(body).digest()} for place, body in enumerate(bodies)]
    async with store.begin(DbRole.INTAKE) as connection:
        await connection.execute(
            text(
                """insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body,
                     body_sha256, headers, received_at, state, attempts)
                   values (app.tenant(), 'servicenow', '', 'WEBHOOK', :id, 0, :body, :sha, '{}', now(), 'READY', 0)"""
            ),
            rows,
        )


def event(record: Any, op: str = "update", table: str = "incident") -> bytes:
    return orjson.dumps({"event_id": "e", "table": table, "op": op, "record": record})


async def rows(store: Store, query: str, **given_values: Any) -> list[Any]:
    async with store.begin(DbRole.WORKER) as connection:
        return [tuple(row) for row in await connection.execute(text(query), given_values)]


MIRROR = (
    "select source, entity, source_key, kind, version_no, version_at, payload_hash, gone_at from mirror.record",
    "select source_key, state, made_sla, reopen_count, resolve_seconds, gone_at from mirror.incident",
    "select source_key, field, code, value, what, fix from mirror.data_issue where state = 'OPEN'",
    "select source_key, version_no, version_at, payload_hash from mirror.revision",
)


async def mirrored(store: Store) -> tuple[Any, ...]:
    """All that the mirror says, without what only tells how it came there."""
    async with store.begin(DbRole.WORKER) as connection:
        return (await snapshot(connection), *[sorted(await rows(store, query), key=repr) for query in MIRROR])


async def wiped(database_url: str) -> None:
    """An empty mirror again, which nobody but the administrator can bring about."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("""
        set session_replication_role = replica;
        delete from mirror.revision; delete from mirror.record; delete from mirror.incident;
        delete from mirror.data_issue; delete from inbox.delivery; delete from inbox.delivery_key;
    """)
    await connection.close()


# ---- one result, whichever way


@pytest.mark.capability("I7.1")
async def test_the_newest_version_stands_and_every_version_is_kept(store: Store) -> None:
    versions = [incident(count=count, minute=count, state=state) for count, state in enumerate("1267")]
    assert await accept_pages(store, [page(versions)]) == 1
    done = await drain(store, READ)
    assert (done.deliveries, done.records, done.revisions, done.heads) == (1, 4, 4, 1)
    assert await rows(store, "select state, source_state, reopen_count from mirror.incident") == [("CLOSED", "7", 3)]
    assert len(await rows(store, "select 1 from mirror.revision")) == 4


async def test_an_older_version_never_wins(store: Store) -> None:
    for count in (5, 2, 4):
        await accept_pages(store, [page([incident(count=count, minute=count)])])
        await drain(store, READ)
    assert await rows(store, "select reopen_count from mirror.incident") == [(5,)]


async def test_of_two_versions_with_one_count_the_later_stamp_wins(store: Store) -> None:
    """A real instance writes one count twice now and then."""
    later, earlier = incident(count=7, minute=9, state="7"), incident(count=7, minute=1, state="2")
    await hook(store, [event(later), event(earlier)])
    await drain(store, READ)
    assert await rows(store, "select state from mirror.incident") == [("CLOSED",)]
    assert await rows(store, "select code from mirror.data_issue") == []


async def test_versions_are_numbers_not_texts(store: Store) -> None:
    await accept_pages(store, [page([incident(count=9), incident(count=10)])])
    await drain(store, READ)
    assert await rows(store, "select version_no from mirror.record") == [(10,)]


async def test_a_known_page_is_a_duplicate(store: Store) -> None:
    first = page([incident()])
    assert await accept_pages(store, [first, first]) == 1
    assert await accept_pages(store, [first]) == 0
    assert (await drain(store, READ)).deliveries == 1
    assert await rows(store, "select duplicates from inbox.delivery_key") == [(1,)]


STATES = st.sampled_from(["1", "2", "3", "6", "7", "42"])
VERSIONS = st.lists(
    st.builds(
        lambda number, count, minute, state: incident(number, count, minute, state=state),
        st.integers(1, 3), st.integers(0, 4), st.integers(0, 3), STATES,
    ),
    min_size=1, max_size=8, unique_by=lambda raw: (raw["sys_id"], raw["sys_mod_count"], raw["sys_updated_on"]),
)  # fmt: skip


@pytest.mark.capability("I7.1")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions=VERSIONS, seed=st.integers(0, 10**6))
async def test_order_and_repetition_never_matter(
    store: Store, database_url: str, versions: list[Raw], seed: int
) -> None:
    """Any order, with repetitions, by page, by webhook or both, in one drain or many: the same mirror and hash."""
    dice = random.Random(seed)
    await wiped(database_url)
    await accept_pages(store, [page(sorted(versions, key=lambda raw: int(raw["sys_mod_count"])))])
    await drain(store, READ)
    expected = await mirrored(store)
    await wiped(database_url)
    arriving = versions + dice.choices(versions, k=3)
    dice.shuffle(arriving)
    for place, raw in enumerate(arriving):
        if dice.random() < 0.5:
            await hook(store, [event(raw)], f"hook-{place}")
        else:
            await accept_pages(store, [page([raw], at=place % 10)])  # none so late that it denies a version
        if dice.random() < 0.4:
            await drain(store, READ)
    await drain(store, READ)
    assert await mirrored(store) == expected


@pytest.mark.parametrize("api_first", [True, False])
async def test_a_silent_change_is_taken_from_the_api_and_listed(store: Store, api_first: bool) -> None:
    """The same version with another content: the tool was written to without a trace."""
    loud, silent = incident(count=3, made_sla="true"), incident(count=3, made_sla="false")
    steps = [lambda: accept_pages(store, [page([silent], at=5)]), lambda: hook(store, [event(loud)])]
    for step in steps if api_first else reversed(steps):
        await step()  # type: ignore[operator]
        await drain(store, READ)
    assert await rows(store, "select made_sla from mirror.incident") == [(False,)]
    assert await rows(store, "select code, field, state from mirror.data_issue") == [
        ("VERSION_CONFLICT", "version", "OPEN")
    ]
    await accept_pages(store, [page([incident(count=4)])])
    await drain(store, READ)
    assert await rows(store, "select state from mirror.data_issue") == [("RESOLVED",)]


async def test_what_was_observed_later_wins_where_a_tool_has_no_versions(store: Store) -> None:
    """Approvals and clocks of Jira: their version is when they were seen, so a content may come back."""

    def read(entity: str, raw: Mapping[str, Any], observed_at: datetime) -> tuple[Version, ...]:
        number = int(observed_at.timestamp() * 1000)
        values = {"stage": raw["stage"]}
        payload = orjson.dumps(raw)
        return (Version(Source.JIRA, entity, "1", MirrorKind.TASK_SLA, number, observed_at, payload, values),)

    jira = {Source.JIRA: Translator(read, READ[Source.SERVICENOW].read_hook)}
    for at, stage in ((3, "IN_PROGRESS"), (1, "IN_PROGRESS"), (2, "PAUSED")):
        body = orjson.dumps([{"stage": stage}])
        seen = Page(Source.JIRA, "request_sla", Feed.POLL, f"p{at}", body, START + timedelta(minutes=at))
        await accept_pages(store, [seen])
        await drain(store, jira)
    assert await rows(store, "select stage from mirror.task_sla") == [("IN_PROGRESS",)]
    assert await rows(store, "select version_at from mirror.record") == [(START + timedelta(minutes=3),)]
    assert await rows(store, "select code from mirror.data_issue") == []


# ---- what is wrong, and what it costs


@pytest.mark.capability("I7.1", "T3.3")
async def test_issues_are_those_of_the_newest_version(store: Store) -> None:
    await accept_pages(store, [page([incident(count=2, state="42")])])
    await drain(store, READ)
    listed = "select field, code, value, state from mirror.data_issue"
    assert await rows(store, listed) == [("state", "UNMAPPED_SOURCE_VALUE", "42", "OPEN")]
    assert await rows(store, "select state, source_state from mirror.incident") == [(None, "42")]
    await accept_pages(store, [page([incident(count=1, reopen_count="many")])])  # older: its faults are history
    await drain(store, READ)
    assert await rows(store, listed) == [("state", "UNMAPPED_SOURCE_VALUE", "42", "OPEN")]
    await accept_pages(store, [page([incident(count=3, state="6")])])
    await drain(store, READ)
    assert await rows(store, listed) == [("state", "UNMAPPED_SOURCE_VALUE", "42", "RESOLVED")]


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"[]", b"null", b'{"table":"incident"}', b"\x00", b"\xff\xfe", b'{"a":"\x00"}', b"[" * 100_000, b"NaN"],
)
async def test_a_webhook_that_cannot_be_read_is_dead_and_blocks_nothing(store: Store, body: bytes) -> None:
    await hook(store, [body, event(incident())])
    done = await drain(store, READ)
    assert (done.deliveries, done.dead, done.heads) == (2, 1, 1)
    ((state, reason),) = await rows(store, "select state, reason from inbox.delivery where delivery_id = 'hook-0'")
    assert state == "DEAD"
    assert reason
    assert (await drain(store, READ)).deliveries == 0


async def test_a_page_that_is_no_array_is_dead(store: Store) -> None:
    whole = page([incident()])
    cut = Page(whole.source, whole.entity, whole.feed, "cut", whole.body[:-9], whole.observed_at)
    await accept_pages(store, [cut, whole])
    assert await drain(store, READ) == Drained(
        deliveries=2, records=1, revisions=1, heads=1, dead=1, kinds=frozenset({MirrorKind.INCIDENT})
    )


@pytest.mark.capability("T3.3")
async def test_a_bad_record_loses_only_itself(store: Store) -> None:
    bad: list[Any] = [
        incident(2, sys_mod_count="soon"), {"number": "INC3"}, ["INC4"], None, incident(5) | {"number": "\0"},
        incident(6, sys_updated_on="yesterday\0"),
    ]  # fmt: skip
    await accept_pages(store, [page([incident(1), *bad, incident(7)])])
    done = await drain(store, READ)
    assert (done.dead, done.malformed, done.heads) == (0, 5, 3)
    assert {key for (key,) in await rows(store, "select source_key from mirror.incident")} == {
        sys_id(1), sys_id(5), sys_id(7),
    }  # fmt: skip
    listed = await rows(store, "select source_key, field, value from mirror.data_issue where code = 'MALFORMED'")
    assert {(key, field) for key, field, _ in listed} >= {
        (sys_id(2), "sys_mod_count"), (sys_id(5), "number"), (sys_id(6), "sys_updated_on")
    }  # fmt: skip
    await accept_pages(store, [page([incident(2)])])
    await drain(store, READ)
    (settled,) = await rows(store, "select state from mirror.data_issue where source_key = :key", key=sys_id(2))
    assert settled == ("RESOLVED",)


async def test_a_record_with_half_a_character_loses_only_itself(store: Store) -> None:
    body = b'[{"sys_id":"%s","number":"\\ud800"},%s]' % (sys_id(2).encode(), orjson.dumps(incident()))
    await accept_pages(store, [Page(Source.SERVICENOW, "incident", Feed.POLL, "half", body, START)])
    done = await drain(store, READ)
    assert (done.dead, done.malformed, done.heads) == (0, 1, 1)


async def test_a_value_that_only_the_database_refuses_loses_only_its_record(store: Store) -> None:
    """A translator of ours that breaks a rule of a table must not stop the mirror."""

    def careless(entity: str, raw: Mapping[str, Any], observed_at: datetime) -> tuple[Version, ...]:
        (version,) = READ[Source.SERVICENOW].translate(entity, raw, observed_at)
        odd: Any = {2: "UNHEARD_OF", 4: object(), 6: "\0"}.get(int(version.key, 16), version.values["state"])
        if int(version.key, 16) == 8:
            raise ZeroDivisionError
        return (
            Version(
                version.source, version.entity, version.key, version.kind, version.version_no, version.version_at,
                version.payload, dict(version.values) | {"state": odd},
            ),
        )  # fmt: skip

    await accept_pages(store, [page([incident(number) for number in range(1, 10)])])
    done = await drain(store, {Source.SERVICENOW: Translator(careless, READ[Source.SERVICENOW].read_hook)})
    assert (done.heads, done.malformed) == (5, 4)
    listed = await rows(store, "select source_key from mirror.data_issue where code = 'MALFORMED' and state = 'OPEN'")
    assert {key for (key,) in listed if key.startswith("0")} == {sys_id(2), sys_id(4), sys_id(6)}
    assert await rows(store, "select distinct state from inbox.delivery") == [("DONE",)]


async def test_a_said_delete_is_counted_and_deletes_nothing(store: Store) -> None:
    await hook(store, [event(incident()), event(incident(), op="delete")])
    done = await drain(store, READ)
    assert done.suspected_deletes == 1
    assert await rows(store, "select gone_at from mirror.incident") == [(None,)]
    ((reason,),) = await rows(store, "select reason from inbox.delivery where reason is not null")
    assert sys_id(1) in reason


async def test_a_thin_webhook_asks_to_read_the_record_again(store: Store) -> None:
    await hook(
        store, [event(incident(3), table="asmt_metric_result"), event({"sys_id": sys_id(4)}, table="kb_article")]
    )
    done = await drain(store, READ)
    assert [(hint.entity, hint.key) for hint in done.refetch] == [("asmt_metric_result", sys_id(3))]
    assert await rows(store, "select distinct state from inbox.delivery") == [("DONE",)]


async def test_the_snapshot_hash_can_be_computed_by_anybody(store: Store) -> None:
    async with store.begin(DbRole.WORKER) as connection:
        assert await snapshot(connection) == sha256(b"").hexdigest()
    await accept_pages(store, [page([incident(2), incident(1)])])
    await drain(store, READ)
    lines = []
    for raw in (incident(1), incident(2)):
        (version,) = READ[Source.SERVICENOW].translate("incident", raw, START)
        lines.append(f"servicenow:incident:{version.key}:{sha256(version.payload).hexdigest()}")
    async with store.begin(DbRole.WORKER) as connection:
        assert await snapshot(connection) == sha256("\n".join(lines).encode()).hexdigest()
