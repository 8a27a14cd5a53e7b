"""Lists of records, feeds, documents, rights and bookings at the root. Each is what the viewer may see of it.

Numbers, people and money that was promised stand in root.py.
"""

import strawberry

from api.graphql import filters
from api.graphql.connections import Connection, connection
from api.graphql.types.boards import CabMeeting
from api.graphql.types.documents import DocumentVersion
from api.graphql.types.feeds import (
    FeedPosition,
    FileDrop,
    SourceSystem,
    Suspicion,
    Sweep,
    ToolCalls,
    WebhookRegistration,
    WriteBack,
)
from api.graphql.types.ledger import LedgerAccount, LedgerEntry, LedgerPosting
from api.graphql.types.payouts import AwardProposal, PayoutLine, PoolAllocation
from api.graphql.types.records import MirrorRecord, Snapshot
from api.graphql.types.rights import Account, ReportingLine, RoleGrant, RoleRequest
from api.graphql.types.runs import PlanVersion, Run, newest
from api.graphql.types.staff import Budget, Employment, PayrollResult
from api.graphql.types.suppliers import Contract, ServiceOffering, SlaDefinition, TaskSla, Vendor, VendorSlaResult
from api.graphql.types.surveys import Survey
from api.graphql.types.tickets import Change, ChangeApproval, CsatResponse, GroupApproval, Incident, Problem


@strawberry.type(description="Records as the tools have them, and how those are read.")
class RecordLists:
    incidents: Connection[Incident] = connection(
        "Incident", "Incidents; for auditors and ITSM administrators.", filters=filters.IncidentFilter
    )
    changes: Connection[Change] = connection(
        "Change", "Changes; for auditors and ITSM administrators.", filters=filters.ChangeFilter
    )
    problems: Connection[Problem] = connection(
        "Problem", "Problems; for auditors and ITSM administrators.", filters=filters.ProblemFilter
    )
    change_approvals: Connection[ChangeApproval] = connection(
        "ChangeApproval",
        "Answers of approvers; for auditors and ITSM administrators.",
        filters=filters.ChangeApprovalFilter,
    )
    group_approvals: Connection[GroupApproval] = connection(
        "GroupApproval",
        "Answers of groups; for auditors and ITSM administrators.",
        filters=filters.GroupApprovalFilter,
    )
    cab_meetings: Connection[CabMeeting] = connection(
        "CabMeeting",
        "Meetings of change advisory boards; for auditors and ITSM administrators.",
        filters=filters.CabMeetingFilter,
    )
    task_slas: Connection[TaskSla] = connection(
        "TaskSla", "Clocks on tasks; for auditors and ITSM administrators.", filters=filters.TaskSlaFilter
    )
    csat_responses: Connection[CsatResponse] = connection(
        "CsatResponse",
        "Answers about satisfaction; for auditors and ITSM administrators.",
        filters=filters.CsatResponseFilter,
    )
    sla_definitions: Connection[SlaDefinition] = connection(
        "SlaDefinition", "Agreements about time; everybody sees them.", filters=filters.SlaDefinitionFilter
    )
    vendors: Connection[Vendor] = connection("Vendor", "Suppliers; everybody sees them.", filters=filters.VendorFilter)
    contracts: Connection[Contract] = connection(
        "Contract",
        "Contracts with suppliers; for auditors, ITSM administrators, finance and plan administrators.",
        filters=filters.ContractFilter,
    )
    service_offerings: Connection[ServiceOffering] = connection(
        "ServiceOffering",
        "Services as they are offered; for auditors, ITSM administrators, finance and plan administrators.",
        filters=filters.ServiceOfferingFilter,
    )
    surveys: Connection[Survey] = connection("Survey", "Questionnaires; for auditors and ITSM administrators.")
    vendor_sla_results: Connection[VendorSlaResult] = connection(
        "VendorSlaResult",
        "How suppliers met agreements; for auditors, ITSM administrators, finance and plan administrators.",
        filters=filters.VendorSlaResultFilter,
    )
    mirror_records: Connection[MirrorRecord] = connection(
        "MirrorRecord",
        "Every mirrored record of any kind. For auditors; for ITSM administrators without those of HR, finance and "
        "payroll.",
        filters=filters.MirrorRecordFilter,
    )
    snapshots: Connection[Snapshot] = connection(
        "Snapshot", "Named moments of the mirror; for auditors and ITSM administrators."
    )
    source_systems: Connection[SourceSystem] = connection(
        "SourceSystem", "The tools and how they stand with us; for auditors and ITSM administrators."
    )
    feed_positions: Connection[FeedPosition] = connection(
        "FeedPosition",
        "How far each feed has read; for auditors and ITSM administrators.",
        filters=filters.FeedPositionFilter,
    )
    sweeps: Connection[Sweep] = connection(
        "Sweep", "Comparisons of tools with the mirror; for auditors and ITSM administrators.",
        filters=filters.SweepFilter,
    )  # fmt: skip
    suspicions: Connection[Suspicion] = connection(
        "Suspicion",
        "Records that the tools may not have any more; for auditors and ITSM administrators.",
        filters=filters.SuspicionFilter,
    )
    webhook_registrations: Connection[WebhookRegistration] = connection(
        "WebhookRegistration",
        "Webhooks that we have registered; for auditors and ITSM administrators.",
        filters=filters.WebhookRegistrationFilter,
    )
    tool_calls: Connection[ToolCalls] = connection(
        "ToolCalls", "Requests to the tools by hour; for auditors and ITSM administrators.",
        filters=filters.ToolCallsFilter,
    )  # fmt: skip
    file_drops: Connection[FileDrop] = connection(
        "FileDrop",
        "Files that were handed over. For auditors; for ITSM administrators without those of HR, finance and payroll; "
        "for whoever loaded them.",
        filters=filters.FileDropFilter,
    )
    write_backs: Connection[WriteBack] = connection(
        "WriteBack", "Writes into the tools; for auditors and ITSM administrators.", filters=filters.WriteBackFilter
    )


@strawberry.type(description="What rules, who may do what, and what was booked.")
class HouseLists:
    runs: Connection[Run] = connection("Run", "Computations; everybody sees them.", filters=filters.RunFilter)
    plan_versions: Connection[PlanVersion] = connection(
        "PlanVersion", "Published versions of plans; everybody sees them.", filters=filters.PlanVersionFilter
    )
    document_versions: Connection[DocumentVersion] = connection(
        "DocumentVersion",
        "Documents that rule how tools are read; for ITSM and plan administrators, auditors and the works council.",
        filters=filters.DocumentVersionFilter,
    )
    role_grants: Connection[RoleGrant] = connection(
        "RoleGrant", "Grants of roles: one's own; all for HR and auditors.", filters=filters.RoleGrantFilter
    )
    role_requests: Connection[RoleRequest] = connection(
        "RoleRequest", "Requests for roles: one's own; all for HR and auditors.", filters=filters.RoleRequestFilter
    )
    reporting_lines: Connection[ReportingLine] = connection(
        "ReportingLine",
        "Who stands below whom: where one is either of them; all for HR and auditors.",
        filters=filters.ReportingLineFilter,
    )
    accounts: Connection[Account] = connection(
        "Account",
        "Logins at the identity provider; for auditors and ITSM administrators.",
        filters=filters.AccountFilter,
    )
    employments: Connection[Employment] = connection(
        "Employment",
        "Stretches of employment: one's own; all for HR and auditors.",
        filters=filters.EmploymentFilter,
    )
    budgets: Connection[Budget] = connection(
        "Budget", "Budgets; for finance and auditors.", filters=filters.BudgetFilter
    )
    payroll_results: Connection[PayrollResult] = connection(
        "PayrollResult",
        "What payroll has paid: to oneself; all for payroll and auditors.",
        filters=filters.PayrollResultFilter,
    )
    award_proposals: Connection[AwardProposal] = connection(
        "AwardProposal",
        "What runs found that people earned, of the newest run of each cycle and plan; for HR, finance and auditors.",
        filters=filters.AwardProposalFilter,
        always=newest,
    )
    pool_allocations: Connection[PoolAllocation] = connection(
        "PoolAllocation",
        "Parts of the pool, of the newest run of each cycle and plan; for HR, finance and auditors.",
        filters=filters.PoolAllocationFilter,
        always=newest,
    )
    payout_lines: Connection[PayoutLine] = connection(
        "PayoutLine",
        "Lines of payout files: one's own; all for payroll and auditors.",
        filters=filters.PayoutLineFilter,
    )
    ledger_accounts: Connection[LedgerAccount] = connection(
        "LedgerAccount", "Accounts of the ledger; for finance and auditors."
    )
    ledger_entries: Connection[LedgerEntry] = connection(
        "LedgerEntry", "Entries of the ledger; for finance and auditors.", filters=filters.LedgerEntryFilter
    )
    ledger_postings: Connection[LedgerPosting] = connection(
        "LedgerPosting", "Postings of the ledger; for finance and auditors.", filters=filters.LedgerPostingFilter
    )


__all__ = ["HouseLists", "RecordLists"]
