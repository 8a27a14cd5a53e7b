"""Raw Jira records become mirror values under the contract; what is not known stays unknown and says why."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.jira.contract import Contract, SlaMeaning, plain_contract, read_contract
from connectors.jira.hooks import read_hook
from connectors.jira.times import moment
from connectors.jira.translate import translate, translator
from connectors.source import Hint, Hook, Poison, Unreadable, Version
from engine.calendar import business_seconds
from engine.refusal import Refused
from engine.words import IssueCode, MirrorKind, SlaTarget, SlaType, Source
from schema.identity import mirror_id
from schema.tables.mirror import TYPED

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
    (version,) = translate(contract, entity, record, SEEN_AT)
    return version


def notes(version: Version) -> dict[str, tuple[IssueCode, str]]:
    return {issue.field: (issue.code, issue.value) for issue in version.issues}


@pytest.mark.capability("I7.1")
def test_an_incident_becomes_a_mirror_row() -> None:
    version = only(incident())
    assert version.issues == ()
    assert version.kind is MirrorKind.INCIDENT
    assert (version.key, version.version_no) == ("20417", 1773051307120)
    assert version.version_at == datetime(2026, 3, 9, 10, 15, 7, 120000, tzinfo=UTC)
    assert version.values == {
        "number": "OPS-311",
        "state": "RESOLVED",
        "source_state": "Resolved",
        "priority": 2,
        "service_id": mirror_id("servicenow", "cmdb_ci_service", "a" * 32),
        "team_id": mirror_id("servicenow", "sys_user_group", "b" * 32),
        "assignee_id": mirror_id("servicenow", "sys_user", "d" * 32),
        "opened_at": datetime(2026, 3, 5, 16, tzinfo=UTC),
        "resolved_at": datetime(2026, 3, 9, 11, 30, tzinfo=UTC),
        "closed_at": None,
        "reopen_count": 0,
        "reassignment_count": 0,
        "made_sla": None,
        "problem_id": None,
        "caused_by_id": None,
        "resolve_seconds": 329_400,
        "resolve_business_seconds": None,
        "calendar_hash": None,
    }


def test_a_change_becomes_a_mirror_row() -> None:
    version = only(change())
    assert version.issues == ()
    values = version.values
    assert (values["change_type"], values["outcome"], values["state"]) == ("NORMAL", "SUCCESSFUL_ISSUES", "CLOSED")
    assert values["cab_required"] is True
    assert values["work_started_at"] == datetime(2026, 3, 4, 8, tzinfo=UTC)
    assert values["closed_at"] == datetime(2026, 3, 4, 11, tzinfo=UTC)
    assert values["approval_decided_at"] == datetime(2026, 3, 3, 15, 2, 11, tzinfo=UTC)  # the last of both
    assert values["assignee_id"] is None
    assert only(change(customfield_10130={"value": "Standard"})).values["cab_required"] is False


@pytest.mark.parametrize("entity", ["issue", "change", "request_approval", "request_sla"])
def test_values_are_exactly_the_columns_of_the_typed_table(entity: str) -> None:
    records = {
        "issue": incident(customfield_10110=4.0), "change": change(),
        "request_approval": {"issueId": "1", "approval": approval(1)},
        "request_sla": clocked(clock()),
    }  # fmt: skip
    for version in translate(CONTRACT, entity.replace("change", "issue"), records[entity], SEEN_AT):
        written = {"tenant_id", "id", "source", "source_key", "revision_id", "gone_at"}
        assert set(version.values) == set(TYPED[version.kind].model_fields) - written


@pytest.mark.capability("I7.1")
@pytest.mark.parametrize(
    ("fields", "column", "field", "code", "value"),
    [
        ({"status": {"id": "77", "name": "Parked"}}, "state", "status", IssueCode.UNMAPPED_SOURCE_VALUE, "77 (Parked)"),
        ({"status": {"name": "Resolved"}}, "state", "status", IssueCode.MALFORMED, "{'name': 'Resolved'}"),
        ({"status": None}, "state", "status", IssueCode.REQUIRED_FIELD_MISSING, ""),
        ({"priority": {"id": "9", "name": "Blocker"}}, "priority", "priority", IssueCode.UNMAPPED_SOURCE_VALUE,
         "9 (Blocker)"),
        ({"customfield_10120": {"value": "Lakehouse"}}, "service_id", "service", IssueCode.UNMAPPED_SOURCE_VALUE,
         "Lakehouse"),
        ({"customfield_10121": {"value": "data"}}, "team_id", "team", IssueCode.UNMAPPED_SOURCE_VALUE, "data"),
        ({"customfield_10121": [1]}, "team_id", "team", IssueCode.MALFORMED, "[1]"),
        ({"assignee": {"accountId": "712020:new"}}, "assignee_id", "assignee", IssueCode.UNMAPPED_SOURCE_VALUE,
         "712020:new"),
        ({"created": "2026-03-05T16:00:00"}, "opened_at", "created", IssueCode.MALFORMED, "2026-03-05T16:00:00"),
        ({"created": None}, "opened_at", "created", IssueCode.REQUIRED_FIELD_MISSING, ""),
        ({"resolutiondate": "2026-03-05T15:59:59.999+0000"}, "resolved_at", "resolutiondate", IssueCode.TIME_ORDER,
         "2026-03-05 15:59:59.999000+00:00"),
        ({"resolutiondate": "soon\x00"}, "resolved_at", "resolutiondate", IssueCode.MALFORMED, "soon\ufffd"),
    ],
)  # fmt: skip
def test_what_is_not_known_stays_unknown_and_is_listed(
    fields: dict[str, Any], column: str, field: str, code: IssueCode, value: str
) -> None:
    version = only(incident(**fields))
    assert version.values[column] is None
    assert notes(version) == {field: (code, value)}
    assert all(issue.what and issue.fix for issue in version.issues)


def test_a_change_without_type_or_outcome_is_listed() -> None:
    version = only(change(customfield_10130={"value": "Wild"}, customfield_10131=None))
    assert version.values["change_type"] is version.values["cab_required"] is version.values["outcome"] is None
    assert notes(version) == {
        "change_type": (IssueCode.UNMAPPED_SOURCE_VALUE, "Wild"),
        "outcome": (IssueCode.REQUIRED_FIELD_MISSING, ""),
    }


def test_no_approval_an_open_one_and_one_that_cannot_be_seen_are_three_things() -> None:
    assert only(change() | {"approvals": []}).issues == ()
    half = only(change() | {"approvals": [approval(1772546531000), approval(None, "pending", "pending")]})
    assert (half.values["approval_decided_at"], half.issues) == (None, ())
    assert notes(only(change() | {"approvals": None})) == {"approvals": (IssueCode.REQUIRED_FIELD_MISSING, "")}


def test_reopenings_and_changes_of_team_are_counted() -> None:
    record = incident()
    record["changelog"] = [
        turn(1, "2026-03-06T10:00:00.000+0000", "status", "3", "10003"),
        turn(3, "2026-03-09T11:30:00.000+0000", "status", "3", "10003"),
        turn(2, "2026-03-09T10:00:00.000+0000", "status", "10003", "3"),  # order of arrival decides nothing
        turn(4, "2026-03-09T12:00:00.000+0000", "customfield_10121", "b", "c"),
        turn(0, "2026-03-05T16:00:00.000+0000", "customfield_10121", None, "b"),
    ]
    values = only(record).values
    assert (values["reopen_count"], values["reassignment_count"]) == (1, 1)


def test_an_unknown_past_status_makes_unknown_what_would_need_it() -> None:
    record = incident()
    record["changelog"].insert(2, turn(61002, "2026-03-06T12:00:00.000+0000", "status", "10002", "99"))
    version = only(record)
    assert version.values["reopen_count"] is None
    assert version.values["resolve_seconds"] == 329_400
    assert notes(version) == {"past status": (IssueCode.UNMAPPED_SOURCE_VALUE, "99")}
    (clocked,) = translate(CONTRACT, "request_sla", clock_record(record), SEEN_AT)
    assert clocked.values["business_pause_seconds"] is None
    assert notes(clocked) == {"past status": (IssueCode.UNMAPPED_SOURCE_VALUE, "99")}


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


def test_time_on_hold_is_counted_in_business_seconds() -> None:
    """F-01: of 41,400 s of opening hours 25,200 s were on hold; 16,200 s are left."""
    (version,) = translate(CONTRACT, "request_sla", clock_record(incident()), SEEN_AT)
    assert version.values["business_pause_seconds"] == 25_200
    opened_at, ended_at = only(incident()).values["opened_at"], version.values["ended_at"]
    assert business_seconds(CONTRACT.calendar, opened_at, ended_at) - 25_200 == 16_200


def test_the_last_clock_of_a_reopened_incident_carries_the_gap_too() -> None:
    """Resolved Friday 10:00, reopened Monday 10:00, resolved 11:30: worked 1 h, 1 h and 1.5 h."""
    record = incident()
    record["changelog"] = [
        turn(1, "2026-03-06T10:00:00.000+0000", "status", "3", "10003"),
        turn(2, "2026-03-09T10:00:00.000+0000", "status", "10003", "3"),
        turn(3, "2026-03-09T11:30:00.000+0000", "status", "3", "10003"),
    ]
    clocked = clock_record(record, "2026-03-06T10:00:00Z", "2026-03-09T11:30:00Z")
    found = translate(CONTRACT, "request_sla", clocked, SEEN_AT)
    assert [version.values["business_pause_seconds"] for version in found] == [0, 8 * 3600]
    gross = business_seconds(CONTRACT.calendar, datetime(2026, 3, 5, 16, tzinfo=UTC), found[1].values["ended_at"])
    assert gross - 8 * 3600 == 12_600


def test_a_cancelled_incident_was_closed_but_never_resolved() -> None:
    record = incident(status={"id": "10004", "name": "Canceled"})
    record["changelog"] = [turn(1, "2026-03-09T11:30:00.000+0000", "status", "3", "10004")]
    values = only(record).values
    assert (values["state"], values["resolved_at"], values["resolve_seconds"]) == ("CANCELLED", None, None)
    assert values["closed_at"] == datetime(2026, 3, 9, 11, 30, tzinfo=UTC)


def rated(rating: Any, *given: dict[str, Any]) -> list[Version]:
    record = incident(customfield_10110=rating)
    record["changelog"] += given
    return [v for v in translate(CONTRACT, "issue", record, SEEN_AT) if v.kind is MirrorKind.CSAT_RESPONSE]


ANSWERED = turn(61009, "2026-03-10T08:00:00.000+0000", "customfield_10110", None, None)


@pytest.mark.parametrize(("rating", "expected"), [(4.0, 4), (1, 1), (5, 5)])
def test_a_rating_becomes_an_answer(rating: Any, expected: int) -> None:
    (version,) = rated(rating, ANSWERED)
    assert version.values["rating"] == expected
    assert version.values["answered_at"] == datetime(2026, 3, 10, 8, tzinfo=UTC)
    assert version.values["task_id"] == mirror_id("jira", "issue", "20417")
    assert version.issues == ()


@pytest.mark.parametrize("rating", [0, 6, 3.5, "4", True, [4], {"value": 4}])
def test_a_rating_that_is_none_is_listed(rating: Any) -> None:
    (version,) = rated(rating, ANSWERED)
    assert version.values["rating"] is None
    assert notes(version)["satisfaction"][0] is IssueCode.MALFORMED


def test_no_answer_is_no_row_and_one_taken_back_is_a_row_without_rating() -> None:
    assert rated(None) == []
    (version,) = rated(None, ANSWERED)
    assert version.values["rating"] is None
    (undated,) = rated(4.0)
    assert notes(undated) == {"answered_at": (IssueCode.REQUIRED_FIELD_MISSING, "")}


@pytest.mark.parametrize(
    ("final", "answer", "expected"),
    [
        ("approved", "approved", ["APPROVED", "NOT_REQUIRED"]),
        ("declined", "declined", ["REJECTED", "NOT_REQUIRED"]),
        ("pending", "approved", ["APPROVED", "REQUESTED"]),
        ("pending", "pending", ["REQUESTED", "REQUESTED"]),
    ],
)
def test_only_an_answer_is_a_decision(final: str, answer: str, expected: list[str]) -> None:
    record = {"issueId": "20500", "approval": approval(1772546531000, final, answer)}
    found = translate(CONTRACT, "request_approval", record, SEEN_AT)
    assert [version.values["state"] for version in found] == expected
    assert [version.values["source_state"] for version in found] == [answer, "pending"]
    assert [version.key for version in found] == ["20500:4:712020:5f1c", "20500:4:712020:77aa"]
    assert {version.values["change_id"] for version in found} == {mirror_id("jira", "issue", "20500")}
    assert {version.version_at for version in found} == {SEEN_AT}


def test_an_unknown_answer_and_a_stranger_are_listed() -> None:
    record = {"issueId": "20500", "approval": approval(1772546531000, "approved", "abstained")}
    record["approval"]["approvers"][0]["approver"]["accountId"] = "712020:new"
    version = translate(CONTRACT, "request_approval", record, SEEN_AT)[0]
    assert version.values["state"] is version.values["approver_id"] is None
    assert {name: value for name, (_, value) in notes(version).items()} == {
        "decision": "abstained",
        "approver": "712020:new",
    }


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


def test_every_cycle_of_a_clock_is_a_row() -> None:
    done, running = translate(CONTRACT, "request_sla", clocked(clock()), SEEN_AT)
    assert done.values == {
        "task_id": mirror_id("jira", "issue", "20417"),
        "definition_id": None,
        "sla_type": "SLA",
        "target": "RESOLUTION",
        "stage": "COMPLETED",
        "has_breached": False,
        "started_at": datetime(2026, 3, 4, 8, 1, 12, tzinfo=UTC),
        "ended_at": datetime(2026, 3, 4, 10, 15, 7, tzinfo=UTC),
        "planned_end_at": datetime(2026, 3, 4, 12, 1, 12, tzinfo=UTC),
        "business_seconds": 8035,
        "business_pause_seconds": 0,
    }
    assert (running.values["stage"], running.values["ended_at"], running.values["business_seconds"]) == (
        "IN_PROGRESS", None, None,
    )  # fmt: skip
    assert (done.key, running.key) == ("20417:12:1772611272000", "20417:12:1772640000000")


@pytest.mark.parametrize("paused", [False, True])
def test_looking_again_at_a_clock_is_no_new_content(paused: bool) -> None:
    first, later = (translate(CONTRACT, "request_sla", clocked(clock(paused, look)), SEEN_AT) for look in (0, 61))
    assert [version.payload for version in first] == [version.payload for version in later]
    assert [version.values for version in first] == [version.values for version in later]
    assert first[1].values["stage"] == ("PAUSED" if paused else "IN_PROGRESS")
    assert (first[1].values["planned_end_at"] is None) is paused


def test_a_cycle_keeps_its_key_when_it_stops() -> None:
    before = translate(CONTRACT, "request_sla", clocked(clock()), SEEN_AT)[1]
    stopped = clock()
    stopped["completedCycles"] = [stopped.pop("ongoingCycle") | {"stopTime": {"epochMillis": 1772641000000}}]
    (after,) = translate(CONTRACT, "request_sla", clocked(stopped), SEEN_AT)
    assert after.key == before.key
    assert after.payload != before.payload
    assert after.values["stage"] == "COMPLETED"


def test_an_unknown_clock_is_listed_and_judges_nothing() -> None:
    metric = clock() | {"id": "99", "name": "Time to coffee", "ongoingCycle": None}
    (version,) = translate(CONTRACT, "request_sla", clocked(metric), SEEN_AT)
    assert version.values["sla_type"] is version.values["target"] is None
    assert notes(version) == {"metric": (IssueCode.UNMAPPED_SOURCE_VALUE, "99 (Time to coffee)")}


@pytest.mark.parametrize(
    ("entity", "record", "key", "field"),
    [
        ("issue", {}, "unreadable-", "id"),
        ("issue", {"id": "1"}, "1", "id"),
        ("issue", {"id": "1\x00", "fields": {}}, "unreadable-", "id"),
        ("issue", incident(updated=None), "20417", "updated"),
        ("issue", incident(updated="yesterday"), "20417", "updated"),
        ("issue", incident(issuetype={"id": "10099", "name": "Epic"}), "20417", "issuetype"),
        ("issue", incident(issuetype=None), "20417", "issuetype"),
        ("request_approval", {"issueId": "1", "approval": {"id": "4"}}, "unreadable-", "approval"),
        ("request_approval", {"issueId": "1", "approval": {"id": "4", "approvers": [None]}}, "1:4", "approver"),
        ("request_sla", {"issueId": "1", "metric": None}, "unreadable-", "metric"),
        ("request_sla", {"issueId": "1", "metric": {"id": "12", "completedCycles": [{}]}}, "1:12", "startTime"),
        ("request_sla", {"issueId": "1", "metric": {"id": "12", "completedCycles": {}, "ongoingCycle": 1}}, "1:12",
         "startTime"),
    ],
)  # fmt: skip
def test_a_record_that_nothing_can_be_made_of_is_poison_with_a_reason(
    entity: str, record: dict[str, Any], key: str, field: str
) -> None:
    with pytest.raises(Poison) as caught:
        translate(CONTRACT, entity, record, SEEN_AT)
    assert caught.value.key.startswith(key)
    assert caught.value.field == field
    assert caught.value.what
    assert caught.value.fix


def test_an_entity_that_is_not_read_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="worklog"):
        translate(CONTRACT, "worklog", {}, SEEN_AT)


def test_the_address_of_the_site_and_the_order_of_keys_are_no_content() -> None:
    record = incident()
    other = orjson.loads(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)) | {"self": "https://elsewhere.test/20417"}
    assert only(record).payload == only(other).payload


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = {
    "issue": (
        incident,
        ("id", "key", "fields", "changelog", "field_ids", *[f"fields.{f}" for f in incident()["fields"]]),
    ),
    "change": (change, ("approvals", "changelog", *[f"fields.{f}" for f in change()["fields"]])),
    "request_approval": (
        lambda: {"issueId": "1", "approval": approval(1)},
        ("issueId", "approval", *[f"approval.{name}" for name in approval(1)]),
    ),
    "request_sla": (
        lambda: clocked(clock()),
        (
            "issueId",
            "metric",
            "issuetype",
            "changelog",
            *[f"metric.{name}" for name in clock()],
            "metric.ongoingCycle.startTime",
        ),
    ),
}


@settings(max_examples=300, deadline=None)
@given(data=st.data(), entity=st.sampled_from(sorted(PLACES)), junk=JSON, wrapped=st.booleans())
def test_whatever_stands_in_a_record_it_is_read_or_it_is_poison(
    data: st.DataObject, entity: str, junk: Any, wrapped: bool
) -> None:
    make, places = PLACES[entity]
    record = make()
    *path, last = data.draw(st.sampled_from(places)).split(".")
    target = record
    for name in path:
        target = target[name]
    target[last] = [junk] if wrapped else junk
    texts: list[str] = []
    try:
        for version in translate(CONTRACT, entity.replace("change", "issue"), record, SEEN_AT):
            texts += [version.key, *[value for value in version.values.values() if isinstance(value, str)]]
            texts += [issue.value for issue in version.issues]
    except Poison as poison:
        texts += [poison.key, poison.value]
    assert not any("\x00" in text for text in texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04T10:15:07.120+0000", datetime(2026, 3, 4, 10, 15, 7, 120000, tzinfo=UTC)),
        ("2026-03-04T23:15:07.120+1300", datetime(2026, 3, 4, 10, 15, 7, 120000, tzinfo=UTC)),
        ("2026-03-04T00:15:07.120-1000", datetime(2026, 3, 4, 10, 15, 7, 120000, tzinfo=UTC)),
        (1772619307120, datetime(2026, 3, 4, 10, 15, 7, 120000, tzinfo=UTC)),
        ("2026-03-04T10:15:07.120", None),
        ("today", None),
        (True, None),
        (10**20, None),
        (None, None),
        ({}, None),
    ],
)
def test_times_of_any_zone_are_one_moment(text: Any, expected: datetime | None) -> None:
    assert moment(text) == expected


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("INCIDENT # [System] Incident", "TICKET", "'TICKET' is none of"),
        ("INCIDENT # [System] Incident", "VENDOR", "an issue cannot be a VENDOR"),
        ('"3": IN_PROGRESS', '"3": BUSY', "'BUSY' is none of"),
        ("target: RESPONSE", "target: SOON", "'SOON' is none of"),
        ("  team: Responsible team\n", "", "missing fields"),
        ('"1": 1 #', '"1": 0 #', "not a number from 1 to 5"),
        ('["09:00", "17:00"]', '["nine", "five"]', "hours such as"),
        ('["09:00", "17:00"]', '["17:00", "09:00"]', "calendar is wrong"),
        ("time_zone: UTC", "time_zone: Nowhere", "'Nowhere' is not known"),
        ("services: {}", "services: []", "'services' is not a mapping"),
        ("services: {}", "services: {", "not YAML"),
    ],
)
def test_a_contract_with_a_foreign_word_is_refused(old: str, new: str, said: str) -> None:
    assert old in plain_contract()
    with pytest.raises(Refused, match=said):
        read_contract(plain_contract().replace(old, new))


def test_the_plain_contract_can_be_read() -> None:
    assert CONTRACT.slas["13"] == SlaMeaning(SlaType.SLA, SlaTarget.RESPONSE)
    assert CONTRACT.calendar.week[0] == ((32_400, 61_200),)
    assert CONTRACT.calendar.week[6] == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"webhookEvent": "jira:issue_updated", "issue": {"id": "20417"}},
         Hook(refetch=(Hint(Source.JIRA, "issue", "20417"),))),
        ({"webhookEvent": "comment_created", "comment": {}, "issue": {"id": "20417", "key": "OPS-311"}},
         Hook(refetch=(Hint(Source.JIRA, "issue", "20417"),))),
        ({"webhookEvent": "jira:issue_deleted", "issue": {"id": "20417"}},
         Hook(suspected=(Hint(Source.JIRA, "issue", "20417"),))),
        ({"webhookEvent": "user_created", "user": {}}, Hook()),
    ],
)  # fmt: skip
def test_a_webhook_is_a_hint_and_never_data(body: dict[str, Any], expected: Hook) -> None:
    assert translator(CONTRACT).read_hook(body) == expected


@pytest.mark.parametrize(
    "body",
    [{}, {"webhookEvent": 3}, {"webhookEvent": "x", "issue": {"id": "OPS-1"}}, {"webhookEvent": "x", "issue": 3}],
)
def test_a_body_that_is_no_jira_event_is_unreadable(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="Jira event"):
        read_hook(body)
