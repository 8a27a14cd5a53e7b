"""What programs hang on issues and dashboard items of the imitated site: JSON by key, one at a time or in bulk.

A bulk write answers 303 with the address of its task and is done whether or not anybody looks; the one by issue writes
what it can, the one by key writes all or nothing. As at Jira, the one by key without `entityIds` writes to **every**
issue. Refuses values above 32,768 characters.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.jira_edits import remove_property, set_property
from connectors.sandbox.jira_http import No, answer, api_of, hidden, issue_of, json_of, object_of, site_of
from connectors.sandbox.jira_state import JiraState

PROPERTY_MOST = 32_768
MULTI_ISSUES_MOST, MULTI_KEYS_MOST, LIST_MOST = 100, 10, 10_000
ABSENT = "The property does not exist."


async def _value_of(request: Request) -> Any:
    value = await json_of(request)
    if len(await request.body()) > PROPERTY_MOST:
        raise No(400, f"The property value is longer than {PROPERTY_MOST} characters.")
    return value


async def property_keys(state: JiraState, request: Request) -> Response:
    issue = issue_of(state, request)
    here = f"{site_of(request)}/rest/api/{api_of(request)}/issue/{issue.issue_id}/properties"
    return answer({"keys": [{"self": f"{here}/{key}", "key": key} for key in issue.properties]})


async def property_read(state: JiraState, request: Request) -> Response:
    issue, key = issue_of(state, request), request.path_params["key"]
    if key not in issue.properties:
        raise No(404, ABSENT)
    return answer({"key": key, "value": issue.properties[key]})


async def property_write(state: JiraState, request: Request) -> Response:
    issue, key = issue_of(state, request), request.path_params["key"]
    return Response(status_code=201 if set_property(state, issue, key, await _value_of(request)) else 200)


async def property_delete(state: JiraState, request: Request) -> Response:
    issue, key = issue_of(state, request), request.path_params["key"]
    if key not in issue.properties:
        raise No(404, ABSENT)
    remove_property(state, issue, key)
    return Response(status_code=204)


async def multi_write(state: JiraState, request: Request) -> Response:
    """{"issues": [{"issueID": 1, "properties": {key: value}}]}; not transactional."""
    issues = (await object_of(request)).get("issues") or []
    if not issues or len(issues) > MULTI_ISSUES_MOST:
        raise No(400, f"Give 1 to {MULTI_ISSUES_MOST} issues.")
    if any(len(one.get("properties") or {}) not in range(1, MULTI_KEYS_MOST + 1) for one in issues):
        raise No(400, f"Give 1 to {MULTI_KEYS_MOST} properties for each issue.")
    return _task(state, request, ((str(one["issueID"]), one["properties"]) for one in issues))


async def list_write(state: JiraState, request: Request) -> Response:
    """{"entitiesIds": [1], "properties": {key: value}}: the same for all of a list."""
    asked = await object_of(request)
    ids, properties = asked.get("entitiesIds") or [], asked.get("properties") or {}
    if not ids or len(ids) > LIST_MOST or not properties:
        raise No(400, f"Give 1 to {LIST_MOST} entitiesIds and at least one property.")
    return _task(state, request, ((str(number), properties) for number in ids))


async def key_write(state: JiraState, request: Request) -> Response:
    """{"value", "filter": {"entityIds", "hasProperty", "currentValue"}}: all issues that pass, or none."""
    asked, key = await object_of(request), request.path_params["key"]
    if "value" not in asked:
        raise No(400, "Give a value.")
    narrow = asked.get("filter") or {}
    wanted = {str(number) for number in narrow["entityIds"]} if "entityIds" in narrow else None
    chosen = [
        number
        for number, issue in state.issues.items()
        if (wanted is None or number in wanted)
        and not hidden(state, issue)
        and narrow.get("hasProperty", key in issue.properties) is (key in issue.properties)
        and ("currentValue" not in narrow or issue.properties.get(key) == narrow["currentValue"])
    ]
    return _task(state, request, ((number, {key: asked["value"]}) for number in chosen))


def _task(state: JiraState, request: Request, writes: Iterable[tuple[str, Mapping[str, Any]]]) -> Response:
    order = state.struck("task", request.method, request.url.path) or {}
    failing = {str(number) for number in order.get("failing") or ()}
    done, failed = [], {}
    for number, properties in writes:
        issue = state.issues.get(number)
        if issue is None or hidden(state, issue) or number in failing:
            failed[number] = "Issue does not exist or you do not have permission to edit it."
            continue
        oversize = [key for key, value in properties.items() if len(orjson.dumps(value)) > PROPERTY_MOST]
        if oversize:
            failed[number] = f"The value of {oversize[0]} is longer than {PROPERTY_MOST} characters."
            continue
        for key, value in properties.items():
            set_property(state, issue, key, value)
        done.append(int(number))
    name = str(state.next_number())
    here = f"{site_of(request)}/rest/api/{api_of(request)}/task/{name}"
    state.tasks[name] = {
        "self": here, "id": name, "description": "Bulk set of issue properties", "status": "COMPLETE", "progress": 100,
        "submitted": state.now_ms, "started": state.now_ms, "finished": state.now_ms, "lastUpdate": state.now_ms,
        "elapsedRuntime": 0, "submittedBy": 10099, "result": {"successfulIssues": done, "failedIssues": failed},
        "running": int(order.get("running") or 0),
    }  # fmt: skip
    return Response(status_code=303, headers={"Location": here})


async def task_read(state: JiraState, request: Request) -> Response:
    """COMPLETE even when some issues could not be written: the result says which. RUNNING as often as ordered."""
    task = state.tasks.get(request.path_params["task"])
    if task is None:
        raise No(404, "The task does not exist.")
    shown = {name: value for name, value in task.items() if name != "running"}
    if task["running"] > 0:
        task["running"] -= 1
        shown = {name: v for name, v in shown.items() if name not in ("result", "finished")}
        shown |= {"status": "RUNNING", "progress": 50}
    return answer(shown)


def _item_of(state: JiraState, request: Request) -> dict[str, Any]:
    found = state.dashboards.get((request.path_params["dashboard"], request.path_params["item"]))
    if found is None:
        raise No(404, "The dashboard item does not exist, or you are not the owner of its dashboard.")
    return found


async def item_keys(state: JiraState, request: Request) -> Response:
    return answer({"keys": [{"key": key} for key in _item_of(state, request)]})


async def item_read(state: JiraState, request: Request) -> Response:
    held, key = _item_of(state, request), request.path_params["key"]
    if key not in held:
        raise No(404, ABSENT)
    return answer({"key": key, "value": held[key]})


async def item_write(state: JiraState, request: Request) -> Response:
    held, key = _item_of(state, request), request.path_params["key"]
    known = key in held
    held[key] = await _value_of(request)
    return Response(status_code=200 if known else 201)


async def item_delete(state: JiraState, request: Request) -> Response:
    if _item_of(state, request).pop(request.path_params["key"], None) is None:
        raise No(404, ABSENT)
    return Response(status_code=204)
