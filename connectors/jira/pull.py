"""Reads a Jira site: issues with their changelog, approvals and service level clocks, page by page.

Decides what is fetched with an issue, and when a drain is broken. A broken drain raises; its caller must not move the
watermark. Search lags behind writes (`OVERLAP`), so a poll is told which issues were spoken of lately, and what a
webhook hints at is read by id. A miss is no proof of deletion. Each page carries the site's clock from just before it
was asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from connectors.governor import Purpose
from connectors.jira.calls import QueryRefused, get
from connectors.jira.changelog import Logs, changelogs
from connectors.jira.desk import desk
from connectors.jira.search import PAGE, RECONCILE_MOST, Question, search
from connectors.jira.site import Edition, JiraConfig, Site, clock, connect
from connectors.jira.times import moment
from connectors.jira.translate import clock_keys
from connectors.source import Page
from engine.refusal import Code, Refused
from engine.words import Feed, MirrorKind, Source

# What is read of an issue: nothing that people wrote, and nobody who only asked for help.
FIELDS = ("status", "priority", "issuetype", "project", "assignee", "resolutiondate", "created", "updated")
# How far a poll reaches back behind the start of the last one: the search index of Cloud is late by minutes.
OVERLAP: Mapping[Edition, timedelta] = {
    Edition.CLOUD: timedelta(minutes=15),
    Edition.DATA_CENTER: timedelta(minutes=2),
}
AT_ONCE = timedelta(seconds=2)  # an issue and the changelog entry of the same edit are stamped one after the other
PURPOSE: Mapping[Feed, Purpose] = {Feed.SWEEP: Purpose.SWEEP}
Raw = dict[str, Any]


def poll(
    config: JiraConfig, since: datetime | None, feed: Feed = Feed.POLL, recent: Sequence[str] = ()
) -> Iterator[Page]:
    """Everything that was updated at or after `since` (None: everything), oldest issue first.

    `recent`: ids of issues that were spoken of lately, newest first; of the first 50 the index is not late.
    """
    reconcile = tuple(sorted({_number(issue_id) for issue_id in recent[:RECONCILE_MOST]}))
    with connect(config, PURPOSE.get(feed, Purpose.POLL)) as site:
        yield from _searched(site, scope(config), since, reconcile, feed)


def refetch(config: JiraConfig, issue_ids: Sequence[str], feed: Feed = Feed.WEBHOOK) -> Iterator[Page]:
    """These issues as they are now, whatever the search index believes. An absent one is no proof of deletion.

    The key of anything that belongs to an issue (`20417:12:1772611272000`) stands for the issue.
    """
    wanted = sorted({_number(key.partition(":")[0]) for key in issue_ids})
    if not wanted:
        return
    with connect(config, Purpose.REFETCH) as site:
        for chunk in (wanted[start : start + RECONCILE_MOST] for start in range(0, len(wanted), RECONCILE_MOST)):
            found: set[int] = set()
            if site.edition is Edition.CLOUD:
                for page, issues in _together(site, chunk, feed):
                    found |= issues
                    yield page
            observed_at = clock(site.http)
            alone = [issue for number in chunk if number not in found and (issue := one(site, str(number)))]
            yield from _pages(site, alone, feed, observed_at)


def refetch_due(config: JiraConfig, issue_ids: Sequence[str], feed: Feed = Feed.POLL) -> Iterator[Page]:
    """Issues with a clock whose planned end has passed (`due.due_issues`): it breaches without `updated` moving."""
    yield from refetch(config, issue_ids, feed)


def _together(site: Site, chunk: Sequence[int], feed: Feed) -> Iterator[tuple[Page, set[int]]]:
    """Up to 50 issues at once. A site that refuses the question for the sake of one of them is asked one by one."""
    query = f"{scope(site.config)} AND id in ({', '.join(map(str, chunk))})"
    try:
        for page in _searched(site, query, None, tuple(chunk), feed):
            issues = orjson.loads(page.body) if page.entity == "issue" else []
            yield page, {int(issue["id"]) for issue in issues if str(issue.get("id")).isdigit()}
    except QueryRefused:
        return


def one(site: Site, issue_id: str) -> Raw | None:
    """One issue by its id, None when it is not there, not ours to read, or outside of what is mirrored."""
    expand = {"expand": "changelog"} if site.edition is Edition.DATA_CENTER else {}
    issue = get(site.http, f"{site.api}/issue/{issue_id}", fields=",".join(fields_of(site)), **expand)
    return issue if isinstance(issue, dict) and _in_scope(site, issue) else None


def scope(config: JiraConfig) -> str:
    types = ", ".join(sorted(config.contract.kinds))
    return f"project in ({', '.join(config.projects)}) AND issuetype in ({types})"


def fields_of(site: Site) -> tuple[str, ...]:
    more = [site.request_type] if site.request_type else []
    return (*FIELDS, *sorted(site.fields.values()), *more)


def _in_scope(site: Site, issue: Raw) -> bool:
    fields = issue.get("fields") or {}
    project = fields.get("project") or {}
    named = {str(project.get("id")), str(project.get("key")).upper()}
    return _kind(site, issue) is not None and not named.isdisjoint(name.upper() for name in site.config.projects)


def _kind(site: Site, issue: Mapping[str, Any]) -> MirrorKind | None:
    issue_type = (issue.get("fields") or {}).get("issuetype") or {}
    return site.config.contract.kinds.get(str(issue_type.get("id")))


def _number(issue_id: str) -> int:
    if not (issue_id.isascii() and issue_id.isdigit()):
        raise Refused(Code.BAD_INPUT, f"'{issue_id}' is not a Jira issue id.", "Give the number, not the key.")
    return int(issue_id)


def _searched(site: Site, query: str, since: datetime | None, reconcile: tuple[int, ...], feed: Feed) -> Iterator[Page]:
    whole = site.edition is Edition.DATA_CENTER
    observed_at = site.opened_at
    for found in search(site, Question(query, fields_of(site), since, PAGE, reconcile, whole)):
        yield from _pages(site, found.issues, feed, observed_at)
        observed_at = clock(site.http)


def _pages(site: Site, issues: Sequence[Raw], feed: Feed, observed_at: datetime) -> Iterator[Page]:
    """The issues of one search page with what belongs to them, as up to three pages."""
    if not issues:
        return
    issues, logs = _agreeing(site, issues)
    known = [issue for issue in issues if _known(issue)]
    ids = [str(issue["id"]) for issue in known]
    changes = [str(issue["id"]) for issue in known if _kind(site, issue) is MirrorKind.CHANGE]
    asked = desk(site, [(number, "sla") for number in ids] + [(number, "approval") for number in changes])
    approvals = {number: asked[number, "approval"] for number in changes}
    yield _page(site, "issue", feed, [_whole(site, issue, logs, approvals) for issue in issues], observed_at)
    decisions = [
        {"issueId": number, "approval": value} for number, values in approvals.items() for value in values or ()
    ]
    if decisions:
        yield _page(site, "request_approval", feed, decisions, observed_at)
    courses = {str(issue["id"]): _course(issue, logs) for issue in known}
    clocks = [courses[number] | {"metric": value} for number in ids for value in asked[number, "sla"] or ()]
    clocks += [_standing(site, number, metrics) for number in ids if (metrics := asked[number, "sla"]) is not None]
    if clocks:
        yield _page(site, "request_sla", feed, clocks, observed_at)


def _agreeing(site: Site, issues: Sequence[Raw]) -> tuple[list[Raw], Logs]:
    """The issues with changelogs that are no newer than they: one that search was late for is read again by id."""
    logs = dict(changelogs(site, [issue for issue in issues if _known(issue)]))
    behind = {str(issue["id"]) for issue in issues if _known(issue) and _behind(issue, logs[str(issue["id"])])}
    if not behind:
        return list(issues), logs
    read = {issue_id: one(site, issue_id) for issue_id in sorted(behind)}
    again = [issue for issue in read.values() if issue is not None]
    logs |= changelogs(site, again)
    current = [read[str(issue["id"])] if _known(issue) and str(issue["id"]) in read else issue for issue in issues]
    return [issue for issue in current if issue is not None], logs


def _known(issue: Any) -> bool:
    return isinstance(issue, dict) and bool(issue.get("id"))


def _behind(issue: Raw, log: list[Raw] | None) -> bool:
    updated = moment((issue.get("fields") or {}).get("updated"))
    newest = max((at for entry in log or () if (at := moment(entry.get("created")))), default=None)
    return updated is not None and newest is not None and newest > updated + AT_ONCE


def _course(issue: Raw, logs: Logs) -> Raw:
    """What a clock's pauses follow from: the issue's changes of status; None when they are not all known."""
    issue_id, fields = str(issue["id"]), issue.get("fields") or {}
    log = logs.get(issue_id)
    if log is not None:
        log = [entry for entry in log if any(item.get("fieldId") == "status" for item in entry["items"])]
    return {"issueId": issue_id, "issuetype": fields.get("issuetype"), "changelog": log}


def _standing(site: Site, issue_id: str, metrics: Sequence[Raw]) -> Raw:
    """All clocks of an issue, by their keys: one that is not among them was withdrawn."""
    return {"issueId": issue_id, "clocks": clock_keys(issue_id, metrics), "agreed": sorted(site.config.contract.slas)}


def _whole(site: Site, issue: Raw, logs: Logs, approvals: Mapping[str, list[Raw] | None]) -> Raw:
    """The issue with its changelog, its approvals, and the meaning of its fields. One without id stays as it is."""
    if not _known(issue):
        return issue
    issue_id = str(issue["id"])
    more: Raw = {"changelog": logs.get(issue_id), "field_ids": dict(site.fields)}
    if site.request_type:
        more["field_ids"]["request_type"] = site.request_type
    if issue_id in approvals:
        more["approvals"] = approvals[issue_id]
    return issue | more


def _page(site: Site, entity: str, feed: Feed, records: Sequence[Mapping[str, Any]], observed_at: datetime) -> Page:
    """Approvals and clocks carry no version of their own: the same content seen later is another sighting.

    So it is for a sweep and for what was read by id: they say that the content still stood then, or stands again.
    """
    body = orjson.dumps(records)
    timeless = entity == "issue" and site.http.purpose is Purpose.POLL
    seen_at = "" if timeless else f"{observed_at.isoformat()}:"
    page_id = f"{entity}:{seen_at}{sha256(body).hexdigest()[:32]}"
    return Page(Source.JIRA, entity, feed, page_id, body, observed_at, records=len(records))
