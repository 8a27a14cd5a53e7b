"""How the imitated site writes what it holds: issues, changelog entries, approvals, service level clocks.

Version 3 of the API shows long texts as documents (ADF), version 2 as text. Times carry the reading account's zone.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_sla import request_slas
from connectors.sandbox.jira_state import Edit, JiraState, SandboxIssue

PEOPLE_FIELDS = frozenset({"assignee", "reporter"})


def document(text: str) -> dict[str, Any]:
    """A text in Atlassian's document format."""
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


def value_shown(state: JiraState, name: str, value: Any, api: str) -> Any:
    """One field as the API shows it."""
    if value is None:
        return None
    if name in PEOPLE_FIELDS:
        return state.people[value].shown()
    if name in words.TIME_FIELDS:
        return words.jira_time(value, state.zone_minutes)
    if name == "description" and api == "3":
        return document(value)
    return value


def issue_shown(
    state: JiraState, issue: SandboxIssue, values: Mapping[str, Any], fields: Iterable[str], api: str, site: str
) -> dict[str, Any]:
    """One issue with the asked fields. `id` alone in `fields` means: no fields at all."""
    asked = set(fields)
    everything = bool(asked & {"*all", "*navigable"})
    shown = {"id": issue.issue_id, "key": issue.key, "self": f"{site}/rest/api/{api}/issue/{issue.issue_id}"}
    if asked <= {"id", "key"}:
        return shown
    held = {name: value_shown(state, name, value, api) for name, value in values.items() if everything or name in asked}
    return shown | {"fields": held}


def changelog_entry(state: JiraState, edit: Edit, as_number: bool = False) -> dict[str, Any]:
    """One entry. The bulk resource writes its time as a number, the issue's own resource as text."""
    return {
        "id": edit.edit_id.rsplit("-", 1)[1],
        "author": {"accountId": edit.author},
        "created": edit.at_ms if as_number else words.jira_time(edit.at_ms, state.zone_minutes),
        "items": list(edit.items),
    }


def approvals_shown(state: JiraState, issue: SandboxIssue) -> list[dict[str, Any]]:
    return [
        {
            "id": approval["id"],
            "name": approval["name"],
            "finalDecision": approval["finalDecision"],
            "canAnswerApproval": False,
            "approvers": [
                {
                    "approver": state.people[account].shown(),
                    "approverDecision": decision,
                }
                for account, decision in approval["approvers"]
            ],
            "createdDate": _desk_time(approval["createdMs"]),
            **({"completedDate": _desk_time(approval["completedMs"])} if approval["completedMs"] is not None else {}),
        }
        for approval in issue.approvals
    ]


def _desk_time(at_ms: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return {"iso8601": f"{at:%Y-%m-%dT%H:%M:%S%z}", "epochMillis": at_ms}


def slas_shown(state: JiraState, issue: SandboxIssue) -> list[dict[str, Any]]:
    """Clocks run on incidents; a change has none."""
    if issue.values["issuetype"]["id"] != words.INCIDENT:
        return []
    return request_slas(issue.values["priority"]["id"], issue.status_timeline(), state.now_ms)
