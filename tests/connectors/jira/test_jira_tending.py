"""An app's webhooks at the imitated site, by the site's calendar: prolonged in time, or made anew and made up for."""

import dataclasses
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from connectors.jira.registrations import refresh, register, registrations
from connectors.jira.site import JiraConfig
from connectors.jira.times import EPOCH
from connectors.registrations import Tool, tend
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_hooks import due
from connectors.sandbox.jira_state import CLOUD, JiraState
from engine.words import Source
from schema.store import DbRole, Store

HERE = "https://evenhand.example/hooks/jira/c7"
DAY_MS = 86_400_000


def now(state: JiraState) -> datetime:
    return EPOCH + timedelta(milliseconds=state.now_ms)


async def at(store: Store, state: JiraState, tool: Tool, days: int) -> None:
    state.advance(state.now_ms + days * DAY_MS)
    await tend(store, Source.JIRA, HERE, tool, now(state))


async def told(state: JiraState) -> int:
    """How many webhooks the site sends about a new issue."""
    due(state)
    act(state, {"op": "create"})
    return len(list(due(state)))


@pytest.mark.parametrize("profile", [CLOUD])
async def test_thirty_days_and_what_comes_after_them(small_config: JiraConfig, small: JiraState, store: Store) -> None:
    config = dataclasses.replace(small_config, email="", token=small.app_token)  # an OAuth app comes with a bearer
    tool = Tool(partial(registrations, config), partial(refresh, config), partial(register, config))
    await at(store, small, tool, 0)
    for _ in range(4):  # eighty days, looked after
        await at(store, small, tool, 20 + 1)
    (hook,) = registrations(config)
    assert hook.expires_at is not None
    assert hook.expires_at > now(small)
    assert await told(small) == 1
    healthy = now(small)
    await at(store, small, tool, 0)
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(
            text("insert into ops.watermark values (app.tenant(), 'jira', 'issue', 'POLL', :moment)"),
            {"moment": healthy + timedelta(days=45)},
        )
    small.advance(small.now_ms + 45 * DAY_MS)  # our worker was away: the webhook died
    assert await told(small) == 0
    await at(store, small, tool, 0)
    assert await told(small) == 1
    async with store.begin(DbRole.WORKER) as connection:
        rows = await connection.execute(text("select state, alarm from ops.registration order by refreshed_at"))
        assert [tuple(row) for row in rows] == [("EXPIRED", None), ("LIVE", None)]
        since = await connection.scalar(text("select read_to from ops.watermark"))
    assert timedelta(0) <= since - healthy < timedelta(minutes=1), "the silence is read again"
