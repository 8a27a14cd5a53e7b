"""The imitated instance while it runs: its rows, its own clock, and what a write does to a record.

Decides system columns (`sys_mod_count` + 1 and a new `sys_updated_on` whenever a write changes something), side rows
(journal entries, deleted records) and which rows a query selects. The clock is virtual: it stands at the newest thing
that happened and moves one second with every write, so that no run depends on the wall clock.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from connectors.sandbox.company_book import LiveEvent, Row, Tables, record_id
from connectors.sandbox.servicenow_query import Query, Reader, sort_key

TABLES = (
    "incident", "change_request", "problem", "sysapproval_approver", "task_sla", "contract_sla", "core_company",
    "cmn_schedule", "sys_user", "sys_user_group", "sys_user_grmember", "cmdb_ci_service", "asmt_metric_type",
    "asmt_metric", "asmt_assessment_instance", "asmt_metric_result", "sys_journal_field", "sys_audit_delete",
    "u_evenhand_score",
)  # fmt: skip
JOURNALS = ("work_notes", "comments")
STAMP = "%Y-%m-%d %H:%M:%S"
# columns of type "document": an id without a table of its own, never shown as a reference
PLAIN = frozenset({"sys_id", "document_id", "trigger_id", "source_id", "documentkey", "element_id"})


class Table:
    def __init__(self, name: str, rows: dict[str, Row]) -> None:
        self.name = name
        self.rows = rows
        self.ids = sorted(rows)
        self.columns: dict[str, None] = {}
        for row in rows.values():
            if row.keys() - self.columns.keys():
                self.columns |= dict.fromkeys(row)

    def put(self, row: Row) -> None:
        if row["sys_id"] not in self.rows:
            insort(self.ids, row["sys_id"])
        self.rows[row["sys_id"]] = row
        self.columns |= dict.fromkeys(row)

    def remove(self, sys_id: str) -> None:
        del self.rows[sys_id]
        del self.ids[bisect_right(self.ids, sys_id) - 1]


class Records:
    """State of one instance. All times are UTC, as ServiceNow writes them."""

    def __init__(self, tables: Tables, now: str, writer: str) -> None:
        self.tables = {name: Table(name, dict(tables.get(name, {}))) for name in {*TABLES, *tables}}
        self.where = {sys_id: table for table in self.tables.values() for sys_id in table.rows}
        self.writer = writer  # user name that stands in sys_updated_by of what is written over REST
        self._now = datetime.strptime(now, STAMP).replace(tzinfo=UTC)
        self._made = 0

    @property
    def now(self) -> datetime:
        return self._now

    def tick(self) -> str:
        self._now += timedelta(seconds=1)
        return self._now.strftime(STAMP)

    def advance_to(self, stamp: str) -> None:
        self._now = max(self._now, datetime.strptime(stamp, STAMP).replace(tzinfo=UTC))

    # ---- reading

    def reader(self, table: Table) -> Any:
        """How a query or a field list reads a column: of the row itself, or of a row it points at (`sla.type`)."""

        def build(name: str) -> Reader | None:
            column, dot, far = name.partition(".")
            if column not in table.columns:
                return None
            if not dot:
                return lambda row: row.get(column, "")
            return lambda row: self._follow(row.get(column, ""), far)

        return build

    def _follow(self, sys_id: str, column: str) -> str:
        table = self.where.get(sys_id)
        return table.rows[sys_id].get(column, "") if table is not None else ""

    def select(self, table: Table, query: Query, offset: int, limit: int, count: bool) -> tuple[list[Row], int | None]:
        """A page of rows, and how many rows the query has in all if that is asked for."""
        cursor = query.after_id()
        first = bisect_right(table.ids, cursor) if cursor is not None else 0
        rows = map(table.rows.__getitem__, table.ids[first:])
        by_id = not query.order or query.order[0][:2] == ("sys_id", False)
        if by_id and not count:
            return _page((row for row in rows if query.takes(row)), offset, limit), None
        found = [row for row in rows if query.takes(row)]
        if not by_id:
            for _, descending, read in reversed(query.order):
                found.sort(key=lambda row: sort_key(read(row)), reverse=descending)
        return found[offset : offset + limit], len(found) if count else None

    # ---- writing

    def table(self, name: str) -> Table:
        """The table, made when it is not there: a scoped app may bring any."""
        if name not in self.tables:
            self.tables[name] = Table(name, {})
        return self.tables[name]

    def insert(self, table: Table, values: Mapping[str, Any]) -> Row:
        self._made += 1
        sys_id, when = record_id(0, f"written:{table.name}", self._made), self.tick()
        row: Row = {
            **dict.fromkeys(table.columns, ""), **_texts(values), "sys_id": sys_id, "sys_class_name": table.name,
            "sys_created_on": when, "sys_created_by": self.writer, "sys_updated_on": when,
            "sys_updated_by": self.writer, "sys_mod_count": "0", "sys_domain": "global", "sys_domain_path": "/",
        }  # fmt: skip
        self._keep_journal(table, row)
        self._put(table, row)
        return row

    def update(self, table: Table, sys_id: str, values: Mapping[str, Any]) -> Row:
        """A write that changes nothing is not an update: the count and the stamp stay."""
        old = table.rows[sys_id]
        row = old | {name: text for name, text in _texts(values).items() if not name.startswith("sys_")}
        if row == old:
            return old
        row["sys_mod_count"] = str(int(old["sys_mod_count"]) + 1)
        row["sys_updated_on"], row["sys_updated_by"] = self.tick(), self.writer
        self._keep_journal(table, row)
        self._put(table, row)
        return row

    def delete(self, table: Table, sys_id: str) -> None:
        table.remove(sys_id)
        del self.where[sys_id]
        self.insert(self.table("sys_audit_delete"), {"tablename": table.name, "documentkey": sys_id})

    def apply(self, event: LiveEvent) -> bool:
        """Let one event happen; False when the record is already at that version or a later one."""
        table = self.table(event.table)
        here = table.rows.get(event.sys_id)
        self.advance_to(event.at)
        if here is not None and _version(here) >= _version(event.record):
            return False
        self._put(table, dict(event.record))
        return True

    def _put(self, table: Table, row: Row) -> None:
        table.put(row)
        self.where[row["sys_id"]] = table

    def _keep_journal(self, table: Table, row: Row) -> None:
        """Journal inputs go to sys_journal_field; the columns themselves always read empty."""
        for column in JOURNALS:
            if row.get(column):
                entry = {"name": table.name, "element": column, "element_id": row["sys_id"], "value": row[column]}
                row[column] = ""
                self.insert(self.table("sys_journal_field"), entry)


def _version(row: Row) -> tuple[int, str]:
    return int(row["sys_mod_count"]), row["sys_updated_on"]


def _texts(values: Mapping[str, Any]) -> Row:
    """Everything is kept as text: null is empty, booleans are lower case."""
    return {name: "" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for name, v in values.items()}


def _page(rows: Iterable[Row], offset: int, limit: int) -> list[Row]:
    found: list[Row] = []
    for place, row in enumerate(chain(rows)):
        if place >= offset + limit:
            break
        if place >= offset:
            found.append(row)
    return found
