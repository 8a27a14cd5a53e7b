"""Problems of the made-up company: what really broke, what the record says, and when it was admitted.

Decides about 400 problems. A dozen are major outages: clusters of slow incidents that share one problem. Custom columns
carry the root cause (`u_root_cause`, `u_root_cause_vendor`); open problems have none, and a few closed ones have none
either, which is missing evidence and excludes nothing. A few say something else than what was true.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.sandbox.company_book import Book, Row, Step
from connectors.sandbox.company_hours import DAY, HOUR, WEEKDAYS, YEAR_START, stamp
from connectors.sandbox.company_names import SYMPTOMS
from connectors.sandbox.company_people import Person, Team
from connectors.sandbox.company_services import Service

PROBLEMS = 400
# cause, number of outages, incidents in each
OUTAGES = (("vendor", 9, (70, 130)), ("cyberattack", 1, (60, 90)), ("force_majeure", 1, (50, 80)),
           ("upstream_service", 1, (40, 60)))  # fmt: skip
MINOR = (("internal", 46), ("change", 18), ("capacity", 14), ("vendor", 12), ("upstream_service", 10))


@dataclass(slots=True)
class Problem:
    sys_id: str
    service: Service
    team: Team
    cause: str  # the truth
    began: int  # first incident
    opened: int
    incidents: int
    spread: int  # seconds in which its incidents come
    major: bool


def break_down(book: Book, services: list[Service]) -> list[Problem]:
    """All problems of the year in order of their beginning, without their incidents."""
    rng = book.rng
    wanted = [(cause, rng.randrange(*size), True) for cause, count, size in OUTAGES for _ in range(count)]
    causes, weights = [cause for cause, _ in MINOR], [weight for _, weight in MINOR]
    minor = rng.choices(causes, weights, k=PROBLEMS - len(wanted))
    wanted += [(cause, rng.randrange(2, 7), False) for cause in minor]
    problems = []
    for cause, incidents, major in wanted:
        service = rng.choice(services)
        latest = 340 * DAY if major else 362 * DAY
        began = YEAR_START + rng.randrange(2 * DAY, latest)
        opened = began + rng.randrange(HOUR, 6 * HOUR)
        spread = rng.randrange(6 * HOUR, 30 * HOUR) if major else rng.randrange(2 * DAY, 20 * DAY)
        sys_id = book.new_id("problem")
        team = service.teams[0] if major else rng.choice(service.teams)
        problems.append(Problem(sys_id, service, team, cause, began, opened, incidents, spread, major))
    problems.sort(key=lambda problem: (problem.began, problem.sys_id))
    coding = _coding(book, problems)
    for number, problem in enumerate(problems):
        book.truth.problem_cause[problem.sys_id] = problem.cause
        _write(book, problem, number, next(coding), problem.service.vendor)
    return problems


def _coding(book: Book, problems: list[Problem]) -> Iterator[str]:
    """What the record says is the cause once it is closed: mostly the truth, sometimes nothing, rarely a fib."""
    for problem in problems:
        dice = book.rng.random()
        if problem.major:
            yield problem.cause
        elif dice < 0.025:
            yield ""
        elif dice < 0.06 and problem.cause == "internal":
            yield "vendor"
        else:
            yield problem.cause


def _write(book: Book, problem: Problem, number: int, coded: str, vendor: str) -> None:
    rng = book.rng
    person: Person = rng.choice(problem.team.members)
    row: Row = {
        "number": f"PRB{40001 + number:07}", "state": "101", "problem_state": "101", "active": "true",
        "priority": "2" if problem.major else "4", "impact": "3", "urgency": "3", "category": "", "subcategory": "",
        "short_description": f"{problem.service.name} {SYMPTOMS[number % len(SYMPTOMS)]}", "description": "",
        "major_problem": "true" if problem.major else "false", "known_error": "false", "opened_by": person.sys_id,
        "opened_at": stamp(problem.opened), "business_service": problem.service.sys_id, "cmdb_ci": "",
        "assignment_group": problem.team.sys_id, "assigned_to": person.sys_id, "confirmed_at": "", "fix_at": "",
        "fix_by": "", "fix_notes": "", "cause_notes": "", "workaround": "", "resolution_code": "", "resolved_at": "",
        "resolved_by": "", "closed_at": "", "closed_by": "", "reopen_count": "0", "rfc": "", "duplicate_of": "",
        "related_incidents": str(problem.incidents), "u_root_cause": "", "u_root_cause_vendor": "",
        "correlation_id": "",
    }  # fmt: skip
    fixing = WEEKDAYS.after(problem.opened, rng.randrange(8, 40) * HOUR)
    closing = max(WEEKDAYS.after(fixing, rng.randrange(16, 160) * HOUR), problem.began + problem.spread)
    steps: list[Step] = [
        (problem.opened, person.user_name, {}),
        (fixing, person.user_name, {"state": "104", "problem_state": "104", "confirmed_at": stamp(fixing)}),
    ]
    if problem.major or rng.random() < 0.88:
        columns = {
            "state": "107", "problem_state": "107", "active": "false", "u_root_cause": coded,
            "u_root_cause_vendor": vendor if coded == "vendor" else "", "resolution_code": "fix_applied",
            "resolved_at": stamp(closing), "resolved_by": person.sys_id, "fix_at": stamp(closing),
            "fix_by": person.sys_id, "closed_at": stamp(closing), "closed_by": problem.team.manager.sys_id,
        }  # fmt: skip
        steps.append((closing, problem.team.manager.user_name, columns))
    book.write("problem", problem.sys_id, row, steps)
