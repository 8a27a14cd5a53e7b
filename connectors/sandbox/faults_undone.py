"""Faults of the instance's past: what it told of and takes back. Layers as in faults_servicenow.py, by the same seeds.

A rolled back transaction leaves nothing behind but the webhook that a rule had sent from within it: the whole record in
a version that never was, made, changed or deleted. A row that is set back stands as an earlier version of it did, with
that one's count and stamp, as after an instance is restored; nobody is told, and its users count on from there.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from starlette.types import Scope

from connectors.sandbox import acts
from connectors.sandbox.company_book import Row, record_id
from connectors.sandbox.faults_servicenow import some_edit
from connectors.sandbox.faults_wire import Play
from connectors.sandbox.servicenow_columns import INSERT_ONLY
from connectors.sandbox.servicenow_records import Records, Table
from connectors.sandbox.world import Sandbox


def roll_back(records: Records, table: Table, op: str, rng: Random) -> str:
    """Some user inserts, updates or deletes some row, a rule tells of it, and then it has not happened; its sys_id."""
    if not table.ids:
        return ""
    row, when = table.rows[rng.choice(table.ids)], records.tick()
    records.tell(table.name, op, _undone(records, table, op, row, when, rng), when)
    return row["sys_id"]


def _undone(records: Records, table: Table, op: str, row: Row, when: str, rng: Random) -> Row:
    if op == "delete":
        return row
    told = row | some_edit(table, rng) | {"sys_updated_on": when, "sys_updated_by": acts.SCRIPT_USER}
    if op == "update":
        return told | {"sys_mod_count": str(_count(row) + 1)}
    records.made += 1
    made = record_id(records.seed, f"undone:{table.name}", records.made)
    return told | {"sys_id": made, "number": "", "sys_mod_count": "0", "sys_created_on": when}


def set_back(records: Records, table: Table, rng: Random) -> str:
    """Some row that has changed stands as it did before, once; its sys_id, or nothing where none has."""
    changed = [
        sys_id for sys_id in table.ids if any(_is_before(one, table.rows[sys_id]) for one in _past(records, sys_id))
    ]
    if not changed:
        return ""
    sys_id = rng.choice(changed)
    earlier = [one for one in _past(records, sys_id) if _is_before(one, table.rows[sys_id])]
    records.put(table, rng.choice(earlier))
    return sys_id


def _past(records: Records, sys_id: str) -> Sequence[Row]:
    return [row for row in records.past.get(sys_id, ()) if row]


def _is_before(one: Row, other: Row) -> bool:
    return _count(one) < _count(other) and one["sys_updated_on"] <= other["sys_updated_on"]


def _count(row: Row) -> int:
    return int(row.get("sys_mod_count") or 0)


def _layer(undo: Any) -> Play:
    async def play(app: Any, fault: Any, scope: Scope, receive: Any, send: Any) -> None:
        sandbox: Sandbox = scope["sandbox"]
        pieces = scope["path"].split("/")
        named = fault.params.get("table") or next((p for p in pieces if p in sandbox.records.tables), "")
        table = sandbox.records.tables.get(named)
        if table is not None and table.name not in INSERT_ONLY:
            for _ in range(int(fault.params.get("rows", 1))):
                undo(sandbox.records, table, fault)
        await app(scope, receive, send)

    return play


LAYERS: dict[str, Play] = {
    # `rows` transactions (`ops`: insert, update, delete) are rolled back after their webhooks went out
    "rolled_back": _layer(lambda records, table, fault: roll_back(
        records, table, fault.rng.choice(fault.params.get("ops", ("update",))), fault.rng)),
    # `rows` rows stand as an earlier version of theirs
    "set_back": _layer(lambda records, table, fault: set_back(records, table, fault.rng)),
}  # fmt: skip
