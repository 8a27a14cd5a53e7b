"""What a Jira webhook is good for: which issues should be read again, or are said to be deleted.

The body is never used as data: events come late, twice, thin, or with an empty changelog, and those of apps and of
automation rules come unsigned. So an event of an issue, a comment, a worklog, a property (our own writes too), a link,
or of an automation rule is a hint at the issues that it names by id, wherever it names them. What belongs to a deleted
issue is told as deleted too; only the issue's own event makes it suspected.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.jira.times import moment
from connectors.source import Hint, Hook, Unreadable
from engine.words import Source

DELETED = "jira:issue_deleted"
ID_MAX_DIGITS = 18  # a number of 64 bits; a longer one would only be refused when it is asked for
PARTS = ("comment", "worklog", "property", "issueProperty", "attachment")
LINK_ENDS = ("sourceIssueId", "destinationIssueId")
ADDRESS = re.compile(r"/issue/([0-9]{1,18})(?:/|$)")
Raw = Mapping[str, Any]


def read_hook(body: Raw) -> Hook:
    """The hints in an event; empty when it speaks of no issue. Unreadable when it is not a Jira event at all."""
    event, issue = body.get("webhookEvent"), body.get("issue")
    if not isinstance(event, str):
        return _automation(body)
    hints, said_at = _hints(body), moment(body.get("timestamp"))
    if not hints and issue is not None:
        raise Unreadable(f"The Jira event {event[:80]!r} speaks of an issue without an id.")
    if not hints:
        return Hook(note=f"The Jira event {event[:80]!r} speaks of no issue.", said_at=said_at)
    if event == DELETED:
        return Hook(suspected=hints, said_at=said_at)
    return Hook(refetch=hints, said_at=said_at)


def _automation(body: Raw) -> Hook:
    """What an automation rule sends: the issue itself, something around it, or fields of the administrator's choice."""
    hints = _hints(body) or _as_hints([_number(body.get("id"))] if "fields" in body else [])
    if not hints:
        raise Unreadable("This is not a Jira event: it has no webhookEvent, and no issue with an id.")
    return Hook(refetch=hints, said_at=moment(body.get("timestamp")))


def _hints(body: Raw) -> tuple[Hint, ...]:
    return _as_hints(_named(body))


def _as_hints(numbers: Any) -> tuple[Hint, ...]:
    found = sorted({number for number in numbers if number is not None})
    return tuple(Hint(Source.JIRA, "issue", number) for number in found)


def _named(body: Raw) -> Iterator[str | None]:
    """Every place in which a body names an issue by its id."""
    issue = body.get("issue")
    if isinstance(issue, dict):
        yield _number(issue.get("id"))
    yield _number(body.get("issueId"))
    link = body.get("issueLink")
    if isinstance(link, dict):
        for end in LINK_ENDS:
            yield _number(link.get(end))
    for name in PARTS:
        part = body.get(name)
        if isinstance(part, dict):
            yield _number(part.get("issueId"))
            address = ADDRESS.search(str(part.get("self")))
            yield address[1] if address else None


def _number(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    known = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= ID_MAX_DIGITS
    return value if known else None
