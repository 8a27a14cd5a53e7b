"""A record that came before the service it names counts as soon as it is read again and the service is known."""

import dataclasses
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import text

from connectors.drain import accept_pages, drain
from connectors.history import snapshot
from connectors.jira.contract import Contract
from connectors.jira.translate import translator
from connectors.source import Page
from engine.words import Feed, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store
from tests.connectors.jira.jira_records import CONTRACT, SEEN_AT, incident

NOBODY = dataclasses.replace(CONTRACT, services={}, teams={}, people={})
SEEN = """select service_id, team_id, assignee_id, (select count(*) from mirror.data_issue where state = 'OPEN'),
                 (select count(*) from mirror.revision where entity = 'issue') from mirror.incident"""


async def read(store: Store, contract: Contract, place: int) -> tuple[Any, ...]:
    """The same issue in another page, under this contract."""
    page = Page(Source.JIRA, "issue", Feed.POLL, f"page-{place}", orjson.dumps([incident()]),
                SEEN_AT + timedelta(minutes=place))  # fmt: skip
    await accept_pages(store, [page])
    await drain(store, {Source.JIRA: translator(contract)})
    async with store.begin(DbRole.WORKER) as connection:
        (row,) = (await connection.execute(text(SEEN))).all()
        return (*row, await snapshot(connection))


async def test_what_was_unknown_is_read_once_more_when_it_is_known(store: Store) -> None:
    known = (
        mirror_id(Source.SERVICENOW, "cmdb_ci_service", "a" * 32),
        mirror_id(Source.SERVICENOW, "sys_user_group", "b" * 32),
        mirror_id(Source.SERVICENOW, "sys_user", "d" * 32),
    )
    *row, before = await read(store, NOBODY, 1)
    assert row == [None, None, None, 3, 1]
    *row, half = await read(store, dataclasses.replace(CONTRACT, people={}), 2)
    assert row == [*known[:2], None, 1, 1]
    *row, after = await read(store, CONTRACT, 3)
    assert row == [*known, 0, 1]
    assert len({before, half, after}) == 3  # a run on any of them is a run of its own
    assert await read(store, CONTRACT, 4) == (*row, after)
    assert await read(store, NOBODY, 5) == (*row, after)  # what was known once is not forgotten
