"""What we wrote comes back marked; what anybody else changed with it, before it or after it does not."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from connectors.drain import accept_pages, drain
from connectors.echo import Sent, is_echo
from connectors.history import snapshot
from connectors.outbox import deliver_due, enqueue
from connectors.source import SourceUnavailable
from engine.words import Source
from schema.store import DbRole, Store
from tests.connectors.test_drain import READ, Raw, event, hook, incident, page, rows, sys_id

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
OURS = frozenset({"evenhand.integration"})
BEFORE: Raw = {"sys_id": "a", "sys_mod_count": "4", "sys_updated_by": "m.ortega", "state": "2", "u_score": "80"}
WRITE = Sent("column", {"u_score": "87"}, 4, NOW)
COMES_BACK: Raw = BEFORE | {"sys_mod_count": "5", "sys_updated_by": "evenhand.integration", "u_score": "87"}

SERVICENOW: dict[str, tuple[Raw, int, list[Sent], bool]] = {
    "our write": (COMES_BACK, 5, [WRITE], True),
    "a column that we do not read": ({k: v for k, v in COMES_BACK.items() if k != "u_score"}, 5, [WRITE], True),
    "no write of ours": (COMES_BACK, 5, [], False),
    "somebody else wrote the same": (COMES_BACK | {"sys_updated_by": "m.ortega"}, 5, [WRITE], False),
    "another value": (COMES_BACK | {"u_score": "88"}, 5, [WRITE], False),
    "something else changed with it": (COMES_BACK | {"state": "6"}, 5, [WRITE], False),
    "a version that our write did not make": (COMES_BACK, 6, [WRITE], False),
    "a write that rests on nothing": (COMES_BACK, 5, [Sent("column", {"u_score": "87"}, None, NOW)], False),
    "one of two writes": (COMES_BACK, 5, [Sent("column", {"u_score": "3"}, 1, NOW), WRITE], True),
}


@pytest.mark.parametrize("case", SERVICENOW)
def test_an_echo_says_what_we_wrote_and_nothing_else(case: str) -> None:
    after, version_no, sent, echo = SERVICENOW[case]
    before = {name: value for name, value in BEFORE.items() if name in after}
    assert is_echo(Source.SERVICENOW, before, after, version_no, NOW, sent, OURS) is echo


def test_an_actor_that_the_tool_does_not_name_is_not_held_against_us() -> None:
    before, after = ({k: v for k, v in each.items() if k != "sys_updated_by"} for each in (BEFORE, COMES_BACK))
    assert is_echo(Source.SERVICENOW, before, after, 5, NOW, [WRITE], OURS)


def test_an_issue_that_only_moved_its_stamp_after_our_write_is_an_echo() -> None:
    before = {"id": "20417", "fields": {"updated": "1", "status": {"id": "3"}}}
    after = {"id": "20417", "fields": {"updated": "2", "status": {"id": "3"}}}
    sent = [Sent("score", {"value": "87"}, None, NOW)]
    seconds = timedelta(seconds=2)
    assert is_echo(Source.JIRA, before, after, 2, NOW + seconds, sent, OURS)
    assert not is_echo(Source.JIRA, before, after, 2, NOW - timedelta(hours=1), sent, OURS), "older than the write"
    moved = {"id": "20417", "fields": {"updated": "2", "status": {"id": "5"}}}
    assert not is_echo(Source.JIRA, before, moved, 2, NOW + seconds, sent, OURS)


# ---- through the drain


async def wrote(store: Store, premise: int, answer: Exception | None = None) -> UUID:
    async with store.begin(DbRole.WORKER) as connection:
        body = {"u_evenhand_score": "87"}
        write_id = await enqueue(connection, "servicenow", "column", sys_id(1), body, premise)

    def deliverer(write: Any) -> None:
        if answer:
            raise answer

    await deliver_due(store, {"servicenow": deliverer})
    return write_id


async def marks(store: Store) -> list[tuple[int, bool]]:
    found = await rows(store, "select version_no, echo from mirror.revision order by version_no")
    return [(no, echo) for no, echo in found]


@pytest.mark.parametrize("answer", [None, SourceUnavailable("the answer was lost")], ids=["answered", "answer lost"])
async def test_our_write_comes_back_marked_and_moves_the_mirror(store: Store, answer: Exception | None) -> None:
    await accept_pages(store, [page([incident(1, 1), incident(2, 1)])])
    await drain(store, READ)
    await wrote(store, 1, answer)
    users = incident(2, 2, 5)
    await accept_pages(store, [page([incident(1, 2, 5, reopen_count="1"), users | {"reopen_count": "1"}], at=5)])
    await drain(store, READ)
    assert await marks(store) == [(1, False), (1, False), (2, False), (2, True)]
    (stands,) = await rows(store, "select version_no from mirror.record where source_key = :key", key=sys_id(1))
    assert stands == (2,)
    await accept_pages(store, [page([incident(1, 3, 9)], at=9)])  # a user reopened it: reopen_count is another
    await drain(store, READ)
    assert (await marks(store))[-1] == (3, False)


async def test_a_webhook_of_our_write_is_marked_too_and_an_edit_in_one_batch_with_it_is_not(store: Store) -> None:
    await accept_pages(store, [page([incident(1, 1, reopen_count="0")])])
    await drain(store, READ)
    await wrote(store, 1)
    ours = incident(1, 2, 5, reopen_count="0")
    theirs = incident(1, 3, 6, reopen_count="0", state="6")
    await hook(store, [event(theirs), event(ours)])
    await drain(store, READ)
    assert await marks(store) == [(1, False), (2, True), (3, False)]


async def test_an_echo_changes_nothing_that_a_run_rests_on(store: Store) -> None:
    """Else every score that is written back would be a reason to score again."""

    async def rests_on() -> str:
        async with store.begin(DbRole.WORKER) as connection:
            return await snapshot(connection)

    await accept_pages(store, [page([incident(1, 1, reopen_count="0")])])
    await drain(store, READ)
    await wrote(store, 1)
    before = await rests_on()
    await accept_pages(store, [page([incident(1, 2, 5, reopen_count="0")], at=5)])
    await drain(store, READ)
    assert (await marks(store))[-1] == (2, True)
    assert await rests_on() == before
    await accept_pages(store, [page([incident(1, 3, 9, reopen_count="0", state="6")], at=9)])
    await drain(store, READ)
    assert await rests_on() != before
