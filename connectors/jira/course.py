"""The course of a record: what its changelog says about states, reopenings, and the time in which nobody was to work.

A status that the contract does not know makes the course unknown, and with it everything that follows from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.jira.reading import Reading
from connectors.jira.times import moment
from engine.calendar import Calendar, business_seconds
from engine.refusal import Refused
from engine.words import IssueCode, RecordState

Raw = Mapping[str, Any]
DONE = frozenset({RecordState.RESOLVED, RecordState.CLOSED, RecordState.CANCELLED})
ENDED = frozenset({RecordState.CLOSED, RecordState.CANCELLED})


def objects(raw: Any) -> list[Any]:
    """The objects of a list; whatever else stands there is no changelog entry, no item, no approval."""
    return [part for part in raw if isinstance(part, dict)] if isinstance(raw, list) else []


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment at which one field changed; `old` and `new` are ids."""

    at: datetime
    old: str | None
    new: str | None


def turns(record: Raw, field_id: str, reading: Reading) -> list[Turn] | None:
    """Every change of one field, oldest first; None when the changelog could not be had whole.

    Ids rise with time inside one issue and break ties.
    """
    if not isinstance(record.get("changelog"), list):
        what = "The changelog of the issue is not known whole."
        reading.note(IssueCode.REQUIRED_FIELD_MISSING, "changelog", None, what)
        return None
    found = []
    for entry in objects(record["changelog"]):
        at, number = moment(entry.get("created")), entry.get("id")
        if at is None:
            reading.note(IssueCode.MALFORMED, "changelog", entry.get("created"), "A changelog entry has no time.")
            continue
        order = int(number) if isinstance(number, str) and number.isascii() and number.isdigit() else 0
        for item in objects(entry.get("items")):
            if item.get("fieldId") == field_id:
                found.append((at, order, Turn(at, item.get("from"), item.get("to"))))
    return [turn for _, _, turn in sorted(found, key=lambda entry: entry[:2])]


Course = Sequence[tuple[datetime, RecordState, RecordState]]


def course_of(record: Raw, states: Mapping[str, RecordState], reading: Reading) -> Course | None:
    """The states that the record went through; None when one of them is not known."""
    course, moves = [], turns(record, "status", reading)
    if moves is None:
        return None
    for turn in moves:
        old = reading.mapped("past status", turn.old, turn.old, states)
        new = reading.mapped("past status", turn.new, turn.new, states)
        if old is None or new is None:
            return None
        course.append((turn.at, old, new))
    return course


def ended_at(course: Course | None, state: RecordState | None) -> datetime | None:
    if course is None or state not in ENDED:
        return None
    return next((at for at, old, new in reversed(course) if new in ENDED and old not in ENDED), None)


def reopenings(course: Course | None) -> int | None:
    return None if course is None else sum(old in DONE and new not in DONE for _, old, new in course)


def pauses(course: Course, until: datetime) -> list[tuple[datetime, datetime]]:
    """Stretches before `until` in which nobody was expected to work: on hold, or resolved and not yet reopened."""
    found: list[tuple[datetime, datetime]] = []
    began: datetime | None = None
    for at, _, new in course:
        if at >= until:
            break
        if began is not None:
            found.append((began, at))
        began = at if new is RecordState.ON_HOLD or new in DONE else None
    return found if began is None else [*found, (began, until)]


def paused_seconds(calendar: Calendar, course: Course | None, until: datetime, reading: Reading) -> int | None:
    """Business seconds before `until` in which nobody was expected to work (F-01); unknown without a course."""
    if course is None:
        return None
    try:
        return sum(business_seconds(calendar, start, end) for start, end in pauses(course, until))
    except Refused as refused:
        reading.note(IssueCode.TIME_ORDER, "changelog", until, refused.what, refused.fix)
        return None
