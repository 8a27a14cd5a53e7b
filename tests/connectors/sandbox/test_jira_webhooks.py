"""What the imitated site tells about what happened: to whom, in which words, until when, and how often."""

import hmac
from typing import Any

import orjson
import pytest
import requests

from connectors.sandbox.app import create
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_hooks import due, sealed
from connectors.sandbox.jira_state import JiraState
from tests.connectors.sandbox.conftest import CREDENTIALS, serve
from tests.connectors.sandbox.small_jira import DAY_MS, asking, order, site
from tests.connectors.sandbox.test_sandbox_deliveries import Receiver

ISSUES = ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted"]


def told(state: JiraState) -> list[dict[str, Any]]:
    return [orjson.loads(sealed(state, letter)[1]) for letter in due(state)]


@pytest.mark.parametrize(
    ("done", "events"),
    [
        ({"op": "create"}, [("jira:issue_created", "issue_created")]),
        ({"op": "edit", "fields": {"summary": "x"}}, [("jira:issue_updated", "issue_updated")]),
        ({"op": "assign", "to": None}, [("jira:issue_updated", "issue_assigned")]),
        ({"op": "transition", "status": "Resolved"}, [("jira:issue_updated", "issue_resolved")]),
        ({"op": "transition", "status": "Closed"}, [("jira:issue_updated", "issue_closed")]),
        ({"op": "transition", "status": "Waiting for customer"}, [("jira:issue_updated", "issue_generic")]),
        ({"op": "move", "project": "ARC"}, [("jira:issue_updated", "issue_moved")]),
        ({"op": "comment", "body": "Hello"}, [("comment_created", None)]),
        ({"op": "work"}, [("worklog_created", None)]),
        ({"op": "delete"}, [("jira:issue_deleted", "issue_deleted")]),
        ({"op": "silent", "fields": {"summary": "x"}}, []),
        ({"op": "edit", "fields": {}}, []),
    ],
)
def test_an_act_is_told_as_jira_tells_it(done: dict[str, Any], events: list[tuple[str, str | None]]) -> None:
    state = site()
    at_ms = state.now_ms
    act(state, {"key": "OPS-11", **done})
    bodies = told(state)
    assert [(body["webhookEvent"], body.get("issue_event_type_name")) for body in bodies] == events
    for body in bodies:
        concerned = body["worklog"]["issueId"] if "worklog" in body else body["issue"]["id"]
        assert concerned in (*state.issues, *state.gone)
        assert at_ms <= body["timestamp"] <= state.now_ms
        assert ("changelog" in body) is (body["webhookEvent"] == "jira:issue_updated")
        if "changelog" in body:
            assert body["changelog"]["id"] == state.issues["20011"].history[-1].edit_id[5:]
    assert told(state) == []  # what has left the queue has left it


def test_a_reopening_is_called_one() -> None:
    state = site()
    act(state, {"op": "transition", "key": "OPS-8", "status": "In progress"})
    assert [body["issue_event_type_name"] for body in told(state)] == ["issue_reopened"]


@pytest.mark.parametrize(
    ("profile", "double", "events"),
    [
        ("cloud", None, ["comment_created"]),
        ("cloud", {}, ["comment_created", "jira:issue_updated"]),
        ("dc", None, ["comment_created", "jira:issue_updated"]),
        ("dc", {"off": True}, ["comment_created"]),
    ],
)
def test_a_comment_is_told_once_or_twice(profile: str, double: dict[str, Any] | None, events: list[str]) -> None:
    state = site(profile)
    if double is not None:
        order(state, "double_event", params=double)
    act(state, {"op": "comment", "key": "OPS-1", "body": "Hello"})
    bodies = told(state)
    assert [body["webhookEvent"] for body in bodies] == events
    assert len({body["comment"]["id"] for body in bodies}) == 1


def test_the_fallout_of_a_deletion_comes_later() -> None:
    state = site()
    act(state, {"op": "comment", "key": "OPS-1", "body": "Second"})
    told(state)
    order(state, "secondary", params={"seconds": 300})
    act(state, {"op": "delete", "key": "OPS-1"})
    assert [letter.sending.event for letter in due(state)] == ["jira:issue_deleted"]
    state.advance(state.now_ms + 300_000)
    fallout = due(state)
    assert [letter.sending.event for letter in fallout] == ["comment_deleted", "comment_deleted", "worklog_deleted"]
    assert {sealed(state, letter)[0]["x-atlassian-webhook-flow"] for letter in fallout} == {"Secondary"}


@pytest.mark.parametrize(
    ("flaw", "changed"),
    [
        ("empty_changelog", lambda body: body["changelog"]["items"] == [] and body["changelog"]["id"]),
        ("thin_issue", lambda body: set(body["issue"]) == {"id", "key", "self"}),
        ("no_user", lambda body: "user" not in body),
        ("no_event_type", lambda body: "issue_event_type_name" not in body),
    ],
)
def test_bodies_have_the_oddities_of_real_ones(flaw: str, changed: Any) -> None:
    state = site()
    order(state, flaw, times=1)
    for name in ("odd", "whole"):
        act(state, {"op": "edit", "key": "OPS-1", "fields": {"summary": name}})
    odd, whole = told(state)
    assert changed(odd)
    assert not changed(whole)


def test_cloud_signs_and_identifies_and_data_center_does_when_told_to() -> None:
    def headers(state: JiraState, attempt: int = 0) -> dict[str, str]:
        act(state, {"op": "edit", "key": "OPS-1", "fields": {"summary": f"{state.now_ms}"}})
        (letter,) = due(state)
        first, again = sealed(state, letter), sealed(state, letter, attempt)
        assert first[1] == again[1]
        if "x-hub-signature" in again[0]:
            mac = hmac.new(state.webhook_secret, again[1], "sha256").hexdigest()
            assert again[0]["x-hub-signature"] == f"sha256={mac}"
        name = "x-atlassian-webhook-identifier"
        assert first[0].get(name) == again[0].get(name)
        return again[0]

    assert headers(site(), 3)["x-atlassian-webhook-retry"] == "3"
    state = site("dc")
    assert not any(name.startswith("x-") for name in headers(state))
    order(state, "hook_headers", params={"signature": True, "identifier": True})
    assert {"x-hub-signature", "x-atlassian-webhook-identifier"} <= set(headers(state))


async def register(client: Any, **more: Any) -> Any:
    wanted = {"jqlFilter": "project = OPS", "events": ISSUES, **more}
    return await client.post("/rest/api/3/webhook", json={"url": "https://evenhand.example/h", "webhooks": [wanted]})


async def test_only_an_app_registers_and_what_is_wrong_is_named() -> None:
    state = site()
    async with asking(state) as client:
        assert (await register(client)).status_code == 403
    async with asking(state, app=True) as client:
        for more, said in (
            ({"events": ["jira:moon"]}, "jira:moon"),
            ({"jqlFilter": ""}, "jqlFilter"),
            ({"events": []}, "at"),
        ):
            (result,) = (await register(client, **more)).json()["webhookRegistrationResult"]
            assert said in result["errors"][0]
        assert (await client.post("/rest/api/3/webhook", json={"webhooks": []})).status_code == 400
        assert (await client.get("/rest/api/3/webhook/failed")).status_code == 403
    assert state.hooks == {}


async def test_a_registration_lives_for_thirty_days_unless_it_is_refreshed() -> None:
    state = site()

    def heard() -> list[str]:
        act(state, {"op": "edit", "key": "OPS-1", "fields": {"summary": f"{state.now_ms}"}})
        return [letter.url for letter in due(state)]

    async with asking(state, app=True) as client:
        number = (await register(client)).json()["webhookRegistrationResult"][0]["createdWebhookId"]
        (shown,) = (await client.get("/rest/api/3/webhook")).json()["values"]
        assert (shown["id"], shown["expirationDate"]) == (number, state.now_ms + 30 * DAY_MS)
        state.advance(state.now_ms + 29 * DAY_MS)
        assert heard() == ["https://evenhand.example/h"]
        answer = await client.put("/rest/api/3/webhook/refresh", json={"webhookIds": [number]})
        assert answer.json()["expirationDate"] == state.now_ms + 30 * DAY_MS
        state.advance(state.now_ms + 29 * DAY_MS)
        assert heard() == ["https://evenhand.example/h"]
        state.advance(state.now_ms + DAY_MS)
        assert heard() == []  # nobody tells that it has expired
        await client.put("/rest/api/3/webhook/refresh", json={"webhookIds": [number]})
        assert heard() == []
        assert (await client.get("/rest/api/3/webhook")).json()["values"] == []
        again = (await register(client)).json()["webhookRegistrationResult"][0]["createdWebhookId"]
        assert heard() == ["https://evenhand.example/h"]
        assert (await client.request("DELETE", "/rest/api/3/webhook", json={"webhookIds": [again]})).status_code == 202
        assert heard() == []


async def test_a_registration_hears_only_what_it_asked_for() -> None:
    state = site()
    async with asking(state, app=True) as client:
        await register(client, jqlFilter="project = ARC")
        await register(client, events=["issue_property_set", "comment_created"])
        act(state, {"op": "edit", "key": "OPS-1", "fields": {"summary": "unheard"}})
        act(state, {"op": "comment", "key": "OPS-1"})
        act(state, {"op": "move", "key": "OPS-1", "project": "ARC"})
        await client.put("/rest/api/3/issue/20002/properties/evenhand.score", json={"score": 1})
        letters = due(state)
    assert [letter.sending.event for letter in letters] == [
        "comment_created", "jira:issue_updated", "issue_property_set"]  # fmt: skip
    assert len({letter.name for letter in letters}) == 3
    assert not any("x-hub-signature" in sealed(state, letter)[0] for letter in letters)  # those of apps are unsigned


async def test_an_administrators_hook_has_its_secret_and_stays() -> None:
    state = site()
    wanted = {"name": "Evenhand", "url": "https://evenhand.example/admin", "events": ISSUES, "secret": "known to us",
              "filters": {"issue-related-events-section": "project = OPS"}}  # fmt: skip
    async with asking(state) as client:
        made = (await client.post("/rest/webhooks/1.0/webhook", json=wanted)).json()
        assert "known to us" not in str(made)
        assert (await client.get("/rest/webhooks/1.0/webhook")).json() == [made]
        state.advance(state.now_ms + 400 * DAY_MS)
        act(state, {"op": "edit", "key": "OPS-1", "fields": {"summary": "heard"}})
        (letter,) = due(state)
        headers, body = sealed(state, letter)
        mac = hmac.new(b"known to us", body, "sha256").hexdigest()
        assert headers["x-hub-signature"] == f"sha256={mac}"
        assert (await client.delete(made["self"])).status_code == 204
        assert (await client.get(made["self"])).status_code == 404
        assert (await client.post("/rest/webhooks/1.0/webhook", json={"name": "x"})).status_code == 400


def test_what_happens_in_the_sandbox_is_delivered_and_tried_again() -> None:
    receiver = Receiver()
    with serve(receiver) as heard, serve(create(3, CREDENTIALS, size="small")) as served:

        def control(name: str, content: Any) -> Any:
            answer = requests.post(f"{served.url}/_sandbox/{name}", json=content, timeout=10)
            assert answer.status_code in (200, 204), answer.text
            return answer.json() if answer.content else None

        control("hooks", {"jira_url": f"{heard.url}/hooks/jira", "no_user": 1.0, "secondary": 60})
        done = control("act", [{"tool": "jira", "op": "edit", "key": "OPS-1", "fields": {"summary": "x"}},
                               {"tool": "jira", "op": "delete", "key": "OPS-1"}])  # fmt: skip
        assert [entry["key"] for entry in done["done"]] == ["20001", "20001"]
        receiver.answers += [503]
        assert control("deliver", {"what": "pending"})["tools"]["jira"]["sent"] == 2
        control("clock", {"advance_seconds": 60})
        assert control("deliver", {"what": "pending"})["tools"]["jira"]["sent"] == 3
        taken = [(headers, orjson.loads(body)) for headers, body in receiver.taken]
        assert [body["webhookEvent"] for _, body in taken[:2]] == ["jira:issue_updated", "jira:issue_deleted"]
        assert {body["webhookEvent"] for _, body in taken[2:]} == {
            "jira:issue_updated", "comment_deleted", "worklog_deleted"}  # fmt: skip
        again = next(headers for headers, body in taken[2:] if body["webhookEvent"] == "jira:issue_updated")
        name = "x-atlassian-webhook-identifier"
        assert (again[name], again["x-atlassian-webhook-retry"]) == (taken[0][0][name], "1")
        assert not any("user" in body for _, body in taken)
        truth = requests.get(f"{served.url}/_sandbox/truth", params={"tables": "issue,gone"}, timeout=10).json()
        assert (len(truth["jira"]["issue"]), list(truth["jira"]["gone"])) == (24, ["20001"])
        refused = requests.post(f"{served.url}/_sandbox/act", json=[{"tool": "jira", "op": "fly"}], timeout=10)
        assert refused.status_code == 400
