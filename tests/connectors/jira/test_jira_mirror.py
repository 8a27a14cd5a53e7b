"""From a site to the mirror: any order and repetition of pages and hooks, and any feed alone, end the same way."""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import text

from connectors.drain import accept_pages, drain
from connectors.jira.due import due_issues
from connectors.jira.emptied import LEAST, emptied, refuse_emptied
from connectors.jira.pull import poll, refetch, refetch_due
from connectors.jira.site import JiraConfig
from connectors.jira.sweep import exists, sweep
from connectors.jira.times import EPOCH
from connectors.jira.translate import translator
from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_hooks import due as due_parcels
from connectors.sandbox.jira_hooks import sealed
from connectors.sandbox.jira_state import CLOUD, DATA_CENTER, JiraState
from connectors.sandbox.jira_troubles import trouble
from connectors.source import Page, SourceRefused, Translator
from connectors.sweep import compare
from engine.words import Feed, Source
from schema.store import DbRole, Store

HEADS = "select entity, source_key, kind, version_no, version_at, payload_hash, gone_at from mirror.record"
TYPED = (
    "select source_key, state, source_state, priority, assignee_id, reopen_count, gone_at from mirror.incident",
    "select source_key, state, outcome, approval_decided_at, closed_at, gone_at from mirror.change",
    "select source_key, state, approver_id, gone_at from mirror.change_approval",
    "select source_key, stage, has_breached, ended_at, planned_end_at, business_seconds, gone_at from mirror.task_sla",
    "select source_key, rating, answered_at, gone_at from mirror.csat_response",
    "select source_key, field, old_value, new_value, changed_at, changed_by, gone_at from mirror.state_change",
    "select source_key, field, code, value from mirror.data_issue where state = 'OPEN'",
)
ARRIVE = text("""
insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256, headers,
                            received_at, state, attempts)
values (app.tenant(), 'jira', '', 'WEBHOOK', :id, 0, :body, :sha, '{}', :at, 'READY', 0)
""")


def read_by(config: JiraConfig) -> Mapping[Source, Translator]:
    return {Source.JIRA: translator(config.contract)}


async def rows(store: Store, query: str, **given: Any) -> list[Any]:
    async with store.begin(DbRole.WORKER) as connection:
        return sorted((tuple(row) for row in await connection.execute(text(query), given)), key=repr)


async def mirrored(store: Store) -> list[Any]:
    """What stands, and nothing of how it came there."""
    return [await rows(store, query) for query in (HEADS, *TYPED)]


async def hook(store: Store, bodies: Iterable[bytes], at: datetime, name: str = "hook") -> None:
    given = [{"id": f"{name}-{n}", "body": b, "sha": sha256(b).digest(), "at": at} for n, b in enumerate(bodies)]
    async with store.begin(DbRole.INTAKE) as connection:
        await connection.execute(ARRIVE, given)


async def wiped(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    tables = await connection.fetch(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('mirror', 'inbox')"
    )
    await connection.execute("set session_replication_role = replica")
    await connection.execute(f"truncate {', '.join(row[0] for row in tables)}")
    await connection.close()


async def taken(store: Store, config: JiraConfig, pages: Sequence[Page]) -> None:
    await accept_pages(store, pages)
    await drain(store, read_by(config))


def now(state: JiraState) -> datetime:
    return EPOCH + timedelta(milliseconds=state.now_ms)


def sent(state: JiraState) -> list[bytes]:
    return [sealed(state, parcel)[1] for parcel in due_parcels(state)]


DAY: tuple[Mapping[str, Any], ...] = (
    {"op": "transition", "key": "20015", "status": "In progress"},
    {"op": "comment", "key": "20015"},
    {"op": "assign", "key": "20013", "to": None},
    {"op": "transition", "key": "20013", "status": "Resolved"},
    {"op": "edit", "key": "20012", "fields": {"priority": "1", "summary": "It burns"}},
    {"op": "create"},
    {"op": "work", "key": "20010"},
    {"op": "create", "type": "change"},
    {"op": "transition", "key": "20013", "status": "In progress"},
    {"op": "edit", "key": "20001", "fields": {"satisfaction": 2}},
)


def lived(config: JiraConfig, state: JiraState) -> tuple[list[Page], list[bytes]]:
    """A day on the site: the pages of its polls and looks by id, and what it sent meanwhile."""
    pages, bodies = list(poll(config, None)), list[bytes]()
    for order in DAY:
        since = now(state)
        state.advance(state.now_ms + 1_800_000)
        told = act(state, order)["key"]
        bodies += sent(state)
        pages += [*poll(config, since - timedelta(minutes=15)), *refetch(config, [told], Feed.SWEEP)]
    state.advance(state.now_ms + 86_400_000)
    return [*pages, *poll(config, None, Feed.SWEEP)], bodies


@pytest.mark.capability("I7.1")
async def test_any_order_and_repetition_of_pages_and_hooks_ends_in_the_same_mirror(
    store: Store, database_url: str, small_config: JiraConfig, small: JiraState
) -> None:
    pages, bodies = await asyncio.to_thread(lived, small_config, small)
    await taken(store, small_config, pages)
    expected = await mirrored(store)
    assert len(expected[0]) > 150
    for seed in range(3):
        await wiped(database_url)
        dice = random.Random(seed)
        arriving: list[Page | bytes] = [*pages, *dice.choices(pages, k=10), *bodies, *dice.choices(bodies, k=10)]
        dice.shuffle(arriving)
        for place, thing in enumerate(arriving):
            if isinstance(thing, Page):
                await accept_pages(store, [thing])
            else:
                await hook(store, [thing], now(small), f"hook-{seed}-{place}")
            if dice.random() < 0.1:
                await drain(store, read_by(small_config))
        await drain(store, read_by(small_config))
        assert await mirrored(store) == expected


@pytest.mark.capability("I7.1")
async def test_hooks_alone_lead_to_the_mirror_that_polls_make(
    store: Store, database_url: str, small_config: JiraConfig, small: JiraState
) -> None:
    small.troubles += [trouble({"name": "thin_issue"}), trouble({"name": "empty_changelog"})]
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    bodies = []
    for order in DAY:
        act(small, order)
        bodies += sent(small)
    random.Random(7).shuffle(bodies)
    await hook(store, bodies, now(small))
    told = (await drain(store, read_by(small_config))).refetch
    keys = sorted(hint.key for hint in told)
    assert keys == sorted({order["key"] for order in DAY if "key" in order} | {"20026", "20027"})
    await taken(store, small_config, await asyncio.to_thread(lambda: list(refetch(small_config, keys, Feed.SWEEP))))
    by_hooks = await mirrored(store)
    await wiped(database_url)
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    # clocks that nobody had asked for again were last seen earlier
    assert [by_hooks[0][place][:3] for place in range(len(by_hooks[0]))] == [
        row[:3] for row in (await mirrored(store))[0]
    ]
    assert by_hooks[1:] == (await mirrored(store))[1:]


@pytest.mark.parametrize("profile", [DATA_CENTER])
async def test_a_comment_that_is_told_twice_is_one_hint(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    act(small, {"op": "comment", "key": "20003"})
    bodies = sent(small)
    assert [orjson.loads(body)["webhookEvent"] for body in bodies] == ["comment_created", "jira:issue_updated"]
    await hook(store, bodies, now(small))
    done = await drain(store, read_by(small_config))
    assert {hint.key for hint in done.refetch} == {"20003"}
    assert len(done.refetch) == 1


async def test_old_news_is_taken_and_noted(store: Store, small_config: JiraConfig, small: JiraState) -> None:
    act(small, {"op": "edit", "key": "20003", "fields": {"summary": "Again"}})
    bodies = sent(small)
    await hook(store, bodies, now(small) + timedelta(hours=23), "young")
    await hook(store, bodies, now(small) + timedelta(hours=25), "old")
    done = await drain(store, read_by(small_config))
    assert {hint.key for hint in done.refetch} == {"20003"}
    found = await rows(store, "select delivery_id, state, reason from inbox.delivery")
    assert {(name[:3], state, bool(reason)) for name, state, reason in found} == {
        ("you", "DONE", False),
        ("old", "DONE", True),
    }


@pytest.mark.parametrize("profile", [CLOUD])
async def test_a_deleted_issue_is_suspected_and_its_fallout_only_hints(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    small.troubles.append(trouble({"name": "secondary", "params": {"seconds": 60}}))
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    before = await mirrored(store)
    act(small, {"op": "delete", "key": "20001"})
    first, small.now_ms = sent(small), small.now_ms + 120_000
    await hook(store, [*sent(small), *first], now(small))
    done = await drain(store, read_by(small_config))
    assert done.suspected_deletes == 1
    assert {hint.key for hint in done.refetch} == {"20001"}
    assert await asyncio.to_thread(lambda: list(refetch(small_config, ["20001"]))) == []
    assert await mirrored(store) == before


# ---- sweeps


@pytest.mark.capability("I7.1")
async def test_what_was_deleted_is_gone_after_two_sweeps_with_all_that_belongs_to_it(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    act(small, {"op": "delete", "key": "20016"})
    act(small, {"op": "move", "key": "20002", "project": "ARC"})
    born = act(small, {"op": "create"})["key"]
    act(small, {"op": "edit", "key": "20003", "fields": {"summary": "Newer"}})
    for turn in range(2):
        small.advance(small.now_ms + 86_400_000)
        keys = await asyncio.to_thread(sweep, small_config)
        swept = await compare(
            store, keys, lambda key: exists(small_config, "issue", key), lambda ask, key: asyncio.to_thread(ask, key)
        )
        assert (swept.state, swept.gone) == ("DONE", 2 * turn)
    hinted = {key for (key,) in await rows(store, "select source_key from ops.hint where entity = 'issue'")}
    assert hinted == {born, "20003"}
    gone = await rows(
        store, "select distinct split_part(source_key, ':', 1) from mirror.record where gone_at is not null"
    )
    assert gone == [("20002",), ("20016",)]
    assert len(await rows(store, "select 1 from mirror.state_change where gone_at is not null")) > 0


async def test_what_only_the_desk_knows_can_be_swept_too(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    for entity in ("request_sla", "request_approval"):
        keys = await asyncio.to_thread(sweep, small_config, entity)
        held = await rows(store, "select source_key from mirror.record where entity = :entity", entity=entity)
        assert (sorted(key.key for key in keys.keys), keys.complete) == ([key for (key,) in held], True)
        assert await asyncio.to_thread(exists, small_config, entity, held[0][0])
        assert not await asyncio.to_thread(exists, small_config, entity, held[0][0] + "0")
        swept = await compare(store, keys, lambda _key: True, lambda ask, key: asyncio.to_thread(ask, key))
        assert (swept.hinted, swept.suspected) == (0, 0)


# ---- clocks, fields, poison


async def test_a_clock_that_ran_out_is_found_and_read_until_its_breach_is_known(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    assert await due_issues(store, now(small)) == []
    small.advance(small.now_ms + 60 * 86_400_000)
    due = await due_issues(store, now(small))
    assert "20015" in due
    polled = await asyncio.to_thread(lambda: list(poll(small_config, now(small) - timedelta(days=1))))
    assert polled == []  # nothing was updated
    await taken(store, small_config, await asyncio.to_thread(lambda: list(refetch_due(small_config, due))))
    assert await due_issues(store, now(small)) == []
    breached = "select 1 from mirror.task_sla where source_key like '20015:%' and has_breached and ended_at is null"
    assert len(await rows(store, breached)) > 0


async def test_clocks_of_what_is_gone_are_not_asked_for(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(
            text("update mirror.record set gone_at = now() where entity = 'issue' and source_key = '20015'")
        )
    assert "20015" not in await due_issues(store, now(small) + timedelta(days=60))


async def test_a_field_that_turns_empty_for_all_stops_the_reading(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    pages = await asyncio.to_thread(lambda: list(poll(small_config, None)))
    assert await emptied(store, pages) == {}  # nobody had it before
    await taken(store, small_config, pages)
    await refuse_emptied(store, pages)
    small.troubles.append(trouble({"name": "acl_fields", "params": {"fields": [words.SERVICE]}}))
    lost = await asyncio.to_thread(lambda: list(poll(small_config, None)))
    assert await emptied(store, lost) == {"service": len(small.issues)}
    with pytest.raises(SourceRefused, match=r"service \(had a value in all 25 issues"):
        await refuse_emptied(store, lost)
    small.troubles.clear()
    for issue in list(small.issues.values())[: LEAST - 1]:  # a few that somebody really emptied are an edit
        issue.values[words.SERVICE] = None
    few = await asyncio.to_thread(lambda: list(refetch(small_config, sorted(small.issues)[: LEAST - 1])))
    assert await emptied(store, few) == {}
    assert await emptied(store, await asyncio.to_thread(lambda: list(poll(small_config, None)))) == {}


async def test_an_issue_without_updated_is_listed_alone(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    small.troubles.append(trouble({"name": "missing_updated", "params": {"issue": "20003"}}))
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    issues = await rows(store, "select source_key, field from mirror.data_issue where state = 'OPEN'")
    assert issues == [("20003", "updated")]
    held = await rows(store, "select count(*) from mirror.record where entity = 'issue'")
    assert held == [(len(small.issues) - 1,)]


async def test_every_move_is_kept_once_however_often_it_is_read(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    for _ in range(2):
        await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None, Feed.SWEEP))))
        small.advance(small.now_ms + 1000)
    moves = await rows(store, "select source_key, field, old_value, new_value from mirror.state_change")
    items = [item for issue in small.issues.values() for edit in issue.history for item in edit.items]
    told = [item for item in items if item["fieldId"] in ("status", "assignee", words.TEAM)]
    assert len(moves) == len(told)
    assert len(await rows(store, "select 1 from mirror.revision where entity = 'issue_changelog'")) == len(told)
    statuses = sorted((item["from"], item["to"]) for item in items if item["fieldId"] == "status")
    assert sorted((old, new) for _, field, old, new in moves if field == "status") == statuses


async def test_an_approver_who_was_taken_off_and_a_clock_that_was_rebuilt_stand_no_more(
    store: Store, small_config: JiraConfig, small: JiraState
) -> None:
    await taken(store, small_config, await asyncio.to_thread(lambda: list(poll(small_config, None))))
    asked = next(issue for issue in small.issues.values() if issue.approvals)
    *kept, (off, _) = asked.approvals[-1]["approvers"]
    asked.approvals[-1] = {**asked.approvals[-1], "approvers": kept}
    small.advance(small.now_ms + 60_000)
    pages = await asyncio.to_thread(lambda: list(refetch(small_config, [asked.issue_id], Feed.SWEEP)))
    await taken(store, small_config, pages)
    gone = await rows(store, "select source_key from mirror.change_approval where gone_at is not null")
    assert gone == [(f"{asked.issue_id}:{asked.approvals[-1]['id']}:{off}",)]
