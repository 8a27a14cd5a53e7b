"""Every trouble of the imitated site strikes as it was ordered, and leaves what is true alone."""

from typing import Any

import pytest

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_state import JiraState
from engine.refusal import Refused
from tests.connectors.sandbox.small_jira import DAY_MS, HOUR_MS, MINUTE_MS, asking, found, order, search, site

ALL = "project = OPS ORDER BY created ASC, key ASC"


async def test_an_index_lags_by_the_clock_and_only_search_is_late() -> None:
    state = site()
    order(state, "index_lag", params={"seconds": 600})
    act(state, {"op": "transition", "key": "OPS-12", "status": "Closed"})
    act(state, {"op": "create"})
    act(state, {"op": "delete", "key": "OPS-13"})
    closed = "project = OPS AND status = Closed ORDER BY key"
    async with asking(state) as client:
        before = await found(client, closed)
        assert "OPS-12" not in before
        keys = await found(client, ALL)
        assert ("OPS-26" in keys, "OPS-13" in keys) == (False, True)  # the new one not yet, the deleted one still
        assert "OPS-12" in await found(client, closed, reconcileIssues=[20012])
        assert "OPS-13" not in await found(client, ALL, reconcileIssues=[20013])
        issue = (await client.get("/rest/api/3/issue/OPS-12")).json()
        assert issue["fields"]["status"]["name"] == "Closed"
        assert (await client.get("/rest/api/3/issue/20013")).status_code == 404
        state.advance(state.now_ms + 599_000)
        act(state, {"op": "edit", "key": "OPS-12", "fields": {"summary": "later"}})
        assert "OPS-12" not in await found(client, closed)
        state.advance(state.now_ms + 2_000)
        assert "OPS-12" in await found(client, closed)  # the first edit has arrived, the second not yet
        shown = (await search(client, "key = OPS-12", fields=["summary"]))["issues"][0]
        assert shown["fields"]["summary"] != "later"
        assert ("OPS-26" in await found(client, ALL), "OPS-13" in await found(client, ALL)) == (True, False)


async def test_pages_may_be_short_and_end_without_saying_so() -> None:
    state = site()
    order(state, "fewer_items", params={"most": 4, "omit_last": True})
    keys: list[str] = []
    token = None
    async with asking(state) as client:
        for _ in range(20):
            page = await search(client, ALL, maxResults=50, **({"nextPageToken": token} if token else {}))
            assert len(page["issues"]) <= 4
            assert "isLast" not in page
            keys += [issue["key"] for issue in page["issues"]]
            token = page.get("nextPageToken")
            if token is None:
                break
    assert keys == [
        f"OPS-{number}" for number in sorted(range(1, 26), key=lambda n: state.issues[str(20000 + n)].values["created"])
    ]


async def test_a_token_may_come_again_and_lives_for_a_week() -> None:
    state = site()
    async with asking(state) as client:
        token = (await search(client, ALL, maxResults=5))["nextPageToken"]
        order(state, "fewer_items", times=1, params={"repeat_token": True})
        assert (await search(client, ALL, maxResults=5, nextPageToken=token))["nextPageToken"] == token
        assert (await search(client, ALL, maxResults=5, nextPageToken=token))["nextPageToken"] != token
        assert (await search(client, ALL, maxResults=100))["isLast"] is True
        late = {"jql": ALL, "fields": ["updated"], "maxResults": 5, "nextPageToken": token}
        answers = []
        for days in (6, 1):
            state.advance(state.now_ms + days * DAY_MS)
            answers.append((await client.post("/rest/api/3/search/jql", json=late)).status_code)
        assert answers == [200, 400]


async def test_the_day_on_which_the_old_search_goes() -> None:
    state = site("dc")
    order(state, "search_gone", from_ms=state.now_ms + HOUR_MS)
    async with asking(state) as client:
        before = await client.get("/rest/api/2/search", params={"jql": ALL})
        state.advance(state.now_ms + HOUR_MS)
        after = await client.get("/rest/api/2/search", params={"jql": ALL})
    assert (before.status_code, after.status_code) == (200, 410)


@pytest.mark.parametrize(
    ("params", "reason", "wait"),
    [
        ({"reason": "burst"}, "jira-burst-based", "1"),
        ({"reason": "quota", "retry_after": 1800}, "jira-quota-tenant-based", "1800"),
        ({"reason": "per_issue", "retry_after": None}, "jira-per-issue-on-write", None),
        ({"reason": "cost", "beta": True}, "jira-cost-based", "1"),
    ],
)
async def test_a_limit_names_its_reason(params: dict[str, Any], reason: str, wait: str | None) -> None:
    state = site()
    order(state, "rate_limit", match={"method": "PUT", "path": "20001"}, times=2, params=params)
    async with asking(state) as client:

        async def put(number: int) -> Any:
            return await client.put(f"/rest/api/3/issue/{number}/properties/evenhand.score", json=1)

        answers = [await put(number) for number in (20001, 20002, 20001, 20001)]
    assert [answer.status_code for answer in answers] == [429, 201, 429, 201]
    prefix = "Beta-" if params.get("beta") else ""
    assert answers[0].headers[f"{prefix}RateLimit-Reason"] == reason
    assert answers[0].headers[f"{prefix}X-RateLimit-Reset"].startswith("2025-12-25T00:")
    assert answers[0].headers.get("Retry-After") == wait


@pytest.mark.parametrize("profile", ["cloud", "dc"])
async def test_an_expanded_changelog_is_cut_and_says_how_long_it_is(profile: str) -> None:
    state = site(profile)
    order(state, "changelog_cap", params={"entries": 2})
    history = [edit.edit_id[5:] for edit in state.issues["20005"].history]
    async with asking(state) as client:
        log = (await client.get("/rest/api/2/issue/20005", params={"expand": "changelog"})).json()["changelog"]
        given = [entry["id"] for entry in log["histories"]]
        assert (sorted(given), log["total"]) == (history[-2:], len(history))
        if profile == "cloud":
            assert given == history[:-3:-1]  # newest first
            asked = {"startAt": 1, "maxResults": 2}
            page = (await client.get("/rest/api/3/issue/20005/changelog", params=asked)).json()
            assert [entry["id"] for entry in page["values"]] == history[1:3]  # oldest first, and whole
            assert (page["total"], page["isLast"]) == (len(history), False)


@pytest.mark.parametrize(("zone", "hours"), [("Pacific/Honolulu", -10), ("Pacific/Apia", 13), (-600, -10), (780, 13)])
async def test_texts_are_read_and_times_written_in_the_zone_of_the_account(zone: str | int, hours: int) -> None:
    state = site()
    order(state, "account_zone", params={"zone": zone})
    created = state.issues["20012"].values["created"]
    async with asking(state) as client:
        shown = (await search(client, "key = OPS-12", fields=["created"]))["issues"][0]["fields"]["created"]
        assert shown.endswith(f"{hours:+03}00")
        minute = shown[:16].replace("T", " ")
        assert "OPS-12" in await found(client, f'created >= "{minute}" ORDER BY key')
        assert "OPS-12" not in await found(client, f'created < "{minute}" ORDER BY key')
        assert "OPS-12" in await found(client, f"created >= {created} AND created <= {created}")
        name = (await client.get("/rest/api/3/myself")).json()["timeZone"]
        assert name == (zone if isinstance(zone, str) else f"Etc/GMT{-hours:+d}")


@pytest.mark.parametrize("how", ["hidden", "refused"])
async def test_a_project_may_be_taken_from_us(how: str) -> None:
    state = site()
    act(state, {"op": "move", "key": "OPS-1", "project": "ARC"})
    order(state, "permission_loss", from_ms=state.now_ms + 1, params={"project": "OPS", "how": how})
    async with asking(state) as client:
        assert (await client.get("/rest/api/3/issue/20002")).status_code == 200
        state.advance(state.now_ms + 1)
        for path in ("api/3/issue/20002", "api/3/issue/20002/comment", "servicedeskapi/request/20002/sla"):
            assert (await client.get(f"/rest/{path}")).status_code == 404
        assert (await client.get("/rest/api/3/issue/20001")).status_code == 200  # stands in another project
        named = await client.post("/rest/api/3/search/jql", json={"jql": ALL})
        assert named.status_code == (200 if how == "hidden" else 400)
        assert await found(client, "updated > 0 ORDER BY key") == ["ARC-1"]
        logs = await client.post("/rest/api/3/changelog/bulkfetch", json={"issueIdsOrKeys": ["20001", "20002"]})
        assert [log["issueId"] for log in logs.json()["issueChangeLogs"]] == ["20001"]
        projects = (await client.get("/rest/api/3/project/search")).json()["values"]
        assert [project["key"] for project in projects] == ["ARC"]


async def test_fields_may_be_hidden_and_one_issue_may_have_no_stamp() -> None:
    state = site()
    order(state, "acl_fields", params={"fields": [words.TEAM]})
    order(state, "missing_updated", params={"issue": "OPS-2"})
    async with asking(state) as client:
        issues = (await search(client, ALL, maxResults=100, fields=["updated", words.TEAM]))["issues"]
    assert [issue["key"] for issue in issues if "updated" not in issue["fields"]] == ["OPS-2"]
    assert not any(words.TEAM in issue["fields"] for issue in issues)


async def test_people_edit_while_somebody_pages() -> None:
    state = site()
    acts = [{"op": "transition", "key": "OPS-12", "status": "Closed"}]
    order(state, "edit_during_paging", times=1, params={"acts": acts})
    async with asking(state) as client:
        first = await search(client, ALL, maxResults=10)
        assert state.issues["20012"].values["status"]["name"] == "Closed"
        rest = await search(client, ALL, maxResults=50, nextPageToken=first["nextPageToken"])
    keys = [issue["key"] for issue in (*first["issues"], *rest["issues"])]
    assert len(keys) == len(set(keys)) == 25


async def test_a_trouble_may_strike_by_chance_after_some_and_until_a_moment() -> None:
    state = site()
    order(state, "rate_limit", skip=2, share=0.5, until_ms=state.now_ms + MINUTE_MS)
    async with asking(state) as client:
        answers = [(await client.get("/rest/api/3/myself")).status_code for _ in range(40)]
        assert answers[:2] == [200, 200]
        assert 8 < answers.count(429) < 32
        state.advance(state.now_ms + MINUTE_MS)
        assert {(await client.get("/rest/api/3/myself")).status_code for _ in range(10)} == {200}


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [("gremlins", {}, "no trouble gremlins"), ("index_lag", {"params": {"hours": 1}}, "takes no hours"),
     ("index_lag", {"match": {"host": "x"}}, "takes no host")],
)  # fmt: skip
def test_an_unknown_trouble_is_refused(name: str, more: dict[str, Any], said: str) -> None:
    state: JiraState = site()
    with pytest.raises(Refused, match=said):
        order(state, name, **more)
