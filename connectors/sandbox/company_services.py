"""What the made-up company runs and what it has agreed: services, vendors, schedules, SLA definitions, the survey.

Decides which teams support which service, which vendor stands behind it, and the agreed times. Two services are run in
Jira: they stand in the CMDB, but their tickets do not.
"""

from dataclasses import dataclass

from connectors.sandbox.company_book import Book
from connectors.sandbox.company_hours import DAY, HOUR, MINUTE, ROUND_THE_CLOCK, WEEKDAYS, Clock, duration
from connectors.sandbox.company_names import SERVICES, VENDORS
from connectors.sandbox.company_people import Person, Staff, Team

SET_UP = 60 * DAY
BUDGETS_EUR = (2_400, 1_900, 2_100, 900, 1_100, 600, 450, 250, 800, 200, 700, 650)  # thousands a year


@dataclass(slots=True)
class Service:
    sys_id: str
    name: str
    complexity: float
    quality: float
    teams: list[Team]
    vendor: str
    owner: Person
    in_jira: bool


@dataclass(slots=True)
class Definition:
    """An agreed time (contract_sla): seconds on a clock."""

    sys_id: str
    seconds: int
    clock: Clock
    schedule: str

    def due(self, start: int) -> int:
        return self.clock.after(start, self.seconds)

    def breach(self, start: int, hold: tuple[int, int] | None) -> int:
        """When the clock runs out: a pause that begins before that moves it on by its seconds on this clock."""
        due = self.due(start)
        return self.clock.after(due, self.clock.between(*hold)) if hold and due > hold[0] else due


@dataclass(slots=True)
class Agreements:
    resolution: dict[str, Definition]  # by priority
    response: dict[str, Definition]
    team: Definition  # OLA between teams
    vendor: dict[str, Definition]  # underpinning contract by vendor


def found_vendors(book: Book, staff: Staff) -> list[str]:
    vendors = []
    for number, name in enumerate(VENDORS):
        sys_id = book.new_id("core_company")
        row = {
            "name": name, "vendor": "true", "manufacturer": "false", "customer": "false", "primary": "false",
            "vendor_type": "", "vendor_manager": staff.directors[number].sys_id, "rank_tier": "strategic",
            "contact": "", "parent": "", "country": "", "city": "", "website": "", "notes": "",
        }  # fmt: skip
        book.write("core_company", sys_id, row, [(SET_UP + number, "admin", {})])
        vendors.append(sys_id)
    return vendors


def start_services(book: Book, staff: Staff, vendors: list[str]) -> list[Service]:
    """Every service has about three teams of its own; the first is its support group."""
    services = []
    for number, (name, criticality, age, complexity, quality, in_jira) in enumerate(SERVICES):
        teams = staff.service_teams[number :: len(SERVICES)]
        vendor = vendors[number % len(vendors)]
        owner = staff.directors[number % len(staff.directors)]
        sys_id = book.new_id("cmdb_ci_service")
        row = {
            "name": name, "number": f"BS{number + 1:04}", "busines_criticality": criticality,
            "service_classification": "Business Service", "used_for": "Production", "service_status": "operational",
            "operational_status": "1", "install_status": "1", "owned_by": owner.sys_id,
            "managed_by": teams[0].manager.sys_id, "supported_by": "", "assigned_to": "", "delivery_manager": "",
            "business_contact": "", "support_group": teams[0].sys_id, "managed_by_group": teams[0].sys_id,
            "assignment_group": teams[-1].sys_id, "change_control": staff.board.sys_id, "user_group": "",
            "company": "", "vendor": vendor, "schedule": "", "parent": "", "end_date": "", "duplicate_of": "",
            "start_date": f"{2025 - age}-02-01 00:00:00", "u_annual_budget": str(BUDGETS_EUR[number] * 1000),
            "u_annual_budget_currency": "EUR",
        }  # fmt: skip
        book.write("cmdb_ci_service", sys_id, row, [(SET_UP + 100 + number, "admin", {})])
        book.truth.service_complexity[sys_id] = complexity
        book.truth.service_quality[sys_id] = quality
        services.append(Service(sys_id, name, complexity, quality, teams, vendor, owner, in_jira))
    return services


def agree(book: Book, vendors: list[str]) -> Agreements:
    schedule = book.new_id("cmn_schedule")
    weekdays = {"name": "Weekdays 09:00-17:00 UTC", "time_zone": "GMT", "type": "", "description": ""}
    book.write("cmn_schedule", schedule, weekdays, [(SET_UP, "admin", {})])

    def define(name: str, kind: str, target: str, seconds: int, clock: Clock, vendor: str = "") -> Definition:
        sys_id = book.new_id("contract_sla")
        place = schedule if clock is WEEKDAYS else ""
        row = {
            "name": name, "type": kind, "target": target, "collection": "incident", "vendor": vendor,
            "duration": duration(seconds), "duration_type": "", "schedule": place,
            "schedule_source": "sla_definition" if place else "no_schedule", "timezone": "GMT",
            "timezone_source": "sla_definition", "start_condition": "", "stop_condition": "",
            "pause_condition": "state=3", "resume_condition": "", "cancel_condition": "state=8",
            "reset_condition": "", "retroactive": "true", "retroactive_pause": "false", "active": "true",
        }  # fmt: skip
        book.write("contract_sla", sys_id, row, [(SET_UP + 200, "admin", {})])
        return Definition(sys_id, seconds, clock, place)

    resolve = {"1": 4 * HOUR, "2": 8 * HOUR, "3": 24 * HOUR, "4": 40 * HOUR}
    respond = {"1": 15 * MINUTE, "2": 30 * MINUTE, "3": 2 * HOUR, "4": 4 * HOUR}
    clocks = {"1": ROUND_THE_CLOCK, "2": WEEKDAYS, "3": WEEKDAYS, "4": WEEKDAYS}
    return Agreements(
        {p: define(f"Priority {p} resolution", "SLA", "resolution", s, clocks[p]) for p, s in resolve.items()},
        {p: define(f"Priority {p} response", "SLA", "response", s, clocks[p]) for p, s in respond.items()},
        define("Second line takes over", "OLA", "resolution", 16 * HOUR, WEEKDAYS),
        {
            v: define(f"{name} restores", "Underpinning contract", "resolution", 12 * HOUR, WEEKDAYS, v)
            for name, v in zip(VENDORS, vendors, strict=True)
        },
    )
