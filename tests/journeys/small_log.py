"""A made-up incident event log in the columns of the real one, and what a careful reader would count in it.

60 incidents in 5 groups, some without a group, some never resolved, `?` where nothing is known, versions of many
incidents within the same minute, two versions under one number, and rows that stand in the file twice.
"""

import csv
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

COLUMNS = (
    "number", "incident_state", "active", "reassignment_count", "reopen_count", "sys_mod_count", "made_sla",
    "caller_id", "opened_by", "opened_at", "sys_created_by", "sys_created_at", "sys_updated_by", "sys_updated_at",
    "contact_type", "location", "category", "subcategory", "u_symptom", "cmdb_ci", "impact", "urgency", "priority",
    "assignment_group", "assigned_to", "knowledge", "u_priority_confirmation", "notify", "problem_id", "rfc", "vendor",
    "caused_by", "closed_code", "resolved_by", "resolved_at", "closed_at",
)  # fmt: skip
INCIDENTS = 60
BEGIN = datetime(2016, 3, 1, 8, 0)  # noqa: DTZ001 - the log says no zone
MIDDLE = ("New", "Active", "Awaiting User Info", "Awaiting Vendor", "Awaiting Problem", "Awaiting Evidence", "Active")
Row = dict[str, str]


def rows(seed: int = 3) -> list[Row]:
    """All versions, in the order in which they were saved."""
    chance = Random(seed)
    found: list[Row] = []
    for number in range(INCIDENTS):
        found += _life(number, chance)
    again = chance.sample([row for row in found if not _saved_twice(int(row["number"][3:]))], 4)
    found.sort(key=lambda row: (_moment(row["sys_updated_at"]), row["number"], int(row["sys_mod_count"])))
    return found + again


def write(path: Path, content: list[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(content)
    return path


def figures(content: list[Row]) -> dict[str, dict[str, Any]]:
    """By group and over all, from the last version of each incident: the later row wins a tie."""
    last: dict[str, Row] = {}
    for row in content:
        here = last.get(row["number"])
        if here is None or int(row["sys_mod_count"]) >= int(here["sys_mod_count"]):
            last[row["number"]] = row
    groups = {row["assignment_group"] for row in last.values()} - {"?"}
    counted = {"All records": _count(list(last.values()))}
    return counted | {g: _count([row for row in last.values() if row["assignment_group"] == g]) for g in groups}


def _count(of: list[Row]) -> dict[str, Any]:
    minutes = [
        (_moment(row["resolved_at"]) - _moment(row["opened_at"])).total_seconds() / 60
        for row in of
        if row["resolved_at"] != "?"
    ]
    return {
        "incidents": len(of),
        "resolved": len(minutes),
        "median_minutes": median(minutes) if minutes else None,
        "made_sla": sum(row["made_sla"] == "true" for row in of),
        "reopened": sum(int(row["reopen_count"]) > 0 for row in of),
        "not_reassigned": sum(row["reassignment_count"] == "0" for row in of),
    }


def _life(number: int, chance: Random) -> list[Row]:
    opened = BEGIN + timedelta(minutes=chance.randrange(20) * 60)
    group = "?" if number % 9 == 4 else f"Group {chance.randrange(1, 6)}"
    resolved = None if number % 7 == 3 else opened + timedelta(minutes=chance.randrange(5, 9000))
    versions = [_version(number, opened, group, chance) for _ in range(chance.randrange(3, 8))]
    moved, reopened = chance.randrange(3), int(chance.random() < 0.2)
    for count, row in enumerate(versions):
        last = count == len(versions) - 1
        saved = (resolved or opened + timedelta(days=9)) if last else opened + timedelta(minutes=count // 2)
        row["sys_mod_count"], row["sys_updated_at"] = str(count), _text(saved)
        row["incident_state"] = "New" if count == 0 else MIDDLE[chance.randrange(7)]
        if last:
            row["made_sla"] = chance.choice(["true", "false"])
            row["reassignment_count"], row["reopen_count"] = str(moved), str(reopened)
            if resolved:
                row["incident_state"], row["resolved_at"] = "Resolved", _text(resolved)
    if _saved_twice(number):  # under one version number; what came later stands
        twin = dict(versions[-1], made_sla="false", reopen_count="1", incident_state="Closed", active="false")
        twin["sys_updated_at"] = _text(_moment(twin["sys_updated_at"]) + timedelta(days=5))
        versions.append(twin)
    return versions


def _saved_twice(number: int) -> bool:
    return number % 20 == 0


def _version(number: int, opened: datetime, group: str, chance: Random) -> Row:
    return dict.fromkeys(COLUMNS, "?") | {
        "number": f"INC{number:07}", "active": "true", "reassignment_count": "0", "reopen_count": "0",
        "made_sla": "true", "caller_id": f"Caller {chance.randrange(99)}", "opened_by": "Opened by  8",
        "opened_at": _text(opened), "contact_type": "Phone", "category": f"Category {chance.randrange(5)}",
        "impact": "2 - Medium", "urgency": "2 - Medium", "priority": "3 - Moderate", "assignment_group": group,
        "assigned_to": chance.choice(["?", "Resolver 1", "Resolver 2"]), "knowledge": "true",
        "u_priority_confirmation": "false", "notify": "Do Not Notify",
    }  # fmt: skip


def _text(when: datetime) -> str:
    return f"{when.day}/{when.month}/{when.year} {when:%H:%M}"


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M")  # noqa: DTZ007 - the log says no zone
