"""Search of the imitated site: pages by token, a search index that may lag, and the changelog in bulk.

As in Jira Cloud a page has no total, a token belongs to its query, and the last page simply has no token.
"""

import base64
from hashlib import sha256
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.jira_http import No, answer, api_of, count_of, object_of, site_of
from connectors.sandbox.jira_query import parse
from connectors.sandbox.jira_shapes import changelog_entry, issue_shown
from connectors.sandbox.jira_state import JiraState, SandboxIssue

PAGE, IDS_PAGE = 100, 5000
RECONCILE_MOST, BULK_MOST = 50, 1000


async def search_gone(state: JiraState, request: Request) -> Response:
    raise No(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")


async def search(state: JiraState, request: Request) -> Response:
    """One page. The token belongs to its query; the answer has no total and may have no further token."""
    if request.method == "POST":
        asked = await object_of(request)
    else:
        given = request.query_params
        asked = dict(given) | {
            name: [part for text in given.getlist(name) for part in text.split(",")]
            for name in ("fields", "reconcileIssues")
            if name in given
        }
    jql, fields = str(asked.get("jql") or ""), list(asked.get("fields") or ["id"])
    reconcile = {str(number) for number in asked.get("reconcileIssues") or ()}
    if len(reconcile) > RECONCILE_MOST:
        raise No(400, f"reconcileIssues takes at most {RECONCILE_MOST} issue ids.")
    most = IDS_PAGE if set(fields) <= {"id", "key"} else PAGE
    limit = min(count_of(asked.get("maxResults"), 50) or 50, most)
    mark = sha256(orjson.dumps([jql, sorted(fields), sorted(reconcile)])).hexdigest()[:16]
    start = _position(asked.get("nextPageToken"), mark)
    found = parse(jql, state.zone_minutes).run(_indexed(state, reconcile))
    shown = [
        issue_shown(state, i, v, fields, api_of(request), site_of(request)) for i, v in found[start : start + limit]
    ]
    page: dict[str, Any] = {"issues": shown}
    if start + limit < len(found):
        page["nextPageToken"] = base64.urlsafe_b64encode(f"{start + limit}:{mark}".encode()).decode()
    return answer(page)


def _position(token: Any, mark: str) -> int:
    if not token:
        return 0
    try:
        start, _, bound = base64.urlsafe_b64decode(str(token)).decode().partition(":")
        if bound == mark:
            return int(start)
    except ValueError:
        pass
    raise No(400, "The nextPageToken is invalid, has expired, or belongs to another query.")


def _indexed(state: JiraState, reconcile: set[str]) -> list[tuple[SandboxIssue, dict[str, Any]]]:
    """Issues as search sees them: late while the index lags, except those that the caller wants reconciled."""
    late = [
        (issue, issue.values if issue.indexed is None or issue.issue_id in reconcile else issue.indexed)
        for issue in state.issues.values()
    ]
    return [(issue, values) for issue, values in late if values]


async def approximate_count(state: JiraState, request: Request) -> Response:
    jql = str((await object_of(request)).get("jql") or "")
    return answer({"count": len(parse(jql, state.zone_minutes).run(_indexed(state, set())))})


async def changelog_bulk(state: JiraState, request: Request) -> Response:
    """Entries of up to 1,000 issues, oldest first, cut by entries and not by issues; times are numbers here."""
    asked = await object_of(request)
    issues = [issue for name in asked.get("issueIdsOrKeys") or () if (issue := state.find(str(name)))]
    wanted = set(asked.get("fieldIds") or ())
    if not issues or len(issues) > BULK_MOST or len(wanted) > 10:
        raise No(400, f"Give 1 to {BULK_MOST} issues and at most 10 fieldIds.")
    limit = min(count_of(asked.get("maxResults"), 1000) or 1000, 10_000)
    mark = sha256(orjson.dumps([[issue.issue_id for issue in issues], sorted(wanted)])).hexdigest()[:16]
    start = _position(asked.get("nextPageToken"), mark)
    entries = [
        (issue.issue_id, changelog_entry(state, edit, as_number=True))
        for issue in sorted(issues, key=lambda issue: int(issue.issue_id))
        for edit in issue.history
        if not wanted or any(item["fieldId"] in wanted for item in edit.items)
    ]
    logs: dict[str, list[Any]] = {}
    for issue_id, entry in entries[start : start + limit]:
        logs.setdefault(issue_id, []).append(entry)
    page: dict[str, Any] = {"issueChangeLogs": [{"issueId": i, "changeHistories": h} for i, h in logs.items()]}
    if start + limit < len(entries):
        page["nextPageToken"] = base64.urlsafe_b64encode(f"{start + limit}:{mark}".encode()).decode()
    return answer(page)
