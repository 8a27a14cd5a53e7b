"""Incidents of the made-up company: where they come from, how long they take, what their versions look like.

Decides 20,000 incidents: those of problems, those that changes caused, and the everyday rest. Working seconds to
resolve are log-normal in service complexity, priority, skill of team and person, and cause; pauses and the calendar
come on top. Resolved incidents are closed by a job on Sundays at 02:00:00, so that hundreds share one second.
"""

from dataclasses import dataclass

from connectors.sandbox.company_book import Book, Row, Step
from connectors.sandbox.company_changes import Change
from connectors.sandbox.company_hours import (
    DAY,
    HOUR,
    MINUTE,
    ROUND_THE_CLOCK,
    WEEKDAYS,
    YEAR_END,
    YEAR_START,
    duration,
    stamp,
)  # fmt: skip
from connectors.sandbox.company_names import CATEGORIES, SYMPTOMS
from connectors.sandbox.company_people import Person, Staff, Team
from connectors.sandbox.company_problems import Problem
from connectors.sandbox.company_services import Agreements, Service

INCIDENTS = 20_000
UNKNOWN_STATES = 9  # state 42: a choice that only this customer has
PRIORITIES, PRIORITY_WEIGHTS = ("1", "2", "3", "4"), (3, 15, 55, 27)
MEDIAN_WORK = {"1": 75 * MINUTE, "2": 150 * MINUTE, "3": 7 * HOUR, "4": 12 * HOUR}
URGENCY = {"1": ("1", "1"), "2": ("1", "2"), "3": ("2", "2"), "4": ("3", "2")}  # impact, urgency
SLOWER = {"vendor": 5.0, "cyberattack": 6.0, "force_majeure": 5.0, "upstream_service": 2.5}  # not the team's doing
WAITS_FOR_CALLER, WAITS_FOR_VENDOR = "1", "4"


@dataclass(slots=True)
class Incident:
    sys_id: str
    opened: int
    service: Service
    team: Team
    cause: str
    priority: str
    problem: Problem | None
    change: Change | None
    assignee: Person
    caller: Person
    responded: int = 0
    hold: tuple[int, int] | None = None
    hold_reason: str = ""
    resolved: int = 0
    breach: int = 0  # when the agreed time to resolve runs out
    cancelled: bool = False


def happen(
    book: Book, staff: Staff, services: list[Service], agreed: Agreements, problems: list[Problem],
    changes: list[Change],
) -> list[Incident]:  # fmt: skip
    """Every incident of the year in order of opening, written into the book."""
    rng = book.rng
    seeds: list[tuple[int, Service, Team, str, Problem | None, Change | None]] = []
    for problem in problems:
        for _ in range(problem.incidents):
            at = problem.began + rng.randrange(problem.spread)
            seeds.append((at, problem.service, problem.team, problem.cause, problem, None))
    for change in changes:
        harm = {"unsuccessful": rng.randrange(1, 6), "successful_issues": rng.randrange(0, 3)}.get(change.outcome, 0)
        for _ in range(0 if change.refused else harm):
            at = change.work_end + rng.randrange(10 * MINUTE, 2 * DAY)
            seeds.append((at, change.service, rng.choice(change.service.teams), "change", None, change))
    seeds = [seed for seed in seeds if seed[0] < YEAR_END - HOUR]
    weights = [1.6 + 0.5 * s.complexity - 0.4 * s.quality for s in services]
    for service in rng.choices(services, weights, k=INCIDENTS - len(seeds)):
        seeds.append((_moment(book), service, rng.choice(service.teams), _everyday_cause(book), None, None))
    seeds.sort(key=lambda seed: seed[0])
    odd = set(rng.sample(range(INCIDENTS // 10, INCIDENTS * 9 // 10), UNKNOWN_STATES))
    incidents = []
    for number, (opened, service, team, cause, known, culprit) in enumerate(seeds):
        incident = _work(book, staff, opened, service, team, cause, known, culprit)
        incident.breach = agreed.resolution[incident.priority].breach(opened, incident.hold)
        book.truth.incident_cause[incident.sys_id] = cause
        if cause == "vendor":
            book.truth.incident_vendor[incident.sys_id] = service.vendor
        _write(book, incident, number, staff, number in odd)
        incidents.append(incident)
    return incidents


def _moment(book: Book) -> int:
    """Four of five incidents are noticed at work, the rest at any hour."""
    if book.rng.random() < 0.8:
        first, last = WEEKDAYS.worked(YEAR_START), WEEKDAYS.worked(YEAR_END)
        return WEEKDAYS.when(book.rng.randrange(first, last))
    return book.rng.randrange(YEAR_START, YEAR_END - HOUR)


def _everyday_cause(book: Book) -> str:
    dice = book.rng.random()
    return "internal" if dice < 0.9 else "capacity" if dice < 0.95 else "vendor" if dice < 0.98 else "upstream_service"


def _work(
    book: Book, staff: Staff, opened: int, service: Service, team: Team, cause: str,
    problem: Problem | None, change: Change | None,
) -> Incident:  # fmt: skip
    rng = book.rng
    priority = rng.choices(PRIORITIES, PRIORITY_WEIGHTS)[0]
    if problem is not None and problem.major:
        priority = rng.choice("23")
    assignee = rng.choice(team.members)
    case = Incident(book.new_id("incident"), opened, service, team, cause, priority, problem, change, assignee,
                    rng.choice(staff.people))  # fmt: skip
    clock = ROUND_THE_CLOCK if priority == "1" else WEEKDAYS
    case.responded = clock.after(opened, int(rng.lognormvariate(6.6, 0.8)) + 30)
    factor = 2.718281828459045 ** (0.28 * service.complexity - 0.3 * assignee.skill)
    outage = SLOWER.get(cause, 1.0) if problem is not None and problem.major else SLOWER.get(cause, 1.0) ** 0.4
    work = int(MEDIAN_WORK[priority] * factor * outage * rng.lognormvariate(0.0, 0.85)) + MINUTE
    dice = rng.random()
    case.cancelled = dice > 0.985
    if cause == "vendor" and dice < 0.7:
        case.hold_reason = WAITS_FOR_VENDOR
    elif dice < 0.22:
        case.hold_reason = WAITS_FOR_VENDOR if dice < 0.05 else WAITS_FOR_CALLER
    if case.hold_reason:
        starts = clock.after(case.responded, work * rng.randrange(10, 80) // 100)
        usual = 9 * HOUR if problem is not None and problem.major else 3 * HOUR
        wait = int(usual * rng.lognormvariate(0.0, 0.9)) + MINUTE
        case.hold = (starts, starts + wait if priority == "1" else max(WEEKDAYS.after(starts, wait), starts + MINUTE))
        work += clock.between(*case.hold)
    case.resolved = max(clock.after(case.responded, work), case.hold[1] + MINUTE if case.hold else 0)
    return case


def _write(book: Book, case: Incident, number: int, staff: Staff, odd: bool) -> None:
    rng = book.rng
    impact, urgency = URGENCY[case.priority]
    category, subcategory = CATEGORIES[number % len(CATEGORIES)]
    bounces = rng.choices((0, 1, 2, 3), (72, 18, 7, 3))[0]
    desk = case.service.teams[0] if bounces else case.team
    opener = staff.machines[1] if rng.random() < 0.15 else case.caller
    row: Row = {
        "number": f"INC{10001 + number:07}", "state": "1", "incident_state": "1", "active": "true",
        "priority": case.priority, "impact": impact, "urgency": urgency, "severity": "3", "escalation": "0",
        "category": category, "subcategory": subcategory, "description": "", "approval": "not requested",
        "short_description": f"{case.service.name} {SYMPTOMS[(number * 7) % len(SYMPTOMS)]}",
        "contact_type": "monitoring" if opener is not case.caller else "self-service", "notify": "1",
        "opened_at": stamp(case.opened), "opened_by": opener.sys_id, "caller_id": case.caller.sys_id,
        "business_service": case.service.sys_id, "service_offering": "", "cmdb_ci": "", "company": "", "location": "",
        "assignment_group": desk.sys_id, "assigned_to": "", "hold_reason": "", "problem_id": "", "rfc": "",
        "caused_by": "", "parent_incident": "", "child_incidents": "0", "resolved_at": "", "resolved_by": "",
        "closed_at": "", "closed_by": "", "close_code": "", "close_notes": "", "reopen_count": "0",
        "reopened_time": "", "reopened_by": "", "reassignment_count": "0", "made_sla": "true", "calendar_stc": "",
        "business_stc": "", "calendar_duration": "", "business_duration": "", "sla_due": "", "correlation_id": "",
        "correlation_display": "", "upon_approval": "proceed", "upon_reject": "cancel", "work_start": "",
        "work_end": "", "follow_up": "", "due_date": "", "cause": "",
    }  # fmt: skip
    book.write("incident", case.sys_id, row, _life(book, case, opener, bounces, staff, odd))


def _life(book: Book, case: Incident, opener: Person, bounces: int, staff: Staff, odd: bool) -> list[Step]:
    who = case.assignee.user_name
    started = {"state": "2", "incident_state": "2", "assignment_group": case.team.sys_id,
               "assigned_to": case.assignee.sys_id, "reassignment_count": str(bounces)}  # fmt: skip
    steps: list[Step] = [(case.opened, opener.user_name, {}), (case.responded, who, started)]
    if case.cancelled:
        ended = {"state": "8", "incident_state": "8", "active": "false", "close_code": "", "closed_at":
                 stamp(case.resolved), "closed_by": case.assignee.sys_id}  # fmt: skip
        return [*steps, (case.resolved, who, ended)]
    if case.hold:
        held = {"state": "3", "incident_state": "3", "hold_reason": case.hold_reason}
        back = {"state": "2", "incident_state": "2", "hold_reason": ""}
        steps += [(case.hold[0], who, held), (case.hold[1], who, back)]
    resolver = staff.machines[2] if case.cause == "capacity" and book.rng.random() < 0.3 else case.assignee
    result = _resolution(case, resolver)
    if odd:
        result |= {"state": "42", "incident_state": "42"}
        return [*steps, (case.resolved, who, result)]
    steps.append((case.resolved, resolver.user_name, result))
    last = case.resolved
    if book.rng.random() < 0.035:  # it was not fixed: the caller reopens, the team resolves again
        again = case.resolved + book.rng.randrange(HOUR, DAY)
        reopened = {"state": "2", "incident_state": "2", "reopen_count": "1", "reopened_time": stamp(again),
                    "reopened_by": case.caller.sys_id}  # fmt: skip
        last = WEEKDAYS.after(again, book.rng.randrange(HOUR, 12 * HOUR))
        case.resolved = last
        steps += [(again, case.caller.user_name, reopened), (last, who, _resolution(case, case.assignee))]
    if case.problem is not None and case.problem.opened <= last:
        linked = max(case.problem.opened, case.responded)
        steps.append((linked, who, {"problem_id": case.problem.sys_id}))
        steps.sort(key=lambda step: step[0])
    closing = _next_sunday(last + 3 * DAY)
    steps.append((closing, "flow.engine", {"state": "7", "incident_state": "7", "active": "false",
                                           "closed_at": stamp(closing), "closed_by": resolver.sys_id}))  # fmt: skip
    return steps


def _resolution(case: Incident, resolver: Person) -> Row:
    calendar, business = case.resolved - case.opened, WEEKDAYS.between(case.opened, case.resolved)
    return {
        "state": "6", "incident_state": "6", "resolved_at": stamp(case.resolved), "resolved_by": resolver.sys_id,
        "close_code": "Solution provided", "close_notes": "Service restored.", "calendar_stc": str(calendar),
        "business_stc": str(business), "calendar_duration": duration(calendar),
        "business_duration": duration(business), "made_sla": "false" if case.resolved > case.breach else "true",
        "caused_by": case.change.sys_id if case.change else "",
    }  # fmt: skip


def _next_sunday(second: int) -> int:
    """The next Sunday 02:00:00 (the origin is a Monday)."""
    week = 7 * DAY
    return (second - 6 * DAY - 2 * HOUR) // week * week + week + 6 * DAY + 2 * HOUR
