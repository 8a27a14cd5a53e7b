"""The imitated instance while it runs: its rows, its own clock, and what a write does to a record.

Decides system columns (`sys_mod_count` + 1 and a new `sys_updated_on` whenever a write changes something), side rows
(audit, journal entries, deleted records), who hears of a change, and which rows a query selects. The clock is virtual:
it stands at the newest thing that happened and moves one second with every write, so that no run depends on the wall
clock; what a rule writes because of another write stands in the same second.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from connectors.sandbox import servicenow_rules as rules
from connectors.sandbox.company_book import LiveEvent, Row, Tables, record_id
from connectors.sandbox.servicenow_columns import (
    AUDITED,
    INSERT_ONLY,
    NO_DELETE_ROW,
    TABLES,
    columns,
    dictionary,
    empty_row,
)  # fmt: skip
from connectors.sandbox.servicenow_lens import CLEAR, Lens
from connectors.sandbox.servicenow_query import Query, Reader, sort_key
from connectors.sandbox.servicenow_sla import Clocks

JOURNALS = ("work_notes", "comments")


@dataclass(frozen=True, slots=True)
class Change:
    """One write that happened: `row` is the whole row after it, or what stood before a delete."""

    table: str
    op: str  # insert, update, delete
    row: Row
    at: str


class Table:
    def __init__(self, name: str, rows: dict[str, Row]) -> None:
        self.name = name
        self.rows = rows
        self.ids = sorted(rows)
        self.columns: dict[str, None] = {} if rows else dict.fromkeys(columns(name))
        for row in rows.values():
            if row.keys() - self.columns.keys():
                self.columns |= dict.fromkeys(row)

    def put(self, row: Row) -> None:
        if row["sys_id"] not in self.rows:
            insort(self.ids, row["sys_id"])
        self.rows[row["sys_id"]] = row
        if row.keys() - self.columns.keys():
            self.columns |= dict.fromkeys(row)

    def remove(self, sys_id: str) -> None:
        del self.rows[sys_id]
        del self.ids[bisect_right(self.ids, sys_id) - 1]


class Records:
    """State of one instance. All times are UTC, as ServiceNow writes them."""

    def __init__(self, tables: Tables, now: str, writer: str, seed: int = 0) -> None:
        given = {**dictionary(), **tables}
        self.tables = {name: Table(name, dict(given.get(name, {}))) for name in {*TABLES, *given}}
        self.where = {sys_id: table for table in self.tables.values() for sys_id in table.rows}
        self.writer = writer  # user name that stands in sys_updated_by of what is written over REST
        self.seed = seed
        self.listeners: list[Callable[[Change], None]] = []  # after-rules that tell somebody else
        self.past: dict[str, list[Row]] = {}  # earlier versions, oldest first; an empty row: it did not stand yet
        self.clocks = Clocks()
        self.now, self.stamp = _moment(now), now
        self.made = 0
        self._held = False  # inside a rule: time stands still

    def tick(self) -> str:
        if not self._held:
            self.now += timedelta(seconds=1)
            self.stamp = _text(self.now)
        return self.stamp

    def advance_to(self, stamp: str) -> None:
        """Time passes; what the clocks of the agreements do meanwhile happens at its own second."""
        if stamp > self.stamp:
            self.clocks.run(self, stamp)
            self.now, self.stamp = _moment(stamp), stamp

    def advance(self, seconds: int) -> None:
        """Somebody waited: breaches happen, and the scheduled jobs have rewritten the clocks that run."""
        since = self.stamp
        self.clocks.begin(self)
        self.advance_to(_text(self.now + timedelta(seconds=seconds)))
        self.clocks.rewrite(self, since)

    # ---- reading

    def reader(self, table: Table) -> Any:
        """How a query or a field list reads a column: of the row itself, or of a row it points at (`sla.type`)."""
        known = columns(table.name)

        def build(name: str) -> Reader | None:
            column, dot, far = name.partition(".")
            if column not in table.columns and column not in known:
                return None
            if not dot:
                return lambda row: row.get(column, "")
            return lambda row: self._follow(row.get(column, ""), far)

        return build

    def _follow(self, sys_id: str, column: str) -> str:
        table = self.where.get(sys_id)
        return table.rows[sys_id].get(column, "") if table is not None else ""

    def standing(self, table: Table, first: int = 0) -> Iterator[Row]:
        """The rows in the order of their ids as a reader with all rights sees them."""
        rows = map(table.rows.__getitem__, table.ids[first:])
        return (self.clocks.shown(self, row) for row in rows) if table.name == "task_sla" else rows

    def select(
        self, table: Table, query: Query, offset: int, limit: int, count: bool, lens: Lens = CLEAR
    ) -> tuple[list[Row], int | None]:
        """A page of rows, and how many rows the query has in all if that is asked for."""
        cursor = query.after_id()
        rows = self.standing(table, bisect_right(table.ids, cursor) if cursor is not None else 0)
        if lens.see:
            rows = (shown for row in rows if (shown := lens.shows(row)) is not None)
        by_id = not query.order or query.order[0][:2] == ("sys_id", False)
        if by_id and not count:
            return _visible(_page((row for row in rows if query.takes(row)), offset, limit), lens), None
        found = [row for row in rows if query.takes(row)]
        if not by_id:
            for _, descending, read in reversed(query.order):
                found.sort(key=lambda row: sort_key(read(row)), reverse=descending)
        total = len(found) if lens.counts_hidden else len(_visible(found, lens))
        return _visible(found[offset : offset + limit], lens), total if count else None

    # ---- writing

    def table(self, name: str) -> Table:
        """The table, made when it is not there: a scoped app may bring any."""
        if name not in self.tables:
            self.tables[name] = Table(name, {})
        return self.tables[name]

    def insert(self, table: Table, values: Mapping[str, Any], by: str = "", ruled: bool = True) -> Row:
        self.made += 1
        sys_id, when, who = record_id(self.seed, f"written:{table.name}", self.made), self.tick(), by or self.writer
        given = texts(values)
        row: Row = {
            **dict.fromkeys(table.columns, ""), **empty_row(table.name), **given, "sys_id": sys_id,
            "sys_class_name": table.name, "sys_created_on": when, "sys_created_by": who, "sys_domain": "global",
            "sys_domain_path": "/",
        }  # fmt: skip
        if table.name not in INSERT_ONLY:
            row |= {"sys_updated_on": when, "sys_updated_by": who, "sys_mod_count": "0"}
        if ruled:
            for rule in rules.BEFORE.get(table.name, ()):
                rule(self, None, row, given.keys(), who)
        self._keep_journal(table, row, who)
        self.put(table, row)
        self._after(table, "insert", None, row, ruled)
        return row

    def update(
        self, table: Table, sys_id: str, values: Mapping[str, Any], by: str = "", ruled: bool = True
    ) -> Row:  # fmt: skip
        """A write that changes nothing is not an update: the count and the stamp stay."""
        old, who = table.rows[sys_id], by or self.writer
        given = {name: text for name, text in texts(values).items() if not name.startswith("sys_")}
        row = old | given
        if row == old:
            return old
        row["sys_mod_count"] = str(int(old["sys_mod_count"]) + 1)
        row["sys_updated_on"], row["sys_updated_by"] = self.tick(), who
        if ruled:
            for rule in rules.BEFORE.get(table.name, ()):
                rule(self, old, row, given.keys(), who)
        self._keep_journal(table, row, who)
        self.put(table, row)
        self._after(table, "update", old, row, ruled)
        return row

    def delete(self, table: Table, sys_id: str, by: str = "", ruled: bool = True) -> None:
        row = self.forget(table, sys_id)
        when = self.tick()
        with self.same_second():
            if ruled and table.name not in NO_DELETE_ROW:
                told = {"tablename": table.name, "documentkey": sys_id, "payload": _xml(table.name, row),
                        "display_value": row.get("number") or row.get("name", "")}  # fmt: skip
                self.insert(self.table("sys_audit_delete"), told, by)
            if ruled:
                self.tell(table.name, "delete", row, when)
                rules.deleted(self, table.name, sys_id)

    def force(self, table: Table, row: Row) -> None:
        """A write behind the instance's back: no stamp, no version, no rule, no event."""
        self.put(table, row)

    def forget(self, table: Table, sys_id: str) -> Row:
        row = table.rows[sys_id]
        table.remove(sys_id)
        del self.where[sys_id]
        self.past.pop(sys_id, None)
        self.clocks.forget(sys_id)
        return row

    def apply(self, event: LiveEvent) -> bool:
        """Let one event happen; False when the record is already at that version or a later one."""
        table = self.table(event.table)
        here = table.rows.get(event.sys_id)
        self.advance_to(event.at)
        if here is not None and _version(here) >= _version(event.record):
            return False
        self.put(table, dict(event.record))
        if here is not None:
            self._audit(table, here, event.record)
        return True

    def put(self, table: Table, row: Row) -> None:
        self.past.setdefault(row["sys_id"], []).append(table.rows.get(row["sys_id"], {}))
        table.put(row)
        self.where[row["sys_id"]] = table
        self.clocks.heed(table.name, row)

    @contextmanager
    def same_second(self) -> Iterator[None]:
        held, self._held = self._held, True
        try:
            yield
        finally:
            self._held = held

    def _after(self, table: Table, op: str, old: Row | None, row: Row, ruled: bool) -> None:
        if not ruled:
            return
        with self.same_second():
            if old is not None:
                self._audit(table, old, row)
            self.tell(table.name, op, row, self.stamp)
            for rule in rules.AFTER.get(table.name, ()):
                rule(self, old, row)

    def tell(self, table: str, op: str, row: Row, at: str) -> None:
        for listener in self.listeners:
            listener(Change(table, op, row, at))

    def _audit(self, table: Table, old: Row, row: Row) -> None:
        """One row for each column that an update changed. Inserts are not audited, which is the product's default."""
        if table.name not in AUDITED:
            return
        changed = [name for name, v in row.items() if v != old.get(name, "") and not name.startswith("sys_")]
        audit = self.tables["sys_audit"]
        for name in changed:
            self.made += 1
            entry = {
                **empty_row("sys_audit"), "sys_id": record_id(self.seed, "written:sys_audit", self.made),
                "sys_class_name": "sys_audit", "sys_created_on": row["sys_updated_on"],
                "sys_created_by": row["sys_updated_by"], "sys_domain": "global", "sys_domain_path": "/",
                "tablename": table.name, "documentkey": row["sys_id"], "fieldname": name,
                "oldvalue": old.get(name, ""), "newvalue": row[name], "user": row["sys_updated_by"],
                "record_checkpoint": row["sys_mod_count"],
            }  # fmt: skip
            audit.put(entry)
            self.where[entry["sys_id"]] = audit

    def _keep_journal(self, table: Table, row: Row, who: str) -> None:
        """Journal inputs go to sys_journal_field; the columns themselves always read empty."""
        for column in JOURNALS:
            if row.get(column):
                entry = {"name": table.name, "element": column, "element_id": row["sys_id"], "value": row[column]}
                row[column] = ""
                with self.same_second():
                    self.insert(self.table("sys_journal_field"), entry, who)


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(f"{stamp}+00:00")


def _text(moment: datetime) -> str:
    return moment.isoformat(" ")[:19]


def _version(row: Row) -> tuple[int, str]:
    return int(row["sys_mod_count"]), row["sys_updated_on"]


def texts(values: Mapping[str, Any]) -> Row:
    """Everything is kept as text: null is empty, booleans are lower case."""
    return {name: "" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for name, v in values.items()}


def _xml(table: str, row: Row) -> str:
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in row.items() if value)
    return f'<?xml version="1.0" encoding="UTF-8"?><record_update><{table}>{inside}</{table}></record_update>'


def _visible(rows: list[Row], lens: Lens) -> list[Row]:
    """Access rules go after the limit."""
    return [row for row in rows if not lens.hidden(row)] if lens.hides else rows


def _page(rows: Iterable[Row], offset: int, limit: int) -> list[Row]:
    found: list[Row] = []
    for place, row in enumerate(rows):
        if place >= offset + limit:
            break
        if place >= offset:
            found.append(row)
    return found
