"""Search of the imitated site: Cloud's pages by token, Data Center's by offset, and the changelog in bulk.

As in Jira Cloud a page has no total, a token belongs to its query and lives for a week, and the last page simply has no
token. As in Data Center an offset has an end: what lies beyond the result window is empty or refused. The index behind
both may lag; ids to reconcile see through it on Cloud.
"""

import base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.jira_http import No, answer, api_of, count_of, hidden, object_of, site_of, struck
from connectors.sandbox.jira_query import BadQuery, parse
from connectors.sandbox.jira_shapes import changelog_entry, issue_shown
from connectors.sandbox.jira_state import JiraState, SandboxIssue

PAGE, IDS_PAGE, OFFSET_PAGE = 100, 5000, 1000
RECONCILE_MOST, BULK_MOST = 50, 1000
WINDOW = 10_000
TOKEN_LIFE_MS = 7 * 86_400_000
CHANGELOG_PAGE = 100
Found = list[tuple[SandboxIssue, Mapping[str, Any]]]


async def search_gone(state: JiraState, request: Request) -> Response:
    raise No(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")


async def _asked(request: Request) -> dict[str, Any]:
    """What is searched for, by POST or GET."""
    if request.method == "POST":
        return await object_of(request)
    given = request.query_params
    return dict(given) | {
        name: [part for text in given.getlist(name) for part in text.split(",")]
        for name in ("fields", "reconcileIssues")
        if name in given
    }


async def search(state: JiraState, request: Request) -> Response:
    """One page. The token belongs to its query; the answer has no total and may have no further token."""
    asked = await _asked(request)
    jql, fields = str(asked.get("jql") or ""), list(asked.get("fields") or ["id"])
    reconcile = {str(number) for number in asked.get("reconcileIssues") or ()}
    if len(reconcile) > RECONCILE_MOST:
        raise No(400, f"reconcileIssues takes at most {RECONCILE_MOST} issue ids.")
    most = IDS_PAGE if set(fields) <= {"id", "key"} else PAGE
    limit = min(count_of(asked.get("maxResults"), 50) or 50, most)
    mark = sha256(orjson.dumps([jql, sorted(fields), sorted(reconcile)])).hexdigest()[:16]
    start = _position(state, asked.get("nextPageToken"), mark)
    fewer = struck(state, request, "fewer_items") or {}
    limit = min(limit, int(fewer.get("most") or limit))
    found = _run(state, jql, reconcile)
    last = start + limit >= len(found)
    page: dict[str, Any] = {"issues": _shown(state, request, found[start : start + limit], fields, asked)}
    if not fewer.get("omit_last"):
        page["isLast"] = last
    if not last:
        page["nextPageToken"] = _token(state, start + limit, mark)
    if fewer.get("repeat_token") and asked.get("nextPageToken"):
        page["nextPageToken"] = asked["nextPageToken"]
    return answer(page)


async def offset_search(state: JiraState, request: Request) -> Response:
    """One page of Data Center's search."""
    if state.standing("search_gone") is not None:
        return await search_gone(state, request)
    asked = await _asked(request)
    fields = list(asked.get("fields") or ["*navigable"])
    start, cap = count_of(asked.get("startAt"), 0), struck(state, request, "row_cap") or {}
    window = int(cap.get("rows", WINDOW))
    if start >= window and cap.get("how") == "refused":
        raise No(400, f"Result window is too large, from + size must be less than or equal to: [{window}].")
    limit = min(count_of(asked.get("maxResults"), 50), OFFSET_PAGE, max(0, window - start))
    fewer = struck(state, request, "fewer_items") or {}
    limit = min(limit, int(fewer.get("most") or limit))
    found = _run(state, str(asked.get("jql") or ""), set(), bounded=False)
    shown = _shown(state, request, found[start : start + limit], fields, asked)
    return answer({"startAt": start, "maxResults": limit, "total": len(found), "issues": shown})


def _shown(
    state: JiraState, request: Request, part: Found, fields: list[str], asked: Mapping[str, Any]
) -> list[dict[str, Any]]:
    api, site = api_of(request), site_of(request)
    shown = [issue_shown(state, issue, values, fields, api, site) for issue, values in part]
    if "changelog" in str(asked.get("expand") or ""):
        for entry, (issue, values) in zip(shown, part, strict=True):
            entry["changelog"] = changelog_shown(state, issue, values.get("updated"))
    return shown


def changelog_shown(state: JiraState, issue: SandboxIssue, until_ms: int | None = None) -> dict[str, Any]:
    """What `expand=changelog` gives. Cloud: the newest entries, newest first. Data Center: all, oldest first."""
    history = [edit for edit in issue.history if until_ms is None or edit.at_ms <= until_ms]
    cap = (state.standing("changelog_cap") or {}).get("entries")
    most = int(cap) if cap is not None else (len(history) if state.data_center else CHANGELOG_PAGE)
    newest = [changelog_entry(state, edit) for edit in reversed(history)][:most]
    entries = newest[::-1] if state.data_center else newest
    return {"startAt": 0, "maxResults": most, "total": len(history), "histories": entries}


def _token(state: JiraState, start: int, mark: str) -> str:
    return base64.urlsafe_b64encode(f"{start}:{mark}:{state.now_ms}".encode()).decode()


def _position(state: JiraState, token: Any, mark: str) -> int:
    if not token:
        return 0
    try:
        start, bound, given_ms = base64.urlsafe_b64decode(str(token)).decode().split(":")
        if bound == mark and state.now_ms - int(given_ms) < TOKEN_LIFE_MS:
            return int(start)
    except ValueError:
        pass
    raise No(400, "The nextPageToken is invalid, has expired, or belongs to another query.")


def _run(state: JiraState, jql: str, reconcile: set[str], bounded: bool = True) -> Found:
    """What the query finds; a project that has been taken from us may be refused by name."""
    if state.data_center and not bounded and not jql.strip():
        return _indexed(state, reconcile)
    lost = state.standing("permission_loss")
    if lost is not None and lost.get("how") == "refused" and "project" in jql.lower():
        raise BadQuery(f"The value '{lost.get('project')}' does not exist for the field 'project'.")
    return parse(jql, state.zone).run(_indexed(state, reconcile))


def _indexed(state: JiraState, reconcile: set[str]) -> Found:
    """Issues as search sees them: late while the index lags, except those that the caller wants reconciled."""
    lag = state.standing("index_lag")
    late = state.believed(int(1000 * float(lag.get("seconds", 60)))) if lag is not None else {}
    ghosts = {number: issue for number, issue in state.gone.items() if late.get(number) and number not in reconcile}
    seen: Found = []
    for number, issue in (state.issues | ghosts).items():
        values: Mapping[str, Any] | None = issue.values
        if number not in reconcile:
            values = late.get(number, issue.values) if issue.indexed is None else issue.indexed
        if values and not hidden(state, issue):
            seen.append((issue, values))
    return seen


async def approximate_count(state: JiraState, request: Request) -> Response:
    jql = str((await object_of(request)).get("jql") or "")
    return answer({"count": len(_run(state, jql, set()))})


async def changelog_bulk(state: JiraState, request: Request) -> Response:
    """Entries of up to 1,000 issues, oldest first, cut by entries and not by issues; times are numbers here."""
    asked = await object_of(request)
    named = [str(name) for name in asked.get("issueIdsOrKeys") or ()]
    issues = [issue for name in named if (issue := state.find(name)) and not hidden(state, issue)]
    wanted = set(asked.get("fieldIds") or ())
    if not named or len(named) > BULK_MOST or len(wanted) > 10:
        raise No(400, f"Give 1 to {BULK_MOST} issues and at most 10 fieldIds.")
    if not issues:
        raise No(404, "None of these issues exists, or you do not have permission to see them.")
    fewer = struck(state, request, "fewer_items") or {}
    limit = min(count_of(asked.get("maxResults"), 1000) or 1000, 10_000, int(fewer.get("most") or 10_000))
    mark = sha256(orjson.dumps([[issue.issue_id for issue in issues], sorted(wanted)])).hexdigest()[:16]
    start = _position(state, asked.get("nextPageToken"), mark)
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
        page["nextPageToken"] = _token(state, start + limit, mark)
    if fewer.get("repeat_token") and asked.get("nextPageToken"):
        page["nextPageToken"] = asked["nextPageToken"]
    return answer(page)
