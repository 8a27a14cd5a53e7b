"""One issue over the API of the imitated site: read, written, moved on, deleted, with its changelog, worklogs, links.

Refuses fields and transitions that the workflow does not offer, with 400 as Jira does.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_edits import change, delete, move_status
from connectors.sandbox.jira_http import No, answer, api_of, count_of, issue_of, object_of, page_of, site_of
from connectors.sandbox.jira_search import changelog_shown
from connectors.sandbox.jira_shapes import changelog_entry, issue_shown, worklog_shown
from connectors.sandbox.jira_state import JiraState, SandboxIssue

PAGE = 100
MINUTE_MS = 60_000
SETTABLE = frozenset({"summary", "description", "labels", "priority", "duedate", words.SATISFACTION})


async def issue_read(state: JiraState, request: Request) -> Response:
    issue = issue_of(state, request)
    fields = request.query_params.get("fields", "*all").split(",")
    shown = issue_shown(state, issue, issue.values, fields, api_of(request), site_of(request))
    if "changelog" in request.query_params.get("expand", ""):
        shown["changelog"] = changelog_shown(state, issue)
    return answer(shown)


def _settable(fields: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(fields) - SETTABLE)
    if unknown:
        raise No(400, f"Field '{unknown[0]}' cannot be set. It is not on the appropriate screen, or unknown.")
    if "priority" in fields:
        fields["priority"] = words.PRIORITIES.get(str((fields["priority"] or {}).get("id")))
        if fields["priority"] is None:
            raise No(400, "The priority selected is invalid.")
    return fields


async def issue_write(state: JiraState, request: Request) -> Response:
    issue = issue_of(state, request)
    fields = _settable(dict((await object_of(request)).get("fields") or {}))
    state.advance(state.now_ms + 1000)
    change(state, issue, state.me.account_id, fields)
    return Response(status_code=204)


async def issue_delete(state: JiraState, request: Request) -> Response:
    delete(state, issue_of(state, request), state.me.account_id)
    return Response(status_code=204)


async def issue_changelog(state: JiraState, request: Request) -> Response:
    """Oldest first."""
    history = issue_of(state, request).history
    return answer(page_of(request, [changelog_entry(state, edit) for edit in history], PAGE))


def _open_to(issue: SandboxIssue) -> list[str]:
    """Every other status of the workflow: the imitated one has no closed doors."""
    workflow = words.WORKFLOWS[issue.values["issuetype"]["id"]]
    return [status for status in workflow if status != issue.values["status"]["id"]]


async def transition_list(state: JiraState, request: Request) -> Response:
    offered = [
        {"id": status, "name": words.STATUSES[status]["name"], "to": words.STATUSES[status], "isAvailable": True}
        for status in _open_to(issue_of(state, request))
    ]
    return answer({"expand": "transitions", "transitions": offered})


async def transition_make(state: JiraState, request: Request) -> Response:
    issue, asked = issue_of(state, request), await object_of(request)
    chosen = str((asked.get("transition") or {}).get("id"))
    if chosen not in _open_to(issue):
        raise No(400, "It seems that you have tried to perform a workflow operation that is not valid.")
    move_status(state, issue, state.me.account_id, chosen, _settable(dict(asked.get("fields") or {})))
    return Response(status_code=204)


async def worklog_list(state: JiraState, request: Request) -> Response:
    held = [worklog_shown(state, entry) for entry in issue_of(state, request).worklogs]
    return answer(page_of(request, held, 5000, "worklogs"))


async def worklog_deleted(state: JiraState, request: Request) -> Response:
    """Deleted since a moment, in milliseconds; the last minute is left out, as in Jira."""
    since_ms = count_of(request.query_params.get("since"), 0)
    until_ms = state.now_ms - MINUTE_MS
    found = [(number, at_ms) for number, at_ms in state.deleted_worklogs if since_ms <= at_ms <= until_ms]
    values = [{"worklogId": int(number), "updatedTime": at_ms, "properties": []} for number, at_ms in found]
    return answer({"values": values, "since": since_ms, "until": until_ms, "lastPage": True, "self": site_of(request)})


async def link_list(state: JiraState, request: Request) -> Response:
    """All remote links, or the one with the `globalId` that is asked for."""
    issue, wanted = issue_of(state, request), request.query_params.get("globalId")
    if wanted is None:
        return answer(issue.remote_links)
    found = next((link for link in issue.remote_links if link.get("globalId") == wanted), None)
    if found is None:
        raise No(404, "A remote issue link with the given globalId does not exist.")
    return answer(found)


async def link_write(state: JiraState, request: Request) -> Response:
    """A `globalId` that is known replaces its link: 200 instead of 201."""
    issue, given = issue_of(state, request), await object_of(request)
    thing = given.get("object")
    if not isinstance(thing, dict) or not thing.get("url") or not thing.get("title"):
        raise No(400, "'title' and 'url' are required.")
    wanted = given.get("globalId")
    known = next((link for link in issue.remote_links if wanted and link.get("globalId") == wanted), None)
    number = known["id"] if known else state.next_number()
    here = f"{site_of(request)}/rest/api/{api_of(request)}/issue/{issue.issue_id}/remotelink/{number}"
    held = {"id": number, "self": here, **{name: v for name, v in given.items() if name not in ("id", "self")}}
    issue.remote_links[:] = [link for link in issue.remote_links if link is not known] + [held]
    return answer({"id": number, "self": here}, 200 if known else 201)


async def link_delete(state: JiraState, request: Request) -> Response:
    issue, wanted = issue_of(state, request), request.query_params.get("globalId")
    kept = [link for link in issue.remote_links if link.get("globalId") != wanted]
    if wanted is None or len(kept) == len(issue.remote_links):
        raise No(404, "A remote issue link with the given globalId does not exist.")
    issue.remote_links[:] = kept
    return Response(status_code=204)
