"""Records that numbers follow from: incidents, changes with their approvals, problems, answers about satisfaction.

Shown to auditors and to the tools' administrators. Descriptions, notes and comments are not mirrored and not shown;
names of people are null where the viewer does not see those people.
"""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from api.graphql.binding import Node, about, bounded, shown, to_one
from api.graphql.scalars import BigInt
from api.graphql.types.organisation import GONE, SOURCE, SOURCE_KEY, Person, Service, Team
from engine.words import ApprovalState, ChangeOutcome, ChangeType, RecordState, RootCause, Source
from schema.tables import boards, mirror, moves

RecordType = Annotated["MirrorRecord", strawberry.lazy("api.graphql.types.records")]  # type: ignore[name-defined]  # noqa: F821
ClockType = Annotated["TaskSla", strawberry.lazy("api.graphql.types.suppliers")]  # type: ignore[name-defined]  # noqa: F821
VendorType = Annotated["Vendor", strawberry.lazy("api.graphql.types.suppliers")]  # type: ignore[name-defined]  # noqa: F821

NUMBER = "The number in the tool."
STATE = "How far it is; null when the tool's word has no meaning here yet."
SOURCE_STATE = "The tool's own word for it."
OPENED = "When it was opened."
CLOSED = "When it was closed."
ASSIGNEE = "Who works on it; null where the viewer may not see him."
RECORD = "The record with its versions and what could not be used of it."


def of_task(c: Any, keys: Any) -> Any:
    return c.task_id == keys[0]


def clocks() -> Any:
    return bounded("TaskSla", ("id",), of_task, ("id",), 20, "The clocks that run or ran on it.")


def moved() -> Any:
    return bounded(
        "StateChange", ("id",), of_task, ("changed_at", "id"), 100, "What happened to it, the earliest first."
    )


@shown(moves.StateChange, "One field of one record went from one value to another. For auditors and administrators.")
class StateChange(Node):
    field: str = about("The field, as the tool calls it.")
    old_value: str | None = about("The value before, in the tool's words.")
    new_value: str | None = about("The value after, in the tool's words.")
    changed_at: datetime | None = about("When.")


@shown(mirror.CsatResponse, "One answer about satisfaction with a task. For auditors and administrators.")
class CsatResponse(Node):
    rating: int | None = about("From 1 to 5; 5 is best.")
    answered_at: datetime | None = about("When it was given.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    incident: "Incident | None" = to_one("Incident", "task_id", "The incident it is about; null for other tasks.")


@shown(
    mirror.Problem,
    "A cause behind incidents; only a closed one with a cause is evidence. For auditors and administrators.",
)
class Problem(Node):
    number: str = about(NUMBER)
    state: RecordState | None = about(STATE)
    source_state: str | None = about(SOURCE_STATE)
    root_cause: RootCause | None = about("The cause; null until it was found and coded.")
    closed_at: datetime | None = about(CLOSED)
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    vendor: VendorType | None = to_one("Vendor", "vendor_id", "The supplier that it is put down to.")
    assignee: Person | None = to_one("Person", "assignee_id", ASSIGNEE)
    closed_by: Person | None = to_one("Person", "closed_by_id", "Who closed it; null where the viewer may not see him.")
    record: RecordType | None = to_one("MirrorRecord", "id", RECORD)


@shown(mirror.ChangeApproval, "One approver's answer to a change. For auditors and administrators.")
class ChangeApproval(Node):
    state: ApprovalState | None = about("The answer; only APPROVED and REJECTED are decisions.")
    source_state: str | None = about(SOURCE_STATE)
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    approver: Person | None = to_one("Person", "approver_id", "Who was asked; null where the viewer may not see him.")
    change: "Change | None" = to_one("Change", "change_id", "The change that was asked about.")
    record: RecordType | None = to_one("MirrorRecord", "id", RECORD)


@shown(boards.GroupApproval, "A group's answer to a change: the tool's own sum. For auditors and administrators.")
class GroupApproval(Node):
    state: ApprovalState | None = about("The answer; decisions are those of the members.")
    source_state: str | None = about(SOURCE_STATE)
    opened_at: datetime | None = about("When it was asked.")
    decided_at: datetime | None = about("When the tool stamped it.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    team: Team | None = to_one("Team", "team_id", "The group.")
    change: "Change | None" = to_one("Change", "change_id", "The change that was asked about.")


@shown(mirror.Change, "A change request. For auditors and administrators.")
class Change(Node):
    number: str = about(NUMBER)
    change_type: ChangeType | None = about("How it is approved.")
    state: RecordState | None = about(STATE)
    source_state: str | None = about(SOURCE_STATE)
    outcome: ChangeOutcome | None = about("How it went; null until it is closed.")
    cab_required: bool | None = about("Whether a board must look at it; null when the tool does not say.")
    unauthorized: bool | None = about("Whether it was made without being asked for.")
    opened_at: datetime | None = about(OPENED)
    approval_decided_at: datetime | None = about("When the tool stamped approved or rejected on the change itself.")
    work_started_at: datetime | None = about("When the work began.")
    closed_at: datetime | None = about(CLOSED)
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    service: Service | None = to_one("Service", "service_id", "The service that it changes.")
    team: Team | None = to_one("Team", "team_id", "The team that works on it.")
    assignee: Person | None = to_one("Person", "assignee_id", ASSIGNEE)
    record: RecordType | None = to_one("MirrorRecord", "id", RECORD)
    approvals: list[ChangeApproval] = bounded(
        "ChangeApproval", ("id",), lambda c, keys: c.change_id == keys[0], ("id",), 50, "The answers of its approvers."
    )
    group_approvals: list[GroupApproval] = bounded(
        "GroupApproval", ("id",), lambda c, keys: c.change_id == keys[0], ("id",), 20, "The answers of whole groups."
    )
    agenda_items: list[Annotated["CabAgendaItem", strawberry.lazy("api.graphql.types.boards")]] = bounded(  # type: ignore[name-defined]  # noqa: F821
        "CabAgendaItem", ("id",), lambda c, keys: c.change_id == keys[0], ("id",), 20, "The meetings that looked at it."
    )
    slas: list[ClockType] = clocks()
    state_changes: list[StateChange] = moved()


@shown(mirror.Incident, "A ticket about something that does not work. For auditors and administrators.")
class Incident(Node):
    number: str = about(NUMBER)
    state: RecordState | None = about(STATE)
    source_state: str | None = about(SOURCE_STATE)
    priority: int | None = about("1 is the highest.")
    opened_at: datetime | None = about(OPENED)
    resolved_at: datetime | None = about("When it was resolved.")
    closed_at: datetime | None = about(CLOSED)
    reopen_count: int | None = about("How often it came back.")
    reassignment_count: int | None = about("How often it went to another team.")
    made_sla: bool | None = about("Whether the tool says that it kept its agreements.")
    resolve_seconds: BigInt | None = about("Seconds from opened to resolved by the clock on the wall.")
    resolve_business_seconds: BigInt | None = about("The same in business hours without pauses.")
    calendar_hash: str | None = about("sha256 of the calendar that business hours were counted in, hex.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    service: Service | None = to_one("Service", "service_id", "The service that does not work.")
    team: Team | None = to_one("Team", "team_id", "The team that works on it.")
    assignee: Person | None = to_one("Person", "assignee_id", ASSIGNEE)
    problem: Problem | None = to_one("Problem", "problem_id", "The cause, where a problem names it.")
    caused_by: Change | None = to_one("Change", "caused_by_id", "The change that caused it.")
    record: RecordType | None = to_one("MirrorRecord", "id", RECORD)
    slas: list[ClockType] = clocks()
    csat_responses: list[CsatResponse] = bounded(
        "CsatResponse", ("id",), of_task, ("id",), 20, "What people said about it afterwards."
    )
    state_changes: list[StateChange] = moved()
