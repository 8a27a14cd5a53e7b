"""How the imitated site writes what it holds: issues, changelog entries, approvals, service level clocks.

Version 3 of the API shows long texts as documents (ADF), version 2 as text. Times carry the reading account's zone.
People are shown as the edition knows them. Hides what the account was ordered not to see.
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


def text_of(body: Any) -> str:
    """A document as text: every text in it in order, one line for each paragraph."""
    if not isinstance(body, dict):
        return str(body or "")
    inner = [text_of(part) for part in body.get("content", ())]
    return str(body.get("text", "")) + ("\n" if body.get("type") == "doc" else "").join(inner)


def body_shown(body: Any, api: str) -> Any:
    """A long text as this version of the API shows it, whichever way it was given."""
    if api == "3":
        return body if isinstance(body, dict) else document(str(body))
    return text_of(body)


def value_shown(state: JiraState, name: str, value: Any, api: str) -> Any:
    """One field as the API shows it."""
    if value is None:
        return None
    if name in PEOPLE_FIELDS:
        return state.person(value).shown()
    if name in words.TIME_FIELDS:
        return words.jira_time(value, state.zone)
    if name == "description":
        return body_shown(value, api)
    return value


def comment_shown(state: JiraState, comment: Mapping[str, Any], api: str) -> dict[str, Any]:
    author = state.person(comment["author"]).shown()
    return {
        "id": comment["id"],
        "author": author,
        "updateAuthor": author,
        "body": body_shown(comment["body"], api),
        "created": words.jira_time(comment["created"], state.zone),
        "updated": words.jira_time(comment["updated"], state.zone),
        "jsdPublic": comment["public"],
    }


def worklog_shown(state: JiraState, worklog: Mapping[str, Any]) -> dict[str, Any]:
    author = state.person(worklog["author"]).shown()
    times = {name: words.jira_time(worklog[name], state.zone) for name in ("started", "created", "updated")}
    return {"author": author, "updateAuthor": author, **times, "timeSpentSeconds": worklog["seconds"]} | {
        "id": worklog["id"],
        "issueId": worklog["issueId"],
    }


def _derived(state: JiraState, issue: SandboxIssue, api: str) -> dict[str, Any]:
    """Fields that follow from what else is held."""
    comments = [comment_shown(state, comment, api) for comment in issue.comments]
    worklogs = [worklog_shown(state, worklog) for worklog in issue.worklogs]
    category_ms = issue.status_timeline()[-1][0]
    return {
        "creator": value_shown(state, "reporter", issue.values.get("reporter"), api),
        "statuscategorychangedate": words.jira_time(category_ms, state.zone),
        "timespent": sum(worklog["seconds"] for worklog in issue.worklogs) or None,
        "comment": {"comments": comments, "maxResults": len(comments), "total": len(comments), "startAt": 0},
        "worklog": {"startAt": 0, "maxResults": 20, "total": len(worklogs), "worklogs": worklogs[:20]},
    }


DERIVED = frozenset({"creator", "statuscategorychangedate", "timespent", "comment", "worklog"})


def issue_shown(
    state: JiraState, issue: SandboxIssue, values: Mapping[str, Any], fields: Iterable[str], api: str, site: str
) -> dict[str, Any]:
    """One issue with the asked fields, as the reading account may see it. `id` alone means: no fields at all."""
    asked = set(fields)
    shown = {"id": issue.issue_id, "key": issue.key, "self": f"{site}/rest/api/{api}/issue/{issue.issue_id}"}
    if asked <= {"id", "key"}:
        return shown
    unwanted = {*(state.standing("acl_fields") or {}).get("fields", ())}
    stampless = state.standing("missing_updated")
    if stampless is not None and stampless.get("issue") in (None, issue.issue_id, issue.key):
        unwanted.add("updated")
    return shown | {"fields": fields_shown(state, issue, values, asked, api, unwanted)}


def fields_shown(
    state: JiraState,
    issue: SandboxIssue,
    values: Mapping[str, Any],
    asked: set[str],
    api: str,
    unwanted: Iterable[str] = (),
) -> dict[str, Any]:
    everything = bool(asked & {"*all", "*navigable"})
    held = {name: value_shown(state, name, value, api) for name, value in values.items() if everything or name in asked}
    if everything or asked & DERIVED:
        held |= {name: v for name, v in _derived(state, issue, api).items() if everything or name in asked}
    return {name: value for name, value in held.items() if name not in unwanted}


def changelog_entry(state: JiraState, edit: Edit, as_number: bool = False) -> dict[str, Any]:
    """One entry. The bulk resource writes its time as a number, the issue's own resource as text."""
    return {
        "id": edit.edit_id.rsplit("-", 1)[1],
        "author": state.person(edit.author).named(),
        "created": edit.at_ms if as_number else words.jira_time(edit.at_ms, state.zone),
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
                    "approver": state.person(account).shown(),
                    "approverDecision": decision,
                }
                for account, decision in approval["approvers"]
            ],
            "createdDate": desk_time(approval["createdMs"]),
            **({"completedDate": desk_time(approval["completedMs"])} if approval["completedMs"] is not None else {}),
            **({"condition": {"type": "number", "value": str(approval.get("needed", 2))}} if state.data_center else {}),
        }
        for approval in issue.approvals
    ]


def desk_time(at_ms: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return {"iso8601": f"{at:%Y-%m-%dT%H:%M:%S%z}", "epochMillis": at_ms}


def slas_shown(state: JiraState, issue: SandboxIssue) -> list[dict[str, Any]]:
    """Clocks run on incidents; a change has none."""
    if issue.values["issuetype"]["id"] != words.INCIDENT:
        return []
    clocks = request_slas(issue.values["priority"]["id"], issue.status_timeline(), state.now_ms, state.goals)
    return [clock for clock in clocks if clock["id"] not in state.withdrawn]
