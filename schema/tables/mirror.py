"""The mirror: what happened in the tools, in the words of the field, with the tool's own word beside ours.

Key of every row: (tenant_id, id) with id = schema.identity.mirror_id(source, entity, source_key). References are such
ids too, so they can be written before their target arrives; there are no foreign keys on purpose. Times are UTC.
NULL means not known; it is never replaced by a guess.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index

from engine.words import (
    ApprovalState,
    ChangeOutcome,
    ChangeType,
    MirrorKind,
    RecordState,
    RootCause,
    SlaStage,
    SlaTarget,
    SlaType,
)
from schema.tables.boards import CabAgendaItem, CabAttendee, CabBoard, CabMeeting, GroupApproval
from schema.tables.columns import big, maybe_instant, small, words
from schema.tables.moves import JournalEntry, StateChange
from schema.tables.revisions import SCHEMA, DataIssue, Mirrored, Record, Revision
from schema.tables.staff import Account, AccountGroup, Budget, Employment, PayrollResult
from schema.tables.suppliers import Contract, ServiceOffering, VendorSlaResult
from schema.tables.surveys import Survey, SurveyAnswer, SurveyCategory, SurveyInstance, SurveyOption, SurveyQuestion

__all__ = ["DataIssue", "Mirrored", "Record", "Revision"]  # what its readers find beside the kinds


class Incident(Mirrored, table=True):
    """A ticket. `resolve_*_seconds` are facts (F-01); the business one counts in the calendar that the hash names."""

    __tablename__ = "incident"
    __table_args__ = (
        words("state", RecordState),
        Index("incident_service_resolved", "tenant_id", "service_id", "resolved_at"),
        Index("incident_team_opened", "tenant_id", "team_id", "opened_at"),
        Index("incident_problem", "tenant_id", "problem_id"),
        Index("incident_caused_by", "tenant_id", "caused_by_id"),
        Index("incident_number", "tenant_id", "number", "id"),
        SCHEMA,
    )
    number: str
    state: str | None = None
    source_state: str | None = None
    priority: int | None = small(None)
    service_id: UUID | None = None
    team_id: UUID | None = None
    assignee_id: UUID | None = None
    opened_at: datetime | None = maybe_instant()
    resolved_at: datetime | None = maybe_instant()
    closed_at: datetime | None = maybe_instant()
    reopen_count: int | None = None
    reassignment_count: int | None = None
    made_sla: bool | None = None
    problem_id: UUID | None = None
    caused_by_id: UUID | None = None
    resolve_seconds: int | None = big(None)
    resolve_business_seconds: int | None = big(None)
    calendar_hash: str | None = None


class Change(Mirrored, table=True):
    """A change request. `approval_decided_at` is when the tool stamped approved or rejected on the change itself."""

    __tablename__ = "change"
    __table_args__ = (
        words("change_type", ChangeType),
        words("state", RecordState),
        words("outcome", ChangeOutcome),
        Index("change_service_closed", "tenant_id", "service_id", "closed_at"),
        Index("change_number", "tenant_id", "number", "id"),
        SCHEMA,
    )
    number: str
    change_type: str | None = None
    state: str | None = None
    source_state: str | None = None
    outcome: str | None = None
    service_id: UUID | None = None
    team_id: UUID | None = None
    assignee_id: UUID | None = None
    cab_required: bool | None = None
    unauthorized: bool | None = None
    opened_at: datetime | None = maybe_instant()
    approval_decided_at: datetime | None = maybe_instant()
    work_started_at: datetime | None = maybe_instant()
    closed_at: datetime | None = maybe_instant()


class ChangeApproval(Mirrored, table=True):
    """One approver's row. Only APPROVED and REJECTED are decisions; `acted_by` differs when somebody else clicked."""

    __tablename__ = "change_approval"
    __table_args__ = (
        words("state", ApprovalState),
        Index("change_approval_change", "tenant_id", "change_id"),
        SCHEMA,
    )
    change_id: UUID | None = None
    approver_id: UUID | None = None
    state: str | None = None
    source_state: str | None = None
    acted_by: str | None = None


class Problem(Mirrored, table=True):
    """A root-cause record. Only a CLOSED one with a cause is evidence."""

    __tablename__ = "problem"
    __table_args__ = (
        words("state", RecordState),
        words("root_cause", RootCause),
        Index("problem_number", "tenant_id", "number", "id"),
        SCHEMA,
    )
    number: str
    state: str | None = None
    source_state: str | None = None
    root_cause: str | None = None
    vendor_id: UUID | None = None
    assignee_id: UUID | None = None
    closed_by_id: UUID | None = None
    closed_at: datetime | None = maybe_instant()


class SlaDefinition(Mirrored, table=True):
    """An agreement: with the customer (SLA), between groups (OLA), with a supplier (UNDERPINNING_CONTRACT)."""

    __tablename__ = "sla_definition"
    __table_args__ = (
        words("sla_type", SlaType),
        words("target", SlaTarget),
        Index("sla_definition_name", "tenant_id", "name", "id"),
        SCHEMA,
    )
    name: str
    sla_type: str | None = None
    target: str | None = None
    vendor_id: UUID | None = None
    duration_seconds: int | None = big(None)


class TaskSla(Mirrored, table=True):
    """One clock on one task. What its definition says comes first; `sla_type`, `target` and `vendor_id` are for where
    there is none to read: Jira has no such record, and in ServiceNow it may be hidden from us.
    """

    __tablename__ = "task_sla"
    __table_args__ = (
        words("stage", SlaStage),
        words("sla_type", SlaType),
        words("target", SlaTarget),
        Index("task_sla_task", "tenant_id", "task_id"),
        Index("task_sla_breached", "tenant_id", "has_breached", "id"),
        SCHEMA,
    )
    task_id: UUID | None = None
    definition_id: UUID | None = None
    sla_type: str | None = None
    target: str | None = None
    vendor_id: UUID | None = None
    stage: str | None = None
    has_breached: bool | None = None
    started_at: datetime | None = maybe_instant()
    ended_at: datetime | None = maybe_instant()
    planned_end_at: datetime | None = maybe_instant()
    business_seconds: int | None = big(None)
    business_pause_seconds: int | None = big(None)


class CsatResponse(Mirrored, table=True):
    """One satisfaction answer on a task, 1 to 5."""

    __tablename__ = "csat_response"
    __table_args__ = (
        CheckConstraint("rating between 1 and 5", name="rating_range"),
        Index("csat_response_task", "tenant_id", "task_id"),
        SCHEMA,
    )
    task_id: UUID | None = None
    rating: int | None = small(None)
    answered_at: datetime | None = maybe_instant()


class Person(Mirrored, table=True):
    """Somebody with an account. Only humans earn. `employee_number` is granted to payroll alone (schema/security)."""

    __tablename__ = "person"
    __table_args__ = (
        Index("person_manager", "tenant_id", "manager_id"),
        Index("person_name", "tenant_id", "name", "id"),
        SCHEMA,
    )
    name: str
    email: str | None = None
    employee_number: str | None = None
    manager_id: UUID | None = None
    human: bool | None = None
    active: bool | None = None


class Team(Mirrored, table=True):
    __tablename__ = "team"
    __table_args__ = (
        Index("team_name", "tenant_id", "name", "id"),
        SCHEMA,
    )
    name: str
    manager_id: UUID | None = None
    active: bool | None = None


class TeamMembership(Mirrored, table=True):
    """A person in a team. The tools keep no dates: a membership that disappears gets `gone_at`."""

    __tablename__ = "team_membership"
    __table_args__ = (
        Index("team_membership_team", "tenant_id", "team_id"),
        Index("team_membership_person", "tenant_id", "person_id"),
        SCHEMA,
    )
    team_id: UUID | None = None
    person_id: UUID | None = None


class Service(Mirrored, table=True):
    """A business service: the outcome that pay follows. `criticality` is the tool's word; a plan gives it a weight."""

    __tablename__ = "service"
    __table_args__ = (
        Index("service_name", "tenant_id", "name", "id"),
        SCHEMA,
    )
    name: str
    criticality: str | None = None
    owner_id: UUID | None = None
    support_team_id: UUID | None = None
    change_team_id: UUID | None = None
    approval_team_id: UUID | None = None


class Vendor(Mirrored, table=True):
    __tablename__ = "vendor"
    __table_args__ = (
        Index("vendor_name", "tenant_id", "name", "id"),
        SCHEMA,
    )
    name: str


TYPED: dict[MirrorKind, type[Mirrored]] = {
    MirrorKind.INCIDENT: Incident,
    MirrorKind.CHANGE: Change,
    MirrorKind.CHANGE_APPROVAL: ChangeApproval,
    MirrorKind.PROBLEM: Problem,
    MirrorKind.SLA_DEFINITION: SlaDefinition,
    MirrorKind.TASK_SLA: TaskSla,
    MirrorKind.CSAT_RESPONSE: CsatResponse,
    MirrorKind.PERSON: Person,
    MirrorKind.TEAM: Team,
    MirrorKind.TEAM_MEMBERSHIP: TeamMembership,
    MirrorKind.SERVICE: Service,
    MirrorKind.VENDOR: Vendor,
    MirrorKind.GROUP_APPROVAL: GroupApproval,
    MirrorKind.CAB_BOARD: CabBoard,
    MirrorKind.CAB_MEETING: CabMeeting,
    MirrorKind.CAB_AGENDA_ITEM: CabAgendaItem,
    MirrorKind.CAB_ATTENDEE: CabAttendee,
    MirrorKind.CONTRACT: Contract,
    MirrorKind.SERVICE_OFFERING: ServiceOffering,
    MirrorKind.SURVEY: Survey,
    MirrorKind.SURVEY_CATEGORY: SurveyCategory,
    MirrorKind.SURVEY_QUESTION: SurveyQuestion,
    MirrorKind.SURVEY_OPTION: SurveyOption,
    MirrorKind.SURVEY_INSTANCE: SurveyInstance,
    MirrorKind.SURVEY_ANSWER: SurveyAnswer,
    MirrorKind.STATE_CHANGE: StateChange,
    MirrorKind.JOURNAL_ENTRY: JournalEntry,
    MirrorKind.VENDOR_SLA_RESULT: VendorSlaResult,
    MirrorKind.ACCOUNT: Account,
    MirrorKind.ACCOUNT_GROUP: AccountGroup,
    MirrorKind.EMPLOYMENT: Employment,
    MirrorKind.BUDGET: Budget,
    MirrorKind.PAYROLL_RESULT: PayrollResult,
}
