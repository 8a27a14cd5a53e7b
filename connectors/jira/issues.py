"""What an issue says about an incident, a change, a satisfaction answer: columns of the mirror, in our words.

Decides how the changelog becomes times and counts. `resolve_business_seconds` is business time from opening to the last
resolution without the stretches on hold and without those between a resolution and a reopening (F-01, F-03);
`resolve_seconds` is plain elapsed time. Nothing is guessed: a status that the contract does not know makes every number
that would need it unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.jira.contract import Contract
from connectors.jira.reading import Reading
from connectors.jira.times import moment
from engine.calendar import business_seconds
from engine.words import IssueCode, MirrorKind, RecordState, Source
from schema.identity import mirror_id

Raw = Mapping[str, Any]
DONE = frozenset({RecordState.RESOLVED, RecordState.CLOSED, RecordState.CANCELLED})
ENDED = frozenset({RecordState.CLOSED, RecordState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Turn:
    """A moment at which one field changed; `old` and `new` are ids."""

    at: datetime
    old: str | None
    new: str | None


def turns(record: Raw, field_id: str, reading: Reading) -> list[Turn]:
    """Every change of one field, oldest first. Ids rise with time inside one issue and break ties."""
    found = []
    for entry in _objects(record.get("changelog")):
        at, number = moment(entry.get("created")), entry.get("id")
        if at is None:
            reading.note(IssueCode.MALFORMED, "changelog", entry.get("created"), "A changelog entry has no time.")
            continue
        order = int(number) if isinstance(number, str) and number.isascii() and number.isdigit() else 0
        for item in _objects(entry.get("items")):
            if item.get("fieldId") == field_id:
                found.append((at, order, Turn(at, item.get("from"), item.get("to"))))
    return [turn for _, _, turn in sorted(found, key=lambda entry: entry[:2])]


def _objects(raw: Any) -> list[Any]:
    """The objects of a list; whatever else stands there is no changelog entry, no item, no approval."""
    return [part for part in raw if isinstance(part, dict)] if isinstance(raw, list) else []


def _field_ids(record: Raw) -> dict[str, str]:
    """Our field -> the site's field id, as it was when the record was read."""
    ids = record.get("field_ids")
    return {ours: theirs for ours, theirs in ids.items() if isinstance(theirs, str)} if isinstance(ids, dict) else {}


def incident_values(record: Raw, contract: Contract, reading: Reading) -> dict[str, Any]:
    fields, ids = record["fields"], _field_ids(record)
    states = contract.states[MirrorKind.INCIDENT]
    state = reading.required("status", reading.numbered("status", fields.get("status"), states))
    opened_at = reading.required("created", reading.time("created", fields.get("created")))
    resolved_at = reading.time("resolutiondate", fields.get("resolutiondate"))
    if state is RecordState.CANCELLED:
        resolved_at = None  # Jira dates a cancellation like a resolution
    if opened_at and resolved_at and resolved_at < opened_at:
        reading.note(IssueCode.TIME_ORDER, "resolutiondate", resolved_at, "It was resolved before it was opened.")
        resolved_at = None
    course = _course(record, states, reading)
    values = _common(record, contract, reading, state)
    values |= {
        "priority": reading.numbered("priority", fields.get("priority"), contract.priorities),
        "opened_at": opened_at,
        "resolved_at": resolved_at,
        "closed_at": _ended_at(course, state),
        "reopen_count": _reopenings(course),
        "reassignment_count": sum(turn.old is not None for turn in turns(record, ids.get("team", ""), reading)),
        "made_sla": None,  # the clocks say it, row by row
        "problem_id": None,
        "caused_by_id": None,
        "resolve_seconds": None,
        "resolve_business_seconds": None,
    }
    if opened_at and resolved_at:
        values["resolve_seconds"] = int((resolved_at - opened_at).total_seconds())
        pauses = _pauses(course, resolved_at)
        if pauses is not None:
            values["resolve_business_seconds"] = business_seconds(contract.calendar, opened_at, resolved_at, pauses)
    return values


def change_values(record: Raw, contract: Contract, reading: Reading) -> dict[str, Any]:
    fields, ids = record["fields"], _field_ids(record)
    states = contract.states[MirrorKind.CHANGE]
    state = reading.required("status", reading.numbered("status", fields.get("status"), states))
    kind = reading.option("change_type", fields.get(ids.get("change_type")), contract.change_types)
    reading.required("change_type", kind)
    outcome = reading.option("outcome", fields.get(ids.get("outcome")), contract.outcomes)
    if state is RecordState.CLOSED:
        reading.required("outcome", outcome)
    return _common(record, contract, reading, state) | {
        "change_type": kind,
        "outcome": outcome,
        "cab_required": kind in contract.cab_required if kind is not None else None,
        "unauthorized": None,  # Jira has no such flag
        "opened_at": reading.required("created", reading.time("created", fields.get("created"))),
        "approval_decided_at": _decided_at(record, reading),
        "work_started_at": reading.time("work_started_at", fields.get(ids.get("work_started_at"))),
        "closed_at": _ended_at(_course(record, states, reading), state),
    }


def satisfaction_values(record: Raw, reading: Reading) -> dict[str, Any] | None:
    """The customer's answer, if there ever was one: an answer that was taken back is a version without a rating."""
    field_id = _field_ids(record).get("satisfaction", "")
    rating, given = record["fields"].get(field_id), turns(record, field_id, reading)
    if rating is None and not given:
        return None
    answered_at = given[-1].at if given else None
    if rating is not None:
        whole = int(rating) if isinstance(rating, int | float) and not isinstance(rating, bool) else 0
        if whole != rating or not 1 <= whole <= 5:
            reading.note(IssueCode.MALFORMED, "satisfaction", rating, "The rating is not a whole number from 1 to 5.")
            rating = None
        else:
            rating = whole
            reading.required("answered_at", answered_at)
    return {"task_id": mirror_id(Source.JIRA, "issue", record["id"]), "rating": rating, "answered_at": answered_at}


def _common(record: Raw, contract: Contract, reading: Reading, state: RecordState | None) -> dict[str, Any]:
    fields, ids = record["fields"], _field_ids(record)
    service = reading.option("service", fields.get(ids.get("service")), contract.services)
    team = reading.option("team", fields.get(ids.get("team")), contract.teams)
    assignee = fields.get("assignee") or {}
    account = assignee.get("accountId") if isinstance(assignee, dict) else None
    person = reading.mapped("assignee", account, account, contract.people)
    status = fields.get("status")
    status_name = status.get("name") if isinstance(status, dict) else None
    return {
        "number": reading.required("key", reading.text("key", record.get("key"))) or record["id"],
        "state": state,
        "source_state": reading.text("status name", status_name),
        "service_id": mirror_id(Source.SERVICENOW, "cmdb_ci_service", service),
        "team_id": mirror_id(Source.SERVICENOW, "sys_user_group", team),
        "assignee_id": mirror_id(Source.SERVICENOW, "sys_user", person),
    }


Course = Sequence[tuple[datetime, RecordState, RecordState]]


def _course(record: Raw, states: Mapping[str, RecordState], reading: Reading) -> Course | None:
    """The states that the record went through; None when one of them is not known."""
    course = []
    for turn in turns(record, "status", reading):
        old = reading.mapped("past status", turn.old, turn.old, states)
        new = reading.mapped("past status", turn.new, turn.new, states)
        if old is None or new is None:
            return None
        course.append((turn.at, old, new))
    return course


def _ended_at(course: Course | None, state: RecordState | None) -> datetime | None:
    if course is None or state not in ENDED:
        return None
    return next((at for at, old, new in reversed(course) if new in ENDED and old not in ENDED), None)


def _reopenings(course: Course | None) -> int | None:
    return None if course is None else sum(old in DONE and new not in DONE for _, old, new in course)


def _pauses(course: Course | None, until: datetime) -> list[tuple[datetime, datetime]] | None:
    """Stretches before `until` in which nobody was expected to work: on hold, or resolved and not yet reopened."""
    if course is None:
        return None
    pauses, began = [], None
    for at, _, new in course:
        if at >= until:
            break
        if began is not None:
            pauses.append((began, at))
        began = at if new is RecordState.ON_HOLD or new in DONE else None
    if began is not None:
        pauses.append((began, until))
    return pauses


def _decided_at(record: Raw, reading: Reading) -> datetime | None:
    """When the last approval was settled; None while one is open, when there is none, or when they cannot be seen."""
    approvals = record.get("approvals")
    if not isinstance(approvals, list):
        reading.note(
            IssueCode.REQUIRED_FIELD_MISSING, "approvals", None, "The approvals of the change are not visible."
        )
        return None
    settled = []
    for approval in _objects(approvals):
        completed = approval.get("completedDate")
        settled.append(moment(completed.get("epochMillis")) if isinstance(completed, dict) else None)
    return max((at for at in settled if at is not None), default=None) if all(settled) else None
