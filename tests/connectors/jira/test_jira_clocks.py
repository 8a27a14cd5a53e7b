"""Approvals and service level clocks: only an answer is a decision, every cycle is a row, looking again is no news."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.jira.translate import clock_keys, translate, wholes
from engine.calendar import business_seconds
from engine.words import IssueCode
from schema.identity import mirror_id
from tests.connectors.jira.jira_records import (
    CONTRACT,
    SEEN_AT,
    approval,
    clock,
    clock_record,
    clocked,
    incident,
    notes,
    only,
    turn,
)


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


def test_every_cycle_of_a_clock_is_a_row() -> None:
    done, running = translate(CONTRACT, "request_sla", clocked(clock()), SEEN_AT)
    assert done.values == {
        "task_id": mirror_id("jira", "issue", "20417"),
        "definition_id": None,
        "sla_type": "SLA",
        "target": "RESOLUTION",
        "vendor_id": None,
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


def test_clocks_are_told_by_the_keys_of_all_their_cycles_or_not_at_all() -> None:
    keys = [version.key for version in translate(CONTRACT, "request_sla", clocked(clock()), SEEN_AT)]
    assert clock_keys("20417", [clock()]) == keys
    assert clock_keys("20417", []) == []
    unknown: tuple[Any, ...] = (None, {"id": ""}, {"id": "9", "ongoingCycle": {}}, {"id": "9", "completedCycles": "x"})
    assert [clock_keys("20417", [clock(), each]) for each in unknown] == [None] * 4


def test_a_record_that_tells_which_clocks_there_are_is_none_itself() -> None:
    record = {"issueId": "20417", "clocks": ["20417:12:1"], "agreed": ["12"]}
    assert translate(CONTRACT, "request_sla", record, SEEN_AT) == []
    (whole,) = wholes("request_sla", record)
    assert (whole.entity, whole.prefix, whole.keys) == ("request_sla", "20417:", {"20417:12:1"})
    assert list(wholes("request_sla", record | {"clocks": None})) == []


def test_an_unknown_clock_is_listed_and_judges_nothing() -> None:
    metric = clock() | {"id": "99", "name": "Time to coffee", "ongoingCycle": None}
    (version,) = translate(CONTRACT, "request_sla", clocked(metric), SEEN_AT)
    assert version.values["sla_type"] is version.values["target"] is None
    assert notes(version) == {"metric": (IssueCode.UNMAPPED_SOURCE_VALUE, "99 (Time to coffee)")}


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
