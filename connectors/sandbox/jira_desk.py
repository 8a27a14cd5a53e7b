"""The service desk of the imitated site: requests, their types, approvals, service level clocks, and what people said.

Only issues of the service desk's project are requests; others are absent here. An approval is answered as the caller,
who is nobody's approver: refused.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_http import No, answer, count_of, issue_of
from connectors.sandbox.jira_shapes import approvals_shown, desk_time, slas_shown
from connectors.sandbox.jira_state import JiraState, SandboxIssue


def _request_of(state: JiraState, request: Request) -> SandboxIssue:
    issue = issue_of(state, request)
    if issue.values["project"]["id"] != words.DESK["projectId"]:
        raise No(404, "The request does not exist, or you do not have permission to see it.")
    return issue


def _page(request: Request, values: list[dict[str, Any]]) -> Response:
    start = count_of(request.query_params.get("start"), 0)
    limit = min(count_of(request.query_params.get("limit"), 50) or 50, 50)
    part = values[start : start + limit]
    last = start + limit >= len(values)
    return answer({"size": len(part), "start": start, "limit": limit, "isLastPage": last, "values": part})


def _one(values: list[dict[str, Any]], number: str) -> Response:
    found = next((value for value in values if value["id"] == number), None)
    if found is None:
        raise No(404, "There is no such record of this request.")
    return answer(found)


async def info(state: JiraState, request: Request) -> Response:
    return answer({"version": "5.12.5", "platformVersion": "9.12.5", "isLicensedForUse": True,
                   "buildChangeSet": "sandbox"})  # fmt: skip


async def desks(state: JiraState, request: Request) -> Response:
    return _page(request, [words.DESK])


async def request_types(state: JiraState, request: Request) -> Response:
    return _page(request, list(words.REQUEST_TYPES.values()))


def request_shown(state: JiraState, issue: SandboxIssue) -> dict[str, Any]:
    values = issue.values
    since_ms = issue.status_timeline()[-1][0]
    return {
        "issueId": issue.issue_id,
        "issueKey": issue.key,
        "requestTypeId": words.REQUEST_TYPES[values["issuetype"]["id"]]["id"],
        "serviceDeskId": words.DESK["id"],
        "createdDate": desk_time(values["created"]),
        "reporter": state.person(values["reporter"]).shown() if values.get("reporter") else None,
        "requestFieldValues": [{"fieldId": "summary", "label": "Summary", "value": values.get("summary")}],
        "currentStatus": {
            "status": values["status"]["name"],
            "statusCategory": values["status"]["statusCategory"]["key"].upper(),
            "statusDate": desk_time(since_ms),
        },
    }


async def request_read(state: JiraState, request: Request) -> Response:
    return answer(request_shown(state, _request_of(state, request)))


async def request_approvals(state: JiraState, request: Request) -> Response:
    return _page(request, approvals_shown(state, _request_of(state, request)))


async def request_approval(state: JiraState, request: Request) -> Response:
    return _one(approvals_shown(state, _request_of(state, request)), request.path_params["number"])


async def approval_answer(state: JiraState, request: Request) -> Response:
    _request_of(state, request)
    raise No(403, "You are not an approver of this request.")


async def request_slas(state: JiraState, request: Request) -> Response:
    return _page(request, slas_shown(state, _request_of(state, request)))


async def request_sla(state: JiraState, request: Request) -> Response:
    return _one(slas_shown(state, _request_of(state, request)), request.path_params["number"])


async def request_feedback(state: JiraState, request: Request) -> Response:
    """The customer's rating, 1 to 5 (check on an instance)."""
    rating = _request_of(state, request).values.get(words.SATISFACTION)
    if rating is None:
        raise No(404, "The request has no feedback.")
    return answer({"type": "csat", "rating": int(rating), "comment": {"body": ""}})
