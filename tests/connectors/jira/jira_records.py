"""Raw Jira records as the poller hands them over, for tests to spoil."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

from connectors.jira.contract import Contract, plain_contract, read_contract
from connectors.jira.translate import translate
from connectors.source import Version
from engine.words import IssueCode, MirrorKind

CONTRACT = dataclasses.replace(
    read_contract(plain_contract()),
    services={"Data Lakehouse": "a" * 32},
    teams={"Lakehouse Desk": "b" * 32, "Lakehouse Run": "c" * 32},
    people={"712020:5f1c": "d" * 32, "712020:77aa": "e" * 32},
)
SEEN_AT = datetime(2026, 3, 5, 12, tzinfo=UTC)
FIELD_IDS = {
    "service": "customfield_10120", "team": "customfield_10121", "satisfaction": "customfield_10110",
    "change_type": "customfield_10130", "outcome": "customfield_10131", "work_started_at": "customfield_10134",
}  # fmt: skip


def turn(number: int, at: Any, field: str, old: str | None, new: str | None) -> dict[str, Any]:
    return {"id": str(number), "created": at, "items": [{"fieldId": field, "from": old, "to": new, "toString": "x"}]}


def incident(**fields: Any) -> dict[str, Any]:
    """An incident: opened Thursday 16:00, waiting over Friday 10-18, resolved Monday 11:30 (the example of F-01)."""
    held = {
        "summary": "Mail queue stuck",
        "status": {"id": "10003", "name": "Resolved"},
        "priority": {"id": "2", "name": "High"},
        "issuetype": {"id": "10012", "name": "[System] Incident"},
        "assignee": {"accountId": "712020:5f1c"},
        "created": "2026-03-05T18:00:00.000+0200",
        "updated": "2026-03-09T10:15:07.120+0000",
        "resolutiondate": "2026-03-09T01:30:00.000-1000",
        "customfield_10110": None,
        "customfield_10120": {"id": "1", "value": "Data Lakehouse"},
        "customfield_10121": {"id": "2", "value": "Lakehouse Desk"},
    }
    changelog = [
        turn(61001, 1772728200000, "status", "10001", "3"),  # 2026-03-05T16:30Z, as a number
        turn(61002, "2026-03-06T10:00:00.000+0000", "status", "3", "10002"),
        turn(61003, "2026-03-06T20:00:00.000+0200", "status", "10002", "3"),
        turn(61004, "2026-03-09T11:30:00.000+0000", "status", "3", "10003"),
    ]
    return {"id": "20417", "key": "OPS-311", "fields": held | fields, "changelog": changelog, "field_ids": FIELD_IDS}


def change(**fields: Any) -> dict[str, Any]:
    held = {
        "status": {"id": "10014", "name": "Completed"},
        "issuetype": {"id": "10013"},
        "assignee": None,
        "created": "2026-03-01T08:00:00.000+0000",
        "updated": "2026-03-04T12:00:00.000+0000",
        "customfield_10120": {"value": "Data Lakehouse"},
        "customfield_10121": {"value": "Lakehouse Run"},
        "customfield_10130": {"value": "Normal"},
        "customfield_10131": {"value": "Successful with issues"},
        "customfield_10134": "2026-03-04T09:00:00.000+0100",
    }
    changelog = [
        turn(1, "2026-03-04T08:00:00.000+0000", "status", "10012", "10013"),
        turn(2, "2026-03-04T11:00:00.000+0000", "status", "10013", "10014"),
    ]
    approvals = [approval(decided=1772546531000), approval(decided=1772550131000)]
    record = {"id": "20500", "key": "OPS-400", "fields": held | fields, "changelog": changelog, "approvals": approvals}
    return record | {"field_ids": FIELD_IDS}


def approval(decided: int | None, final: str = "approved", answer: str = "approved") -> dict[str, Any]:
    held = {
        "id": "4", "name": "Waiting for CAB", "finalDecision": final, "canAnswerApproval": False,
        "approvers": [
            {"approver": {"accountId": "712020:5f1c"}, "approverDecision": answer},
            {"approver": {"accountId": "712020:77aa"}, "approverDecision": "pending"},
        ],
        "createdDate": {"epochMillis": 1772540000000},
    }  # fmt: skip
    return held | ({"completedDate": {"epochMillis": decided}} if decided else {})


def only(record: dict[str, Any], entity: str = "issue", contract: Contract = CONTRACT) -> Version:
    """The one version of the record itself, without the moves that its changelog tells of."""
    (version,) = found(record, entity, contract)
    return version


def found(record: dict[str, Any], entity: str = "issue", contract: Contract = CONTRACT) -> list[Version]:
    versions = translate(contract, entity, record, SEEN_AT)
    return [version for version in versions if version.kind is not MirrorKind.STATE_CHANGE]


def notes(version: Version) -> dict[str, tuple[IssueCode, str]]:
    return {issue.field: (issue.code, issue.value) for issue in version.issues}


def clock_record(issue: dict[str, Any], *stops: str) -> dict[str, Any]:
    """The resolution clock of an issue, stopped at the given times."""
    starts, ends = ["2026-03-05T16:00:00Z", "2026-03-09T10:00:00Z"], stops or ("2026-03-09T11:30:00Z",)
    cycles = [
        {"startTime": point(start), "stopTime": point(end), "breached": False, "elapsedTime": {"millis": 1}}
        for start, end in zip(starts, ends, strict=False)
    ]
    fields = issue["fields"]
    about = {"issueId": issue["id"], "issuetype": fields["issuetype"]}
    return about | {"changelog": issue["changelog"], "metric": {"id": "12", "completedCycles": cycles}}


def point(text: str) -> dict[str, int]:
    return {"epochMillis": int(datetime.fromisoformat(text).timestamp() * 1000)}


def clock(paused: bool = False, look: int = 0) -> dict[str, Any]:
    """A clock with one completed cycle and one that runs; `look` moves what is computed at read time."""
    completed = {
        "startTime": {"epochMillis": 1772611272000}, "stopTime": {"epochMillis": 1772619307000},
        "breachTime": {"epochMillis": 1772625672000}, "breached": False, "goalDuration": {"millis": 14400000},
        "elapsedTime": {"millis": 8035000}, "remainingTime": {"millis": 6365000},
    }  # fmt: skip
    running = {
        "startTime": {"epochMillis": 1772640000000}, "breachTime": {"epochMillis": 1772654400000 + look * paused},
        "breached": False, "paused": paused, "withinCalendarHours": look % 2 == 0,
        "goalDuration": {"millis": 14400000}, "elapsedTime": {"millis": 60000 + look},
        "remainingTime": {"millis": 14340000 - look},
    }  # fmt: skip
    return {"id": "12", "name": "Time to resolution", "completedCycles": [completed], "ongoingCycle": running}


def clocked(metric: dict[str, Any]) -> dict[str, Any]:
    about = {"issueId": "20417", "issuetype": {"id": "10012"}}
    return about | {"changelog": [], "metric": metric}
