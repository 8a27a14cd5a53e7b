"""The changelogs of issues, whole and oldest first, in one shape whichever resource gave them.

Decides when a changelog is whole: every entry that the site counts (`total`) was seen. One that cannot be had whole is
None, and what would follow from it stays unknown. Sources: `changelog/bulkfetch` (Cloud, up to 1,000 issues),
`issue/{id}/changelog` (pages, oldest first), `expand=changelog` (Data Center, capped). An entry is
{id, created in milliseconds, author, items of the fields that a rule reads}.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.jira.calls import QueryRefused, ask, get
from connectors.jira.reading import account_of
from connectors.jira.site import Edition, Site
from connectors.jira.times import milliseconds, moment
from connectors.source import SourceUnavailable

PAGE, BULK_ENTRIES, PAGES_MOST = 100, 1000, 1000
ALWAYS = ("status", "assignee", "priority")
Raw = dict[str, Any]
Logs = Mapping[str, list[Raw] | None]


def changelogs(site: Site, issues: Sequence[Raw]) -> Logs:
    """By issue id. `issues` as search gave them."""
    if not issues:
        return {}
    if site.edition is Edition.DATA_CENTER:
        return {str(issue["id"]): _expanded(site, issue) for issue in issues}
    ids = [str(issue["id"]) for issue in issues]
    bulk = _bulk(site, ids)
    return bulk if bulk is not None else {issue_id: _by_pages(site, issue_id) for issue_id in ids}


def _wanted(site: Site) -> tuple[str, ...]:
    return (*ALWAYS, *(site.fields[name] for name in ("team", "satisfaction") if name in site.fields))


def _bulk(site: Site, ids: Sequence[str]) -> Logs | None:
    """All entries of all issues; None when the site does not answer for them together (one may just be deleted)."""
    asked: Raw = {"issueIdsOrKeys": list(ids), "fieldIds": list(_wanted(site)), "maxResults": BULK_ENTRIES}
    logs: dict[str, list[Raw] | None] = {}
    raw: dict[str, list[Raw]] = {issue_id: [] for issue_id in ids}
    seen: set[str] = set()
    while True:
        try:
            page = ask(site.http, f"{site.api}/changelog/bulkfetch", **asked)
        except QueryRefused:
            return None
        if page is None:
            return None
        if not isinstance(page, dict) or not isinstance(page.get("issueChangeLogs"), list):
            raise SourceUnavailable("Jira did not answer with changelogs.")
        for log in page["issueChangeLogs"]:
            raw.setdefault(str(log["issueId"]), []).extend(log["changeHistories"])
        token = page.get("nextPageToken")
        if not token:
            logs.update({issue_id: _entries(site, entries) for issue_id, entries in raw.items()})
            return logs
        if token in seen:
            raise SourceUnavailable("Jira sent the same changelog token twice; reading would never end.")
        seen.add(token)
        asked["nextPageToken"] = token


def _by_pages(site: Site, issue_id: str) -> list[Raw] | None:
    """Page by page up to the count; None when the issue, or the resource, is not there."""
    found: list[Raw] = []
    for _ in range(PAGES_MOST):
        page = get(site.http, f"{site.api}/issue/{issue_id}/changelog", startAt=len(found), maxResults=PAGE)
        if page is None:
            return None
        if not isinstance(page, dict) or not isinstance(page.get("values"), list):
            raise SourceUnavailable(f"Jira did not answer with the changelog of issue {issue_id}.")
        found += page["values"]
        if len(found) >= int(page.get("total") or 0):
            return _entries(site, found)
        if not page["values"]:
            return None
    raise SourceUnavailable(f"The changelog of issue {issue_id} does not end.")


def _expanded(site: Site, issue: Raw) -> list[Raw] | None:
    """What came with the issue when it is whole; else the issue's own resource."""
    log = issue.get("changelog")
    held = log.get("histories") if isinstance(log, dict) else None
    if isinstance(log, dict) and isinstance(held, list) and len(held) >= int(log.get("total") or 0):
        return _entries(site, held)
    return _by_pages(site, str(issue["id"]))


def _entries(site: Site, histories: Sequence[Any]) -> list[Raw]:
    wanted = frozenset(_wanted(site))
    found: dict[str, tuple[int, Raw]] = {}
    for entry in histories:
        if not isinstance(entry, dict):
            continue
        items = [{"fieldId": _field(site, item)} | item for item in entry.get("items") or () if isinstance(item, dict)]
        kept = [item for item in items if item["fieldId"] in wanted]
        if kept:
            at = moment(entry.get("created"))
            shown = milliseconds(at) if at is not None else entry.get("created")
            number = str(entry.get("id"))
            whole = {"id": number, "created": shown, "author": account_of(entry.get("author")), "items": kept}
            found[number] = (_order(number), whole)  # an entry that came twice is one
    return [whole for _, whole in sorted(found.values(), key=lambda pair: (pair[0], pair[1]["id"]))]


def _field(site: Site, item: Raw) -> str | None:
    """Data Center names the field as people see it, system fields by their id."""
    name = item.get("field")
    return site.names.get(str(name), name) if name is not None else None


def _order(number: str) -> int:
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0
