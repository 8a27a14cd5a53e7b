"""What users of the imitated tools do, on order: scripted inserts, updates and deletes.

An act is {"tool", "table", "op": insert | update | delete, "key", "fields", "by", "silent", "no_rules"}. Without
switches it is a user's edit: stamp, version, rules, audit, and a webhook that waits. `no_rules` is a script that
switches them off: stamp and version change, but nobody hears of it and nothing is audited. `silent` does not even
change stamp and version; its fields may hold system columns. A delete under either leaves no trace. `key` is a sys_id,
or the number of a record. Refuses unknown tools, operations and records, naming which act of the list it is; the acts
before it have happened. What Jira's users do stands in jira_acts.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.sandbox.jira_part import jira_act
from connectors.sandbox.servicenow_columns import INSERT_ONLY
from connectors.sandbox.servicenow_records import Records, Table, texts
from connectors.sandbox.world import Sandbox
from engine.refusal import Code, Refused

Act = Mapping[str, Any]
OPS = ("insert", "update", "delete")
SCRIPT_USER = "admin"


def perform(sandbox: Sandbox, acts: Sequence[Act]) -> list[dict[str, Any]]:
    """Let the acts happen one after the other; what each has done: {"tool", "table", "op", "key", ...}."""
    return [_one(sandbox, number, act) for number, act in enumerate(acts)]


def _one(sandbox: Sandbox, number: int, act: Act) -> dict[str, Any]:
    tool, op = act.get("tool", "servicenow"), act.get("op")
    if tool not in ACTS:
        raise _refused(number, f"there is no tool {tool!r}", f"Use one of {', '.join(ACTS)}.")
    if tool == "servicenow" and op not in OPS:
        raise _refused(number, f"op is {op!r}", f"Use one of {', '.join(OPS)}.")
    try:
        return {"tool": tool, "op": op, **ACTS[tool](sandbox, act)}
    except (LookupError, TypeError, ValueError) as error:
        raise _refused(number, f"{type(error).__name__}: {error}", "Name an existing table and record.") from error


def _refused(number: int, what: str, fix: str) -> Refused:
    return Refused(Code.BAD_INPUT, f"Act {number} cannot be done: {what}.", fix, ("acts", str(number)))


def _servicenow(sandbox: Sandbox, act: Act) -> dict[str, Any]:
    records, op = sandbox.records, act["op"]
    table = records.table(str(act["table"]))
    key = "" if op == "insert" else _found(table, str(act["key"]))
    fields: dict[str, Any] = dict(act.get("fields") or {})
    row = (_silently if act.get("silent") else _openly)(records, table, op, key, fields, act)
    return {"table": table.name, "key": row["sys_id"], "row": row}


def _openly(
    records: Records, table: Table, op: str, key: str, fields: Mapping[str, Any], act: Act
) -> Mapping[str, str]:
    by, ruled = str(act.get("by") or SCRIPT_USER), not act.get("no_rules")
    if op == "insert":
        return records.insert(table, fields, by, ruled)
    if op == "update":
        return records.update(table, key, fields, by, ruled)
    row = table.rows[key]
    records.delete(table, key, by, ruled)
    return row


def _silently(
    records: Records, table: Table, op: str, key: str, fields: Mapping[str, Any], act: Act
) -> Mapping[str, str]:
    if op == "delete":
        return records.forget(table, key)
    system = {name: value for name, value in texts(fields).items() if name.startswith("sys_") or op == "update"}
    if op == "insert":
        with records.same_second():
            row = records.insert(table, fields, SCRIPT_USER, ruled=False)
        if "sys_id" in system:
            records.forget(table, row["sys_id"])
    else:
        row = table.rows[key]
    kept = row | {name: value for name, value in system.items() if not (table.name in INSERT_ONLY and name not in row)}
    records.put(table, kept)
    return kept


def _found(table: Table, key: str) -> str:
    if key in table.rows:
        return key
    for sys_id, row in table.rows.items():
        if key and row.get("number") == key:
            return sys_id
    raise LookupError(f"{table.name} has no record {key!r}")


ACTS: dict[str, Callable[[Sandbox, Act], dict[str, Any]]] = {"servicenow": _servicenow, "jira": jira_act}
