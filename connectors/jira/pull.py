"""Reads a Jira site: issues with their changelog, approvals and service level clocks, page by page.

Decides the order (creation, which never changes, so that edits during paging cannot hide an issue), what is fetched
with an issue, and when a drain is broken. A broken drain raises; its caller must not move the watermark. Search lags
behind writes by minutes: overlap polls by 15 minutes, and refetch by id what a webhook speaks of.
"""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from hashlib import sha256
from threading import Event
from typing import Any

import httpx
import orjson

from connectors.jira.site import IN_FLIGHT, JiraConfig, Site, asking, connect, get, json_of, send
from connectors.jira.times import milliseconds
from connectors.source import Page, SourceUnavailable
from engine.refusal import Code, Refused
from engine.words import Feed, MirrorKind, Source

PAGE = 100
RECONCILE_MOST = 50
FIELDS = (
    "summary", "status", "priority", "issuetype", "project", "assignee", "reporter", "resolution", "resolutiondate",
    "created", "updated", "labels",
)  # fmt: skip
DESK = "rest/servicedeskapi/request"
Raw = dict[str, Any]


def poll(config: JiraConfig, since: datetime | None, feed: Feed = Feed.POLL) -> Iterator[Page]:
    """Everything that was updated at or after `since` (None: everything), oldest issue first."""
    bound = f" AND updated >= {milliseconds(since)}" if since is not None else ""
    with connect(config) as site:
        for issues in _search(site, _scope(config) + bound, ()):
            yield from _pages(site, issues, feed)


def refetch(config: JiraConfig, issue_ids: Sequence[str], feed: Feed = Feed.WEBHOOK) -> Iterator[Page]:
    """These issues as they are now, whatever the search index believes. An absent one is no proof of deletion."""
    wanted = sorted({_number(issue_id) for issue_id in issue_ids})
    if not wanted:
        return
    with connect(config) as site:
        for chunk in _chunks(wanted, RECONCILE_MOST):
            query = f"{_scope(config)} AND id in ({', '.join(map(str, chunk))})"
            for issues in _search(site, query, chunk):
                yield from _pages(site, issues, feed)


def _scope(config: JiraConfig) -> str:
    types = ", ".join(sorted(config.contract.kinds))
    return f"project in ({', '.join(config.projects)}) AND issuetype in ({types})"


def _number(issue_id: str) -> int:
    if not (issue_id.isascii() and issue_id.isdigit()):
        raise Refused(Code.BAD_INPUT, f"'{issue_id}' is not a Jira issue id.", "Give the number, not the key.")
    return int(issue_id)


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _search(site: Site, query: str, reconcile: Sequence[int]) -> Iterator[list[Raw]]:
    """Pages of a search. Jira stops by leaving the token out; a token that comes again would never stop."""
    fields = [*FIELDS, *sorted(site.fields.values())]
    token: str | None = None
    seen: set[str] = set()
    while True:
        with asking("POST search/jql"):
            answer: Any = site.client.enhanced_search_issues(
                f"{query} ORDER BY created ASC, key ASC",
                nextPageToken=token,
                maxResults=PAGE,
                fields=list(fields),
                reconcileIssues=list(reconcile),
                json_result=True,
                use_post=True,
            )
        if not isinstance(answer, dict) or not isinstance(answer.get("issues"), list):
            raise SourceUnavailable("Jira answered the search with something that is not a page of issues.")
        if answer["issues"]:
            yield answer["issues"]
        token = answer.get("nextPageToken")
        if not token:
            return
        if token in seen:
            raise SourceUnavailable("Jira sent the same page token twice; the search would never end.")
        seen.add(token)


def _pages(site: Site, issues: Sequence[Raw], feed: Feed) -> Iterator[Page]:
    """The issues of one search page with what belongs to them, as up to three pages."""
    known = [issue for issue in issues if isinstance(issue, dict) and issue.get("id")]
    ids = [str(issue["id"]) for issue in known]
    changes = [str(issue["id"]) for issue in known if _kind(site, issue) is MirrorKind.CHANGE]
    logs = _changelogs(site, ids) if ids else {}
    asked = [(number, "sla") for number in ids] + [(number, "approval") for number in changes]
    desk = _desks(site, asked)
    slas = {number: desk[number, "sla"] for number in ids}
    approvals = {number: desk[number, "approval"] for number in changes}
    yield _page(site, "issue", feed, [_whole(site, issue, logs, approvals) for issue in issues])
    decisions = [
        {"issueId": number, "approval": value} for number, values in approvals.items() for value in values or ()
    ]
    if decisions:
        yield _page(site, "request_approval", feed, decisions)
    courses = {str(issue["id"]): _course(issue, logs) for issue in known}
    clocks = [courses[number] | {"metric": value} for number, values in slas.items() for value in values or ()]
    if clocks:
        yield _page(site, "request_sla", feed, clocks)


def _course(issue: Raw, logs: Mapping[str, list[Raw]]) -> Raw:
    """What a clock's pauses follow from: the issue's changes of status."""
    issue_id, fields = str(issue["id"]), issue.get("fields") or {}
    moves = [entry for entry in logs.get(issue_id, []) if any(i.get("fieldId") == "status" for i in entry["items"])]
    return {
        "issueId": issue_id,
        "issuetype": fields.get("issuetype"),
        "changelog": moves,
    }


def _whole(site: Site, issue: Raw, logs: Mapping[str, list[Raw]], approvals: Mapping[str, list[Raw] | None]) -> Raw:
    """The issue with its changelog, its approvals, and the meaning of its fields. One without id stays as it is."""
    if not isinstance(issue, dict) or not issue.get("id"):
        return issue
    issue_id = str(issue["id"])
    more: Raw = {"changelog": logs.get(issue_id, []), "field_ids": dict(site.fields)}
    if issue_id in approvals:
        more["approvals"] = approvals[issue_id]
    return issue | more


def _kind(site: Site, issue: Mapping[str, Any]) -> MirrorKind | None:
    issue_type = (issue.get("fields") or {}).get("issuetype") or {}
    return site.config.contract.kinds.get(str(issue_type.get("id")))


def _desks(site: Site, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[Raw] | None]:
    """Service desk resources by (issue, resource), a few at a time. One failure stops the others."""
    broken = Event()

    def lane(number: int) -> dict[tuple[str, str], list[Raw] | None]:
        found = {}
        for issue_id, resource in asked[number::IN_FLIGHT]:
            if broken.is_set():
                break
            try:
                found[issue_id, resource] = _desk(site.lanes[number], issue_id, resource)
            except Exception:
                broken.set()
                raise
        return found

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        return dict(ChainMap(*pool.map(lane, range(IN_FLIGHT))))


def _desk(http: httpx.Client, issue_id: str, resource: str) -> list[Raw] | None:
    """All values of one service desk resource; None where the issue is no request or we may not see it."""
    found: list[Raw] = []
    while True:
        answer = get(http, f"{DESK}/{issue_id}/{resource}", start=len(found), limit=50)
        if answer is None:
            return None
        if not isinstance(answer, dict) or not isinstance(answer.get("values"), list):
            raise SourceUnavailable(f"Jira answered the {resource} of request {issue_id} with something else.")
        found += answer["values"]
        if answer.get("isLastPage", True) or not answer["values"]:
            return found


def _changelogs(site: Site, ids: Sequence[str]) -> dict[str, list[Raw]]:
    """Changelog entries by issue, oldest first, of the fields that a rule reads."""
    fields = ["status", "assignee", "priority", site.fields["team"], site.fields["satisfaction"]]
    asked: Raw = {"issueIdsOrKeys": list(ids), "fieldIds": fields, "maxResults": 1000}
    logs: dict[str, list[Raw]] = {}
    seen: set[str] = set()
    while True:
        answer = send(site.http, "POST", "rest/api/3/changelog/bulkfetch", json=asked)
        page = json_of(answer) if answer.is_success else None
        if not isinstance(page, dict) or not isinstance(page.get("issueChangeLogs"), list):
            raise SourceUnavailable("Jira did not answer with changelogs.")
        for log in page["issueChangeLogs"]:
            logs.setdefault(str(log["issueId"]), []).extend(log["changeHistories"])
        token = page.get("nextPageToken")
        if not token:
            return logs
        if token in seen:
            raise SourceUnavailable("Jira sent the same changelog token twice; reading would never end.")
        seen.add(token)
        asked["nextPageToken"] = token


def _page(site: Site, entity: str, feed: Feed, records: Sequence[Mapping[str, Any]]) -> Page:
    """Approvals and clocks carry no version of their own: the same content seen later is another sighting."""
    body = orjson.dumps(records)
    seen_at = "" if entity == "issue" else f"{site.observed_at.isoformat()}:"
    return Page(Source.JIRA, entity, feed, f"{entity}:{seen_at}{sha256(body).hexdigest()[:32]}", body, site.observed_at)
