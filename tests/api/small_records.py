"""Records, feeds, documents, rights and bookings of the small house: a row or two of everything that is listed."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from schema.identity import DEFAULT_TENANT
from schema.tables import (
    access,
    boards,
    documents,
    feeds,
    mirror,
    money,
    moves,
    operations,
    revisions,
    staff,
    suppliers,
    surveys,
)

Rows = list[tuple[Any, list[dict[str, Any]]]]
HERE = {"tenant_id": DEFAULT_TENANT}
# Holders of roles whom no tool knows.
OUTSIDERS = {"wanda": "WORKS_COUNCIL", "petra": "PLAN_ADMIN"}


def records(key: Any, now: datetime) -> Rows:
    """One chain from a contract over a problem and a change to an incident and its clock."""

    def row(kind: str, called: str, source: str = "servicenow", /, **more: Any) -> dict[str, Any]:
        common = {**HERE, "id": key(kind, called), "source": source, "source_key": called, "revision_id": 1}
        return {**common, "gone_at": None, **more}

    service, team, ana = key("service", "mail"), key("team", "alpha"), key("person", "ana")
    incident, change, vendor = key("incident", "INC0000001"), key("change", "CHG1"), key("vendor", "acme")
    hour = timedelta(hours=1)
    return [
        (mirror.Vendor, [row("vendor", "acme", name="Acme")]),
        (mirror.SlaDefinition, [row("definition", "P1", name="P1 in 4 hours", sla_type="SLA", target="RESOLUTION",
                                    vendor_id=None, duration_seconds=14400)]),
        (suppliers.Contract, [row("contract", "CNT1", number="CNT1", name="Network", vendor_id=vendor,
                                  vendor_reference="A-7", source_state="active", starts_on=date(2026, 1, 1),
                                  ends_on=None, active=True)]),
        (suppliers.VendorSlaResult, [row("result", "R1", "vendor", vendor_id=vendor, vendor_name="Acme",
                                         agreement="A-7", service_id=service, metric="availability",
                                         period_starts_on=date(2026, 10, 1), period_ends_on=date(2026, 11, 1), met=98,
                                         total=100, attainment=Decimal("0.98"), status="FINAL",
                                         final_on=date(2026, 11, 5))]),
        (mirror.Problem, [row("problem", "PRB1", number="PRB1", state="CLOSED", source_state="107",
                              root_cause="VENDOR", vendor_id=vendor, assignee_id=ana, closed_by_id=None,
                              closed_at=now)]),
        (mirror.Change, [row("change", "CHG1", number="CHG1", change_type="NORMAL", state="CLOSED", source_state="3",
                             outcome="SUCCESSFUL", service_id=service, team_id=team, assignee_id=ana,
                             cab_required=True, unauthorized=False, opened_at=now - 9 * hour,
                             approval_decided_at=now - 5 * hour, work_started_at=now - 4 * hour, closed_at=now)]),
        (mirror.ChangeApproval, [row("approval", "APP1", change_id=change, approver_id=key("person", "mia"),
                                     state="APPROVED", source_state="approved", acted_by=None)]),
        (boards.GroupApproval, [row("group approval", "GAP1", change_id=change, team_id=team, state="APPROVED",
                                    source_state="approved", opened_at=now - 8 * hour, decided_at=now - 6 * hour)]),
        (boards.CabBoard, [row("board", "CAB1", name="Board", manager_id=None, active=True)]),
        (boards.CabMeeting, [row("meeting", "MTG1", name="Tuesday", board_id=key("board", "CAB1"), manager_id=None,
                                 state="COMPLETE", source_state="complete", starts_at=now - 7 * hour,
                                 ends_at=now - 6 * hour)]),
        (boards.CabAgendaItem, [row("agenda", "AGD1", meeting_id=key("meeting", "MTG1"), change_id=change, position=1,
                                    source_state="complete", source_decision="approved", allotted_seconds=600,
                                    elapsed_seconds=120)]),
        (mirror.Incident, [row("incident", "INC0000001", number="INC0000001", state="RESOLVED", source_state="6",
                               priority=1, service_id=service, team_id=team, assignee_id=ana, opened_at=now - 3 * hour,
                               resolved_at=now - hour, closed_at=None, reopen_count=0, reassignment_count=1,
                               made_sla=True, problem_id=key("problem", "PRB1"), caused_by_id=change,
                               resolve_seconds=7200, resolve_business_seconds=5400, calendar_hash="ef" * 32)]),
        (mirror.TaskSla, [row("clock", "SLA1", task_id=incident, definition_id=key("definition", "P1"), sla_type=None,
                              target=None, vendor_id=None, stage="COMPLETED", has_breached=False,
                              started_at=now - 3 * hour, ended_at=now - hour, planned_end_at=now + hour,
                              business_seconds=5400, business_pause_seconds=0)]),
        (mirror.CsatResponse, [row("csat", "SAT1", task_id=incident, rating=5, answered_at=now)]),
        (moves.StateChange, [row("move", "MOV1", task_id=incident, field="state", old_value="2", new_value="6",
                                 changed_at=now - hour, changed_by="ana")]),
        (revisions.Record, [mirrored(incident, "servicenow", "incident", "INC0000001", "INCIDENT", now),
                            mirrored(key("employment", "E1"), "hris", "employment", "E1", "EMPLOYMENT", now)]),
        (revisions.Standing, [{**HERE, "record_id": incident, "revision_id": 1, "gone": False, "at": now}]),
        (suppliers.ServiceOffering, [row("offering", "OFF1", name="Mail gold", service_id=service,
                                         contract_id=key("contract", "CNT1"), vendor_id=vendor)]),
        (surveys.Survey, [row("survey", "SUR1", name="After a ticket", source_method="survey", active=True)]),
        (surveys.SurveyQuestion, [row("question", "QST1", name="How was it?", question="How was it?",
                                      survey_id=key("survey", "SUR1"), category_id=None, source_type="scale",
                                      weight=Decimal(1), lowest=Decimal(1), highest=Decimal(5), active=True)]),
        (revisions.Snapshot, [{**HERE, "id": key("snapshot", "1"), "name": "close of October", "taken_at": now,
                               "cut_no": 1, "records": 2, "hash": "ab" * 32}]),
    ]  # fmt: skip


def mirrored(record: UUID, source: str, entity: str, source_key: str, kind: str, now: datetime) -> dict[str, Any]:
    return {**HERE, "id": record, "source": source, "entity": entity, "source_key": source_key, "kind": kind,
            "version_no": 1, "version_at": now, "payload_hash": sha256(b"{}").digest(), "revision_id": 1,
            "read_at": now, "shown_at": now, "gone_at": None}  # fmt: skip


def house_keeping(key: Any, now: datetime) -> Rows:
    """Feeds, documents, grants of outsiders, and what came from HR, finance and payroll."""

    def handed(kind: str, called: str, source: str, /, **more: Any) -> dict[str, Any]:
        common = {**HERE, "id": key(kind, called), "source": source, "source_key": called, "revision_id": 1}
        return {**common, "gone_at": None, **more}

    ana, hanna = key("person", "ana"), key("person", "hanna")
    doubt = {"entity": "incident", "why": "ABSENT", "first_at": now, "missed_at": None, "misses": 0}
    drop = {"sha256": "ab" * 32, "rows": 1, "passed": 1, "warned": 0, "rejected": 0, "loaded_at": now}
    return [
        (feeds.Connection, [{**HERE, "source": "servicenow", "state": "DEGRADED", "why": "too much is absent",
                             "since": now}]),
        (operations.Watermark, [{**HERE, "source": "servicenow", "entity": "incident", "feed": "POLL",
                                 "read_to": now}]),
        (feeds.Sweep, [{**HERE, "source": "servicenow", "entity": "incident", "kind": "KEYS", "started_at": now,
                        "finished_at": now, "state": "HELD", "keys": 1, "mirrored": 2, "hinted": 0, "suspected": 1,
                        "gone": 0, "note": "held"}]),
        (feeds.Suspicion, [{**HERE, "source": source, "source_key": f"{source}-1", **doubt}
                           for source in ("servicenow", "hris")]),
        (feeds.Registration, [{**HERE, "source": "jira", "external_id": "7", "url": "https://evenhand.example/h",
                               "state": "LIVE", "expires_at": now, "refreshed_at": now, "healthy_at": now,
                               "alarm": None}]),
        (feeds.Call, [{**HERE, "source": "servicenow", "purpose": "POLL", "hour": now, "calls": 9, "limited": 1,
                       "failed": 0, "waited_ms": 20}]),
        (feeds.FileDrop, [{**HERE, "id": key("drop", name), "source": source, "entity": entity, "name": f"{name}.csv",
                           "loaded_by": hanna, **drop}
                          for name, source, entity in (("employment", "hris", "employment"),
                                                       ("acme", "vendor", "vendor_sla_result"))]),
        (operations.Outbox, [{**HERE, "id": key("outbox", "1"), "target": "servicenow", "operation": "SCORE",
                              "record": "service-mail", "body": {}, "state": "FAILED", "attempts": 3,
                              "reason": "refused", "premise": None, "created_at": now, "next_at": None,
                              "done_at": None}]),
        (documents.Document, [{**HERE, "id": key("document", "1"), "kind": "DATA_CONTRACT", "name": "servicenow",
                               "version_no": 1, "content_hash": "ab" * 32, "body": "entities: []", "state": "ACTIVE",
                               "owner": "IT", "proposed_by": key("person", "ivo"), "proposed_at": now,
                               "test_report": None, "activated_by": None, "activated_at": now, "retired_at": None}]),
        (access.RoleGrant, [{**HERE, "person_id": key("person", who), "role": role, "granted_by": "test",
                             "valid_from": now - timedelta(days=1), "valid_to": None}
                            for who, role in OUTSIDERS.items()]),
        (access.RoleRequest, [{**HERE, "id": key("request", "1"), "person_id": ana, "role": "HR",
                               "asked_by": "evenhand-hr", "state": "REQUESTED", "asked_at": now, "decided_by": None,
                               "decided_at": None}]),
        (staff.Account, [handed("account", "ana", "scim", user_name="ana@example.com", external_id=None, name="ana",
                                email="ana@example.com", employee_number=None, active=True, person_id=ana)]),
        (staff.Employment, [handed("employment", "E1", "hris", employee_number="43", person_id=ana,
                                   legal_entity="Example GmbH", cost_center="100", job="Engineer", grade="7",
                                   full_time_share=Decimal("0.8"), starts_on=date(2020, 1, 1), ends_on=None)]),
        (staff.Budget, [handed("budget", "B1", "finance", name="Bonus 2026", unit="IT",
                               period_starts_on=date(2026, 1, 1), period_ends_on=date(2026, 12, 31), currency="EUR",
                               amount_minor=9_000_000)]),
        (staff.PayrollResult, [handed("payroll", "P1", "payroll", employee_number="43", person_id=ana,
                                      line_ref="L000001", pay_period="2026-11", currency="EUR", amount_minor=200_000,
                                      paid_on=date(2026, 11, 30), source_status="paid")]),
    ]  # fmt: skip


def proposals(key: Any, run_id: UUID, trace: dict[str, Any]) -> Rows:
    amounts = {"currency": "EUR", "target_minor": 300_000, "earned_minor": 200_000}
    return [
        (money.AwardProposal, [{**HERE, "run_id": run_id, "person_id": key("person", who), **amounts,
                                "factor": Decimal("0.666667"), "trace": trace} for who in ("ana", "ben")]),
        (money.PoolAllocation, [{**HERE, "run_id": run_id, "service_id": key("service", name), "currency": "EUR",
                                 "amount_minor": 450_000} for name in ("mail", "shop")]),
    ]  # fmt: skip


def bookings(key: Any) -> Rows:
    """An award as it was promised, and the line that pays it."""
    sides = (("expense:incentives", 200_000), ("liability:awards", -200_000))
    return [
        (money.Account, [{**HERE, "code": code, "kind": code.partition(":")[0]} for code, _ in sides]),
        (money.Journal, [{**HERE, "id": key("journal", "1"), "booked_on": date(2026, 11, 21), "event": "award",
                          "source_key": "AW-2026-000001", "file_id": None, "currency": "EUR", "postings": 2,
                          "audit_entry": key("entry", "1")}]),
        (money.Posting, [{**HERE, "journal_id": key("journal", "1"), "line": no, "account": code,
                          "amount_minor": minor, "award_ref": "AW-2026-000001", "line_id": None}
                         for no, (code, minor) in enumerate(sides, start=1)]),
        (money.Line, [{**HERE, "line_id": "L000001", "file_id": key("file", "1"), "award_ref": "AW-2026-000001",
                       "part_no": 1, "kind": "payout", "person_id": key("person", "ana"), "currency": "EUR",
                       "amount_minor": 200_000, "state": "rejected"}]),
    ]  # fmt: skip


def answers(key: Any, now: datetime) -> Rows:
    return [
        (money.Ack, [{**HERE, "receiver": "payroll-de-01", "idempotency_key": "one", "file_id": key("file", "1"),
                      "stage": "accepted", "body": b"{}", "body_sha256": sha256(b"{}").digest(), "answer": {},
                      "received_at": now}]),
    ]  # fmt: skip
