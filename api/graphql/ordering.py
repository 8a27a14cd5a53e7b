"""In which orders a list can be asked for: closed lists of columns, none of them ever null.

Decides: that ordering columns have leakproof comparison and stand, behind the tenant, at the beginning of an index,
so that a page is read from the index under row security too. The first order of a type is its default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import strawberry

from api.graphql.words import describe


class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


describe(
    OrderDirection,
    "Which way a list runs.",
    {"ASC": "From small to large, from early to late.", "DESC": "From large to small, from late to early."},
)


@dataclass(frozen=True, slots=True)
class Ordering:
    """The orders of one type's lists. `columns` by name of the order; the first order is the default."""

    input: type
    columns: Mapping[str, tuple[str, ...]]
    default: Any
    descending: bool
    said: str


def ordering(kind: str, *, descending: bool = False, **orders: tuple[tuple[str, ...], str]) -> Ordering:
    """Make the enum and the input object for the orders of `kind`: NAME=((columns), description)."""
    make: Any = StrEnum  # mypy wants the name of an enum to be written out
    fields = make(f"{kind}OrderField", {name: name for name in orders})
    said_of = {name: said for name, (_, said) in orders.items()}
    describe(fields, f"What a list of type {kind} can be ordered by.", said_of)
    body = {
        "__annotations__": {"field": fields, "direction": OrderDirection},
        "field": strawberry.field(description="What to order by."),
        "direction": strawberry.field(default=OrderDirection.ASC, description="Which way."),
    }
    made = strawberry.input(type(f"{kind}Order", (), body), description=f"Order of a list of type {kind}.")
    first = next(iter(orders))
    direction = "DESC" if descending else "ASC"
    columns = {name: columns for name, (columns, _) in orders.items()}
    return Ordering(made, columns, fields[first], descending, f"`{first}` `{direction}`")


KEY = "The key: nothing that means anything, but it stays."

ORDERS: Mapping[str, Ordering] = {
    "Service": ordering("Service", NAME=(("name",), "The name of the service.")),
    "Team": ordering("Team", NAME=(("name",), "The name of the team.")),
    "Person": ordering("Person", NAME=(("name",), "The name of the person.")),
    "Cycle": ordering("Cycle", STARTS_ON=(("starts_on",), "The first day."), descending=True),
    "Score": ordering(
        "Score",
        SUBJECT=(("subject_kind", "subject_label"), "Kind and name of the subject."),
        DATA_AS_OF=(("data_as_of",), "When the data was read."),
    ),
    "KpiValue": ordering(
        "KpiValue",
        SUBJECT=(("subject_kind", "subject_label", "kpi_no"), "Kind and name of the subject, then the plan's order."),
        METRIC=(("metric", "subject_label"), "The metric, then the name of the subject."),
    ),
    "AttributionSplit": ordering("AttributionSplit", SERVICE=(("service_id", "person_id"), "Service, then person.")),
    "Award": ordering(
        "Award",
        REFERENCE=(("award_ref",), "The award's reference."),
        SUBMITTED_AT=(("submitted_at",), "When it was submitted."),
    ),
    "PayoutBatch": ordering(
        "PayoutBatch",
        SEQUENCE=(("receiver", "sequence"), "Receiver, then the number of the file."),
        CREATED_AT=(("created_at",), "When it was prepared."),
    ),
    "DataIssue": ordering("DataIssue", RECORD=(("entity", "source_key"), "Entity and key of the record.")),
    "EvidenceRecord": ordering("EvidenceRecord", NUMBER=(("number",), "The number of the record in its tool.")),
    "AuditRecord": ordering("AuditRecord", RECORDED_AT=(("at",), "When it was recorded."), descending=True),
    "Run": ordering("Run", RUN_NO=(("run_no",), "The number of the run."), descending=True),
    "PlanVersion": ordering("PlanVersion", VERSION=(("plan_key", "version"), "The plan, then its version.")),
    "DocumentVersion": ordering(
        "DocumentVersion", VERSION=(("kind", "name", "version_no"), "Kind and name, then the version.")
    ),
    "Incident": ordering("Incident", NUMBER=(("number",), "The number in the tool.")),
    "Change": ordering("Change", NUMBER=(("number",), "The number in the tool.")),
    "Problem": ordering("Problem", NUMBER=(("number",), "The number in the tool.")),
    "ChangeApproval": ordering("ChangeApproval", KEY=(("id",), KEY)),
    "GroupApproval": ordering("GroupApproval", KEY=(("id",), KEY)),
    "CabMeeting": ordering("CabMeeting", KEY=(("id",), KEY)),
    "CabAgendaItem": ordering("CabAgendaItem", KEY=(("id",), KEY)),
    "TaskSla": ordering("TaskSla", KEY=(("id",), KEY)),
    "CsatResponse": ordering("CsatResponse", KEY=(("id",), KEY)),
    "SlaDefinition": ordering("SlaDefinition", NAME=(("name",), "The name of the agreement.")),
    "Vendor": ordering("Vendor", NAME=(("name",), "The name of the supplier.")),
    "Contract": ordering("Contract", NUMBER=(("number",), "The number in the tool.")),
    "ServiceOffering": ordering("ServiceOffering", KEY=(("id",), KEY)),
    "Survey": ordering("Survey", KEY=(("id",), KEY)),
    "VendorSlaResult": ordering("VendorSlaResult", KEY=(("id",), KEY)),
    "MirrorRecord": ordering(
        "MirrorRecord",
        REVISION=(("revision_id",), "The version that stands: what changed last comes last. Made for keeping a copy."),
    ),
    "RecordRevision": ordering("RecordRevision", VERSION=(("version_no",), "The tool's own version."), descending=True),
    "Snapshot": ordering("Snapshot", TAKEN_AT=(("taken_at",), "When it was taken."), descending=True),
    "SourceSystem": ordering("SourceSystem", SOURCE=(("source",), "The tool.")),
    "FeedPosition": ordering("FeedPosition", FEED=(("source", "entity", "feed"), "Tool, entity, feed.")),
    "Sweep": ordering("Sweep", STARTED_AT=(("started_at",), "When it began."), descending=True),
    "Suspicion": ordering("Suspicion", RECORD=(("source", "entity", "source_key"), "Tool, entity and key.")),
    "WebhookRegistration": ordering("WebhookRegistration", SOURCE=(("source", "external_id"), "Tool, then its id.")),
    "ToolCalls": ordering("ToolCalls", HOUR=(("source", "purpose", "hour"), "Tool and purpose, then the hour.")),
    "FileDrop": ordering("FileDrop", LOADED_AT=(("loaded_at",), "When it was loaded."), descending=True),
    "WriteBack": ordering("WriteBack", CREATED_AT=(("created_at",), "When it was asked for."), descending=True),
    "RoleGrant": ordering("RoleGrant", PERSON=(("person_id", "role"), "Person, then role.")),
    "RoleRequest": ordering("RoleRequest", KEY=(("id",), KEY)),
    "ReportingLine": ordering("ReportingLine", MANAGER=(("manager_id", "person_id"), "Manager, then person.")),
    "Account": ordering("Account", KEY=(("id",), KEY)),
    "Employment": ordering("Employment", KEY=(("id",), KEY)),
    "Budget": ordering("Budget", KEY=(("id",), KEY)),
    "PayrollResult": ordering("PayrollResult", KEY=(("id",), KEY)),
    "AwardProposal": ordering("AwardProposal", RUN=(("run_id", "person_id"), "Run, then person.")),
    "PoolAllocation": ordering("PoolAllocation", RUN=(("run_id", "service_id"), "Run, then service.")),
    "PayoutLine": ordering("PayoutLine", LINE=(("line_id",), "The number of the line.")),
    "LedgerAccount": ordering("LedgerAccount", CODE=(("code",), "The code of the account.")),
    "LedgerEntry": ordering("LedgerEntry", BOOKED_ON=(("booked_on",), "The day of the booking."), descending=True),
    "LedgerPosting": ordering("LedgerPosting", ENTRY=(("journal_id", "line"), "The entry, then the line.")),
}
