"""A small world for campaigns: a few dozen records in every table, made in milliseconds, another one for every seed.

Decides a script of what its dozen people did in the last weeks, and plays it on an empty instance: rules, clocks,
approvals and audit rows so follow as they would from live edits. The seed decides everything. The last rows stand just
before `LIVE_START`; some work is still open, and nothing waits to happen.
"""

from collections.abc import Callable
from random import Random

from connectors.sandbox.company import Company
from connectors.sandbox.company_book import Row, Truth
from connectors.sandbox.company_hours import DAY, HOUR, LIVE_START, MINUTE, stamp
from connectors.sandbox.company_small_stage import Stage, build_stage
from connectors.sandbox.servicenow_records import Records

INCIDENTS, CHANGES, PROBLEMS, SURVEYS, WEEKS = 60, 15, 10, 20, 4
BEGIN = LIVE_START - WEEKS * 7 * DAY
ENDINGS = ("open", "held", "resolved", "closed", "closed", "closed", "reopened", "cancelled")
COURSES = ("approved", "approved", "approved", "rejected", "pending", "cancelled", "standard")
CAUSES = ("internal", "change", "capacity", "vendor", "")

Deed = Callable[[], object]
Script = list[tuple[int, int, Deed]]


def small_company(seed: int, writer: str) -> tuple[Company, Records]:
    """The company and the instance that its people have worked in."""
    rng = Random(f"small:{seed}")
    records = Records({}, stamp(BEGIN - DAY), writer, seed=record_seed(seed))
    stage = build_stage(records, rng, seed, writer)
    script: Script = []
    for number in range(CHANGES):
        _change(records, stage, rng, script, number)
    for number in range(PROBLEMS):
        _problem(records, stage, rng, script, number)
    for number in range(INCIDENTS):
        _incident(records, stage, rng, script, number)
    for at, _, deed in sorted(script, key=lambda entry: entry[:2]):
        if at >= LIVE_START - HOUR:
            break
        records.advance_to(stamp(at))
        deed()
    records.advance_to(stamp(LIVE_START))
    tables = {name: table.rows for name, table in records.tables.items()}
    truth = Truth(team_skill={team: rng.gauss(0, 1) for team in stage.teams})
    return Company(seed, tables, truth, [], (stage.services[-1],), small=True), records


def record_seed(seed: int) -> int:
    """Ids of small worlds differ from each other and from those of the company."""
    return 1_000_000 + seed


def _later(script: Script, at: int, deed: Deed) -> None:
    script.append((at, len(script), deed))


def _moment(rng: Random) -> int:
    return rng.randrange(BEGIN, LIVE_START - 8 * HOUR)


def _incident(records: Records, stage: Stage, rng: Random, script: Script, number: int) -> None:
    table, key = records.tables["incident"], ""
    team, caller = rng.choice(stage.teams), rng.choice(stage.people)
    worker = rng.choice(stage.members[team])
    ending = ENDINGS[number % len(ENDINGS)]
    first: Row = {
        "number": f"INC{10001 + number:07}", "short_description": rng.choice(stage.troubles),
        "caller_id": stage.ids[caller], "business_service": rng.choice(stage.services[:-1]),
        "service_offering": rng.choice(stage.offerings), "assignment_group": team,
        "priority": rng.choice(("1", "2", "3", "4")), "contact_type": "self-service",
    }  # fmt: skip
    at = _moment(rng)

    def edit(after: int, by: str, fields: Callable[[], Row]) -> None:
        nonlocal at
        at += after
        _later(script, at, lambda: records.update(table, key, fields(), by))

    def open_it() -> None:
        nonlocal key
        key = records.insert(table, first, caller)["sys_id"]

    _later(script, at, open_it)
    edit(rng.randrange(MINUTE, 3 * HOUR), worker, lambda: {"state": "2", "assigned_to": stage.ids[worker]})
    if rng.random() < 0.4:
        note = {"work_notes": "Looked at the logs."} if number % 2 else {"comments": "Please send the order number."}
        edit(rng.randrange(MINUTE, HOUR), worker, lambda: note)
    if ending == "held" or rng.random() < 0.25:
        edit(rng.randrange(MINUTE, DAY), worker, lambda: {"state": "3", "hold_reason": rng.choice(("1", "4"))})
        if ending == "held":
            return
        edit(rng.randrange(HOUR, 2 * DAY), caller, lambda: {"state": "2"})
    if rng.random() < 0.3:
        other = rng.choice(stage.teams)
        edit(rng.randrange(MINUTE, HOUR), worker, lambda: {"assignment_group": other})
    if ending == "open":
        return
    if ending == "cancelled":
        edit(rng.randrange(MINUTE, HOUR), worker, lambda: {"state": "8"})
        return
    solved = {"state": "6", "close_code": "Solution provided", "close_notes": "Service restored."}
    edit(
        rng.randrange(10 * MINUTE, 3 * DAY),
        worker,
        lambda: {**solved, "problem_id": stage.some(records, "problem", number)},
    )
    if ending == "reopened":
        edit(rng.randrange(HOUR, DAY), caller, lambda: {"state": "2"})
        edit(rng.randrange(HOUR, DAY), worker, lambda: solved)
    if ending != "resolved":
        edit(3 * DAY, "flow.engine", lambda: {"state": "7"})
    if number < SURVEYS * len(ENDINGS) // 5:
        _later(script, at + rng.randrange(MINUTE, DAY), lambda: _survey(records, stage, rng, key, caller))


def _survey(records: Records, stage: Stage, rng: Random, incident: str, caller: str) -> None:
    done, mark = rng.random() < 0.85, str(rng.randrange(1, 6))
    instance: Row = {
        "metric_type": stage.survey, "user": stage.ids[caller], "state": "complete" if done else "ready",
        "taken_on": records.stamp if done else "", "trigger_table": "incident", "trigger_id": incident,
        "task_id": incident,
    }  # fmt: skip
    key = records.insert(records.tables["asmt_assessment_instance"], instance, caller)["sys_id"]
    for metric, value, text in ((stage.mark, mark, ""), (stage.comment, "-1", "Thank you."))[: 2 if done else 0]:
        same = {"instance": key, "metric": metric, "source_table": "incident", "source_id": incident}
        asked = {**same, "category": stage.category, "value": value, "string_value": text}
        records.insert(records.tables["asmt_assessment_instance_question"], asked, caller)
        given = {**same, "actual_value": value, "normalized_value": value, "string_value": text}
        records.insert(records.tables["asmt_metric_result"], given, caller)


def _change(records: Records, stage: Stage, rng: Random, script: Script, number: int) -> None:
    table, key, course = records.tables["change_request"], "", COURSES[number % len(COURSES)]
    team = rng.choice(stage.teams)
    worker = rng.choice(stage.members[team])
    at = _moment(rng) - 2 * DAY
    start = at + 3 * DAY
    first: Row = {
        "number": f"CHG{30001 + number:07}", "type": "standard" if course == "standard" else "normal",
        "short_description": f"Change {number + 1}", "business_service": rng.choice(stage.services[:-1]),
        "assignment_group": team, "assigned_to": stage.ids[worker], "requested_by": stage.ids[worker],
        "cab_required": "false" if course == "standard" else "true", "start_date": stamp(start),
        "end_date": stamp(start + 2 * HOUR),
    }  # fmt: skip

    def edit(after: int, by: str, fields: Row) -> None:
        nonlocal at
        at += after
        _later(script, at, lambda: records.update(table, key, fields, by))

    def open_it() -> None:
        nonlocal key
        key = records.insert(table, first, worker)["sys_id"]

    _later(script, at, open_it)
    if course != "standard":
        edit(10 * MINUTE, worker, {"state": "-3", "approval": "requested"})
        _later(script, at + MINUTE, lambda: stage.put_on_agenda(records, key, number))
    if course in ("approved", "rejected"):
        _later(script, at + rng.randrange(HOUR, DAY), lambda: _decide(records, stage, key, course, number))
        at += DAY
    if course == "cancelled":
        edit(HOUR, worker, {"state": "4"})
    if course in ("approved", "standard"):
        edit(DAY, worker, {"state": "-1"})
        edit(rng.randrange(HOUR, 5 * HOUR), worker, {"state": "0"})
        outcome = rng.choice(("successful", "successful_issues", "unsuccessful"))
        edit(rng.randrange(HOUR, DAY), worker, {"state": "3", "close_code": outcome})


def _decide(records: Records, stage: Stage, change: str, verdict: str, number: int) -> None:
    """One member of the board answers; the rules excuse the others. Now and then somebody answers in their name."""
    table = records.tables["sysapproval_approver"]
    asked = sorted(row["sys_id"] for row in table.rows.values() if row["sysapproval"] == change)
    if asked:
        row = table.rows[asked[number % len(asked)]]
        names = {sys_id: name for name, sys_id in stage.ids.items()}
        by = "admin" if number % 5 == 4 else names.get(row["approver"], "admin")
        records.update(table, row["sys_id"], {"state": verdict, "comments": "Seen."}, by)


def _problem(records: Records, stage: Stage, rng: Random, script: Script, number: int) -> None:
    table, key = records.tables["problem"], ""
    team, cause = rng.choice(stage.teams), CAUSES[number % len(CAUSES)]
    worker, at = rng.choice(stage.members[team]), BEGIN + number * 2 * DAY + rng.randrange(DAY)
    first: Row = {
        "number": f"PRB{40001 + number:07}", "short_description": rng.choice(stage.troubles),
        "business_service": rng.choice(stage.services[:-1]), "assignment_group": team,
        "assigned_to": stage.ids[worker],
    }  # fmt: skip

    def open_it() -> None:
        nonlocal key
        key = records.insert(table, first, worker)["sys_id"]

    _later(script, at, open_it)
    if number % 3:
        fixing = {"state": "104", "confirmed_by": stage.ids[worker]}
        closing = {"state": "107", "u_root_cause": cause, "resolution_code": "fix_applied",
                   "u_root_cause_vendor": stage.vendors[0] if cause == "vendor" else ""}  # fmt: skip
        _later(script, at + HOUR, lambda: records.update(table, key, fixing, worker))
        _later(script, at + 2 * DAY, lambda: records.update(table, key, closing, worker))
