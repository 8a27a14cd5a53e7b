"""What a caller may narrow lists of records, feeds, rights and bookings by; see arguments.py for the rules."""

import strawberry

from api.graphql.arguments import CYCLE, RUN, DateRange, DateTimeRange, IdFilter, by
from engine.tool_words import RegistrationState, SweepKind, SweepState, WriteBackState
from engine.words import (
    ApprovalState,
    ChangeOutcome,
    ChangeType,
    DocumentKind,
    DocumentState,
    Feed,
    Finality,
    MirrorKind,
    PayLineState,
    RecordState,
    Role,
    RoleRequestState,
    RootCause,
    SlaStage,
    SlaType,
    Source,
)

SOURCE = "From these tools."
SERVICE = "Of these services."
OPENED = "Opened in this time."
CLOSED = "Closed in this time."


@strawberry.input(description="Which runs.")
class RunFilter:
    id: IdFilter | None = by("id", "These runs.", "Run")
    cycle: IdFilter | None = by("cycle_id", CYCLE, "Cycle")
    plan_version: IdFilter | None = by("plan_version_id", "Of these versions of plans.", "PlanVersion")


@strawberry.input(description="Which versions of plans.")
class PlanVersionFilter:
    id: IdFilter | None = by("id", "These versions.", "PlanVersion")
    plan_key: list[str] | None = by("plan_key", "Of these plans.")


@strawberry.input(description="Which versions of documents.")
class DocumentVersionFilter:
    id: IdFilter | None = by("id", "These versions.", "DocumentVersion")
    kind: list[DocumentKind] | None = by("kind", "Of these kinds.")
    name: list[str] | None = by("name", "Of these names.")
    state: list[DocumentState] | None = by("state", "In these states.")


@strawberry.input(description="Which incidents.")
class IncidentFilter:
    id: IdFilter | None = by("id", "These incidents.", "Incident")
    number: list[str] | None = by("number", "With these numbers.")
    source: list[Source] | None = by("source", SOURCE)
    state: list[RecordState] | None = by("state", "In these states.")
    priority: list[int] | None = by("priority", "Of these priorities; 1 is the highest.")
    service: IdFilter | None = by("service_id", SERVICE, "Service")
    team: IdFilter | None = by("team_id", "Worked on by these teams.", "Team")
    problem: IdFilter | None = by("problem_id", "Caused by these problems.", "Problem")
    opened_at: DateTimeRange | None = by("opened_at", OPENED)
    resolved_at: DateTimeRange | None = by("resolved_at", "Resolved in this time.")


@strawberry.input(description="Which changes.")
class ChangeFilter:
    id: IdFilter | None = by("id", "These changes.", "Change")
    number: list[str] | None = by("number", "With these numbers.")
    source: list[Source] | None = by("source", SOURCE)
    state: list[RecordState] | None = by("state", "In these states.")
    change_type: list[ChangeType] | None = by("change_type", "Of these types.")
    outcome: list[ChangeOutcome] | None = by("outcome", "With these outcomes.")
    service: IdFilter | None = by("service_id", SERVICE, "Service")
    team: IdFilter | None = by("team_id", "Worked on by these teams.", "Team")
    closed_at: DateTimeRange | None = by("closed_at", CLOSED)


@strawberry.input(description="Which problems.")
class ProblemFilter:
    id: IdFilter | None = by("id", "These problems.", "Problem")
    number: list[str] | None = by("number", "With these numbers.")
    root_cause: list[RootCause] | None = by("root_cause", "With these causes.")
    vendor: IdFilter | None = by("vendor_id", "Of these suppliers.", "Vendor")
    closed_at: DateTimeRange | None = by("closed_at", CLOSED)


@strawberry.input(description="Which approvals of changes.")
class ChangeApprovalFilter:
    id: IdFilter | None = by("id", "These approvals.", "ChangeApproval")
    change: IdFilter | None = by("change_id", "Of these changes.", "Change")
    state: list[ApprovalState] | None = by("state", "In these states.")


@strawberry.input(description="Which approvals of groups.")
class GroupApprovalFilter:
    id: IdFilter | None = by("id", "These approvals.", "GroupApproval")
    change: IdFilter | None = by("change_id", "Of these changes.", "Change")
    team: IdFilter | None = by("team_id", "By these teams.", "Team")
    state: list[ApprovalState] | None = by("state", "In these states.")


@strawberry.input(description="Which meetings.")
class CabMeetingFilter:
    id: IdFilter | None = by("id", "These meetings.", "CabMeeting")
    starts_at: DateTimeRange | None = by("starts_at", "That begin in this time.")


@strawberry.input(description="Which clocks.")
class TaskSlaFilter:
    id: IdFilter | None = by("id", "These clocks.", "TaskSla")
    incident: IdFilter | None = by("task_id", "Of these incidents.", "Incident")
    change: IdFilter | None = by("task_id", "Of these changes.", "Change")
    definition: IdFilter | None = by("definition_id", "Of these agreements.", "SlaDefinition")
    stage: list[SlaStage] | None = by("stage", "In these stages.")
    has_breached: bool | None = by("has_breached", "Whether the agreed time was exceeded.")
    ended_at: DateTimeRange | None = by("ended_at", "Stopped in this time.")


@strawberry.input(description="Which agreements about time.")
class SlaDefinitionFilter:
    id: IdFilter | None = by("id", "These agreements.", "SlaDefinition")
    sla_type: list[SlaType] | None = by("sla_type", "Of these types.")
    vendor: IdFilter | None = by("vendor_id", "With these suppliers.", "Vendor")


@strawberry.input(description="Which suppliers.")
class VendorFilter:
    id: IdFilter | None = by("id", "These suppliers.", "Vendor")


@strawberry.input(description="Which contracts.")
class ContractFilter:
    id: IdFilter | None = by("id", "These contracts.", "Contract")
    vendor: IdFilter | None = by("vendor_id", "With these suppliers.", "Vendor")
    active: bool | None = by("active", "Whether they run.")


@strawberry.input(description="Which offerings.")
class ServiceOfferingFilter:
    id: IdFilter | None = by("id", "These offerings.", "ServiceOffering")
    service: IdFilter | None = by("service_id", SERVICE, "Service")
    contract: IdFilter | None = by("contract_id", "Under these contracts.", "Contract")


@strawberry.input(description="Which results of suppliers.")
class VendorSlaResultFilter:
    id: IdFilter | None = by("id", "These results.", "VendorSlaResult")
    vendor: IdFilter | None = by("vendor_id", "Of these suppliers.", "Vendor")
    service: IdFilter | None = by("service_id", SERVICE, "Service")
    status: list[Finality] | None = by("status", "Provisional or final.")
    period_starts_on: DateRange | None = by("period_starts_on", "Whose period begins in this time.")


@strawberry.input(description="Which satisfaction answers.")
class CsatResponseFilter:
    id: IdFilter | None = by("id", "These answers.", "CsatResponse")
    answered_at: DateTimeRange | None = by("answered_at", "Given in this time.")


@strawberry.input(description="Which mirrored records.")
class MirrorRecordFilter:
    id: IdFilter | None = by("id", "These records.", "MirrorRecord")
    kind: list[MirrorKind] | None = by("kind", "Of these kinds.")
    source: list[Source] | None = by("source", SOURCE)
    entity: list[str] | None = by("entity", "Of these tables or kinds of the tool.")
    source_key: list[str] | None = by("source_key", "With these keys in the tool.")


@strawberry.input(description="Which positions of feeds.")
class FeedPositionFilter:
    source: list[Source] | None = by("source", SOURCE)
    feed: list[Feed] | None = by("feed", "Of these feeds.")


@strawberry.input(description="Which sweeps.")
class SweepFilter:
    source: list[Source] | None = by("source", SOURCE)
    entity: list[str] | None = by("entity", "Of these tables or kinds of the tool.")
    kind: list[SweepKind] | None = by("kind", "Of keys or of contents.")
    state: list[SweepState] | None = by("state", "That ended like this.")


@strawberry.input(description="Which doubts about records.")
class SuspicionFilter:
    source: list[Source] | None = by("source", SOURCE)
    entity: list[str] | None = by("entity", "Of these tables or kinds of the tool.")


@strawberry.input(description="Which registered webhooks.")
class WebhookRegistrationFilter:
    state: list[RegistrationState] | None = by("state", "In these states.")


@strawberry.input(description="Which counts of requests.")
class ToolCallsFilter:
    source: list[Source] | None = by("source", SOURCE)
    purpose: list[str] | None = by("purpose", "For these purposes.")
    hour: DateTimeRange | None = by("hour", "Of hours that begin in this time.")


@strawberry.input(description="Which files.")
class FileDropFilter:
    id: IdFilter | None = by("id", "These files.", "FileDrop")
    source: list[Source] | None = by("source", SOURCE)


@strawberry.input(description="Which writes into tools.")
class WriteBackFilter:
    id: IdFilter | None = by("id", "These writes.", "WriteBack")
    target: list[str] | None = by("target", "Into these tools.")
    state: list[WriteBackState] | None = by("state", "In these states.")


@strawberry.input(description="Which grants of roles.")
class RoleGrantFilter:
    person: IdFilter | None = by("person_id", "Held by these people.", "Person")
    role: list[Role] | None = by("role", "Of these roles.")
    valid_to: DateTimeRange | None = by("valid_to", "That end in this time.")


@strawberry.input(description="Which requests for roles.")
class RoleRequestFilter:
    id: IdFilter | None = by("id", "These requests.", "RoleRequest")
    person: IdFilter | None = by("person_id", "For these people.", "Person")
    state: list[RoleRequestState] | None = by("state", "In these states.")


@strawberry.input(description="Which parts of the reporting line.")
class ReportingLineFilter:
    manager: IdFilter | None = by("manager_id", "Below these people.", "Person")
    person: IdFilter | None = by("person_id", "Above these people.", "Person")
    depth: list[int] | None = by("depth", "At these distances; 1 is direct.")


@strawberry.input(description="Which accounts.")
class AccountFilter:
    id: IdFilter | None = by("id", "These accounts.", "Account")
    person: IdFilter | None = by("person_id", "Of these people.", "Person")
    active: bool | None = by("active", "Whether they may enter.")


@strawberry.input(description="Which stretches of employment.")
class EmploymentFilter:
    id: IdFilter | None = by("id", "These stretches.", "Employment")
    person: IdFilter | None = by("person_id", "Of these people.", "Person")


@strawberry.input(description="Which budgets.")
class BudgetFilter:
    id: IdFilter | None = by("id", "These budgets.", "Budget")
    unit: list[str] | None = by("unit", "Of these units.")


@strawberry.input(description="Which results of payroll.")
class PayrollResultFilter:
    id: IdFilter | None = by("id", "These results.", "PayrollResult")
    line_ref: list[str] | None = by("line_ref", "Of these payout lines.")
    pay_period: list[str] | None = by("pay_period", "Of these pay periods.")


@strawberry.input(description="Which proposed awards.")
class AwardProposalFilter:
    person: IdFilter | None = by("person_id", "Of these people.", "Person")
    run: IdFilter | None = by("run_id", RUN, "Run")


@strawberry.input(description="Which parts of pools.")
class PoolAllocationFilter:
    service: IdFilter | None = by("service_id", SERVICE, "Service")
    run: IdFilter | None = by("run_id", RUN, "Run")


@strawberry.input(description="Which payout lines.")
class PayoutLineFilter:
    line_id: list[str] | None = by("line_id", "With these numbers.")
    award_ref: list[str] | None = by("award_ref", "Of the awards with these references.")
    state: list[PayLineState] | None = by("state", "In these states.")
    batch: IdFilter | None = by("file_id", "In these payout batches.", "PayoutBatch")


@strawberry.input(description="Which entries of the ledger.")
class LedgerEntryFilter:
    id: IdFilter | None = by("id", "These entries.", "LedgerEntry")
    event: list[str] | None = by("event", "About these events, such as `award` or `paid`.")
    booked_on: DateRange | None = by("booked_on", "Booked in this time.")


@strawberry.input(description="Which postings.")
class LedgerPostingFilter:
    account: list[str] | None = by("account", "On the accounts with these codes.")
    award_ref: list[str] | None = by("award_ref", "About the awards with these references.")
    entry: IdFilter | None = by("journal_id", "Of these entries.", "LedgerEntry")


__all__ = [name for name in dir() if name.endswith("Filter")]
