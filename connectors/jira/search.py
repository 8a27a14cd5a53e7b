"""Which issues a question finds, page by page, so that edits while we read hide none of them.

Decides the order (creation, which never changes) and when a search is broken. Cloud pages by token: it ends where no
token comes, and fails on a token that comes again. Data Center pages by offset, of which it serves 10,000: so we begin
anew behind the last creation seen and count an offset only among issues of one moment. Bounds are epoch milliseconds;
a site that refuses them gets minutes in the time zone of the account, rounded down. Whatever a site gives beyond the
bound is dropped here. An issue without a readable `updated` passes: what cannot be judged is not lost.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.jira.calls import QueryRefused, by_client, get
from connectors.jira.site import Edition, Site
from connectors.jira.times import milliseconds, moment
from connectors.source import SourceRefused, SourceUnavailable

PAGE, PAGES_MOST = 100, 20_000
WINDOW = 10_000  # Data Center's max_result_window
RECONCILE_MOST = 50
Raw = dict[str, Any]
Bound = Callable[[str, datetime], str]  # field, moment -> a condition in JQL


@dataclass(frozen=True, slots=True)
class Question:
    """`scope` is JQL without order; `reconcile` are issues that the index must not be late for (Cloud)."""

    scope: str
    fields: tuple[str, ...]
    since: datetime | None = None
    size: int = PAGE
    reconcile: tuple[int, ...] = ()
    changelog: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One page. `total` is exact where the site counts (Data Center), of the whole question; else None."""

    issues: list[Raw]
    total: int | None = None


def search(site: Site, question: Question) -> Iterator[Found]:
    """Every page up to the last. Raises when the last one was not reached."""
    for found in PAGES[site.edition](site, question):
        late = [issue for issue in found.issues if _in_time(issue, question.since)]
        yield Found(late, found.total)


def _in_time(issue: Any, since: datetime | None) -> bool:
    if since is None or not isinstance(issue, dict) or not isinstance(issue.get("fields"), dict):
        return True
    updated = moment(issue["fields"].get("updated"))
    return updated is None or updated >= since


# ---- bounds


def exact(field: str, at: datetime) -> str:
    return f"{field} >= {milliseconds(at)}"


def by_the_minute(zone: ZoneInfo, field: str, at: datetime) -> str:
    """JQL text has minutes, in the zone of the account. An hour that clocks repeat begins before its first pass."""
    local = at.astimezone(zone)
    repeated = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    if None not in repeated and repeated[0] != repeated[1]:
        local = (at - timedelta(seconds=abs((repeated[0] - repeated[1]).total_seconds()))).astimezone(zone)  # type: ignore[operator]
    return f'{field} >= "{local:%Y-%m-%d %H:%M}"'


def zone_of_account(site: Site) -> ZoneInfo:
    me = get(site.http, f"{site.api}/myself")
    name = me.get("timeZone") if isinstance(me, dict) else None
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        what = f"Jira tells the time zone of the integration account as {name!r}, which is not known."
        raise SourceRefused(f"{what} Choose another one in the account's profile, best UTC.") from None


class _Bounds:
    """How this site wants its bounds; learned from its first refusal."""

    def __init__(self, site: Site) -> None:
        self.site, self.write = site, exact
        self.learned = False

    def ask(self, request: Callable[[Bound], Any], bounded: bool) -> Any:
        try:
            return request(self.write)
        except QueryRefused as refused:
            if not bounded or self.learned:
                raise
            self.learned, self.write = True, partial(by_the_minute, zone_of_account(self.site))
            try:
                return request(self.write)
            except QueryRefused:
                raise refused from None  # it was not about the bounds


# ---- Cloud


def _by_token(site: Site, question: Question) -> Iterator[Found]:
    bounds, token, seen = _Bounds(site), "", set[str]()
    for _ in range(PAGES_MOST):
        answer = bounds.ask(partial(_token_page, site, question, token), question.since is not None)
        issues = answer.get("issues") if isinstance(answer, dict) else None
        if not isinstance(issues, list):
            raise SourceUnavailable("Jira answered the search with something that is not a page of issues.")
        if issues:
            yield Found(issues)
        token = answer.get("nextPageToken") or ""
        if not token:
            return
        if token in seen:
            raise SourceUnavailable("Jira sent the same page token twice; the search would never end.")
        seen.add(token)
    raise SourceUnavailable(f"The search did not end within {PAGES_MOST} pages.")


def _token_page(site: Site, question: Question, token: str, bound: Bound) -> Any:
    conditions = [question.scope, *([bound("updated", question.since)] if question.since is not None else [])]
    return by_client(
        site.config.governor,
        site.http.purpose,
        "POST",
        f"{site.api}/search/jql",
        lambda: site.client.enhanced_search_issues(
            f"{' AND '.join(conditions)} ORDER BY created ASC, key ASC",
            nextPageToken=token or None,
            maxResults=question.size,
            fields=list(question.fields),
            reconcileIssues=list(question.reconcile),
            json_result=True,
            use_post=True,
        ),
    )


# ---- Data Center


def _by_creation(site: Site, question: Question) -> Iterator[Found]:
    bounds, seen = _Bounds(site), dict[str, datetime]()
    after: datetime | None = None
    start, first_total = 0, None
    for _ in range(PAGES_MOST):
        request = partial(_offset_page, site, question, after, start)
        answer = bounds.ask(request, after is not None or question.since is not None)
        issues, total = _offset_content(answer)
        first_total = total if first_total is None else first_total
        fresh = [issue for issue in issues if not (isinstance(issue, dict) and str(issue.get("id")) in seen)]
        if fresh:
            yield Found(fresh, first_total)
        start += len(issues)
        if start >= total:
            return
        if not issues:
            raise SourceUnavailable(f"Jira counts {total} issues but shows none from {start} on.")
        created = _created(issues[-1])
        seen |= {str(issue["id"]): _created(issue) or datetime.min.replace(tzinfo=UTC) for issue in issues}
        if created is not None and (after is None or created > after):
            after, start = created, 0
            seen = {key: at for key, at in seen.items() if at >= created}
        elif start >= WINDOW:
            raise SourceUnavailable(f"More than {WINDOW} issues were created within one moment; Jira shows no further.")
    raise SourceUnavailable(f"The search did not end within {PAGES_MOST} pages.")


def _created(issue: Raw) -> datetime | None:
    """To the minute, as the coarsest bound; then every bound means the same to the site and to us."""
    at = moment((issue.get("fields") or {}).get("created")) if isinstance(issue, dict) else None
    return at.replace(second=0, microsecond=0) if at is not None else None


def _offset_content(answer: Any) -> tuple[list[Raw], int]:
    issues = answer.get("issues") if isinstance(answer, dict) else None
    if not isinstance(issues, list) or not all(isinstance(issue, dict) and issue.get("id") for issue in issues):
        raise SourceUnavailable("Jira answered the search with something that is not a page of issues.")
    total = answer.get("total")
    if not isinstance(total, int):
        raise SourceUnavailable("Jira did not count the issues of the search.")
    return issues, total


def _offset_page(site: Site, question: Question, after: datetime | None, start: int, bound: Bound) -> Any:
    conditions = [question.scope]
    if question.since is not None:
        conditions.append(bound("updated", question.since))
    if after is not None:
        conditions.append(bound("created", after))
    return by_client(
        site.config.governor,
        site.http.purpose,
        "GET",
        f"{site.api}/search",
        lambda: site.client.search_issues(
            f"{' AND '.join(conditions)} ORDER BY created ASC, key ASC",
            startAt=start,
            maxResults=question.size,
            fields=",".join(question.fields),
            expand="changelog" if question.changelog else None,
            json_result=True,
        ),
    )


PAGES: dict[Edition, Callable[[Site, Question], Iterator[Found]]] = {
    Edition.CLOUD: _by_token,
    Edition.DATA_CENTER: _by_creation,
}
