"""Both editions of the imitated site with the public `jira` client, and what one has and the other has not."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.sandbox.app import create
from engine.refusal import Refused
from tests.connectors.sandbox.conftest import CREDENTIALS, Served, serve
from tests.connectors.sandbox.small_jira import asking, order, site


@pytest.fixture(scope="module", params=["cloud", "dc"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serve(create(3, CREDENTIALS, size="small", profile=request.param)) as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[JIRA]:
    dc, pair = served.app.state.sandbox.jira.data_center, (CREDENTIALS.jira_email, CREDENTIALS.jira_token)
    login: dict[str, Any] = {"token_auth": CREDENTIALS.jira_token} if dc else {"basic_auth": pair}
    client = JIRA(f"{served.url}/jira", max_retries=0, timeout=(5, 30), **login)
    yield client
    client.close()


def test_the_client_reads_everything_from_either_edition(client: JIRA, served: Served) -> None:
    state = served.app.state.sandbox.jira
    assert client._is_cloud is not state.data_center
    assert client.server_info()["deploymentType"] == ("Server" if state.data_center else "Cloud")
    found = client.search_issues("project = OPS ORDER BY created ASC, key ASC", maxResults=0, fields="status,assignee")
    assert [issue.id for issue in found] == sorted(state.issues, key=lambda i: state.issues[i].values["created"])
    assigned = next(issue for issue in found if issue.fields.assignee)
    person = state.people[state.issues[assigned.id].values["assignee"]]
    shown = assigned.raw["fields"]["assignee"]
    assert shown.get("key" if state.data_center else "accountId") == person.account_id
    assert ("accountId" in shown) is not state.data_center
    issue = client.issue("OPS-5", expand="changelog")
    numbers = [int(entry.id) for entry in issue.changelog.histories]
    assert numbers == sorted(numbers, reverse=not state.data_center)
    assert len(numbers) == len(state.find("OPS-5").history)


def test_the_client_writes_to_either_edition(client: JIRA, served: Served) -> None:
    state = served.app.state.sandbox.jira
    waiting = len(served.app.state.sandbox.hooks.waiting)
    comment = client.add_comment("OPS-12", "Seen by us.")
    assert [one.body for one in client.comments("OPS-12")] == ["Seen by us."]
    comment.update(body="Seen again.")
    assert client.comment("OPS-12", comment.id).body == "Seen again."
    offered = {entry["name"]: entry["id"] for entry in client.transitions("OPS-12")}
    client.transition_issue("OPS-12", offered["Resolved"])
    assert client.issue("OPS-12").fields.resolution.name == "Done"
    with pytest.raises(JIRAError, match="not valid"):
        client.transition_issue("OPS-12", offered["Resolved"])
    link = {"url": "https://evenhand.example/s/1", "title": "Score"}
    for title in ("Score", "Score of March"):
        client.add_remote_link("OPS-12", {**link, "title": title}, globalId="evenhand:1")
    assert [found.object.title for found in client.remote_links("OPS-12")] == ["Score of March"]
    assert state.find("OPS-12").values["status"]["name"] == "Resolved"
    client.issue("OPS-24").delete()
    with pytest.raises(JIRAError, match="does not exist"):
        client.issue("OPS-24")
    told = [event.op for event in served.app.state.sandbox.hooks.waiting[waiting:]]
    double = ["created", "updated", "updated", "updated"]
    assert told == [*(double if state.data_center else ["created", "updated"]), "updated", "deleted"]


async def test_what_only_cloud_has_is_absent_on_data_center() -> None:
    missing = (
        ("POST", "/rest/api/2/search/jql"), ("POST", "/rest/api/2/changelog/bulkfetch"),
        ("POST", "/rest/api/2/search/approximate-count"), ("GET", "/rest/api/2/issue/OPS-1/changelog"),
        ("GET", "/rest/api/2/webhook"), ("GET", "/rest/api/3/issue/OPS-1"), ("GET", "/rest/api/2/project/search"),
        ("POST", "/rest/api/2/issue/properties/multi"),
    )  # fmt: skip
    async with asking(site("dc")) as client:
        for method, path in missing:
            assert (await client.request(method, path, json={})).status_code == 404, path
        assert (await client.get("/rest/api/2/search", params={"jql": ""})).json()["total"] == 25
    async with asking(site()) as client:
        assert (await client.get("/rest/api/2/search", params={"jql": "project = OPS"})).status_code == 410


async def test_data_center_takes_a_personal_access_token_and_tells_its_limits_on_every_answer() -> None:
    state = site("dc")
    async with asking(state) as client:
        answers = [await client.get(f"/rest/api/2/{path}") for path in ("myself", "issue/OPS-999", "field")]
        order(state, "rate_limit", times=1, params={"retry_after": 4})
        answers.append(await client.get("/rest/api/2/myself"))
        client.headers["authorization"] = "Bearer wrong"
        answers.append(await client.get("/rest/api/2/myself"))
    assert [answer.status_code for answer in answers] == [200, 404, 200, 429, 401]
    for answer in answers:
        assert {f"x-ratelimit-{name}" for name in ("limit", "remaining", "interval-seconds", "fillrate")} <= {
            *answer.headers
        }
        assert answer.headers["retry-after"] == ("4" if answer.status_code == 429 else "0")
        assert "date" in answer.headers
    assert "RateLimit-Reason" not in answers[3].headers
    assert answers[0].json()["key"] == state.me.account_id


@pytest.mark.parametrize(("how", "beyond"), [("empty", 200), ("refused", 400)])
async def test_an_offset_beyond_the_result_window_is_empty_or_refused(how: str, beyond: int) -> None:
    state = site("dc")
    order(state, "row_cap", params={"rows": 20, "how": how})
    async with asking(state) as client:

        async def page(start: int) -> tuple[int, int]:
            asked = {"jql": "project = OPS ORDER BY created ASC", "startAt": start, "maxResults": 15, "fields": "key"}
            answer = await client.get("/rest/api/2/search", params=asked)
            return answer.status_code, len(answer.json().get("issues", ()))

        assert [await page(start) for start in (0, 15, 20)] == [(200, 15), (200, 5), (beyond, 0)]


async def test_pages_by_offset_hold_every_issue_with_its_whole_changelog() -> None:
    state = site("dc")
    read: dict[str, list[str]] = {}
    async with asking(state) as client:
        for start in range(0, 30, 10):
            asked = {"jql": "project = OPS ORDER BY key", "startAt": start, "maxResults": 10, "expand": "changelog"}
            page = (await client.post("/rest/api/2/search", json={**asked, "fields": ["updated"]})).json()
            assert (page["total"], page["startAt"]) == (25, start)
            read |= {one["id"]: [entry["id"] for entry in one["changelog"]["histories"]] for one in page["issues"]}
    assert read == {i: [edit.edit_id[5:] for edit in issue.history] for i, issue in state.issues.items()}


async def test_the_service_desk_tells_requests_types_ratings_and_hides_what_is_no_request() -> None:
    state = site()
    async with asking(state) as client:

        async def desk(path: str) -> object:
            answer = await client.get(f"/rest/servicedeskapi/{path}")
            return answer.json() if answer.status_code == 200 else answer.status_code

        request = await desk("request/OPS-1")
        assert isinstance(request, dict)
        assert (request["requestTypeId"], request["currentStatus"]["status"]) == ("21", "Closed")
        assert (await desk("info"))["isLicensedForUse"] is True  # type: ignore[index]
        types = await desk("servicedesk/1/requesttype")
        assert [one["name"] for one in types["values"]] == ["Report an incident", "Ask for a change"]  # type: ignore[index]
        sla = await desk("request/OPS-1/sla/12")
        assert sla == (await desk("request/OPS-1/sla"))["values"][0]  # type: ignore[index]
        rating = await desk("request/OPS-1/feedback")
        assert rating["rating"] == state.issues["20001"].values["customfield_10110"]  # type: ignore[index]
        assert await desk("request/OPS-2/feedback") == 404
        state.projects["10002"] = {"id": "10002", "key": "ARC", "name": "Archive"}
        approval = (await desk("request/OPS-17/approval"))["values"][0]["id"]  # type: ignore[index]
        answered = await client.post(f"/rest/servicedeskapi/request/OPS-17/approval/{approval}", json={})
        assert answered.status_code == 403


def test_an_edition_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused, match="no profile 'server'"):
        create(3, CREDENTIALS, size="small", profile="server")


def test_another_world_may_have_another_edition(served: Served) -> None:
    def edition() -> str:
        return str(requests.get(f"{served.url}/jira/rest/api/2/serverInfo", timeout=5).json()["deploymentType"])

    was = served.app.state.sandbox.jira.profile
    for profile, expected in (("dc", "Server"), ("cloud", "Cloud"), (was, None)):
        wanted = {"seed": 3, "profile": profile}
        requests.post(f"{served.url}/_sandbox/seed", json=wanted, timeout=5).raise_for_status()
        assert expected in (None, edition())
