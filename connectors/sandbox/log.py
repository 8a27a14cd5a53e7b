"""A real incident log as a ServiceNow instance: every row of the file is one version of one incident.

Decides how the published columns become ServiceNow's. Source: "Incident management process enriched event log", UCI
Machine Learning Repository (Amaral, Fantinato, Peres), CC BY 4.0: dates `d/m/yyyy HH:MM` taken as UTC, `?` is empty,
labels such as "3 - Moderate". The current state of an incident is the row with the highest `sys_mod_count`, the later
row on a tie. Ids follow from the anonymised names. Refuses a file that is not such a log, naming row and column.
"""

import csv
import gzip
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import md5
from pathlib import Path

from connectors.sandbox.company_book import LiveEvent, Row, Tables
from engine.refusal import Code, Refused

FIX = "Give a copy of the incident event log with its header line and unchanged values (plain or .gz)."
STATES = {  # label -> state, hold_reason
    "New": ("1", ""), "Active": ("2", ""), "Awaiting User Info": ("3", "1"), "Awaiting Evidence": ("3", "2"),
    "Awaiting Problem": ("3", "3"), "Awaiting Vendor": ("3", "4"), "Resolved": ("6", ""), "Closed": ("7", ""),
}  # fmt: skip


def log_id(table: str, name: str) -> str:
    """sys_id of an anonymised name; the same name in two tables is two records."""
    return md5(f"evenhand-log:{table}:{name}".encode(), usedforsecurity=False).hexdigest() if name else ""


def load(path: Path) -> Tables:
    """The tables of the instance as it stands after the last row: incidents, their groups and their resolvers."""
    incidents: dict[str, Row] = {}
    groups: dict[str, Row] = {}
    people: dict[str, Row] = {}
    for line, row in _rows(path):
        version = _version(line, row)
        here = incidents.get(version["sys_id"])
        if here is None or int(version["sys_mod_count"]) >= int(here["sys_mod_count"]):
            incidents[version["sys_id"]] = version
        if version["assignment_group"] not in groups and version["assignment_group"]:
            groups[version["assignment_group"]] = _group(row["assignment_group"], version)
        if version["assigned_to"] not in people and version["assigned_to"]:
            people[version["assigned_to"]] = _person(row["assigned_to"], version)
    return {"incident": incidents, "sys_user_group": groups, "sys_user": people}


def versions(path: Path) -> Iterator[LiveEvent]:
    """Every row in the order of the file; the same row is always the same event."""
    seen: set[str] = set()
    for line, row in _rows(path):
        record = _version(line, row)
        op = "update" if record["sys_id"] in seen else "insert"
        seen.add(record["sys_id"])
        event_id = log_id("event", f"{line}:{record['sys_id']}")
        yield LiveEvent(event_id, record["sys_updated_on"], "incident", op, record["sys_id"], record)


def directory(tables: Tables) -> Iterator[LiveEvent]:
    """Groups and people as the instance would have sent them when they were made: nothing else says their names."""
    for table in ("sys_user_group", "sys_user"):
        for sys_id, row in tables[table].items():
            event_id = log_id("event", f"{table}:{sys_id}")
            yield LiveEvent(event_id, row["sys_updated_on"], table, "insert", sys_id, row)


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Line number and cells of every row, `?` already empty."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if _packed(path)
            else path.open(encoding="utf-8", newline="") as file
        ):
            lines = csv.reader(file)
            header = next(lines, [])
            missing = sorted({source for source, _ in _COLUMNS.values()} - set(header))
            if missing:
                raise Refused(Code.BAD_INPUT, f"{path.name}: row 1 has no column {missing[0]}.", FIX)
            for cells in lines:
                if len(cells) != len(header):
                    what = f"{path.name}: row {lines.line_num} has {len(cells)} cells instead of {len(header)}."
                    raise Refused(Code.BAD_INPUT, what, FIX)
                yield lines.line_num, {n: "" if c == "?" else c for n, c in zip(header, cells, strict=True)}
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(Code.BAD_INPUT, f"{path.name} cannot be read: {error}.", FIX) from error


def _packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _version(line: int, row: Row) -> Row:
    record = {}
    for column, (source, convert) in _COLUMNS.items():
        try:
            record[column] = convert(row[source])
        except (ValueError, KeyError):
            what = f"Row {line}, column {source}: {row[source]!r} is not understood."
            raise Refused(Code.BAD_INPUT, what, FIX, (source,)) from None
    record["state"], record["hold_reason"] = STATES[row["incident_state"]]
    record["incident_state"] = record["state"]
    return record | _SAME


def _group(name: str, version: Row) -> Row:
    row = {"name": name, "description": "", "manager": "", "parent": "", "type": "", "email": "", "active": "true"}
    return _side("sys_user_group", version["assignment_group"], version) | row


def _person(name: str, version: Row) -> Row:
    login = name.lower().replace(" ", ".")
    row = {
        "name": name, "user_name": login, "first_name": "", "last_name": name, "title": "", "email": "",
        "employee_number": "", "active": "true", "locked_out": "false", "manager": "", "department": "",
        "identity_type": "unclassified", "web_service_access_only": "false", "internal_integration_user": "false",
    }  # fmt: skip
    return _side("sys_user", version["assigned_to"], version) | row


def _side(table: str, sys_id: str, version: Row) -> Row:
    when = version["opened_at"]
    return {
        "sys_id": sys_id, "sys_class_name": table, "sys_created_on": when, "sys_created_by": "import.log",
        "sys_updated_on": when, "sys_updated_by": "import.log", "sys_mod_count": "0", "sys_domain": "global",
        "sys_domain_path": "/",
    }  # fmt: skip


@cache
def _time(text: str) -> str:
    """29/2/2016 01:16 -> 2016-02-29 01:16:00"""
    if not text:
        return ""
    date, clock = text.split(" ")
    day, month, year = (int(part) for part in date.split("/"))
    hour, minute = (int(part) for part in clock.split(":"))
    if not (1 <= day <= 31 and 1 <= month <= 12 and 1970 <= year <= 9999 and 0 <= hour <= 23 and 0 <= minute <= 59):
        raise ValueError(text)
    return f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:00"


def _needed_time(text: str) -> str:
    if not text:
        raise ValueError(text)
    return _time(text)


def _count(text: str) -> str:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return str(int(text))


def _flag(text: str) -> str:
    return {"true": "true", "false": "false"}[text]


def _level(text: str) -> str:
    """3 - Moderate -> 3"""
    number, dash, _ = text.partition(" - ")
    if not dash or number not in ("1", "2", "3", "4", "5"):
        raise ValueError(text)
    return number


def _state(text: str) -> str:
    return STATES[text][0]


def _text(text: str) -> str:
    return text


def _number(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _points_at(table: str) -> Callable[[str], str]:
    return cache(lambda name: log_id(table, name))


# ServiceNow column -> column of the log, how its value is read
_COLUMNS: dict[str, tuple[str, Callable[[str], str]]] = {
    "sys_id": ("number", lambda number: log_id("incident", _number(number))),
    "number": ("number", _number),
    "state": ("incident_state", _state),
    "active": ("active", _flag),
    "reassignment_count": ("reassignment_count", _count),
    "reopen_count": ("reopen_count", _count),
    "sys_mod_count": ("sys_mod_count", _count),
    "made_sla": ("made_sla", _flag),
    "caller_id": ("caller_id", _points_at("sys_user")),
    "opened_by": ("opened_by", _points_at("sys_user")),
    "opened_at": ("opened_at", _needed_time),
    "sys_created_by": ("sys_created_by", _text),
    "sys_created_on": ("sys_created_at", _time),
    "sys_updated_by": ("sys_updated_by", _text),
    "sys_updated_on": ("sys_updated_at", _needed_time),
    "contact_type": ("contact_type", _text),
    "location": ("location", _points_at("cmn_location")),
    "category": ("category", _text),
    "subcategory": ("subcategory", _text),
    "u_symptom": ("u_symptom", _text),
    "cmdb_ci": ("cmdb_ci", _points_at("cmdb_ci")),
    "impact": ("impact", _level),
    "urgency": ("urgency", _level),
    "priority": ("priority", _level),
    "assignment_group": ("assignment_group", _points_at("sys_user_group")),
    "assigned_to": ("assigned_to", _points_at("sys_user")),
    "u_knowledge": ("knowledge", _flag),
    "u_priority_confirmation": ("u_priority_confirmation", _flag),
    "notify": ("notify", _text),
    "problem_id": ("problem_id", _points_at("problem")),
    "rfc": ("rfc", _points_at("change_request")),
    "u_vendor": ("vendor", _text),
    "caused_by": ("caused_by", _points_at("change_request")),
    "close_code": ("closed_code", _text),
    "resolved_by": ("resolved_by", _points_at("sys_user")),
    "resolved_at": ("resolved_at", _time),
    "closed_at": ("closed_at", _time),
}
_SAME: Row = {
    "sys_class_name": "incident", "sys_domain": "global", "sys_domain_path": "/", "business_service": "",
    "parent_incident": "", "closed_by": "", "short_description": "", "reopened_time": "", "calendar_stc": "",
    "business_stc": "",
}  # fmt: skip
