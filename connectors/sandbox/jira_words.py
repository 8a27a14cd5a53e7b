"""The fixed furniture of the imitated Jira site: fields, issue types, statuses, priorities, and how it writes times.

Ids and names follow a Jira Cloud site with one Jira Service Management project. They are this site's own: a real site
has other ids, which is why the connector reads them through a data contract and never from here.
"""

from datetime import UTC, datetime, tzinfo
from typing import Any

PROJECT = {"id": "10001", "key": "OPS", "name": "IT operations", "projectTypeKey": "service_desk"}
ARCHIVE = {"id": "10002", "key": "ARC", "name": "Archive", "projectTypeKey": "software"}
DESK = {"id": "1", "projectId": "10001", "projectKey": "OPS", "projectName": "IT operations"}

INCIDENT, CHANGE = "10012", "10013"
ISSUE_TYPES: dict[str, dict[str, Any]] = {
    INCIDENT: {"id": INCIDENT, "name": "[System] Incident", "subtask": False},
    CHANGE: {"id": CHANGE, "name": "[System] Change", "subtask": False},
}

OPEN, WORKING, WAITING, RESOLVED, CLOSED, CANCELED = "10001", "3", "10002", "10003", "6", "10004"
PLANNING, AT_CAB, APPROVED, IMPLEMENTING, COMPLETED, DECLINED = "10010", "10011", "10012", "10013", "10014", "10015"
STATUSES: dict[str, dict[str, Any]] = {
    number: {"id": number, "name": name, "statusCategory": {"key": category}}
    for number, name, category in (
        (OPEN, "Open", "new"),
        (WORKING, "In progress", "indeterminate"),
        (WAITING, "Waiting for customer", "indeterminate"),
        (RESOLVED, "Resolved", "done"),
        (CLOSED, "Closed", "done"),
        (CANCELED, "Canceled", "done"),
        (PLANNING, "Planning", "new"),
        (AT_CAB, "Awaiting CAB approval", "indeterminate"),
        (APPROVED, "Awaiting implementation", "indeterminate"),
        (IMPLEMENTING, "Implementing", "indeterminate"),
        (COMPLETED, "Completed", "done"),
        (DECLINED, "Declined", "done"),
    )
}

WORKFLOWS = {
    INCIDENT: (OPEN, WORKING, WAITING, RESOLVED, CLOSED, CANCELED),
    CHANGE: (PLANNING, AT_CAB, APPROVED, IMPLEMENTING, COMPLETED, DECLINED),
}
DONE = frozenset({RESOLVED, CLOSED, CANCELED, COMPLETED, DECLINED})
REQUEST_TYPES = {
    INCIDENT: {"id": "21", "name": "Report an incident", "issueTypeId": INCIDENT, "serviceDeskId": "1"},
    CHANGE: {"id": "22", "name": "Ask for a change", "issueTypeId": CHANGE, "serviceDeskId": "1"},
}

PRIORITIES = {
    number: {"id": number, "name": name}
    for number, name in (("1", "Highest"), ("2", "High"), ("3", "Medium"), ("4", "Low"))
}
RESOLUTIONS = {
    number: {"id": number, "name": name}
    for number, name in (("10000", "Done"), ("10001", "Declined"), ("10002", "Won't do"))
}

SERVICE, TEAM, SATISFACTION = "customfield_10120", "customfield_10121", "customfield_10110"
CHANGE_TYPE, OUTCOME = "customfield_10130", "customfield_10131"
PLANNED_START, PLANNED_END = "customfield_10132", "customfield_10133"
ACTUAL_START, ACTUAL_END = "customfield_10134", "customfield_10135"
APPROVALS = "customfield_10140"  # where the changelog of a request notes who answered
CUSTOM_FIELDS = (
    (SERVICE, "Affected service", "option"),
    (TEAM, "Responsible team", "option"),
    (SATISFACTION, "Satisfaction", "number"),
    (CHANGE_TYPE, "Change type", "option"),
    (OUTCOME, "Change outcome", "option"),
    (PLANNED_START, "Planned start", "datetime"),
    (PLANNED_END, "Planned end", "datetime"),
    (ACTUAL_START, "Actual start", "datetime"),
    (ACTUAL_END, "Actual end", "datetime"),
)
SYSTEM_FIELDS = (
    ("summary", "Summary", "string"),
    ("description", "Description", "string"),
    ("issuetype", "Issue Type", "issuetype"),
    ("project", "Project", "project"),
    ("status", "Status", "status"),
    ("priority", "Priority", "priority"),
    ("resolution", "Resolution", "resolution"),
    ("resolutiondate", "Resolved", "datetime"),
    ("assignee", "Assignee", "user"),
    ("reporter", "Reporter", "user"),
    ("created", "Created", "datetime"),
    ("updated", "Updated", "datetime"),
    ("labels", "Labels", "array"),
    ("duedate", "Due date", "date"),
    ("creator", "Creator", "user"),
    ("statuscategorychangedate", "Status Category Changed", "datetime"),
    ("timespent", "Time Spent", "number"),
    ("components", "Components", "array"),
    ("fixVersions", "Fix versions", "array"),
    ("issuelinks", "Linked Issues", "array"),
    ("parent", "Parent", "issuelink"),
    ("comment", "Comment", "comments-page"),
    ("worklog", "Log Work", "worklog"),
)
TIME_FIELDS = frozenset(field for field, _, kind in (*SYSTEM_FIELDS, *CUSTOM_FIELDS) if kind == "datetime")


def field_catalogue() -> list[dict[str, Any]]:
    """What GET /field answers."""
    fields = [(number, name, kind, True) for number, name, kind in CUSTOM_FIELDS]
    fields += [(number, name, kind, False) for number, name, kind in SYSTEM_FIELDS]
    return [
        {
            "id": number,
            "key": number,
            "name": name,
            "custom": custom,
            "schema": {"type": kind},
            "clauseNames": [name.lower()],
        }
        for number, name, kind, custom in fields
    ]


def jira_time(at_ms: int, zone: tzinfo = UTC) -> str:
    """Milliseconds since 1970 as Jira writes them, in the reading account's zone: 2026-03-04T10:15:07.120+0000."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}{at:%z}"
