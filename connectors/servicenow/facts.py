"""What follows from one record of ServiceNow alone, beside what its columns say.

Decides seconds to resolve on the wall clock, which record an approval or an answer speaks about, what a closed problem
must name to be evidence, and who is human. Only humans earn: an account that machines alone use is nobody. Pure; times
are UTC, seconds whole. What cannot be right stays unknown and is listed as an issue; nothing is guessed.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from connectors.servicenow import columns
from connectors.servicenow.columns import SYS_ID
from connectors.source import Issue
from engine.words import IssueCode, MirrorKind, RecordState, RootCause

Values = dict[str, Any]
Raw = dict[str, str]
Fact = Callable[[Values, Raw, list[Issue]], None]

FIX_RECORD = "Correct the record in ServiceNow."
_NUMBERLESS = frozenset({"string", "date", "datetime", "duration", "attachment", "reference"})  # types without a number
_CHANGE_ID = columns.reference("change_request")


def _incident(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """Seconds from opened to resolved; unknown while one end is missing or the ends are the wrong way round."""
    values["resolve_seconds"] = None
    opened, resolved = values.get("opened_at"), values.get("resolved_at")
    ordered = _in_order(opened, resolved, raw.get("resolved_at", ""), "resolved_at", issues)
    if opened is None or resolved is None or not ordered:
        return
    values["resolve_seconds"] = int((resolved - opened).total_seconds())


def _change(values: Values, raw: Raw, issues: list[Issue]) -> None:
    _in_order(values.get("opened_at"), values.get("closed_at"), raw.get("closed_at", ""), "closed_at", issues)


def _problem(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """Only a closed problem with a cause is evidence; a vendor's fault needs the vendor's name."""
    if values.get("state") != RecordState.CLOSED:
        return
    if values.get("root_cause") is None and not raw.get("u_root_cause"):
        what = "The problem is closed, but its root cause is not recorded. It excludes nothing."
        issues.append(
            Issue(IssueCode.EVIDENCE_REQUIRED, "u_root_cause", "", what, "Record the root cause on the problem.")
        )
    if values.get("root_cause") == RootCause.VENDOR and values.get("vendor_id") is None:
        what = "The root cause is a vendor, but no vendor is named."
        issues.append(
            Issue(IssueCode.EVIDENCE_REQUIRED, "u_root_cause_vendor", "", what, "Name the vendor on the problem.")
        )


def _approval(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """Approvals stand on any table; only those of changes point at a change."""
    target = raw.get("document_id") or raw.get("sysapproval", "")
    of_change = raw.get("source_table", "change_request") == "change_request"
    values["change_id"] = _CHANGE_ID(target) if of_change and SYS_ID.fullmatch(target) else None


def _task_sla(values: Values, raw: Raw, issues: list[Issue]) -> None:
    _in_order(values.get("started_at"), values.get("ended_at"), raw.get("end_time", ""), "end_time", issues)


def _answer(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """Only a finished questionnaire on an incident counts."""
    if raw.get("instance.trigger_table") != "incident":
        values["task_id"] = None
    if raw.get("instance.state") != "complete":
        values["rating"] = None


def _survey_answer(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """The platform stores -1 for an answer in words or a date: no number at all."""
    datatype = raw.get("metric.datatype")
    if datatype in _NUMBERLESS or (datatype is None and values.get("value") == -1):
        values["value"] = None


def _person(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """An account that only machines use is nobody, whatever else it says."""
    if "true" in (raw.get("web_service_access_only"), raw.get("internal_integration_user")):
        values["human"] = False


FACTS: Mapping[MirrorKind, Fact] = {
    MirrorKind.INCIDENT: _incident,
    MirrorKind.CHANGE: _change,
    MirrorKind.PROBLEM: _problem,
    MirrorKind.CHANGE_APPROVAL: _approval,
    MirrorKind.TASK_SLA: _task_sla,
    MirrorKind.CSAT_RESPONSE: _answer,
    MirrorKind.SURVEY_ANSWER: _survey_answer,
    MirrorKind.PERSON: _person,
}


def _in_order(start: datetime | None, end: datetime | None, shown: str, column: str, issues: list[Issue]) -> bool:
    """False, with an issue, when both ends are known and the wrong way round."""
    if start is not None and end is not None and end < start:
        what = f"{column} is before the record's beginning ({start:%Y-%m-%d %H:%M:%S} UTC)."
        issues.append(Issue(IssueCode.TIME_ORDER, column, shown, what, FIX_RECORD))
        return False
    return True
