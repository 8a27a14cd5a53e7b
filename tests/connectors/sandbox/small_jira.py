"""A small imitated Jira site in the same process, and a client of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
from starlette.applications import Starlette

from connectors.sandbox.company import Company
from connectors.sandbox.company_small import small_company
from connectors.sandbox.jira import routes
from connectors.sandbox.jira_small import small_site
from connectors.sandbox.jira_state import CLOUD, JiraState
from connectors.sandbox.jira_troubles import trouble

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


@cache
def company() -> Company:
    """Read only."""
    return small_company(3, "evenhand.integration")[0]


def site(profile: str = CLOUD) -> JiraState:
    return small_site(company(), profile)


def order(state: JiraState, name: str, **more: Any) -> None:
    """Let the site have a trouble."""
    state.troubles.append(trouble({"name": name, **more}))


@asynccontextmanager
async def asking(state: JiraState, app: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the account's token, or with that of an app."""
    bearer = state.token if state.data_center else state.app_token if app else ""
    more: dict[str, Any] = {"headers": {"authorization": f"Bearer {bearer}"}} if bearer else {}
    more |= {} if bearer else {"auth": (state.email, state.token)}
    transport = httpx.ASGITransport(Starlette(routes=routes(state)))
    async with httpx.AsyncClient(transport=transport, base_url="http://jira.test", **more) as client:
        yield client


async def search(client: httpx.AsyncClient, jql: str, **more: Any) -> dict[str, Any]:
    answer = await client.post("/rest/api/3/search/jql", json={"jql": jql, "fields": ["updated"], **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def found(client: httpx.AsyncClient, jql: str, **more: Any) -> list[str]:
    return [issue["key"] for issue in (await search(client, jql, maxResults=100, **more))["issues"]]
