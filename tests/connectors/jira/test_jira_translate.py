"""Raw Jira issues become mirror values under the contract; what is not known stays unknown and says why."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from connectors.jira.translate import translate
from connectors.source import Unreadable, Version
from engine.words import IssueCode, MirrorKind
from schema.identity import mirror_id
from schema.tables.mirror import TYPED
from tests.connectors.jira.jira_records import (
    CONTRACT,
    SEEN_AT,
    approval,
    change,
    clock,
    clock_record,
    clocked,
    incident,
    notes,
    only,
    turn,
)


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
    }


def test_people_are_known_by_account_or_by_mail_address() -> None:
    by_mail = dataclasses.replace(CONTRACT, people={"anna@example.test": "f" * 32})
    for mail in ("anna@example.test", "Anna@Example.test"):
        version = only(incident(assignee={"accountId": "712020:5f1c", "emailAddress": mail}), contract=by_mail)
        assert version.values["assignee_id"] == mirror_id("servicenow", "sys_user", "f" * 32)
        assert version.issues == ()
    stranger = only(incident(assignee={"accountId": "712020:5f1c", "emailAddress": "b@example.test"}), contract=by_mail)
    assert stranger.values["assignee_id"] is None
    assert notes(stranger) == {"assignee": (IssueCode.UNMAPPED_SOURCE_VALUE, "b@example.test (712020:5f1c)")}


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
        written |= {"resolve_business_seconds", "calendar_hash"}  # counted later, in the calendar of the plan
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


def test_an_entity_that_is_not_read_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="worklog"):
        translate(CONTRACT, "worklog", {}, SEEN_AT)


def test_the_address_of_the_site_and_the_order_of_keys_are_no_content() -> None:
    record = incident()
    other = orjson.loads(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)) | {"self": "https://elsewhere.test/20417"}
    assert only(record).payload == only(other).payload
