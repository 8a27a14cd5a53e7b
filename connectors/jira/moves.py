"""Moves of state and of hands: one version for each item of the changelog about the status, the assignee, the team.

A changelog entry never changes, so its id, its field and the place among items of that field are the key, and the
content leaves out what an edition or a resource writes differently. An entry without a time is left out: the issue
notes it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.jira.content import canonical
from connectors.jira.course import objects
from connectors.jira.issues import field_ids_of
from connectors.jira.reading import shown
from connectors.jira.times import milliseconds, moment
from connectors.source import Version
from engine.words import MirrorKind, Source
from schema.identity import mirror_id

ENTITY = "issue_changelog"
MOST_ID_CHARACTERS = 40
Raw = Mapping[str, Any]


def moves(issue: Raw, issue_id: str) -> Iterator[Version]:
    """All moves that an issue's changelog tells of."""
    ids = field_ids_of(issue)
    ours = {"status": "status", "assignee": "assignee"} | ({ids["team"]: "team"} if "team" in ids else {})
    for entry in objects(issue.get("changelog")):
        places: Counter[str] = Counter()
        for item in objects(entry.get("items")):
            field = ours.get(str(item.get("fieldId")))
            if field is None:
                continue
            about = {"issueId": issue_id, "id": entry.get("id"), "created": entry.get("created")}
            about |= {"author": entry.get("author"), "field": field, "place": places[field]}
            places[field] += 1
            version = move(about | {"from": item.get("from"), "to": item.get("to")})
            if version is not None:
                yield version


def move(record: Raw) -> Version | None:
    """One move, from the changelog or from what was kept of it; None when it cannot be placed in time."""
    issue_id, at = _text(record.get("issueId")), moment(record.get("created"))
    number, field, place = _text(record.get("id")), _text(record.get("field")), record.get("place")
    if at is None or not all(part and part.isascii() and part.isalnum() for part in (issue_id, number, field)):
        return None
    old, new, author = (_text(record.get(name)) for name in ("from", "to", "author"))
    content = {"issueId": issue_id, "id": number, "created": milliseconds(at), "author": author}
    content |= {"field": field, "place": place, "from": old, "to": new}
    values = {
        "task_id": mirror_id(Source.JIRA, "issue", issue_id),
        "field": field,
        "old_value": old,
        "new_value": new,
        "changed_at": at,
        "changed_by": author,
    }
    key = f"{issue_id}:{str(number)[:MOST_ID_CHARACTERS]}:{field}" + (f":{place}" if place else "")
    return Version(Source.JIRA, ENTITY, key, MirrorKind.STATE_CHANGE, milliseconds(at), at, canonical(content), values)


def _text(value: Any) -> str | None:
    return shown(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
