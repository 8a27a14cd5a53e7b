"""What a tool's answer says about how often it may be asked: its headers in, one `Told` out. Pure.

ServiceNow: `X-RateLimit-Limit` (an hour), `X-RateLimit-Reset` (UNIX seconds), `X-RateLimit-Rule`, `Retry-After`
(seconds). Jira Cloud: `RateLimit-Reason`, `Retry-After`, `X-RateLimit-Reset` (ISO 8601), each also as `Beta-...`. Jira
Data Center: `X-RateLimit-Remaining`, `-Interval-Seconds`, `-FillRate`, and `retry-after`, which is 0 while tokens are
left. Seconds count from `now`, the tool's own clock where its answer has a Date. What cannot be read says nothing.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

ALL = ""  # the scope of everything that an account asks of a tool
TOO_MANY = 429
LONGEST_SECONDS = 24 * 3600.0  # nobody means more; a stated time of rest has been wrong before
ID = re.compile(r"/(?:[0-9]+|[A-Z][A-Z0-9_]+-[0-9]+)(?=/|$)")
ISSUE = re.compile(r"/issue/([0-9]+|[A-Z][A-Z0-9_]+-[0-9]+)(?:/|$)")
# RateLimit-Reason -> which of the request's scopes is limited; what is not listed limits everything
REASONS: Mapping[str, str] = {"jira-burst-based": "endpoint", "jira-per-issue-on-write": "issue"}


@dataclass(frozen=True, slots=True)
class Told:
    """`limited`: refused because of a limit. `scope`: what is limited, of the request's own scopes, or all."""

    limited: bool = False
    wait_seconds: float | None = None
    scope: str = ALL
    rule: str = ""  # the tool's own id of the limit; several scopes may share one
    limit_per_hour: int | None = None


class Busy(Exception):
    """The tool cannot answer now. `retry_after_seconds` when it said for how long; `limited` when it was our doing."""

    def __init__(self, what: str, retry_after_seconds: float | None = None, told: Told | None = None) -> None:
        super().__init__(what)
        self.retry_after_seconds = retry_after_seconds if told is None else told.wait_seconds
        self.limited = told.limited if told else retry_after_seconds is not None
        self.scope = told.scope if told else ALL
        self.rule = told.rule if told else ""
        self.limit_per_hour = told.limit_per_hour if told else None


def servicenow(status: int, headers: Mapping[str, str], here: datetime) -> Told:
    """`here` is our clock, for answers without a Date."""
    now = date_of(headers) or here
    wait = seconds(header(headers, "Retry-After"))
    reset = number(header(headers, "X-RateLimit-Reset"))
    if wait is None and status == TOO_MANY and reset is not None:
        wait = min(max(0.0, reset - now.timestamp()), LONGEST_SECONDS)
    limit = number(header(headers, "X-RateLimit-Limit"))
    rule = header(headers, "X-RateLimit-Rule").strip()[:80]
    return Told(status == TOO_MANY, wait, ALL, rule, int(limit) if limit else None)


def servicenow_scopes(table: str) -> tuple[str, ...]:
    """A rule of ServiceNow limits resources for a user; which, only its header says."""
    return (f"table {table}",)


def jira(status: int, headers: Mapping[str, str], here: datetime, method: str, path: str) -> Told:
    now = date_of(headers) or here
    wait = seconds(header(headers, "Retry-After"))
    if wait is None and (until := http_date(header(headers, "Retry-After"))):
        wait = min(max(0.0, (until - now).total_seconds()), LONGEST_SECONDS)
    if wait is None and status == TOO_MANY and (reset := iso(header(headers, "X-RateLimit-Reset"))):
        wait = min(max(0.0, (reset - now).total_seconds()), LONGEST_SECONDS)
    limited = status == TOO_MANY
    narrow = dict(zip(("endpoint", "issue"), jira_scopes(method, path), strict=False))
    scope = narrow.get(REASONS.get(header(headers, "RateLimit-Reason").strip().lower(), ""), ALL)
    each, fill = (number(header(headers, f"X-RateLimit-{name}")) for name in ("Interval-Seconds", "FillRate"))
    if not (each and fill):
        return Told(limited, wait, scope)
    if not wait and number(header(headers, "X-RateLimit-Remaining")) == 0:
        wait = each  # the bucket is empty until it is filled again
    return Told(limited, wait or None, scope, limit_per_hour=int(fill * 3600 / each) or None)


def jira_scopes(method: str, path: str) -> tuple[str, ...]:
    """The endpoint, whatever record it is about, and the issue that a write changes."""
    plain = "/" + path.partition("?")[0].strip("/")
    endpoint = f"{method} {ID.sub('/*', plain)}"
    issue = ISSUE.search(plain)
    return (endpoint, f"issue {issue[1]}") if issue and method != "GET" else (endpoint,)


def header(headers: Mapping[str, str], name: str) -> str:
    """A header by its name, with or without X-, or as Atlassian tries new ones out."""
    bare = name.removeprefix("X-")
    folded = {key.lower(): value for key, value in headers.items()}
    known = (folded.get(f"{prefix}{bare}".lower()) for prefix in ("X-", "", "Beta-", "X-Beta-", "Beta-X-"))
    return next((value for value in known if value), "")


def number(text: str) -> float | None:
    try:
        found = float(text.strip())
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def seconds(text: str) -> float | None:
    found = number(text)
    return None if found is None else min(found, LONGEST_SECONDS)


def date_of(headers: Mapping[str, str]) -> datetime | None:
    return http_date(header(headers, "Date"))


def http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except (TypeError, ValueError, OverflowError):
        return None


def iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
