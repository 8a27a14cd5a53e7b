"""A real incident log as an instance: a small one made here, and the published one when it is at hand."""

import gzip
import statistics
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import requests

from connectors.sandbox.company import Row
from connectors.sandbox.log import load, log_id, versions
from engine.refusal import Refused
from tests.connectors.sandbox.conftest import Served

REAL = Path(__file__).parents[4] / "shared" / "data" / "incident_event_log_part.csv.gz"
HEADER = (
    "number,incident_state,active,reassignment_count,reopen_count,sys_mod_count,made_sla,caller_id,opened_by,opened_at,"
    "sys_created_by,sys_created_at,sys_updated_by,sys_updated_at,contact_type,location,category,subcategory,u_symptom,"
    "cmdb_ci,impact,urgency,priority,assignment_group,assigned_to,knowledge,u_priority_confirmation,notify,problem_id,"
    "rfc,vendor,caused_by,closed_code,resolved_by,resolved_at,closed_at"
)


def line(number: str, state: str, count: int, updated: str, group: str = "Group 56", resolved: str = "?") -> str:
    return (
        f"{number},{state},true,1,0,{count},true,Caller 3,Opened by  8,29/2/2016 01:16,?,?,Updated by 21,{updated},"
        f"Phone,?,Category 55,?,?,?,2 - Medium,2 - Medium,3 - Moderate,{group},"
        f"Resolver 4,true,false,Do Not Notify,?,?,?,?,code 5,?,{resolved},?"
    )


SMALL = [
    HEADER,
    line("INC1", "New", 0, "29/2/2016 01:23", group="?"),
    line("INC1", "Awaiting Vendor", 2, "29/2/2016 08:53"),
    line("INC2", "Active", 1, "1/3/2016 10:00"),
    line("INC2", "Resolved", 3, "1/3/2016 12:00", resolved="1/3/2016 12:00"),
    line("INC2", "Closed", 3, "5/3/2016 12:00", resolved="1/3/2016 12:00"),  # a tie: the later row counts
    line("INC1", "Awaiting User Info", 1, "29/2/2016 08:00"),  # an older version, saved late
]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text("\n".join(SMALL) + "\n")
    return path


def test_the_highest_count_and_on_a_tie_the_later_row_is_the_current_state(small: Path) -> None:
    tables = load(small)
    first, second = (tables["incident"][log_id("incident", number)] for number in ("INC1", "INC2"))
    assert (first["state"], first["hold_reason"], first["sys_mod_count"]) == ("3", "4", "2")
    assert (second["state"], second["sys_updated_on"]) == ("7", "2016-03-05 12:00:00")
    assert (second["priority"], second["made_sla"], second["opened_at"]) == ("3", "true", "2016-02-29 01:16:00")
    assert (second["problem_id"], second["closed_at"]) == ("", "")
    group = tables["sys_user_group"][second["assignment_group"]]
    assert group["name"] == "Group 56"
    assert [row["name"] for row in tables["sys_user"].values()] == ["Resolver 4"]


def test_every_row_is_one_event_and_always_the_same_one(small: Path) -> None:
    events = list(versions(small))
    assert [(e.op, e.record["number"], e.record["sys_mod_count"]) for e in events] == [
        ("insert", "INC1", "0"), ("update", "INC1", "2"), ("insert", "INC2", "1"), ("update", "INC2", "3"),
        ("update", "INC2", "3"), ("update", "INC1", "1")]  # fmt: skip
    assert len({e.event_id for e in events}) == 6
    assert events == list(versions(small))


def test_plain_and_packed_files_are_the_same(small: Path, tmp_path: Path) -> None:
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(small.read_bytes()))
    assert load(packed) == load(small)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Awaiting Vendor", "Asleep", "Row 3, column incident_state: 'Asleep'"),
        ("29/2/2016 08:53", "2016-02-29", "Row 3, column sys_updated_at"),
        ("29/2/2016 08:53", "31/13/2016 08:53", "Row 3, column sys_updated_at"),
        ("3 - Moderate", "urgent", "Row 2, column priority: 'urgent'"),
        ("INC1,New,true", "INC1,New,yes", "Row 2, column active: 'yes'"),
        ("Resolver 4,true", "Resolver 4,true,more", "row 2 has 37 cells instead of 36"),
        ("made_sla", "made_ola", "row 1 has no column made_sla"),
    ],
)
def test_an_error_names_row_and_column(small: Path, old: str, new: str, named: str) -> None:
    small.write_text(small.read_text().replace(old, new))
    with pytest.raises(Refused) as no:
        load(small)
    assert named in no.value.what


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    with pytest.raises(Refused):
        load(path)
    path.write_bytes(gzip.compress(("\n".join(SMALL)).encode())[:-20])
    with pytest.raises(Refused):
        load(path)


def test_the_log_is_served_and_sent(small: Path, serve_log: Callable[[Path], Served]) -> None:
    sandbox = serve_log(small)
    assert {row["number"]: row["state"] for row in sandbox.rows("incident")} == {"INC1": "3", "INC2": "7"}
    assert sandbox.rows("change_request") == []
    answer = requests.post(f"{sandbox.url}/_sandbox/deliver", timeout=30, json={
        "what": "log", "servicenow_url": f"{sandbox.url}/nowhere", "duplicate_share": 0.5}).json()  # fmt: skip
    # six versions, a group and a person, and half of them twice
    assert (answer["sent"], answer["accepted"], answer["refused"]) == (12, 0, 12)
    assert answer["tools"]["servicenow"]["answers"] == {"404": 12}


@pytest.fixture(scope="module")
def real() -> dict[str, dict[str, Row]]:
    if not REAL.exists():
        pytest.skip(f"the published incident log is not at {REAL}")
    return load(REAL)


def minutes(rows: list[Row]) -> list[float]:
    pairs = [(row["opened_at"], row["resolved_at"]) for row in rows if row["opened_at"] and row["resolved_at"]]
    return [(datetime.fromisoformat(b) - datetime.fromisoformat(a)).total_seconds() / 60 for a, b in pairs]


def test_the_published_figures_are_met(real: dict[str, dict[str, Row]]) -> None:
    rows = list(real["incident"].values())
    assert len(rows) == 8_000
    assert sum(row["made_sla"] == "true" for row in rows) == 2_895
    assert len(minutes(rows)) == 7_450
    assert statistics.median(minutes(rows)) == 4_452.0
    assert sum(int(row["reopen_count"]) > 0 for row in rows) == 118
    assert sum(row["reassignment_count"] == "0" for row in rows) == 3_447
    assert sum(row["assignment_group"] == "" for row in rows) == 1_170


@pytest.mark.parametrize(
    ("group", "count", "resolved", "median", "share"),
    [("Group 70", 1_892, 1_349, 348.0, 0.5465), ("Group 25", 460, 460, 8_588.0, 0.2196)],
)
def test_the_published_figures_of_a_group_are_met(
    real: dict[str, dict[str, Row]], group: str, count: int, resolved: int, median: float, share: float
) -> None:
    rows = [row for row in real["incident"].values() if row["assignment_group"] == log_id("sys_user_group", group)]
    assert (len(rows), len(minutes(rows)), statistics.median(minutes(rows))) == (count, resolved, median)
    assert round(sum(row["made_sla"] == "true" for row in rows) / count, 4) == share


def test_events_in_any_order_end_in_the_published_state(real: dict[str, dict[str, Row]]) -> None:
    newest: dict[str, Row] = {}
    events = list(versions(REAL))
    assert len(events) == 52_791
    for event in sorted(events, key=lambda event: event.event_id):  # an order that has nothing to do with the file
        here, there = newest.get(event.sys_id), event.record
        if here is None or _newer(there, here):
            newest[event.sys_id] = there
    assert newest == real["incident"]


def _newer(row: Row, than: Row) -> bool:
    return (int(row["sys_mod_count"]), row["sys_updated_on"]) > (int(than["sys_mod_count"]), than["sys_updated_on"])
