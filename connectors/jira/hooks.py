"""What a Jira webhook is good for: which issue should be read again, or is said to be deleted.

The body is never used as data: events come late, twice, thin, or with an empty changelog.
"""

from collections.abc import Mapping
from typing import Any

from connectors.source import Hint, Hook, Unreadable
from engine.words import Source

DELETED = "jira:issue_deleted"
ID_MAX_DIGITS = 18  # a number of 64 bits; a longer one would only be refused when it is asked for


def read_hook(body: Mapping[str, Any]) -> Hook:
    """The hint in an event; empty when it speaks of no issue. Unreadable when it is not a Jira event at all."""
    event, issue = body.get("webhookEvent"), body.get("issue")
    if not isinstance(event, str):
        raise Unreadable("This is not a Jira event: it has no webhookEvent.")
    if issue is None:
        return Hook()
    issue_id = issue.get("id") if isinstance(issue, dict) else None
    if not (isinstance(issue_id, str) and issue_id.isascii() and issue_id.isdigit() and len(issue_id) <= ID_MAX_DIGITS):
        raise Unreadable(f"The Jira event {event[:80]!r} speaks of an issue without an id.")
    hints = (Hint(Source.JIRA, "issue", issue_id),)
    return Hook(suspected=hints) if event == DELETED else Hook(refetch=hints)
