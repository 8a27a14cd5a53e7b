"""An HTTP imitation of Jira Cloud and Jira Service Management, good enough for real clients.

Decides nothing about money: it answers as a site would that holds `jira_project`. Mount `routes(state)` under a prefix
such as `/jira`; that prefix is then the site's URL. It is a stand-in for tests and demos only. Sources: the platform
OpenAPI document and the service desk API pages of developer.atlassian.com.
"""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_http import No, answer, api_of, count_of, issue_of, json_of, object_of, site_of
from connectors.sandbox.jira_query import BadQuery
from connectors.sandbox.jira_search import approximate_count, changelog_bulk, search, search_gone
from connectors.sandbox.jira_shapes import approvals_shown, changelog_entry, issue_shown, slas_shown
from connectors.sandbox.jira_state import JiraState

PAGE = 100
VERSIONS = ("2", "3", "latest")
PROPERTY_MOST = 32_768

Handler = Callable[[JiraState, Request], Awaitable[Response]]


def routes(state: JiraState) -> list[BaseRoute]:
    """Everything the site answers, for a Mount under the site's prefix."""
    found: list[BaseRoute] = []
    found += [Route(f"/rest/servicedeskapi{path}", _guarded(state, handler)) for path, handler in SERVICE_DESK]
    for method, path, handler in PLATFORM:
        found.append(Route(f"/rest/api/{{version}}{path}", _guarded(state, handler), methods=[method]))
    return found


def _guarded(state: JiraState, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Log, planned faults, credentials, then the handler with its refusals."""

    async def endpoint(request: Request) -> Response:
        place = f"{request.method} {request.url.path}"
        state.log.append(place)
        for fault in state.faults:
            if fault.times > 0 and fault.match.search(place):
                fault.times -= 1
                return Response(fault.body, fault.status, dict(fault.headers), "application/json")
        try:
            if handler is not server_info and not _known(state, request):
                raise No(401, "Client must be authenticated to access this resource.")
            if request.path_params.get("version", "3") not in VERSIONS:
                raise No(404, "There is no such version of the API.")
            return await handler(state, request)
        except BadQuery as error:
            return answer({"errorMessages": [str(error)], "errors": {}}, 400)
        except No as no:
            return answer({"errorMessages": [no.message], "errors": {}}, no.status)

    return endpoint


def _known(state: JiraState, request: Request) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given, f"{state.email}:{state.token}".encode())


async def server_info(state: JiraState, request: Request) -> Response:
    return answer(
        {
            "baseUrl": site_of(request),
            "version": "1001.0.0-SNAPSHOT",
            "versionNumbers": [1001, 0, 0],
            "deploymentType": "Cloud",
            "buildNumber": 100297,
            "serverTime": words.jira_time(state.now_ms, state.zone_minutes),
            "serverTitle": "Jira (sandbox)",
        }
    )


async def myself(state: JiraState, request: Request) -> Response:
    zone = f"Etc/GMT{-state.zone_minutes // 60:+d}" if state.zone_minutes else "Etc/UTC"
    return answer({"accountId": "712020:evenhand", "emailAddress": state.email, "timeZone": zone, "accountType": "app"})


async def field_list(state: JiraState, request: Request) -> Response:
    return answer(words.field_catalogue())


async def status_list(state: JiraState, request: Request) -> Response:
    return answer(list(words.STATUSES.values()))


async def priority_list(state: JiraState, request: Request) -> Response:
    return answer(list(words.PRIORITIES.values()))


async def issue_type_list(state: JiraState, request: Request) -> Response:
    return answer(list(words.ISSUE_TYPES.values()))


async def project_search(state: JiraState, request: Request) -> Response:
    return answer({"startAt": 0, "maxResults": 50, "total": 1, "isLast": True, "values": [words.PROJECT]})


async def issue_read(state: JiraState, request: Request) -> Response:
    issue = issue_of(state, request)
    fields = request.query_params.get("fields", "*all").split(",")
    shown = issue_shown(state, issue, issue.values, fields, api_of(request), site_of(request))
    if "changelog" in request.query_params.get("expand", ""):
        newest = [changelog_entry(state, edit) for edit in reversed(issue.history)][:PAGE]
        total = len(issue.history)
        shown["changelog"] = {"startAt": 0, "maxResults": PAGE, "total": total, "histories": newest}
    return answer(shown)


async def issue_write(state: JiraState, request: Request) -> Response:
    issue = issue_of(state, request)
    fields = (await object_of(request)).get("fields") or {}
    unknown = sorted(set(fields) - {"summary", "labels", "priority", words.SATISFACTION})
    if unknown:
        raise No(400, f"Field '{unknown[0]}' cannot be set. It is not on the appropriate screen, or unknown.")
    if "priority" in fields:
        fields["priority"] = words.PRIORITIES.get(str(fields["priority"].get("id")))
    items = [
        {
            "field": name,
            "fieldId": name,
            "fieldtype": "jira",
            "from": None,
            "fromString": None,
            "to": None,
            "toString": str(value),
        }
        for name, value in fields.items()
    ]
    state.edit(issue.issue_id, next(iter(state.people)), fields, items)
    return Response(status_code=204)


async def issue_changelog(state: JiraState, request: Request) -> Response:
    issue = issue_of(state, request)
    start = count_of(request.query_params.get("startAt"), 0)
    limit = min(count_of(request.query_params.get("maxResults"), PAGE), PAGE)
    values = [changelog_entry(state, edit) for edit in issue.history[start : start + limit]]
    last = start + limit >= len(issue.history)
    return answer(
        {"startAt": start, "maxResults": limit, "total": len(issue.history), "isLast": last, "values": values}
    )


async def property_keys(state: JiraState, request: Request) -> Response:
    issue = issue_of(state, request)
    here = f"{site_of(request)}/rest/api/{api_of(request)}/issue/{issue.issue_id}/properties"
    return answer({"keys": [{"self": f"{here}/{key}", "key": key} for key in issue.properties]})


async def property_read(state: JiraState, request: Request) -> Response:
    issue, key = issue_of(state, request), request.path_params["key"]
    if key not in issue.properties:
        raise No(404, "The property does not exist.")
    return answer({"key": key, "value": issue.properties[key]})


async def property_write(state: JiraState, request: Request) -> Response:
    issue, key = issue_of(state, request), request.path_params["key"]
    value = await json_of(request)
    if len(await request.body()) > PROPERTY_MOST:
        raise No(400, f"The property value is longer than {PROPERTY_MOST} characters.")
    known = key in issue.properties
    issue.properties[key] = value
    return Response(status_code=200 if known else 201)


async def property_delete(state: JiraState, request: Request) -> Response:
    issue, key = issue_of(state, request), request.path_params["key"]
    if issue.properties.pop(key, None) is None:
        raise No(404, "The property does not exist.")
    return Response(status_code=204)


async def comment_list(state: JiraState, request: Request) -> Response:
    comments = issue_of(state, request).comments
    return answer({"startAt": 0, "maxResults": len(comments), "total": len(comments), "comments": comments})


async def comment_add(state: JiraState, request: Request) -> Response:
    """Text in version 2, a document in version 3; the other way round is refused, as Jira does."""
    issue, given = issue_of(state, request), await object_of(request)
    if isinstance(given.get("body"), str) is not (api_of(request) == "2"):
        raise No(400, "Comment body is not valid!")
    number = str(90_000 + sum(len(other.comments) for other in state.issues.values()))
    at = words.jira_time(state.now_ms, state.zone_minutes)
    comment = {"id": number, "body": given["body"], "created": at, "updated": at, "jsdPublic": True}
    issue.comments.append(comment | {"properties": given.get("properties", [])})
    return answer(comment, 201)


async def request_approvals(state: JiraState, request: Request) -> Response:
    return _desk_page(request, approvals_shown(state, issue_of(state, request)))


async def request_slas(state: JiraState, request: Request) -> Response:
    return _desk_page(request, slas_shown(state, issue_of(state, request)))


def _desk_page(request: Request, values: list[dict[str, Any]]) -> Response:
    start = count_of(request.query_params.get("start"), 0)
    limit = min(count_of(request.query_params.get("limit"), 50) or 50, 50)
    part = values[start : start + limit]
    last = start + limit >= len(values)
    return answer({"size": len(part), "start": start, "limit": limit, "isLastPage": last, "values": part})


PLATFORM: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/serverInfo", server_info),
    ("GET", "/myself", myself),
    ("GET", "/field", field_list),
    ("GET", "/status", status_list),
    ("GET", "/priority", priority_list),
    ("GET", "/issuetype", issue_type_list),
    ("GET", "/project/search", project_search),
    ("GET", "/search", search_gone),
    ("POST", "/search", search_gone),
    ("GET", "/search/jql", search),
    ("POST", "/search/jql", search),
    ("POST", "/search/approximate-count", approximate_count),
    ("POST", "/changelog/bulkfetch", changelog_bulk),
    ("GET", "/issue/{issue}", issue_read),
    ("PUT", "/issue/{issue}", issue_write),
    ("GET", "/issue/{issue}/changelog", issue_changelog),
    ("GET", "/issue/{issue}/comment", comment_list),
    ("POST", "/issue/{issue}/comment", comment_add),
    ("GET", "/issue/{issue}/properties", property_keys),
    ("GET", "/issue/{issue}/properties/{key}", property_read),
    ("PUT", "/issue/{issue}/properties/{key}", property_write),
    ("DELETE", "/issue/{issue}/properties/{key}", property_delete),
)
SERVICE_DESK: tuple[tuple[str, Handler], ...] = (
    ("/request/{issue}/approval", request_approvals),
    ("/request/{issue}/sla", request_slas),
)
