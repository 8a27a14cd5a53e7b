"""The imitated search understands what the connector asks, refuses what Jira refuses, and pages without loss."""

import asyncio
import base64
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira import routes
from connectors.sandbox.jira_query import BadQuery, parse
from connectors.sandbox.jira_state import Account, Edit, JiraState

START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
ANNA = Account("712020:a", "Anna Example", "anna@example.test", "a" * 32)
AUTH = ("evenhand@tarnhelm.example", "sandbox-jira-token")


def site(created_ms: list[int]) -> JiraState:
    """A site with one open incident per given moment."""
    state = JiraState({ANNA.account_id: ANNA}, {}, {}, live=[], now_ms=START_MS)
    for number, at_ms in enumerate(created_ms):
        values = {
            "key": f"OPS-{number + 1}",
            "project": words.PROJECT,
            "issuetype": words.ISSUE_TYPES[words.INCIDENT],
            "status": words.STATUSES[words.OPEN if number % 2 else words.CLOSED],
            "priority": words.PRIORITIES["2"],
            "assignee": None if number % 3 else ANNA.account_id,
        }
        state.apply(Edit(f"edit-{number}", at_ms, str(20001 + number), ANNA.account_id, values))
    return state


def found(state: JiraState, jql: str) -> list[str]:
    seen = [(issue, issue.values) for issue in state.issues.values()]
    return [issue.key for issue, _ in parse(jql, state.zone_minutes).run(seen)]


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        ("project = OPS", ["OPS-4", "OPS-3", "OPS-2", "OPS-1"]),  # newest first when no order was asked
        ("project = 10001 ORDER BY created ASC, key ASC", ["OPS-1", "OPS-2", "OPS-3", "OPS-4"]),
        ("project in (OTHER, OPS) AND status = Open ORDER BY key ASC", ["OPS-2", "OPS-4"]),
        ('project = OPS AND status = "6" ORDER BY key DESC', ["OPS-3", "OPS-1"]),
        ("project = OPS AND status NOT IN (Open) ORDER BY key", ["OPS-1", "OPS-3"]),
        (f"updated >= {START_MS + 60_000} order by created asc", ["OPS-2", "OPS-3", "OPS-4"]),
        (f"updated > {START_MS + 60_000} AND created < {START_MS + 180_000} ORDER BY key", ["OPS-3"]),
        ('created >= "2025-01-01 00:01" AND created <= "2025/01/01 00:02" ORDER BY key', ["OPS-2", "OPS-3"]),
        ("id in (20001, OPS-3) ORDER BY id", ["OPS-1", "OPS-3"]),
        ("key = OPS-1 OR key = OPS-2 AND status = Closed ORDER BY key", ["OPS-1"]),
        ("(key = OPS-1 OR key = OPS-2) AND status = Open ORDER BY key", ["OPS-2"]),
        ('project = OPS AND assignee = "712020:a" ORDER BY key', ["OPS-1", "OPS-4"]),
        ("project = OPS AND assignee != 712020:a ORDER BY key", ["OPS-2", "OPS-3"]),
    ],
)
def test_a_query_finds_what_it_says(jql: str, expected: list[str]) -> None:
    assert found(site([START_MS + minute * 60_000 for minute in range(4)]), jql) == expected


def test_text_times_are_read_in_the_zone_of_the_account_and_numbers_are_not() -> None:
    state = site([START_MS + hour * 3_600_000 for hour in range(4)])
    state.zone_minutes = -600
    assert found(state, 'created >= "2024-12-31 16:00" ORDER BY key') == ["OPS-3", "OPS-4"]
    assert found(state, f"created >= {START_MS + 7_200_000} ORDER BY key") == ["OPS-3", "OPS-4"]


@pytest.mark.parametrize(
    ("jql", "said"),
    [
        ("", "Unbounded"),
        ("ORDER BY created", "Unbounded"),
        ("flavour = sweet", "Field 'flavour' does not exist"),
        ("project ~ OPS", "The operator '~' is not supported"),
        ("project = ", "expecting a value"),
        ("project in (OPS", "expecting )"),
        ("project = OPS nonsense", "'nonsense' is not expected"),
        ("updated >= yesterday", "Date value 'yesterday' is invalid"),
        ("project = OPS ORDER BY flavour", "Not able to sort"),
        ("project = OPS ORDER BY " + ", ".join(["created"] * 8), "at most 7"),
        ('project = "OPS', "is not expected"),
    ],
)
def test_a_wrong_query_is_refused_with_the_reason(jql: str, said: str) -> None:
    with pytest.raises(BadQuery, match=said.replace("(", r"\(").replace(")", r"\)")):
        parse(jql)


async def pages(state: JiraState, jql: str, size: int, **more: Any) -> list[list[str]]:
    transport = httpx.ASGITransport(Starlette(routes=routes(state)))
    async with httpx.AsyncClient(transport=transport, base_url="http://jira.test", auth=AUTH) as client:
        read: list[list[str]] = []
        asked: dict[str, Any] = {"jql": jql, "maxResults": size, **more}
        while True:
            page = (await client.post("/rest/api/3/search/jql", json=asked)).raise_for_status().json()
            assert "total" not in page
            read.append([issue["key"] for issue in page["issues"]])
            if "nextPageToken" not in page:
                return read
            asked["nextPageToken"] = page["nextPageToken"]


@settings(max_examples=40, deadline=None)
@given(minutes=st.lists(st.integers(0, 3), max_size=12), size=st.integers(1, 5))
def test_pages_of_any_size_hold_every_issue_once_in_order(minutes: list[int], size: int) -> None:
    """Many issues share a moment: the key settles the order, so no page border loses one."""
    state = site([START_MS + minute * 60_000 for minute in minutes])
    read = asyncio.run(pages(state, "project = OPS ORDER BY created ASC, key ASC", size))
    keys = [key for page in read for key in page]
    expected = [f"OPS-{number + 1}" for _, number in sorted((minute, n) for n, minute in enumerate(minutes))]
    assert keys == expected
    assert all(len(page) == size for page in read[:-1])


async def test_an_edit_between_two_pages_hides_nothing() -> None:
    state = site([START_MS + minute * 60_000 for minute in range(6)])
    jql = f"project = OPS AND updated >= {START_MS} ORDER BY created ASC, key ASC"
    transport = httpx.ASGITransport(Starlette(routes=routes(state)))
    async with httpx.AsyncClient(transport=transport, base_url="http://jira.test", auth=AUTH) as client:
        first = (await client.post("/rest/api/3/search/jql", json={"jql": jql, "maxResults": 3})).json()
        state.edit("20001", ANNA.account_id, {"summary": "new"}, [{"fieldId": "summary"}])
        token = first["nextPageToken"]
        rest = (await client.post("/rest/api/3/search/jql", json={"jql": jql, "nextPageToken": token})).json()
    keys = [issue["key"] for issue in (*first["issues"], *rest["issues"])]
    assert keys == [f"OPS-{number}" for number in range(1, 7)]


async def test_a_token_of_another_query_and_a_made_up_token_are_refused() -> None:
    state = site([START_MS] * 3)
    transport = httpx.ASGITransport(Starlette(routes=routes(state)))
    async with httpx.AsyncClient(transport=transport, base_url="http://jira.test", auth=AUTH) as client:
        asked: dict[str, Any] = {"jql": "project = OPS", "maxResults": 1}
        token = (await client.post("/rest/api/3/search/jql", json=asked)).json()["nextPageToken"]
        for jql, other in (("project = OPS AND status = Open", token), ("project = OPS", "bm9uc2Vuc2U=")):
            answer = await client.post("/rest/api/3/search/jql", json={"jql": jql, "nextPageToken": other})
            assert answer.status_code == 400
            assert "nextPageToken" in answer.json()["errorMessages"][0]


async def test_get_and_post_answer_alike_and_the_default_is_ids_alone() -> None:
    state = site([START_MS] * 130)
    transport = httpx.ASGITransport(Starlette(routes=routes(state)))
    async with httpx.AsyncClient(transport=transport, base_url="http://jira.test", auth=AUTH) as client:
        by_post = await client.post("/rest/api/2/search/jql", json={"jql": "project = OPS", "maxResults": 5000})
        by_get = await client.get("/rest/api/2/search/jql", params={"jql": "project = OPS", "maxResults": 5000})
        assert by_post.json() == by_get.json()
        assert set(by_get.json()["issues"][0]) == {"id", "key", "self"}
        assert len(by_get.json()["issues"]) == 130
        query = {"jql": "project = OPS", "maxResults": 5000, "fields": "status,priority"}
        full = (await client.get("/rest/api/3/search/jql", params=query)).json()
        assert len(full["issues"]) == 100  # a page with fields is capped
        assert set(full["issues"][0]["fields"]) == {"status", "priority"}


async def test_search_may_lag_and_reconcile_issues_sees_through_it() -> None:
    state = site([START_MS] * 2)
    state.index_lags = True
    state.edit("20001", ANNA.account_id, {"status": words.STATUSES[words.RESOLVED]}, [{"fieldId": "status"}])
    jql = "project = OPS AND status = Resolved"
    assert await pages(state, jql, 10) == [[]]
    assert await pages(state, jql, 10, reconcileIssues=[20001]) == [["OPS-1"]]
    state.catch_up()
    assert await pages(state, jql, 10) == [["OPS-1"]]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic " + base64.b64encode(b"evenhand@tarnhelm.example:wrong").decode(),
        "Bearer sandbox-jira-token",
        "Basic not-base64!",
    ],
)
async def test_nobody_gets_in_without_the_token(authorization: str | None) -> None:
    transport = httpx.ASGITransport(Starlette(routes=routes(site([START_MS]))))
    headers = {"authorization": authorization} if authorization else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://jira.test", headers=headers) as client:
        assert (await client.get("/rest/api/3/myself")).status_code == 401
        assert (await client.get("/rest/api/3/issue/20001")).status_code == 401
        assert (await client.get("/rest/servicedeskapi/request/20001/sla")).status_code == 401


async def test_the_old_search_is_gone_and_bad_bodies_are_refused() -> None:
    transport = httpx.ASGITransport(Starlette(routes=routes(site([START_MS]))))
    async with httpx.AsyncClient(transport=transport, base_url="http://jira.test", auth=AUTH) as client:
        assert (await client.get("/rest/api/3/search", params={"jql": "project = OPS"})).status_code == 410
        assert (await client.post("/rest/api/3/search/jql", content=b"{")).status_code == 400
        assert (await client.post("/rest/api/3/search/jql", content=b"[]")).status_code == 400
        assert (await client.get("/rest/api/3/issue/99")).status_code == 404
        assert (await client.get("/rest/api/4/myself")).status_code == 404
        refused = await client.post("/rest/api/3/search/jql", json={"jql": "project = OPS", "maxResults": "many"})
        assert refused.status_code == 400
