"""What the imitated Jira site has to tell about what happened: one sending for each event, in Jira's body shapes.

Decides which events an act causes, who had asked for them at that moment, and when they are due: what follows from a
deletion is sent later, in the `Secondary` flow. The bodies are those of the moment of the event. Times in milliseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_query import parse
from connectors.sandbox.jira_shapes import changelog_entry, comment_shown, issue_shown, worklog_shown
from connectors.sandbox.jira_state import Edit, JiraState, SandboxIssue

SITE = "https://jira.tarnhelm.example"
THIN = ("summary", "issuetype", "project", "status", "priority", "assignee")
CREATED, UPDATED, DELETED = "jira:issue_created", "jira:issue_updated", "jira:issue_deleted"
UNASKED = frozenset({"issue_property_set", "issue_property_deleted"})
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hook:
    """A registration: what is sent where. Only dynamic ones expire."""

    number: int
    url: str
    events: frozenset[str]  # none: all
    jql: str = ""
    secret: bytes = b""
    expires_ms: int | None = None
    dynamic: bool = False
    name: str = ""

    def wants(self, state: JiraState, event: str, issue: SandboxIssue | None) -> bool:
        if self.expires_ms is not None and state.now_ms >= self.expires_ms:
            return False
        if self.events and event not in self.events:
            return False
        if not self.jql or issue is None:
            return True
        return bool(parse(self.jql, state.zone).run([(issue, issue.values)]))


@dataclass(frozen=True, slots=True)
class Sending:
    """One event that is to be told."""

    number: int
    at_ms: int
    due_ms: int
    event: str
    flow: str
    issue_id: str
    body: Mapping[str, Any]
    hooks: tuple[Hook, ...]  # that had asked for it when it happened


def _thinned(body: Body) -> Body:
    issue = body.get("issue") or {}
    return body | {"issue": {name: issue[name] for name in ("id", "self", "key") if name in issue}}


def _emptied(body: Body) -> Body:
    return body | {"changelog": body["changelog"] | {"items": []}} if "changelog" in body else body


def _without(name: str) -> Callable[[Body], Body]:
    return lambda body: {key: value for key, value in body.items() if key != name}


# Oddities that real bodies have been seen with.
FLAWS: dict[str, Callable[[Body], Body]] = {
    "empty_changelog": _emptied,
    "thin_issue": _thinned,
    "no_user": _without("user"),
    "no_event_type": _without("issue_event_type_name"),
}


def tell(state: JiraState, event: str, issue: SandboxIssue | None, body: Body, **more: Any) -> None:
    """Hand one sending to whoever carries it, or put it into the site's own queue."""
    flow, twin = more.get("flow", "Primary"), bool(more.get("twin"))
    if not _wanted(state, event, twin):
        return
    late = state.standing("secondary") if flow == "Secondary" else None
    due_ms = state.now_ms + int(1000 * float(late.get("seconds", 60))) if late is not None else state.now_ms
    asked = tuple(hook for hook in state.hooks.values() if hook.wants(state, event, issue))
    if state.hooks and not asked:
        return
    whole = {"timestamp": state.now_ms, "webhookEvent": event} | body
    for flaw in FLAWS:
        if state.struck(flaw, "POST", event) is not None:
            whole = FLAWS[flaw](whole)
    issue_id = issue.issue_id if issue else ""
    sending = Sending(state.next_number(), state.now_ms, due_ms, event, flow, issue_id, whole, asked)
    (state.carrier or state.queue.append)(sending)


def _wanted(state: JiraState, event: str, twin: bool) -> bool:
    """Without any registration the site tells an administrator's hook about issues, comments and worklogs.

    Data Center tells a comment twice; Cloud does when both kinds of events were asked for, or when so ordered.
    """
    if not state.hooks and event in UNASKED:
        return False
    if not twin:
        return True
    double = state.standing("double_event")
    if double is not None:
        return not double.get("off")
    both = any({UPDATED, "comment_created"} <= hook.events for hook in state.hooks.values())
    return state.data_center or both


def issue_happened(state: JiraState, issue: SandboxIssue, edit: Edit) -> None:
    """A creation or a change that left a changelog entry."""
    event = CREATED if edit.created else UPDATED
    body = {
        "issue_event_type_name": _type_name(edit),
        "user": state.person(edit.author).shown(),
        "issue": _whole(state, issue),
    }
    if not edit.created:
        entry = changelog_entry(state, edit)
        body["changelog"] = {"id": entry["id"], "items": entry["items"]}
    tell(state, event, issue, body)


def _type_name(edit: Edit) -> str:
    """What Jira calls the kind of change."""
    if edit.created:
        return "issue_created"
    moved = {item["fieldId"]: item for item in edit.items}
    if "project" in moved:
        return "issue_moved"
    if "status" not in moved:
        return "issue_assigned" if set(moved) == {"assignee"} else "issue_updated"
    to, before = moved["status"]["to"], moved["status"]["from"]
    if to == words.CLOSED:
        return "issue_closed"
    if to in words.DONE:
        return "issue_resolved"
    return "issue_reopened" if before in words.DONE else "issue_generic"


def _whole(state: JiraState, issue: SandboxIssue) -> Body:
    return issue_shown(state, issue, issue.values, ["*all"], "2", SITE)


def _thin(state: JiraState, issue: SandboxIssue) -> Body:
    return issue_shown(state, issue, issue.values, THIN, "2", SITE)


def comment_happened(state: JiraState, issue: SandboxIssue, comment: Mapping[str, Any], what: str) -> None:
    """Once as an event of the comment, once inside one of the issue. `what`: created, updated, deleted."""
    shown = comment_shown(state, comment, "2")
    tell(
        state, f"comment_{what}", issue, {"comment": shown, "issue": _thin(state, issue), "eventType": "primaryAction"}
    )
    kind = {"created": "issue_commented", "updated": "issue_comment_edited", "deleted": "issue_comment_deleted"}[what]
    user = state.person(comment["author"]).shown()
    body = {"issue_event_type_name": kind, "user": user, "issue": _whole(state, issue), "comment": shown}
    tell(state, UPDATED, issue, body, twin=True)


def worklog_happened(state: JiraState, issue: SandboxIssue, worklog: Mapping[str, Any], what: str) -> None:
    tell(state, f"worklog_{what}", issue, {"worklog": worklog_shown(state, worklog)})


def property_happened(state: JiraState, issue: SandboxIssue, key: str, value: Any, what: str) -> None:
    """`what`: set, deleted. Speaks of the issue by id alone."""
    body = {"property": {"key": key, "value": value}, "issue": {"id": issue.issue_id, "key": issue.key}}
    tell(state, f"issue_property_{what}", issue, body | {"user": state.me.shown()})


def deletion_happened(state: JiraState, issue: SandboxIssue, author: str) -> None:
    """Told before the issue goes; its comments and worklogs fall with it and are told as fallout."""
    user = state.person(author).shown()
    tell(state, DELETED, issue, {"issue_event_type_name": "issue_deleted", "user": user, "issue": _whole(state, issue)})
    fallout = [("comment_deleted", {"comment": comment_shown(state, held, "2")}) for held in issue.comments]
    fallout += [("worklog_deleted", {"worklog": worklog_shown(state, held)}) for held in issue.worklogs]
    for event, body in fallout:
        tell(state, event, issue, body | {"issue": _thin(state, issue)}, flow="Secondary")
