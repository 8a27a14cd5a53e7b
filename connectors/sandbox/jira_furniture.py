"""What stands still on the imitated site: who it is, who asks, its fields, words, projects and people.

The edition decides how it introduces itself and how people are named.
"""

from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_http import No, answer, page_of, site_of
from connectors.sandbox.jira_state import JiraState


async def server_info(state: JiraState, request: Request) -> Response:
    numbers = [9, 12, 5] if state.data_center else [1001, 0, 0]
    return answer(
        {
            "baseUrl": site_of(request),
            "version": "9.12.5" if state.data_center else "1001.0.0-SNAPSHOT",
            "versionNumbers": numbers,
            "deploymentType": "Server" if state.data_center else "Cloud",
            "buildNumber": 912005 if state.data_center else 100297,
            "serverTime": words.jira_time(state.now_ms, state.zone),
            "serverTitle": "Jira (sandbox)",
        }
    )


async def myself(state: JiraState, request: Request) -> Response:
    """The account's time zone is the one in which its JQL texts are read."""
    zone = (state.standing("account_zone") or {}).get("zone", state.zone_minutes)
    if not isinstance(zone, str):
        zone = f"Etc/GMT{-zone // 60:+d}" if zone else "Etc/UTC"
    kind = {} if state.data_center else {"accountType": "app"}
    return answer({**state.me.named(), "displayName": state.me.name, "emailAddress": state.email,
                   "timeZone": zone, "active": True, **kind})  # fmt: skip


async def field_list(state: JiraState, request: Request) -> Response:
    return answer(words.field_catalogue())


async def status_list(state: JiraState, request: Request) -> Response:
    return answer(list(words.STATUSES.values()))


async def priority_list(state: JiraState, request: Request) -> Response:
    return answer(list(words.PRIORITIES.values()))


async def issue_type_list(state: JiraState, request: Request) -> Response:
    return answer(list(words.ISSUE_TYPES.values()))


async def project_search(state: JiraState, request: Request) -> Response:
    lost = state.standing("permission_loss")
    away = lost.get("project") if lost is not None else ()
    return answer(page_of(request, [p for p in state.projects.values() if away not in (None, p["id"], p["key"])], 50))


async def project_list(state: JiraState, request: Request) -> Response:
    """Data Center's list, in one piece."""
    return answer(list(state.projects.values()))


async def user_read(state: JiraState, request: Request) -> Response:
    """Cloud: by `accountId`. Data Center: by `key` or by `username`."""
    asked = request.query_params
    if not state.data_center:
        found = state.people.get(asked.get("accountId", ""))
    else:
        names = {person.login: person for person in state.people.values()}
        found = state.people.get(asked.get("key", "")) or names.get(asked.get("username", ""))
    if found is None:
        raise No(404, "The user does not exist, or you do not have permission to see them.")
    return answer(found.shown())


async def application_links(state: JiraState, request: Request) -> Response:
    """None; clients ask before they add a remote link."""
    return answer({"list": []})
