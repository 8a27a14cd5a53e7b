"""Faults of the instance's content: what an account may not see, what comes late, what changes behind its back.

Every one is a layer: it hangs a lens on the request, or lets something happen just before it is answered. What it
chooses by chance follows from the fault's seed. Shares are taken by sys_id, so that the same rows are hidden in every
request of one fault.
"""

from collections.abc import Callable
from datetime import timedelta
from hashlib import md5
from random import Random
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandbox import acts
from connectors.sandbox.company_book import Row
from connectors.sandbox.faults_wire import Play
from connectors.sandbox.servicenow_lens import hang
from connectors.sandbox.servicenow_query import parse
from connectors.sandbox.servicenow_records import Records, Table
from connectors.sandbox.servicenow_sla import repair
from connectors.sandbox.world import Sandbox

Layer = Callable[[Sandbox, Any, Scope], None]
TEXTS = ("short_description", "description", "name", "string_value", "reason")  # what a user edits first


def _layer(change: Layer) -> Play:
    async def play(app: ASGIApp, fault: Any, scope: Scope, receive: Receive, send: Send) -> None:
        change(scope["sandbox"], fault, scope)
        await app(scope, receive, send)

    return play


def _table(sandbox: Sandbox, fault: Any, scope: Scope) -> Table | None:
    """The table that is asked for, or that the fault names."""
    pieces = scope["path"].split("/")
    named = fault.params.get("table") or next((p for p in pieces if p in sandbox.records.tables), "")
    return sandbox.records.tables.get(named)


def _chosen(fault: Any) -> Callable[[str], bool]:
    """A stable share of all ids; everything without a share."""
    share, seed = float(fault.params.get("share", 1)), fault.seed

    def choose(sys_id: str) -> bool:
        digest = md5(f"{seed}:{sys_id}".encode(), usedforsecurity=False).digest()
        return int.from_bytes(digest[:4], "big") < share * 2**32

    return choose


# ---- what an account may not see


def _acl_rows(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    """Hide rows by `query`, `ids` or `share`; `count` is "pre" (they count) or "post"."""
    table, params, lens = _table(sandbox, fault, scope), fault.params, hang(scope)
    if table is None:
        return
    query = parse(str(params["query"]), sandbox.records.reader(table)) if "query" in params else None
    ids, chosen = frozenset(params.get("ids", ())), _chosen(fault)

    def hides(row: Row) -> bool:
        named = query.takes(row) if query else row["sys_id"] in ids if ids else True
        return named and chosen(row["sys_id"])

    lens.hides.append(hides)
    lens.counts_hidden = params.get("count", "pre") == "pre"


def _acl_fields(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    hang(scope).columns |= set(fault.params["columns"])


def _permission_loss(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    """`answer`: "empty" lists, everything "missing", or "forbidden"."""
    hang(scope).closed = str(fault.params.get("answer", "empty"))


def _account_zone(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    hang(scope).zone = str(fault.params["zone"])


def _batch_unserviced(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    """The last `items` of a batch are left; with `share` each of them by chance."""

    def left(ids: list[str]) -> set[str]:
        if "share" in fault.params:
            return {one for one in ids if fault.rng.random() < float(fault.params["share"])}
        return set(ids[len(ids) - min(int(fault.params.get("items", 1)), len(ids)) :])

    hang(scope).unserviced = left


def _late_commit(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    """A version shows `seconds` after its own stamp; until then the one before does."""
    records, chosen = sandbox.records, _chosen(fault)
    horizon = (records.now - timedelta(seconds=float(fault.params.get("seconds", 60)))).isoformat(" ")[:19]

    def see(row: Row) -> Row | None:
        if _stamp(row) <= horizon or not chosen(row["sys_id"]):
            return row
        for earlier in reversed(records.past.get(row["sys_id"], ())):
            if not earlier or _stamp(earlier) <= horizon:
                return earlier or None
        return row  # it stood when the instance was loaded

    hang(scope).see.append(see)


def _stamp(row: Row) -> str:
    return row.get("sys_updated_on") or row["sys_created_on"]


# ---- what happens just before the answer


def _tied_stamps(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    """`rows` rows are edited in one second."""
    table, records = _table(sandbox, fault, scope), sandbox.records
    if table is None:
        return
    records.tick()
    with records.same_second():
        for sys_id in _some(table, fault.rng, int(fault.params.get("rows", 10))):
            records.update(table, sys_id, some_edit(table, fault.rng), acts.SCRIPT_USER)


def _silent_update(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    """`rows` rows change without stamp, version, rule or event."""
    table = _table(sandbox, fault, scope)
    if table is None:
        return
    for sys_id in _some(table, fault.rng, int(fault.params.get("rows", 1))):
        sandbox.records.put(table, table.rows[sys_id] | some_edit(table, fault.rng))


def _sla_repair(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    """The clocks of `task`, or of `rows` tasks, are removed and made anew."""
    records = sandbox.records
    tasks = sorted({row["task"] for row in records.tables["task_sla"].rows.values()})
    count = min(int(fault.params.get("rows", 1)), len(tasks))
    for task in [fault.params["task"]] if "task" in fault.params else fault.rng.sample(tasks, count):
        repair(records, str(task))


def _edit_during_paging(sandbox: Sandbox, fault: Any, scope: Scope) -> None:
    """Scripted `acts`, or `edits` chosen by chance (`ops`: insert, update, delete), before this page is read."""
    acts.perform(sandbox, fault.params.get("acts", ()))
    table, rng = _table(sandbox, fault, scope), fault.rng
    if table is not None:
        for _ in range(int(fault.params.get("edits", 0))):
            edit_by_chance(sandbox.records, table, rng.choice(fault.params.get("ops", acts.OPS)), rng)


def edit_by_chance(records: Records, table: Table, op: str, rng: Random) -> str:
    """Some user inserts, updates or deletes some row; its sys_id."""
    if op == "insert" or not table.ids:
        values = {name: value for name, value in _like(table, rng).items() if not name.startswith("sys_")}
        return records.insert(table, values | {"number": ""} | some_edit(table, rng), acts.SCRIPT_USER)["sys_id"]
    sys_id = rng.choice(table.ids)
    if op == "update":
        records.update(table, sys_id, some_edit(table, rng), acts.SCRIPT_USER)
    else:
        records.delete(table, sys_id, acts.SCRIPT_USER)
    return sys_id


def _like(table: Table, rng: Random) -> Row:
    return table.rows[rng.choice(table.ids)] if table.ids else {}


def _some(table: Table, rng: Random, count: int) -> list[str]:
    return rng.sample(table.ids, min(count, len(table.ids)))


def some_edit(table: Table, rng: Random) -> Row:
    """Some text of the table, changed; a table without texts gets one of its own."""
    column = next((name for name in TEXTS if name in table.columns), "u_note")
    return {column: f"Edited {rng.randrange(10**9)}"}


LAYERS: dict[str, Play] = {
    "acl_rows": _layer(_acl_rows),
    "acl_fields": _layer(_acl_fields),
    "permission_loss": _layer(_permission_loss),
    "account_zone": _layer(_account_zone),
    "batch_unserviced": _layer(_batch_unserviced),
    "late_commit": _layer(_late_commit),
    "tied_stamps": _layer(_tied_stamps),
    "silent_update": _layer(_silent_update),
    "sla_repair": _layer(_sla_repair),
    "edit_during_paging": _layer(_edit_during_paging),
}
