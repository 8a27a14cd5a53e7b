"""The imitated Jira site while it runs: issues, the edits that are still to come, the site's own clock.

An issue is the sum of its edits. Edits that are held back ("live") are applied one by one when their webhook is sent;
applying one twice changes nothing. The clock stands at the newest edit, so that a run never depends on the wall clock.
Times in milliseconds since 1970.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox import jira_words as words

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    account_id: str
    name: str
    email: str
    sys_id: str  # the same person in ServiceNow

    def shown(self) -> dict[str, Any]:
        return {
            "accountId": self.account_id,
            "displayName": self.name,
            "emailAddress": self.email,
            "accountType": "atlassian",
            "active": True,
        }


@dataclass(frozen=True, slots=True)
class Edit:
    """One saved change of one issue: its creation (no items), or one changelog entry with the values it left."""

    edit_id: str
    at_ms: int
    issue_id: str
    author: str
    values: Mapping[str, Any]
    items: Sequence[Item] = ()
    approvals: Sequence[Mapping[str, Any]] | None = None  # all approvals of the request after this edit

    @property
    def created(self) -> bool:
        return not self.items


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

    def find(self, id_or_key: str) -> SandboxIssue | None:
        return self.issues.get(self.ids_by_key.get(id_or_key, id_or_key))

    def apply(self, edit: Edit) -> bool:
        """Let one edit happen; False when it already has."""
        if edit.edit_id in self.applied:
            return False
        self.applied.add(edit.edit_id)
        issue = self.issues.get(edit.issue_id)
        if issue is None:
            issue = SandboxIssue(edit.issue_id, edit.values["key"], {"created": edit.at_ms})
            issue.indexed = {} if self.index_lags else None
            self.issues[issue.issue_id] = issue
            self.ids_by_key[issue.key] = issue.issue_id
        elif self.index_lags and issue.indexed is None:
            issue.indexed = dict(issue.values)
        issue.values.update({name: value for name, value in edit.values.items() if name != "key"})
        issue.values["updated"] = edit.at_ms
        if edit.items:
            issue.history.append(edit)
        if edit.approvals is not None:
            issue.approvals = list(edit.approvals)
        self.now_ms = max(self.now_ms, edit.at_ms + 1)
        return True

    def catch_up(self) -> None:
        """The search index has seen everything again."""
        self.index_lags = False
        for issue in self.issues.values():
            issue.indexed = None

    def edit(self, issue_id: str, author: str, values: Mapping[str, Any], items: Iterable[Item]) -> Edit:
        """A change made over REST, one second after the newest thing that happened."""
        number = max((int(entry.rsplit("-", 1)[-1]) for entry in self.applied), default=60000) + 1000
        edit = Edit(f"edit-{number}", self.now_ms + 1000, issue_id, author, values, tuple(items))
        self.apply(edit)
        return edit
