"""What stands in a small world before anybody works there: its people, teams, services, agreements and surveys.

Decides twelve people in three teams, one of them the change advisory board, four services (the last is run in Jira),
two vendors with contracts, definitions of agreed times with conditions, weekly board meetings, and the integration
account with its roles. Names follow from the seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from connectors.sandbox.company_book import Row
from connectors.sandbox.company_hours import DAY, HOUR, LIVE_START, MINUTE, duration, stamp
from connectors.sandbox.company_names import FIRST, LAST, SERVICES, SYMPTOMS, VENDORS
from connectors.sandbox.servicenow_records import Records

Put = Callable[[str, Row], str]  # table and columns; the sys_id of the new row

PEOPLE, MEETINGS = 12, 4
TEAMS = ("Operations", "Applications", "Change Advisory Board")
MACHINES = ("flow.engine", "event.bridge")
ROLES = ("itil", "sn_incident_read", "sn_change_read", "sn_problem_read", "evenhand.reader")
# name, kind, target, seconds, on weekdays, start, stop
AGREED = (
    ("Priority 1 resolution", "SLA", "resolution", 4 * HOUR, False, "priority=1^stateNOT IN6,7,8", "stateIN6,7"),
    ("Resolution", "SLA", "resolution", 16 * HOUR, True, "priority!=1^stateNOT IN6,7,8", "stateIN6,7"),
    ("Response", "SLA", "response", 2 * HOUR, True, "state=1", "stateNOT IN1,8"),
    ("Second line takes over", "OLA", "resolution", 12 * HOUR, True, "priority=2^state=2", "stateIN6,7"),
)


@dataclass(slots=True)
class Stage:
    """What the script works with. People by user name; everything else by sys_id."""

    people: list[str]
    ids: dict[str, str]  # user name -> sys_id
    teams: list[str]
    board: str
    members: dict[str, list[str]]
    services: list[str]
    offerings: list[str]
    vendors: list[str]
    meetings: list[str]
    survey: str = ""
    category: str = ""
    mark: str = ""
    comment: str = ""
    troubles: tuple[str, ...] = SYMPTOMS
    agenda: dict[str, int] = field(default_factory=dict)

    def some(self, records: Records, table: str, number: int) -> str:
        """One of the records that stand by now, for every third who asks."""
        ids = records.tables[table].ids
        return ids[number % len(ids)] if ids and number % 3 == 0 else ""

    def put_on_agenda(self, records: Records, change: str, number: int) -> None:
        meeting = self.meetings[number % len(self.meetings)]
        place = self.agenda[meeting] = self.agenda.get(meeting, 0) + 1
        item = {"cab_meeting": meeting, "task": change, "order": str(place * 100), "state": "pending",
                "allotted_time": duration(10 * MINUTE), "short_description": f"Item {place}"}  # fmt: skip
        records.insert(records.tables["cab_agenda_item"], item, "admin")


def build_stage(records: Records, rng: Random, seed: int, writer: str) -> Stage:
    def put(table: str, row: Row) -> str:
        with records.same_second():
            return records.insert(records.tables[table], row, "admin", ruled=False)["sys_id"]

    names = rng.sample([f"{first}.{last}" for first in FIRST[:20] for last in LAST[:20]], PEOPLE)
    ids = {name.lower(): put("sys_user", _human(name, number)) for number, name in enumerate(names)}
    people = list(ids)
    ids |= {name: put("sys_user", _machine(name)) for name in dict.fromkeys((*MACHINES, writer))}
    teams = [put("sys_user_group", {"name": f"{name} {seed}", "manager": ids[people[place]]})
             for place, name in enumerate(TEAMS)]  # fmt: skip
    members: dict[str, list[str]] = {team: people[place::3] for place, team in enumerate(teams)}
    for team, inside in members.items():
        for name in inside:
            put("sys_user_grmember", {"user": ids[name], "group": team})
    for role in ROLES:
        put("sys_user_has_role", {"user": ids[writer], "role": put("sys_user_role", {"name": role}), "state": "active"})
    put("sys_properties", {"name": "glide.invalid_query.returns_no_rows", "value": "false", "type": "boolean"})
    vendors = [put("core_company", {"name": name, "vendor": "true", "customer": "false", "manufacturer": "false",
                                    "vendor_manager": ids[people[0]]}) for name in VENDORS[:2]]  # fmt: skip
    stage = Stage(people, ids, teams[:2], teams[2], members, [], [], vendors, [])
    _services(put, stage)
    _agreements(put, stage)
    _meetings(put, stage)
    _survey(put, stage)
    return stage


def _human(name: str, number: int) -> Row:
    first, last = name.split(".")
    return {
        "user_name": name.lower(), "name": f"{first} {last}", "first_name": first, "last_name": last,
        "email": f"{name.lower()}@tarnhelm.example", "employee_number": f"E{20000 + number}", "title": "Engineer",
    }  # fmt: skip


def _machine(name: str) -> Row:
    return {"user_name": name, "name": name, "identity_type": "machine", "web_service_access_only": "true",
            "internal_integration_user": "true"}  # fmt: skip


def _services(put: Put, stage: Stage) -> None:
    for number, (name, criticality, *_) in enumerate(SERVICES[:4]):
        row = {
            "name": name, "number": f"BS{number + 1:04}", "busines_criticality": criticality,
            "owned_by": stage.ids[stage.people[number]], "support_group": stage.teams[number % 2],
            "assignment_group": stage.teams[(number + 1) % 2], "change_control": stage.board, "used_for": "Production",
            "vendor": stage.vendors[number % 2], "u_annual_budget": str(100_000 * (number + 1)),
            "u_annual_budget_currency": "EUR", "service_classification": "Business Service",
        }  # fmt: skip
        stage.services.append(put("cmdb_ci_service", row))
    for number, vendor in enumerate(stage.vendors):
        contract = put("ast_contract", {
            "number": f"CNTR{1001 + number:07}", "short_description": f"Support {number + 1}", "vendor": vendor,
            "vendor_contract": f"V-{number + 1}", "state": "active", "starts": "2025-01-01", "ends": "2026-12-31",
            "yearly_cost": f"{12_000 * (number + 1)}", "contract_administrator": stage.ids[stage.people[0]],
        })  # fmt: skip
        offering = {"name": f"Offering {number + 1}", "parent": stage.services[number], "contract": contract,
                    "vendor": vendor, "support_group": stage.teams[number % 2]}  # fmt: skip
        stage.offerings.append(put("service_offering", offering))


def _agreements(put: Put, stage: Stage) -> None:
    schedule = put("cmn_schedule", {"name": "Weekdays 09:00-17:00 UTC", "time_zone": "GMT"})
    vendor = [(f"Vendor {number + 1} restores", "Underpinning contract", "resolution", 8 * HOUR, True,
               f"hold_reason=4^service_offering={stage.offerings[number]}", "state!=3")
              for number in range(len(stage.vendors))]  # fmt: skip
    for number, (name, kind, target, seconds, weekdays, start, stop) in enumerate([*AGREED, *vendor]):
        row = {
            "name": name, "type": kind, "target": target, "collection": "incident", "duration": duration(seconds),
            "schedule": schedule if weekdays else "", "timezone": "GMT", "start_condition": start,
            "schedule_source": "sla_definition" if weekdays else "no_schedule", "stop_condition": stop,
            "timezone_source": "sla_definition", "cancel_condition": "state=8", "active": "true",
            "pause_condition": "state=3" if target == "resolution" and kind != "Underpinning contract" else "",
            "vendor": stage.vendors[number - len(AGREED)] if number >= len(AGREED) else "",
            "retroactive": "true" if kind == "SLA" else "false", "retroactive_pause": "false",
        }  # fmt: skip
        put("contract_sla", row)


def _meetings(put: Put, stage: Stage) -> None:
    chair, inside = stage.ids[stage.people[2]], stage.members[stage.board]
    board = put("cab_definition", {"name": "Weekly board", "manager": chair, "board_groups": stage.board,
                                   "active": "true"})  # fmt: skip
    for week in range(MEETINGS):
        start = LIVE_START - (MEETINGS - week) * 7 * DAY + 5 * DAY + 10 * HOUR
        over = start < LIVE_START - DAY
        meeting = put("cab_meeting", {
            "name": f"Weekly board {week + 1}", "cab_definition": board, "manager": chair, "board_groups": stage.board,
            "state": "Complete" if over else "Pending", "start": stamp(start), "end": stamp(start + HOUR),
        })  # fmt: skip
        stage.meetings.append(meeting)
        for name in inside:
            attended = "attended" if over else "no response"
            put("cab_attendee", {"cab_meeting": meeting, "attendee": stage.ids[name], "attendance": attended})


def _survey(put: Put, stage: Stage) -> None:
    stage.survey = put("asmt_metric_type", {"name": "After an incident", "evaluation_method": "survey",
                                            "active": "true"})  # fmt: skip
    stage.category = put("asmt_metric_category", {"name": "Service", "metric_type": stage.survey, "order": "100"})
    same = {"category": stage.category, "metric_type": stage.survey, "weight": "10", "active": "true"}
    stage.mark = put("asmt_metric", {**same, "name": "Satisfaction", "question": "How satisfied are you?",
                                     "datatype": "scale", "min": "1", "max": "5", "mandatory": "true"})  # fmt: skip
    stage.comment = put("asmt_metric", {**same, "name": "Anything else?", "question": "Anything else?",
                                        "datatype": "string", "mandatory": "false"})  # fmt: skip
    for value, display in enumerate(("Very poor", "Poor", "Fair", "Good", "Very good"), 1):
        put("asmt_metric_definition", {"metric": stage.mark, "value": str(value), "display": display})
