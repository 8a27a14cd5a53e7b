"""What an issue says about an incident, a change, a satisfaction answer: columns of the mirror, in our words.

Times are UTC, `resolve_seconds` is plain elapsed time in whole seconds. Nothing is guessed: what the contract does not
know is noted, and every number that would need it stays unknown.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.jira.contract import Contract
from connectors.jira.course import course_of, ended_at, objects, reopenings, turns
from connectors.jira.reading import Reading
from connectors.jira.times import moment
from engine.words import IssueCode, MirrorKind, RecordState, Source
from schema.identity import mirror_id

Raw = Mapping[str, Any]
RATINGS = range(1, 6)


def field_ids_of(record: Raw) -> dict[str, str]:
    """Our field -> the site's field id, as it was when the record was read."""
    ids = record.get("field_ids")
    return {ours: theirs for ours, theirs in ids.items() if isinstance(theirs, str)} if isinstance(ids, dict) else {}


def _held(fields: Raw, ids: Mapping[str, str], name: str) -> Any:
    """The value of one of our fields; None where the site does not have it."""
    return fields.get(ids[name]) if name in ids else None


def incident_values(record: Raw, contract: Contract, reading: Reading) -> dict[str, Any]:
    fields, ids = record["fields"], field_ids_of(record)
    states = contract.states[MirrorKind.INCIDENT]
    state = reading.required("status", reading.numbered("status", fields.get("status"), states))
    opened_at = reading.required("created", reading.time("created", fields.get("created")))
    resolved_at = reading.time("resolutiondate", fields.get("resolutiondate"))
    if state is RecordState.CANCELLED:
        resolved_at = None  # Jira dates a cancellation like a resolution
    if opened_at and resolved_at and resolved_at < opened_at:
        reading.note(IssueCode.TIME_ORDER, "resolutiondate", resolved_at, "It was resolved before it was opened.")
        resolved_at = None
    course = course_of(record, states, reading)
    values = _common(record, contract, reading, state)
    values |= {
        "priority": reading.numbered("priority", fields.get("priority"), contract.priorities),
        "opened_at": opened_at,
        "resolved_at": resolved_at,
        "closed_at": ended_at(course, state),
        "reopen_count": reopenings(course),
        "reassignment_count": _handovers(record, ids, reading),
        "made_sla": None,  # the clocks say it, row by row
        "problem_id": None,
        "caused_by_id": None,
        "resolve_seconds": None,
    }
    if opened_at and resolved_at:
        values["resolve_seconds"] = int((resolved_at - opened_at).total_seconds())
    return values


def _handovers(record: Raw, ids: Mapping[str, str], reading: Reading) -> int | None:
    """From one team to another; unknown where the site has no field for the team."""
    moves = turns(record, ids["team"], reading) if "team" in ids else None
    return None if moves is None else sum(move.old is not None for move in moves)


def change_values(record: Raw, contract: Contract, reading: Reading) -> dict[str, Any]:
    fields, ids = record["fields"], field_ids_of(record)
    states = contract.states[MirrorKind.CHANGE]
    state = reading.required("status", reading.numbered("status", fields.get("status"), states))
    kind = reading.option("change_type", _held(fields, ids, "change_type"), contract.change_types)
    reading.required("change_type", kind)
    outcome = reading.option("outcome", _held(fields, ids, "outcome"), contract.outcomes)
    if state is RecordState.CLOSED:
        reading.required("outcome", outcome)
    return _common(record, contract, reading, state) | {
        "change_type": kind,
        "outcome": outcome,
        "cab_required": kind in contract.cab_required if kind is not None else None,
        "unauthorized": None,  # Jira has no such flag
        "opened_at": reading.required("created", reading.time("created", fields.get("created"))),
        "approval_decided_at": _decided_at(record, reading),
        "work_started_at": reading.time("work_started_at", _held(fields, ids, "work_started_at")),
        "closed_at": ended_at(course_of(record, states, reading), state),
    }


def satisfaction_values(record: Raw, reading: Reading) -> dict[str, Any] | None:
    """The customer's answer, if there ever was one: an answer that was taken back is a version without a rating."""
    ids = field_ids_of(record)
    if "satisfaction" not in ids:
        return None
    rating, given = _held(record["fields"], ids, "satisfaction"), turns(record, ids["satisfaction"], reading)
    if rating is None and not given:
        return None
    answered_at = given[-1].at if given else None
    if rating is not None:
        number = isinstance(rating, int | float) and not isinstance(rating, bool)
        if number and rating in RATINGS:
            rating = int(rating)
            reading.required("answered_at", answered_at)
        else:
            reading.note(IssueCode.MALFORMED, "satisfaction", rating, "The rating is not a whole number from 1 to 5.")
            rating = None
    return {"task_id": mirror_id(Source.JIRA, "issue", record["id"]), "rating": rating, "answered_at": answered_at}


def _common(record: Raw, contract: Contract, reading: Reading, state: RecordState | None) -> dict[str, Any]:
    fields, ids = record["fields"], field_ids_of(record)
    service = reading.option("service", _held(fields, ids, "service"), contract.services)
    team = reading.option("team", _held(fields, ids, "team"), contract.teams)
    person = reading.person("assignee", fields.get("assignee"), contract.people)
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


def _decided_at(record: Raw, reading: Reading) -> datetime | None:
    """When the last approval was settled; None while one is open, when there is none, or when they cannot be seen."""
    approvals = record.get("approvals")
    if not isinstance(approvals, list):
        reading.note(
            IssueCode.REQUIRED_FIELD_MISSING, "approvals", None, "The approvals of the change are not visible."
        )
        return None
    settled = []
    for approval in objects(approvals):
        completed = approval.get("completedDate")
        settled.append(moment(completed.get("epochMillis")) if isinstance(completed, dict) else None)
    return max((at for at in settled if at is not None), default=None) if all(settled) else None
