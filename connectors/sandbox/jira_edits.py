"""What people and programs do to issues of the imitated Jira site: every change, with its trace and its event.

Decides what a change leaves behind: the changelog entry, `updated`, the event. Both the scripted acts and the API of
the site go through here, so that a change looks the same whoever makes it. Knows no HTTP and refuses nothing: who calls
has checked what is asked.
"""

from collections.abc import Mapping
from typing import Any

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_events import (
    comment_happened,
    deletion_happened,
    issue_happened,
    property_happened,
    worklog_happened,
)
from connectors.sandbox.jira_lives import item
from connectors.sandbox.jira_shapes import PEOPLE_FIELDS
from connectors.sandbox.jira_state import Edit, JiraState, SandboxIssue

FIRST_ID = 20_000


def create(state: JiraState, by: str, values: Mapping[str, Any], project: Mapping[str, Any]) -> SandboxIssue:
    """A new issue with the next key of its project."""
    numbers = [int(issue_id) for issue_id in (*state.issues, *state.gone)]
    issue_id = str(max([FIRST_ID, *numbers]) + 1)
    held = {**values, "project": dict(project), "key": _free_key(state, project["key"])}
    edit = Edit(f"edit-{state.next_number()}", state.now_ms, issue_id, by, held)
    state.apply(edit)
    issue = state.issues[issue_id]
    issue_happened(state, issue, edit)
    return issue


def _free_key(state: JiraState, project: str) -> str:
    """Jira never gives a number twice."""
    keys = [*state.ids_by_key, *(issue.key for issue in state.gone.values())]
    used = [int(key.rsplit("-", 1)[1]) for key in keys if key.startswith(f"{project}-")]
    return f"{project}-{max([0, *used]) + 1}"


def change(
    state: JiraState,
    issue: SandboxIssue,
    by: str,
    values: Mapping[str, Any],
    approvals: list[Mapping[str, Any]] | None = None,
    silent: bool = False,
) -> Edit | None:
    """Save the values that differ; None when nothing does. A silent change leaves no trace at all."""
    new = {name: value for name, value in values.items() if issue.values.get(name) != value}
    items = [] if silent else [_item(state, name, issue.values.get(name), value) for name, value in new.items()]
    if approvals is not None and not items:
        items = [item(words.APPROVALS, None, None)]
    if not new and approvals is None:
        return None
    edit = Edit(f"edit-{state.next_number()}", state.now_ms, issue.issue_id, by, new, items, approvals, silent)
    state.apply(edit)
    if not silent:
        issue_happened(state, issue, edit)
    return edit


def _item(state: JiraState, name: str, old: Any, new: Any) -> dict[str, Any]:
    """People stand in the changelog by id and by name."""
    if isinstance(new, list):
        return item(name, _joined(old), _joined(new))
    entry = item(name, old, new)
    if name in PEOPLE_FIELDS:
        entry["fromString"] = old and state.person(old).name
        entry["toString"] = new and state.person(new).name
    return entry


def _joined(values: Any) -> str | None:
    """As Jira writes a list into the changelog."""
    return " ".join(v if isinstance(v, str) else str(v.get("name")) for v in values) if values else None


def move_status(
    state: JiraState,
    issue: SandboxIssue,
    by: str,
    status: str,
    more: Mapping[str, Any],
    approvals: list[Mapping[str, Any]] | None = None,
) -> Edit | None:
    """A transition with what belongs to it: done issues get a resolution, reopened ones lose it."""
    done = status in words.DONE
    held = issue.values.get("resolution")
    values: dict[str, Any] = {"status": words.STATUSES[status]}
    if done and held is None:
        fitting = {words.CANCELED: "10002", words.DECLINED: "10001"}.get(status, "10000")
        values |= {"resolution": words.RESOLUTIONS[fitting], "resolutiondate": state.now_ms}
    elif not done and held is not None:
        values |= {"resolution": None, "resolutiondate": None}
    if issue.values["issuetype"]["id"] == words.CHANGE:
        values |= {words.ACTUAL_START: state.now_ms} if status == words.IMPLEMENTING else {}
        values |= {words.ACTUAL_END: state.now_ms} if status == words.COMPLETED else {}
    return change(state, issue, by, {**values, **more}, approvals)


def move_project(state: JiraState, issue: SandboxIssue, by: str, project: Mapping[str, Any]) -> Edit:
    """The key changes, the id stays, the old key goes on leading to the issue."""
    key, old = _free_key(state, project["key"]), issue.values["project"]
    items = [
        {"field": "project", "fieldId": "project", "fieldtype": "jira", "from": old["id"], "fromString": old["name"],
         "to": project["id"], "toString": project["name"]},
        {"field": "Key", "fieldId": "issuekey", "fieldtype": "jira", "from": None, "fromString": issue.key,
         "to": None, "toString": key},
    ]  # fmt: skip
    values = {"project": dict(project), "key": key}
    edit = Edit(f"edit-{state.next_number()}", state.now_ms, issue.issue_id, by, values, items)
    state.apply(edit)
    issue_happened(state, issue, edit)
    return edit


def _touch(state: JiraState, issue: SandboxIssue, by: str) -> None:
    """`updated` moves, the changelog does not grow."""
    state.apply(Edit(f"edit-{state.next_number()}", state.now_ms, issue.issue_id, by, {}))


def comment(
    state: JiraState, issue: SandboxIssue, by: str, body: Any, properties: Mapping[str, Any], public: bool = True
) -> dict[str, Any]:
    number, at_ms = str(state.next_number()), state.now_ms
    held = {"id": number, "author": by, "body": body, "created": at_ms, "updated": at_ms, "public": public}
    issue.comments.append(held | {"properties": dict(properties)})
    _touch(state, issue, by)
    comment_happened(state, issue, issue.comments[-1], "created")
    return issue.comments[-1]


def rewrite_comment(state: JiraState, issue: SandboxIssue, held: dict[str, Any], body: Any, by: str) -> None:
    held |= {"body": body, "updated": state.now_ms}
    _touch(state, issue, by)
    comment_happened(state, issue, held, "updated")


def remove_comment(state: JiraState, issue: SandboxIssue, held: dict[str, Any], by: str) -> None:
    issue.comments.remove(held)
    _touch(state, issue, by)
    comment_happened(state, issue, held, "deleted")


def log_work(state: JiraState, issue: SandboxIssue, by: str, seconds: int) -> dict[str, Any]:
    times = dict.fromkeys(("started", "created", "updated"), state.now_ms)
    entry = {"id": str(state.next_number()), "issueId": issue.issue_id, "author": by, "seconds": seconds, **times}
    issue.worklogs.append(entry)
    _touch(state, issue, by)
    worklog_happened(state, issue, entry, "created")
    return entry


def remove_worklog(state: JiraState, issue: SandboxIssue, entry: dict[str, Any], by: str) -> None:
    issue.worklogs.remove(entry)
    state.deleted_worklogs.append((entry["id"], state.now_ms))
    _touch(state, issue, by)
    worklog_happened(state, issue, entry, "deleted")


def set_property(state: JiraState, issue: SandboxIssue, key: str, value: Any) -> bool:
    """Whether it is new. `updated` stays (check on an instance)."""
    known = key in issue.properties
    issue.properties[key] = value
    property_happened(state, issue, key, value, "set")
    return not known


def remove_property(state: JiraState, issue: SandboxIssue, key: str) -> None:
    property_happened(state, issue, key, issue.properties.pop(key), "deleted")


def delete(state: JiraState, issue: SandboxIssue, by: str) -> None:
    """Deletes the issue for good. What lives below it goes too, and search may show it a while longer."""
    deletion_happened(state, issue, by)
    state.deleted_worklogs += [(entry["id"], state.now_ms) for entry in issue.worklogs]
    state.delete(issue)
