"""What programs write to the imitated site: properties one by one and in bulk, comments, links, dashboards."""

from typing import Any

import pytest

from connectors.sandbox.jira_acts import act
from tests.connectors.sandbox.small_jira import MINUTE_MS, asking, order, site

KEY = "evenhand.score"
API = "/rest/api/3"


async def test_a_property_is_made_once_replaced_after_and_leaves_the_stamp_alone() -> None:
    state = site()
    updated = state.issues["20001"].values["updated"]
    async with asking(state) as client:
        place = f"{API}/issue/20001/properties/{KEY}"
        assert [(await client.put(place, json={"score": n})).status_code for n in (1, 2)] == [201, 200]
        assert (await client.get(place)).json()["value"] == {"score": 2}
        assert (await client.put(place, json="x" * 32_768)).status_code == 400
        assert (await client.delete(place)).status_code == 204
        assert (await client.get(place)).status_code == 404
    assert state.issues["20001"].values["updated"] == updated


async def task(client: Any, answer: Any) -> dict[str, Any]:
    assert answer.status_code == 303, answer.text
    return (await client.get(answer.headers["location"])).json()


async def test_a_bulk_write_by_issue_writes_what_it_can_and_says_what_it_could_not() -> None:
    state = site()
    order(state, "task", params={"failing": [20002], "running": 1})
    issues = [{"issueID": number, "properties": {KEY: {"n": number}}} for number in (20001, 20002, 20003, 99)]
    async with asking(state) as client:
        answer = await client.post(f"{API}/issue/properties/multi", json={"issues": issues})
        running = await task(client, answer)
        assert (running["status"], "result" in running) == ("RUNNING", False)
        done = await task(client, answer)
        assert done["status"] == "COMPLETE"
        assert done["result"]["successfulIssues"] == [20001, 20003]
        assert set(done["result"]["failedIssues"]) == {"20002", "99"}
        for body in ({"issues": []}, {"issues": issues * 26}, {"issues": [{"issueID": 1, "properties": {}}]}):
            assert (await client.post(f"{API}/issue/properties/multi", json=body)).status_code == 400
    assert [KEY in state.issues[str(number)].properties for number in (20001, 20002, 20003)] == [True, False, True]


@pytest.mark.parametrize(
    ("narrow", "written"),
    [
        ({"entityIds": [20001, 20002]}, {"20001", "20002"}),
        ({"entityIds": [20001, 20002], "hasProperty": True}, {"20002"}),
        ({"entityIds": [20001, 20002], "currentValue": "other"}, set()),
        ({"entityIds": []}, set()),
        (None, {str(number) for number in range(20001, 20026)}),  # every issue there is
    ],
)
async def test_a_bulk_write_by_key_without_ids_writes_everywhere(narrow: Any, written: set[str]) -> None:
    state = site()
    state.issues["20002"].properties[KEY] = "old"
    async with asking(state) as client:
        body = {"value": "new"} | ({"filter": narrow} if narrow is not None else {})
        await task(client, await client.put(f"{API}/issue/properties/{KEY}", json=body))
    assert {number for number, issue in state.issues.items() if issue.properties.get(KEY) == "new"} == written


async def test_the_same_properties_for_a_list() -> None:
    state = site()
    async with asking(state) as client:
        body = {"entitiesIds": [20001, 20002], "properties": {KEY: 1}}
        done = await task(client, await client.post(f"{API}/issue/properties", json=body))
    assert done["result"] == {"successfulIssues": [20001, 20002], "failedIssues": {}}


async def test_dashboard_items_hold_properties_for_their_owner() -> None:
    async with asking(site()) as client:
        place = f"{API}/dashboard/10001/items/10010/properties/{KEY}"
        assert [(await client.put(place, json=n)).status_code for n in (1, 2)] == [201, 200]
        assert (await client.get(place)).json() == {"key": KEY, "value": 2}
        assert (await client.get(f"{API}/dashboard/10001/items/10010/properties")).json() == {"keys": [{"key": KEY}]}
        assert (await client.put(f"{API}/dashboard/9/items/9/properties/{KEY}", json=1)).status_code == 404
        assert (await client.delete(place)).status_code == 204
        assert (await client.get(place)).status_code == 404


async def test_a_comment_carries_properties_and_is_text_or_a_document() -> None:
    state = site()
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": "Score 87."}]}
    body = {"type": "doc", "version": 1, "content": [paragraph, paragraph]}
    marks = [
        {"key": "evenhand.outbox", "value": {"id": "01J9"}},
        {"key": "sd.public.comment", "value": {"internal": True}},
    ]
    async with asking(state) as client:
        made = (await client.post(f"{API}/issue/20009/comment", json={"body": body, "properties": marks})).json()
        assert (made["body"], made["jsdPublic"]) == (body, False)
        asked = {"expand": "properties", "orderBy": "-created"}
        (shown,) = (await client.get(f"{API}/issue/20009/comment", params=asked)).json()["comments"]
        assert shown["properties"] == marks
        place = f"{API}/comment/{made['id']}/properties/evenhand.outbox"
        assert (await client.get(place)).json()["value"] == {"id": "01J9"}
        assert (await client.put(place, json={"id": "01JA"})).status_code == 200
        old = (await client.get(f"/rest/api/2/issue/20009/comment/{made['id']}")).json()
        assert old["body"] == "Score 87.\nScore 87."
        assert (await client.post(f"{API}/issue/20009/comment", json={"body": "text"})).status_code == 400
        assert (await client.post("/rest/api/2/issue/20009/comment", json={"body": body})).status_code == 400
        assert (await client.delete(f"{API}/issue/20009/comment/{made['id']}")).status_code == 204
        assert (await client.get(place)).status_code == 404


async def test_a_link_is_known_by_its_global_id() -> None:
    async with asking(site()) as client:
        place, link = f"{API}/issue/20001/remotelink", {"url": "https://evenhand.example/s/1", "title": "Score"}
        answers = [await client.post(place, json={"globalId": "eh:1", "object": link}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200]
        assert answers[0].json() == answers[1].json()
        assert (await client.get(place, params={"globalId": "eh:1"})).json()["object"] == link
        assert (await client.get(place, params={"globalId": "eh:2"})).status_code == 404
        assert (await client.post(place, json={"object": {"url": "x"}})).status_code == 400
        assert (await client.delete(place, params={"globalId": "eh:1"})).status_code == 204
        assert (await client.get(place)).json() == []


async def test_deleted_worklogs_are_told_after_a_minute() -> None:
    state = site()
    since = state.now_ms
    act(state, {"op": "delete_work", "key": "OPS-1"})
    async with asking(state) as client:

        async def told() -> list[Any]:
            return (await client.get(f"{API}/worklog/deleted", params={"since": since})).json()["values"]

        assert await told() == []
        state.advance(state.now_ms + MINUTE_MS)
        (entry,) = await told()
        assert entry["updatedTime"] == since
        assert (await client.get(f"{API}/issue/20001/worklog")).json()["total"] == 0
