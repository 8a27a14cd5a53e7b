"""How encoded queries are read."""

import pytest

from connectors.sandbox.servicenow_query import parse
from connectors.sandbox.servicenow_records import Records

A, B, C, D = (letter * 32 for letter in "abcd")
COLUMNS = ("sys_id", "number", "state", "active", "sla", "sys_updated_on")
ROWS = {
    values[0]: dict(zip(COLUMNS, values, strict=True))
    for values in (
        (A, "INC1", "1", "true", D, "2025-01-01 00:00:00"),
        (B, "INC2", "6", "true", "", "2025-01-02 00:00:00"),
        (C, "XYZ10", "10", "false", D, "2025-01-02 00:00:00"),
    )
}
SLAS = {D: {"sys_id": D, "type": "OLA", "vendor": "", "sys_updated_on": "2025-01-01 00:00:00"}}
TABLE = [
    ("", "ABC"),
    ("state=1", "A"),
    ("state!=1", "BC"),
    ("state>1", "BC"),  # as numbers: 10 is more than 6
    ("state>=6^state<10", "B"),
    ("state<=6", "AB"),
    ("stateIN1,10", "AC"),
    ("stateNOT IN1,10", "B"),
    ("numberLIKENC", "AB"),
    ("numberNOT LIKENC", "C"),
    ("numberSTARTSWITHINC", "AB"),
    ("numberENDSWITH10", "C"),
    ("slaISEMPTY", "B"),
    ("slaISNOTEMPTY", "AC"),
    ("stateBETWEEN2@10", "BC"),
    ("sys_updated_onBETWEEN2025-01-01 00:00:00@2025-01-01 12:00:00", "A"),
    ("sys_updated_on>2025-01-01 00:00:00", "BC"),
    ("active=true^state=6", "B"),
    ("state=1^ORstate=10", "AC"),
    ("active=true^state=10^ORstate=6", "B"),  # OR binds to the condition just before it
    ("sys_updated_on>2025-01-01 00:00:00^ORsys_updated_on=2025-01-01 00:00:00^sys_id>" + A, "BC"),
    ("active=false^NQstate=1", "AC"),
    ("state=1^NQactive=false^NQstate=6", "ABC"),
    ("sla.type=OLA", "AC"),
    ("sla.type!=OLA", "B"),
    ("sla.vendorISEMPTY", "ABC"),
    ("no_such_column=1", "ABC"),  # ignored: the whole table
    ("no_such_column=1^state=1", "A"),
    ("state=1^nonsense", "A"),
    ("stateBETWEEN5", "ABC"),
    ("STATE=1", "ABC"),  # names are case-sensitive
    ("numberLIKEinc", ""),  # values too
    ("state=1^^", "A"),
    ("ORDERBYDESCsys_id", "CBA"),
    ("ORDERBYDESCsys_updated_on^ORDERBYsys_id", "BCA"),
    ("ORDERBYstate", "ABC"),
    ("ORDERBYDESCstate", "CBA"),
    ("ORDERBYno_such_column", "ABC"),
    ("sys_id>" + A + "^ORDERBYsys_id", "BC"),
    ("sys_updated_on>=2025-01-01 00:00:00^sys_id>" + B + "^ORDERBYsys_id", "C"),
    ("sys_id>" + A + "^ORstate=1^ORDERBYsys_id", "ABC"),  # no keyset: the OR lets the first row in
    ("sys_id>" + A + "^NQstate=1^ORDERBYsys_id", "ABC"),
]


@pytest.mark.parametrize(("text", "wanted"), TABLE, ids=[text or "all" for text, _ in TABLE])
@pytest.mark.parametrize("count", [True, False])
def test_a_query_takes(text: str, wanted: str, count: bool) -> None:
    records = Records({"task_sla": ROWS, "contract_sla": SLAS}, "2025-02-01 00:00:00", "tester")
    table = records.tables["task_sla"]
    rows, total = records.select(table, parse(text, records.reader(table)), 0, 100, count)
    assert "".join(row["sys_id"][0].upper() for row in rows) == wanted
    assert total == (len(wanted) if count else None)


def test_offset_and_limit_cut_the_same_window_with_and_without_a_count() -> None:
    records = Records({"task_sla": ROWS}, "2025-02-01 00:00:00", "tester")
    table = records.tables["task_sla"]
    query = parse("active=true^ORactive=false", records.reader(table))
    for count in (True, False):
        assert [row["sys_id"] for row in records.select(table, query, 1, 1, count)[0]] == [B]


def test_what_was_ignored_can_be_asked() -> None:
    records = Records({"task_sla": ROWS}, "2025-02-01 00:00:00", "tester")
    query = parse("no_such=1^state=1^ORDERBYnope", records.reader(records.tables["task_sla"]))
    assert query.ignored == ["no_such=1", "ORDERBYnope"]
