"""The imitated Jira site while it runs: issues, the edits that are still to come, the site's own clock.

An issue is the sum of its edits. Edits that are held back ("live") are applied one by one when their webhook is sent;
applying one twice changes nothing. The clock stands at the newest edit unless it is moved on, so that a run never
depends on the wall clock. What search still believes while its index lags is kept for the last edits. Times in
milliseconds since 1970. Fields that a copy of a site must not share are made anew in every copy.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, timezone, tzinfo
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_troubles import HERE, Trouble

Item = dict[str, Any]
EDITS_REMEMBERED = 5000  # of all issues together, for the index that lags
SENDINGS_KEPT = 100_000
PROFILES = CLOUD, DATA_CENTER = "cloud", "dc"


@dataclass(frozen=True, slots=True)
class Account:
    """Who uses the site. One with a `login` is a user of Data Center, whose `account_id` is the key of the user."""

    account_id: str
    name: str
    email: str
    sys_id: str  # the same person in ServiceNow
    login: str = ""

    def named(self) -> dict[str, Any]:
        """Who did something, in as few words as the edition knows people by."""
        return {"key": self.account_id, "name": self.login} if self.login else {"accountId": self.account_id}

    def shown(self) -> dict[str, Any]:
        kind = {} if self.login else {"accountType": "atlassian"}
        return self.named() | {"displayName": self.name, "emailAddress": self.email, **kind, "active": True}


@dataclass(frozen=True, slots=True)
class Edit:
    """One saved change of one issue: its creation (no items), or one changelog entry with the values it left.

    A silent one leaves no trace: neither `updated` nor the changelog. One without items and values only touches.
    """

    edit_id: str
    at_ms: int
    issue_id: str
    author: str
    values: Mapping[str, Any]
    items: Sequence[Item] = ()
    approvals: Sequence[Mapping[str, Any]] | None = None  # all approvals of the request after this edit
    silent: bool = False

    @property
    def created(self) -> bool:
        return not self.items and "issuetype" in self.values


@dataclass(slots=True)
class SandboxIssue:
    issue_id: str
    key: str
    values: dict[str, Any]  # field id -> raw value; people are account ids, times are milliseconds
    history: list[Edit] = field(default_factory=list)
    approvals: list[Mapping[str, Any]] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    indexed: dict[str, Any] | None = None  # what search still believes while the index lags
    worklogs: list[dict[str, Any]] = field(default_factory=list, init=False)
    remote_links: list[dict[str, Any]] = field(default_factory=list, init=False)

    def status_timeline(self) -> list[tuple[int, str]]:
        first = words.PLANNING if self.values["issuetype"]["id"] == words.CHANGE else words.OPEN
        timeline = [(int(self.values["created"]), first)]
        for edit in self.history:
            timeline += [(edit.at_ms, item["to"]) for item in edit.items if item["fieldId"] == "status"]
        return timeline


@dataclass(slots=True)
class Fault:
    """What the site answers instead, to the next `times` requests whose "METHOD /path" matches."""

    match: re.Pattern[str]
    status: int
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"errorMessages":["fault"],"errors":{}}'


@dataclass(slots=True)
class JiraState:
    """One site. `email` and `token` open it, `webhook_secret` signs what it sends."""

    people: dict[str, Account]
    services: dict[str, str]  # affected service as Jira spells it -> ServiceNow sys_id
    teams: dict[str, str]  # responsible team as Jira spells it -> ServiceNow sys_id
    live: list[Edit]
    now_ms: int
    email: str = "evenhand@tarnhelm.example"
    token: str = "sandbox-jira-token"  # noqa: S105  stands in for a secret; the demo refuses it in production mode
    webhook_secret: bytes = b"sandbox-jira-webhook-secret"
    issues: dict[str, SandboxIssue] = field(default_factory=dict)
    ids_by_key: dict[str, str] = field(default_factory=dict)
    applied: set[str] = field(default_factory=set)
    sent: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)
    zone_minutes: int = 0  # time zone of the reading account
    index_lags: bool = False
    faults: list[Fault] = field(default_factory=list)
    log: list[str] = field(default_factory=list)  # "METHOD /path" of every request
    profile: str = CLOUD
    app_token: str = "sandbox-jira-app"  # noqa: S105  Bearer of an OAuth app on Cloud, which alone may register hooks
    projects: dict[str, dict[str, Any]] = field(default_factory=lambda: {words.PROJECT["id"]: words.PROJECT})
    troubles: list[Trouble] = field(default_factory=list, init=False)
    gone: dict[str, SandboxIssue] = field(default_factory=dict, init=False)
    recent: deque[tuple[int, str, dict[str, Any] | None]] = field(
        default_factory=lambda: deque(maxlen=EDITS_REMEMBERED), init=False
    )
    queue: deque[Any] = field(default_factory=lambda: deque(maxlen=SENDINGS_KEPT), init=False)
    carrier: Callable[[Any], None] | None = field(default=None, init=False)  # takes what is to be sent, else the queue
    switches: Callable[[], Mapping[str, Any]] = field(default=dict, init=False)  # of the queue that carries
    hooks: dict[int, Any] = field(default_factory=dict, init=False)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)
    dashboards: dict[tuple[str, str], dict[str, Any]] = field(
        default_factory=lambda: {("10001", "10010"): {}, ("10001", "10011"): {}}, init=False
    )
    deleted_worklogs: list[tuple[str, int]] = field(default_factory=list, init=False)
    goals: list[tuple[int, Mapping[str, Mapping[str, int]]]] = field(default_factory=list, init=False)
    withdrawn: set[str] = field(default_factory=set, init=False)  # metrics that an administrator has deleted
    dice: Random = field(default_factory=lambda: Random(7), init=False)
    newest_number: int = field(default=0, init=False)

    @property
    def data_center(self) -> bool:
        return self.profile == DATA_CENTER

    @property
    def me(self) -> Account:
        """The account that reads and writes through the API."""
        if self.data_center:
            return Account("JIRAUSER10099", "Evenhand", self.email, "", self.email.partition("@")[0])
        return Account("712020:evenhand", "Evenhand", self.email, "")

    def person(self, account_id: str) -> Account:
        return self.people.get(account_id) or self.me

    @property
    def zone(self) -> tzinfo:
        """The time zone of the reading account."""
        zone = (self.standing("account_zone") or {}).get("zone", self.zone_minutes)
        return ZoneInfo(zone) if isinstance(zone, str) else timezone(timedelta(minutes=zone))

    def standing(self, name: str) -> Mapping[str, Any] | None:
        """The parameters of a trouble that stands now, whatever is asked; None when all is well."""
        switch = self.switches().get(name)
        if switch is not None:
            return switch if isinstance(switch, Mapping) else {"off": not switch}
        troubles = (*HERE.get(), *self.troubles)
        return next((t.params for t in troubles if t.name == name and t.stands(self.now_ms)), None)

    def struck(self, name: str, method: str, path: str) -> Mapping[str, Any] | None:
        """The parameters of a trouble that strikes this request, which counts."""
        for trouble in (*HERE.get(), *self.troubles):
            if trouble.name == name and trouble.strikes(method, path, self.now_ms, self.dice):
                return trouble.params
        return None

    def find(self, id_or_key: str) -> SandboxIssue | None:
        return self.issues.get(self.ids_by_key.get(id_or_key, id_or_key))

    def apply(self, edit: Edit) -> bool:
        """Let one edit happen; False when it already has."""
        if edit.edit_id in self.applied or edit.issue_id in self.gone:
            return False
        self.applied.add(edit.edit_id)
        issue = self.issues.get(edit.issue_id)
        if issue is None:
            issue = SandboxIssue(edit.issue_id, edit.values["key"], {"created": edit.at_ms})
            issue.indexed = {} if self.index_lags else None
            self.issues[issue.issue_id] = issue
            self.recent.append((max(self.now_ms, edit.at_ms), issue.issue_id, None))
        else:
            if self.index_lags and issue.indexed is None:
                issue.indexed = dict(issue.values)
            self.recent.append((max(self.now_ms, edit.at_ms), issue.issue_id, dict(issue.values)))
        issue.key = edit.values.get("key", issue.key)
        self.ids_by_key[issue.key] = issue.issue_id  # an earlier key goes on leading here
        issue.values.update({name: value for name, value in edit.values.items() if name != "key"})
        if not edit.silent:
            issue.values["updated"] = edit.at_ms
        if edit.items and not edit.silent:
            issue.history.append(edit)
        if edit.approvals is not None:
            issue.approvals = list(edit.approvals)
        self.now_ms = max(self.now_ms, edit.at_ms + 1)
        return True

    def delete(self, issue: SandboxIssue) -> None:
        self.recent.append((self.now_ms, issue.issue_id, dict(issue.values)))
        self.gone[issue.issue_id] = self.issues.pop(issue.issue_id)
        for key in [key for key, issue_id in self.ids_by_key.items() if issue_id == issue.issue_id]:
            del self.ids_by_key[key]
        self.now_ms += 1

    def advance(self, to_ms: int) -> None:
        """Let time pass; it never goes back."""
        self.now_ms = max(self.now_ms, to_ms)

    def believed(self, lag_ms: int) -> dict[str, dict[str, Any] | None]:
        """What an index that is this late still holds of issues that have changed since; None: nothing yet."""
        found: dict[str, dict[str, Any] | None] = {}
        for at_ms, issue_id, before in reversed(self.recent):
            if at_ms <= self.now_ms - lag_ms:
                break
            found[issue_id] = before
        return found

    def catch_up(self) -> None:
        """The search index has seen everything again."""
        self.index_lags = False
        for issue in self.issues.values():
            issue.indexed = None

    def next_number(self) -> int:
        """Of an edit, a comment, a hook: greater than all before, those that are held back included."""
        if not self.newest_number:
            known = [*self.applied, *(edit.edit_id for edit in self.live), "edit-60000"]
            self.newest_number = max(int(name.rsplit("-", 1)[-1]) for name in known)
        self.newest_number += 1
        return self.newest_number

    def edit(self, issue_id: str, author: str, values: Mapping[str, Any], items: Iterable[Item]) -> Edit:
        """A change made over REST, one second after the newest thing that happened."""
        edit = Edit(f"edit-{self.next_number()}", self.now_ms + 1000, issue_id, author, values, tuple(items))
        self.apply(edit)
        return edit
