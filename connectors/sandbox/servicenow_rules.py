"""The business rules of the imitated instance: what a write means for the record itself, and for others.

Decides derived columns before a write is kept (numbers, resolution, reopening, closing) and what follows after it:
approvals that another approver has settled turn `not_required`, a change that asks for approval asks its board, an
agenda item dates its change, agreed clocks start and stop. What the writer gives is never overruled. A change is
settled by its first decision; the product leaves that to the customer's flow. Source: SN Ask for Approval, CAB
Workbench; the column rules are the usual ones of the base system (check on an instance).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from connectors.sandbox.company_book import Row
from connectors.sandbox.company_hours import DAY, WEEKDAYS, duration, second, stamp
from connectors.sandbox.servicenow_sla import follow

if TYPE_CHECKING:
    from connectors.sandbox.servicenow_records import Records

Before = Callable[["Records", Row | None, Row, Collection[str], str], None]
After = Callable[["Records", Row | None, Row], None]

FLOW = "flow.engine"
NUMBERS = {"incident": "INC", "change_request": "CHG", "problem": "PRB", "ast_contract": "CNTR",
           "asmt_assessment_instance": "AINST", "sysapproval_group": "GAPRV"}  # fmt: skip
DONE_STATES = {"incident": ("7", "8"), "change_request": ("3", "4"), "problem": ("107",)}
SETTLED = ("6", "7")  # incident states in which work has ended
DECISIONS = ("approved", "rejected")
LAST_NUMBER = 7_000_000  # what is written here is numbered apart from what was loaded


def _fill(row: Row, given: Collection[str], values: Row) -> None:
    """Set what the writer left to the instance."""
    row.update({name: value for name, value in values.items() if name not in given})


def _number(records: Records, old: Row | None, row: Row, given: Collection[str], who: str) -> None:
    if old is None and not row.get("number"):
        table = row["sys_class_name"]
        row["number"] = f"{NUMBERS[table]}{LAST_NUMBER + records.made:07}"


def _task(records: Records, old: Row | None, row: Row, given: Collection[str], who: str) -> None:
    """Opening and closing, the same for every kind of task."""
    now, ends = records.stamp, DONE_STATES[row["sys_class_name"]]
    if old is None:
        _fill(row, given, {"opened_at": row["opened_at"] or now, "opened_by": row["opened_by"] or person(records, who)})
    elif row["assignment_group"] != old["assignment_group"] and old["assignment_group"]:
        _fill(row, given, {"reassignment_count": str(int(old.get("reassignment_count") or 0) + 1)})
    was = old["state"] if old else ""
    if row["state"] in ends and was not in ends:
        _fill(row, given, {"active": "false", "closed_at": now, "closed_by": person(records, who)})
    elif was in ends and row["state"] not in ends:
        _fill(row, given, {"active": "true", "closed_at": "", "closed_by": ""})


def _incident(records: Records, old: Row | None, row: Row, given: Collection[str], who: str) -> None:
    was = old["state"] if old else ""
    if "incident_state" in given and "state" not in given:
        row["state"] = row["incident_state"]
    row["incident_state"] = row["state"]
    if row["state"] == was:
        return
    now = records.stamp
    if row["state"] != "3":
        _fill(row, given, {"hold_reason": ""})
    if row["state"] == "6":
        _fill(row, given, {"resolved_at": now, "resolved_by": person(records, who)})
        _measure(row, given)
    elif was in SETTLED and row["state"] not in (*SETTLED, "8"):
        count = str(int((old or {}).get("reopen_count") or 0) + 1)
        _fill(row, given, {"reopen_count": count, "reopened_time": now, "reopened_by": person(records, who),
                           "resolved_at": "", "resolved_by": ""})  # fmt: skip


def _measure(row: Row, given: Collection[str]) -> None:
    """Whole seconds from opened to resolved, on both clocks."""
    opened, resolved = second(row["opened_at"]), second(row["resolved_at"])
    calendar, business = max(resolved - opened, 0), max(WEEKDAYS.between(opened, resolved), 0)
    measures = {"calendar_stc": str(calendar), "business_stc": str(business)}
    _fill(row, given, {**measures, "calendar_duration": duration(calendar), "business_duration": duration(business)})


def _change(records: Records, old: Row | None, row: Row, given: Collection[str], who: str) -> None:
    was, approval = (old["state"], old["approval"]) if old else ("", "")
    if row["approval"] != approval:
        _fill(row, given, {"approval_set": records.stamp if row["approval"] in DECISIONS else ""})
    stamps = {"-1": "work_start", "0": "work_end"}
    if row["state"] != was and row["state"] in stamps:
        _fill(row, given, {stamps[row["state"]]: records.stamp})


def _problem(records: Records, old: Row | None, row: Row, given: Collection[str], who: str) -> None:
    if "problem_state" in given and "state" not in given:
        row["state"] = row["problem_state"]
    row["problem_state"] = row["state"]


def person(records: Records, user_name: str) -> str:
    """sys_id of who has this user name; "" for nobody."""
    people = records.tables["sys_user"].rows.values()
    return next((row["sys_id"] for row in people if row["user_name"] == user_name), "")


# ---- what follows for other records


def _ask_board(records: Records, old: Row | None, row: Row) -> None:
    """A change that asks for approval asks the group that controls changes of its service, member by member."""
    if row["approval"] != "requested" or (old or {}).get("approval") == "requested":
        return
    service = records.tables["cmdb_ci_service"].rows.get(row["business_service"], {})
    group = service.get("change_control", "")
    if not group or any(r["parent"] == row["sys_id"] for r in records.tables["sysapproval_group"].rows.values()):
        return
    due = stamp(second(records.stamp) + 3 * DAY)
    asked = {"parent": row["sys_id"], "assignment_group": group, "approval": "requested", "due_date": due,
             "short_description": f"Approval of {row['number']}"}  # fmt: skip
    approval = records.insert(records.tables["sysapproval_group"], asked, FLOW)
    for member in list(records.tables["sys_user_grmember"].rows.values()):
        if member["group"] == group:
            told = {"approver": member["user"], "state": "requested", "sysapproval": row["sys_id"], "due_date": due,
                    "source_table": "change_request", "document_id": row["sys_id"],
                    "group": approval["sys_id"]}  # fmt: skip
            records.insert(records.tables["sysapproval_approver"], told, FLOW)


def _settle(records: Records, old: Row | None, row: Row) -> None:
    """The first decision settles the request: others need not answer any more, the group and the change follow."""
    if row["state"] not in DECISIONS or (old or {}).get("state") == row["state"]:
        return
    excuse(records, row["sysapproval"], row["sys_id"])
    groups, changes = records.tables["sysapproval_group"], records.tables["change_request"]
    if row["group"] in groups.rows:
        records.update(groups, row["group"], {"approval": row["state"], "active": "false"}, FLOW)
    change = changes.rows.get(row["sysapproval"])
    if change is not None and change["approval"] == "requested":
        moved = {"state": "-2"} if row["state"] == "approved" and change["state"] == "-3" else {}
        records.update(changes, change["sys_id"], {"approval": row["state"], **moved}, FLOW)


def excuse(records: Records, task: str, but: str = "") -> None:
    """Whoever has not answered need not answer any more."""
    table = records.tables["sysapproval_approver"]
    for other in list(table.rows.values()):
        if other["sysapproval"] == task and other["state"] == "requested" and other["sys_id"] != but:
            records.update(table, other["sys_id"], {"state": "not_required"}, FLOW)


def _call_off(records: Records, old: Row | None, row: Row) -> None:
    """A cancelled change asks nobody any more."""
    if row["state"] == "4" and (old or {}).get("state") != "4":
        excuse(records, row["sys_id"])


def _date_change(records: Records, old: Row | None, row: Row) -> None:
    """An item on the agenda sets the date on which the board meets about the change."""
    meeting = records.tables["cab_meeting"].rows.get(row["cab_meeting"])
    changes = records.tables["change_request"]
    if old is None and meeting is not None and row["task"] in changes.rows:
        records.update(changes, row["task"], {"cab_date_time": meeting["start"]}, FLOW)


def deleted(records: Records, table: str, sys_id: str) -> None:
    """The clocks of a task go with it."""
    clocks = records.tables["task_sla"]
    if table in DONE_STATES:
        for row in [row for row in clocks.rows.values() if row["task"] == sys_id]:
            records.delete(clocks, row["sys_id"], FLOW)


BEFORE: dict[str, tuple[Before, ...]] = {
    "incident": (_number, _incident, _task),
    "change_request": (_number, _change, _task),
    "problem": (_number, _problem, _task),
    "ast_contract": (_number,),
    "asmt_assessment_instance": (_number,),
    "sysapproval_group": (_number,),
}
AFTER: dict[str, tuple[After, ...]] = {
    "incident": (follow,),
    "change_request": (_ask_board, _call_off, follow),
    "problem": (follow,),
    "sysapproval_approver": (_settle,),
    "cab_agenda_item": (_date_change,),
}
