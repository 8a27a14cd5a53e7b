"""An HTTP imitation of Jira Cloud, Jira Data Center and Jira Service Management, good enough for real clients.

Decides nothing about money: it answers as a site would that holds `jira_project`. Mount `routes(state)` under a prefix
such as `/jira`; that prefix is then the site's URL. What only one edition has is absent on the other. It is a stand-in
for tests and demos only. Sources: the platform OpenAPI document and the service desk API pages of
developer.atlassian.com.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox import jira_comments as comments
from connectors.sandbox import jira_desk as desk
from connectors.sandbox import jira_furniture as furniture
from connectors.sandbox import jira_issues as issues
from connectors.sandbox import jira_properties as properties
from connectors.sandbox import jira_registry as registry
from connectors.sandbox import jira_search as searching
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_http import No, answer, headed, known, limited, struck
from connectors.sandbox.jira_query import BadQuery
from connectors.sandbox.jira_state import CLOUD, DATA_CENTER, JiraState

VERSIONS = {CLOUD: ("2", "3", "latest"), DATA_CENTER: ("2", "latest")}

Handler = Callable[[JiraState, Request], Awaitable[Response]]


def routes(state: JiraState) -> list[BaseRoute]:
    """Everything the site answers, for a Mount under the site's prefix."""
    tables = (("/rest/servicedeskapi", SERVICE_DESK), ("/rest/webhooks/1.0", HOOKS), ("/rest/applinks/latest", APPS))
    found: list[BaseRoute] = [
        Route(prefix + path, _guarded(state, handler), methods=[method])
        for prefix, table in tables
        for method, path, handler in table
    ]
    for method, path, handler in (*PLATFORM, *ONLY[state.profile]):
        found.append(Route(f"/rest/api/{{version}}{path}", _guarded(state, handler), methods=[method]))
    return [*found, Route("/{rest:path}", _guarded(state, nothing_here), methods=METHODS)]


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
            response = await _let_in(state, handler, request)
        except BadQuery as error:
            response = answer({"errorMessages": [str(error)], "errors": {}}, 400)
        except No as no:
            response = answer({"errorMessages": [no.message], "errors": {}}, no.status)
            response.headers.update(no.headers)
        return headed(state, response)

    return endpoint


async def _let_in(state: JiraState, handler: Handler, request: Request) -> Response:
    limited(state, request)
    if handler is not furniture.server_info and not known(state, request):
        raise No(401, "Client must be authenticated to access this resource.")
    if request.path_params.get("version", "2") not in VERSIONS[state.profile]:
        raise No(404, "There is no such version of the API.")
    response = await handler(state, request)
    if handler in (searching.search, searching.offset_search):
        for order in (struck(state, request, "edit_during_paging") or {}).get("acts") or ():
            act(state, order)
    return response


async def nothing_here(state: JiraState, request: Request) -> Response:
    raise No(404, "There is no such resource.")


METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]
Table = tuple[tuple[str, str, Handler], ...]
PLATFORM: Table = (
    ("GET", "/serverInfo", furniture.server_info),
    ("GET", "/myself", furniture.myself),
    ("GET", "/user", furniture.user_read),
    ("GET", "/field", furniture.field_list),
    ("GET", "/status", furniture.status_list),
    ("GET", "/priority", furniture.priority_list),
    ("GET", "/issuetype", furniture.issue_type_list),
    ("GET", "/project", furniture.project_list),
    ("GET", "/worklog/deleted", issues.worklog_deleted),
    ("GET", "/issue/{issue}", issues.issue_read),
    ("PUT", "/issue/{issue}", issues.issue_write),
    ("DELETE", "/issue/{issue}", issues.issue_delete),
    ("GET", "/issue/{issue}/transitions", issues.transition_list),
    ("POST", "/issue/{issue}/transitions", issues.transition_make),
    ("GET", "/issue/{issue}/worklog", issues.worklog_list),
    ("GET", "/issue/{issue}/remotelink", issues.link_list),
    ("POST", "/issue/{issue}/remotelink", issues.link_write),
    ("DELETE", "/issue/{issue}/remotelink", issues.link_delete),
    ("GET", "/issue/{issue}/comment", comments.comment_list),
    ("POST", "/issue/{issue}/comment", comments.comment_add),
    ("GET", "/issue/{issue}/comment/{comment}", comments.comment_read),
    ("PUT", "/issue/{issue}/comment/{comment}", comments.comment_write),
    ("DELETE", "/issue/{issue}/comment/{comment}", comments.comment_delete),
    ("GET", "/comment/{comment}/properties", comments.property_keys),
    ("GET", "/comment/{comment}/properties/{key}", comments.property_read),
    ("PUT", "/comment/{comment}/properties/{key}", comments.property_write),
    ("GET", "/issue/{issue}/properties", properties.property_keys),
    ("GET", "/issue/{issue}/properties/{key}", properties.property_read),
    ("PUT", "/issue/{issue}/properties/{key}", properties.property_write),
    ("DELETE", "/issue/{issue}/properties/{key}", properties.property_delete),
    ("GET", "/dashboard/{dashboard}/items/{item}/properties", properties.item_keys),
    ("GET", "/dashboard/{dashboard}/items/{item}/properties/{key}", properties.item_read),
    ("PUT", "/dashboard/{dashboard}/items/{item}/properties/{key}", properties.item_write),
    ("DELETE", "/dashboard/{dashboard}/items/{item}/properties/{key}", properties.item_delete),
)
ONLY: dict[str, Table] = {
    CLOUD: (
        ("GET", "/project/search", furniture.project_search),
        ("GET", "/search", searching.search_gone),
        ("POST", "/search", searching.search_gone),
        ("GET", "/search/jql", searching.search),
        ("POST", "/search/jql", searching.search),
        ("POST", "/search/approximate-count", searching.approximate_count),
        ("POST", "/changelog/bulkfetch", searching.changelog_bulk),
        ("GET", "/issue/{issue}/changelog", issues.issue_changelog),
        ("POST", "/issue/properties", properties.list_write),
        ("POST", "/issue/properties/multi", properties.multi_write),
        ("PUT", "/issue/properties/{key}", properties.key_write),
        ("GET", "/task/{task}", properties.task_read),
        ("POST", "/webhook", registry.register),
        ("GET", "/webhook", registry.registered),
        ("DELETE", "/webhook", registry.unregister),
        ("PUT", "/webhook/refresh", registry.refresh),
        ("GET", "/webhook/failed", registry.failed),
    ),
    DATA_CENTER: (
        ("GET", "/search", searching.offset_search),
        ("POST", "/search", searching.offset_search),
    ),
}
SERVICE_DESK: Table = (
    ("GET", "/info", desk.info),
    ("GET", "/servicedesk", desk.desks),
    ("GET", "/servicedesk/{desk}/requesttype", desk.request_types),
    ("GET", "/requesttype", desk.request_types),
    ("GET", "/request/{issue}", desk.request_read),
    ("GET", "/request/{issue}/approval", desk.request_approvals),
    ("GET", "/request/{issue}/approval/{number}", desk.request_approval),
    ("POST", "/request/{issue}/approval/{number}", desk.approval_answer),
    ("GET", "/request/{issue}/sla", desk.request_slas),
    ("GET", "/request/{issue}/sla/{number}", desk.request_sla),
    ("GET", "/request/{issue}/feedback", desk.request_feedback),
)
HOOKS: Table = (
    ("GET", "/webhook", registry.admin_list),
    ("POST", "/webhook", registry.admin_add),
    ("GET", "/webhook/{hook:int}", registry.admin_read),
    ("DELETE", "/webhook/{hook:int}", registry.admin_delete),
)
APPS: Table = (("GET", "/listApplicationlinks", furniture.application_links),)
