"""Changes of the made-up company, their approvals, and whether the change advisory board really was passed over.

Decides type, window, outcome and approvals of 3,000 changes. Of the 1,500 that need a decision 120 look as if the board
was skipped: started before the approval, carried out though rejected, never asked, or unauthorised. 24 of these were
emergencies with a spoken approval written down later, so that in truth nothing was skipped.
"""

from dataclasses import dataclass

from connectors.sandbox.company_book import Book, Row, Step
from connectors.sandbox.company_hours import DAY, HOUR, MINUTE, WEEKDAYS, YEAR_START, day, stamp
from connectors.sandbox.company_names import CHANGE_TITLES
from connectors.sandbox.company_people import Person, Staff, Team
from connectors.sandbox.company_services import Service

STANDARD, NORMAL, EMERGENCY = 1_500, 1_260, 240
SKIPS = {"": 1_380, "before_approval": 26, "spoken": 24, "rejected": 20, "absent": 30, "unauthorized": 20}
APPROVERS = 4  # per change that asked; those that never asked leave theirs to others


@dataclass(slots=True)
class Change:
    sys_id: str
    service: Service
    team: Team
    kind: str
    skip: str
    created: int
    decided: int
    work_start: int
    work_end: int
    outcome: str  # close code, "" when the change was refused and not carried out
    refused: bool
    engineer: Person


def carry_out(book: Book, staff: Staff, services: list[Service]) -> list[Change]:
    """Every change of the year in order of creation, written into the book with its approvals."""
    rng = book.rng
    kinds = ["standard"] * STANDARD + ["normal"] * NORMAL + ["emergency"] * EMERGENCY
    rng.shuffle(kinds)
    decided = [skip for skip, count in SKIPS.items() for _ in range(count)]
    rng.shuffle(decided)
    days = 365 * DAY - 2 * HOUR
    moments = sorted(YEAR_START + rng.randrange(days) for _ in kinds)
    skips = iter(decided)
    extra = sum(SKIPS[s] for s in ("absent", "unauthorized")) * APPROVERS
    changes = []
    for number, (kind, created) in enumerate(zip(kinds, moments, strict=True)):
        skip = "" if kind == "standard" else next(skips)
        if skip == "spoken":
            kind = "emergency"
        change = _plan(book, rng.choice(services), kind, skip, created)
        asked = 0 if kind == "standard" or skip in ("absent", "unauthorized") else APPROVERS
        if asked and extra:  # so that six thousand were asked in all
            asked, extra = asked + 1, extra - 1
        book.truth.cab_skipped[change.sys_id] = "" if skip == "spoken" else skip
        _write(book, change, number, staff)
        _ask(book, change, staff.board, asked)
        changes.append(change)
    return changes


def _plan(book: Book, service: Service, kind: str, skip: str, created: int) -> Change:
    rng = book.rng
    team = rng.choice(service.teams)
    rush = kind == "emergency"
    decided = created + rng.randrange(HOUR, 4 * HOUR) if rush else WEEKDAYS.after(created, rng.randrange(2, 30) * HOUR)
    start = decided + rng.randrange(10 * MINUTE, 3 * HOUR if rush else 5 * DAY)
    if kind == "standard":
        start = created + rng.randrange(HOUR, 3 * DAY)
    if skip in ("before_approval", "spoken"):
        start = created + (decided - created) * rng.randrange(10, 90) // 100
    if skip == "unauthorized":
        start = created + 5 * MINUTE
    end = start + int(rng.lognormvariate(8.6, 0.6)) + 5 * MINUTE
    refused = skip == "" and kind == "normal" and rng.random() < 0.04
    risk = 0.05 + 0.03 * max(service.complexity, -1) - 0.025 * team.skill + (0.2 if skip not in ("", "spoken") else 0)
    risk = max(risk * (0.4 if kind == "standard" else 1.6 if rush else 1.0), 0.01)
    dice = rng.random()
    outcome = "unsuccessful" if dice < risk else "successful_issues" if dice < 2.2 * risk else "successful"
    engineer = rng.choice(team.members)
    sys_id = book.new_id("change_request")
    return Change(sys_id, service, team, kind, skip, created, decided, start, end, outcome, refused, engineer)


def _write(book: Book, change: Change, number: int, staff: Staff) -> None:
    who, service = change.engineer, change.service
    planned = change.work_start - change.work_start % (15 * MINUTE)
    row: Row = {
        "number": f"CHG{30001 + number:07}", "type": change.kind, "state": "-5", "active": "true", "priority": "4",
        "impact": "3", "urgency": "3", "risk": str(book.rng.randrange(2, 5)), "category": "Other", "reason": "",
        "scope": "3", "production_system": "true", "phase": "requested", "phase_state": "open", "chg_model": "",
        "short_description": f"{CHANGE_TITLES[number % len(CHANGE_TITLES)]}: {service.name}", "description": "",
        "business_service": service.sys_id, "cmdb_ci": "", "assignment_group": change.team.sys_id,
        "assigned_to": who.sys_id, "requested_by": who.sys_id, "opened_by": who.sys_id,
        "opened_at": stamp(change.created), "start_date": stamp(planned),
        "end_date": stamp(planned + max(change.work_end - change.work_start, HOUR)), "work_start": "", "work_end": "",
        "cab_required": "false" if change.kind == "standard" or change.skip == "unauthorized" else "true",
        "cab_date_time": "", "cab_recommendation": "", "cab_delegate": "", "approval": "not requested",
        "approval_set": "", "unauthorized": "true" if change.skip == "unauthorized" else "false",
        "outside_maintenance_schedule": "false", "conflict_status": "Not Run", "on_hold": "false", "close_code": "",
        "close_notes": "", "closed_at": "", "closed_by": "", "review_status": "", "review_date": "",
        "correlation_id": "", "parent": "", "std_change_producer_version": "", "reassignment_count": "0",
    }  # fmt: skip
    book.write("change_request", change.sys_id, row, sorted(_life(change, staff), key=lambda step: step[0]))


def _life(change: Change, staff: Staff) -> list[Step]:
    """The versions of one change, in the order in which its kind and its skip make them happen."""
    who, asks = change.engineer.user_name, change.kind != "standard" and change.skip not in ("absent", "unauthorized")
    steps: list[Step] = [(change.created, who, {})]
    if asks:
        no = change.refused or change.skip == "rejected"
        verdict = "rejected" if no else "approved"
        steps.append((change.created + MINUTE, who, {"state": "-3", "approval": "requested"}))
        columns = {"approval": verdict, "approval_set": stamp(change.decided), "cab_date_time": stamp(change.decided)}
        if not no and change.skip not in ("before_approval", "spoken"):
            columns["state"] = "-2"
        steps.append((change.decided, "flow.engine", columns))
        if change.skip == "spoken":
            note = f"Spoken approval of the emergency board at {stamp(change.work_start - MINUTE)}, written down later."
            columns["cab_recommendation"] = note
    if change.refused:
        closed = {"state": "4", "active": "false", "phase_state": "closed", "closed_at": stamp(change.decided + HOUR),
                  "closed_by": change.engineer.sys_id}  # fmt: skip
        return [*steps, (change.decided + HOUR, who, closed)]
    done, closing = change.work_end, max(change.work_end, change.decided) + 20 * HOUR
    closed = {"state": "3", "active": "false", "phase_state": "closed", "close_code": change.outcome,
              "closed_at": stamp(closing), "closed_by": change.team.manager.sys_id, "review_status": "2",
              "review_date": day(closing)}  # fmt: skip
    return [
        *steps,
        (change.work_start, who, {"state": "-1", "work_start": stamp(change.work_start)}),
        (done, who, {"state": "0", "work_end": stamp(done)}),
        (closing, change.team.manager.user_name, closed),
    ]


def _ask(book: Book, change: Change, board: Team, count: int) -> None:
    """Approval rows. Two members decide, the rest are settled by them; a refusal needs one."""
    rng = book.rng
    no = change.refused or change.skip == "rejected"
    approvers = rng.sample([board.manager, *board.members], count)
    for place, approver in enumerate(approvers):
        row: Row = {
            "approver": approver.sys_id, "state": "requested", "sysapproval": change.sys_id,
            "source_table": "change_request", "document_id": change.sys_id, "group": "", "expected_start": "",
            "due_date": stamp(change.created + 3 * DAY), "comments": "", "wf_activity": "",
        }  # fmt: skip
        decides = place == 0 or (place == 1 and not no)
        state = ("rejected" if no else "approved") if decides else "not_required"
        # the last needed decision settles the change; an earlier one came in the hour before
        settled = change.decided if place == 0 or not decides else change.decided - rng.randrange(60, 40 * MINUTE)
        steps: list[Step] = [
            (change.created + MINUTE, "flow.engine", {}),
            (max(settled, change.created + 2 * MINUTE), approver.user_name if decides else "flow.engine",
             {"state": state}),
        ]  # fmt: skip
        book.write("sysapproval_approver", book.new_id("sysapproval_approver"), row, steps)
