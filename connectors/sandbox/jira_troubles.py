"""What the imitated Jira site does wrong on order: which trouble, to which requests, how often, from when to when.

    {"name", "match": {"method", "path"}, "times", "skip", "share", "from_ms", "until_ms", "params"}

`path` is a regular expression. Without `times` a trouble stands until it is forgotten; `skip` lets that many requests
pass first; `share` strikes that part of them, by the site's own seeded dice. Moments are those of the site's clock, in
milliseconds. Refuses names and parameters that are not in `KNOWN`.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Any

from engine.refusal import Code, Refused

KNOWN: dict[str, frozenset[str]] = {
    "account_zone": frozenset({"zone"}),  # IANA name or minutes: how this account's JQL texts and times are read
    "acl_fields": frozenset({"fields"}),  # fields that are never shown
    "changelog_cap": frozenset({"entries"}),  # newest entries that expand=changelog gives
    "double_event": frozenset({"off"}),  # Cloud: both kinds of comment events; Data Center sends both anyway
    "edit_during_paging": frozenset({"acts"}),  # what users do after a page was answered
    "empty_changelog": frozenset(),
    "fewer_items": frozenset({"most", "omit_last", "repeat_token"}),
    "hook_headers": frozenset({"signature", "identifier"}),  # Data Center sends neither unless told to
    "index_lag": frozenset({"seconds"}),
    "missing_updated": frozenset({"issue"}),
    "no_event_type": frozenset(),
    "no_user": frozenset(),
    "permission_loss": frozenset({"project", "how"}),  # how: "hidden", or "refused" where a search names the project
    "rate_limit": frozenset({"reason", "retry_after", "beta"}),  # retry_after null: no such header
    "row_cap": frozenset({"rows", "how"}),  # Data Center: startAt from `rows` on is "empty" or "refused"
    "search_gone": frozenset(),
    "secondary": frozenset({"seconds"}),  # how late the fallout of a deletion is sent
    "task": frozenset({"running", "failing"}),  # a bulk write: looks at it that say RUNNING, ids that it cannot write
    "thin_issue": frozenset(),
}


@dataclass(slots=True)
class Trouble:
    name: str
    method: str = ""
    path: re.Pattern[str] = re.compile("")
    times: int | None = None
    skip: int = 0
    share: float = 1.0
    from_ms: int | None = None
    until_ms: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def stands(self, now_ms: int) -> bool:
        """Whether it is its time, whatever is asked."""
        early = self.from_ms is not None and now_ms < self.from_ms
        late = self.until_ms is not None and now_ms >= self.until_ms
        return not (early or late or self.times == 0)

    def strikes(self, method: str, path: str, now_ms: int, dice: Random) -> bool:
        """Whether this request is hit; counts it if so."""
        if not self.stands(now_ms) or self.method not in ("", method) or not self.path.search(path):
            return False
        if self.share < 1.0 and dice.random() >= self.share:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


# Troubles of the request that is being answered alone; requests that run beside it have their own.
HERE: ContextVar[tuple[Trouble, ...]] = ContextVar("jira_troubles", default=())


def trouble(order: Mapping[str, Any]) -> Trouble:
    """The trouble that is ordered; refuses one that this site does not know."""
    name, match, params = str(order.get("name")), dict(order.get("match") or {}), dict(order.get("params") or {})
    if name not in KNOWN:
        raise Refused(Code.BAD_INPUT, f"Jira has no trouble {name}.", f"Use one of {', '.join(sorted(KNOWN))}.")
    strange = sorted({*set(params).difference(KNOWN[name]), *set(match).difference({"method", "path"})})
    if strange:
        known = ", ".join(sorted(KNOWN[name])) or "none"
        raise Refused(Code.BAD_INPUT, f"{name} takes no {', '.join(strange)}.", f"Its params are {known}.")
    times, share = order.get("times"), order.get("share")
    return Trouble(
        name,
        str(match.get("method") or "").upper(),
        re.compile(str(match.get("path") or "")),
        None if times is None else int(times),
        int(order.get("skip") or 0),
        1.0 if share is None else float(share),
        order.get("from_ms"),
        order.get("until_ms"),
        params,
    )
