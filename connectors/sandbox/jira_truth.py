"""What the imitated Jira site really holds, whatever a limited account, a lagging index or a broken page would show.

Times in UTC, as the API of the site's edition writes them.
"""

from typing import Any

from connectors.sandbox.jira_shapes import (
    approvals_shown,
    changelog_entry,
    comment_shown,
    fields_shown,
    slas_shown,
    worklog_shown,
)
from connectors.sandbox.jira_state import JiraState, SandboxIssue


def jira_truth(state: JiraState) -> dict[str, dict[str, Any]]:
    """{"issue": every issue that stands by id, "gone": every deleted one as it was}."""
    troubles, zone = state.troubles, state.zone_minutes
    state.troubles, state.zone_minutes = [], 0  # the truth is seen from nowhere in particular
    try:
        return {
            "issue": {number: _whole(state, issue) for number, issue in sorted(state.issues.items())},
            "gone": {number: _whole(state, issue) for number, issue in sorted(state.gone.items())},
        }
    finally:
        state.troubles, state.zone_minutes = troubles, zone


def _whole(state: JiraState, issue: SandboxIssue) -> dict[str, Any]:
    api = "2" if state.data_center else "3"
    return {
        "id": issue.issue_id,
        "key": issue.key,
        "fields": fields_shown(state, issue, issue.values, {"*all"}, api),
        "changelog": [changelog_entry(state, edit) for edit in issue.history],
        "approvals": approvals_shown(state, issue),
        "sla": slas_shown(state, issue),
        "comments": [comment_shown(state, held, api) | {"properties": held["properties"]} for held in issue.comments],
        "worklogs": [worklog_shown(state, held) for held in issue.worklogs],
        "properties": dict(issue.properties),
        "remote_links": list(issue.remote_links),
    }
