"""Agreed times of the imitated instance as they run: task_sla rows on the virtual clock.

Decides when a clock is attached, paused, resumed, reset, stopped, breached and rewritten, by the conditions of its
definition (contract_sla). A definition without a start condition is attached by nobody. Breaches happen at their own
second while time passes; `duration`, `time_left` and the shares of a running clock are computed when they are read, so
that every read shows others. A repair removes the rows of a task and makes them anew with other ids. Clocks are looked
after from the first write or passing of time on; until then rows stay as they were loaded. Source: SN Service Level
Management; times in whole seconds, on weekdays 09:00-17:00 where a schedule is set, else round the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.sandbox.company_book import Row
from connectors.sandbox.company_hours import (
    DAY,
    HOUR,
    MINUTE,
    ROUND_THE_CLOCK,
    WEEKDAYS,
    Clock,
    duration,
    second,
    stamp,
)
from connectors.sandbox.servicenow_query import Query, parse

if TYPE_CHECKING:
    from connectors.sandbox.servicenow_records import Records

SYSTEM = "system"
CONDITIONS = ("start", "stop", "pause", "cancel", "reset")
# How often the product's jobs rewrite a running row: seconds to its breach (or since), seconds between rewrites.
REWRITES = ((10 * MINUTE, MINUTE), (HOUR, 10 * MINUTE), (DAY, HOUR), (30 * DAY, DAY))
LATE_REWRITE_SECONDS = DAY


@dataclass(slots=True)
class Definition:
    row: Row
    clock: Clock
    seconds: int
    when: dict[str, Query | None]  # by condition; None: never

    def holds(self, condition: str, task: Row) -> bool:
        query = self.when[condition]
        return query is not None and query.takes(task)


@dataclass(slots=True)
class Clocks:
    """Which rows run, and what the definitions say; found anew when either has been written by somebody else."""

    running: dict[str, set[str]] = field(default_factory=dict)  # task -> its active rows
    due: dict[str, int] = field(default_factory=dict)  # row -> second of its breach, while it runs unbreached
    agreed: dict[str, list[Definition]] | None = None
    begun: bool = False

    def begin(self, records: Records) -> None:
        if not self.begun:
            self.begun = True
            for row in records.tables["task_sla"].rows.values():
                self.heed("task_sla", row)

    def heed(self, table: str, row: Row) -> None:
        """Somebody has written this row."""
        if table == "contract_sla":
            self.agreed = None
        if table != "task_sla" or not self.begun:
            return
        sys_id = row["sys_id"]
        self.due.pop(sys_id, None)
        self.running.get(row["task"], set()).discard(sys_id)
        if row["active"] == "true":
            self.running.setdefault(row["task"], set()).add(sys_id)
            if row["stage"] == "in_progress" and row["has_breached"] != "true" and row["planned_end_time"]:
                self.due[sys_id] = second(row["planned_end_time"])

    def forget(self, sys_id: str) -> None:
        self.due.pop(sys_id, None)
        for rows in self.running.values():
            rows.discard(sys_id)

    def definitions(self, records: Records, table: str) -> list[Definition]:
        if self.agreed is None:
            self.agreed = {}
            for row in records.tables["contract_sla"].rows.values():
                self.agreed.setdefault(row["collection"], []).append(_definition(records, row))
        return self.agreed.get(table, [])

    def run(self, records: Records, until: str) -> None:
        """What happens to running clocks by themselves up to `until`, each breach at its own second."""
        if not self.begun:
            return
        end = second(until)
        for at, sys_id in sorted((at, sys_id) for sys_id, at in self.due.items() if at <= end):
            _write(records, sys_id, {"has_breached": "true"}, at)

    def rewrite(self, records: Records, since: str) -> None:
        """The scheduled jobs between `since` and now: new shares and a new stamp, which is noise of the clock."""
        self.begin(records)
        first, now = second(since), second(records.stamp)
        for sys_id in sorted(sys_id for rows in self.running.values() for sys_id in rows):
            row = records.tables["task_sla"].rows[sys_id]
            if row["stage"] != "in_progress":
                continue
            left = second(row["planned_end_time"]) - now
            every = next((step for limit, step in REWRITES if 0 < left < limit), LATE_REWRITE_SECONDS)
            at = now // every * every
            if at > first:
                _write(records, sys_id, measures(records, row, at), at, told=False)

    def shown(self, records: Records, row: Row) -> Row:
        """The row as it is read now."""
        if self.begun and row["active"] == "true":
            return row | measures(records, row, second(records.stamp))
        return row


def _definition(records: Records, row: Row) -> Definition:
    table = records.tables.get(row["collection"])
    texts = {name: row[f"{name}_condition"] for name in CONDITIONS}
    when = {name: parse(text, records.reader(table)) if text and table else None for name, text in texts.items()}
    return Definition(row, _clock(row), second_of_duration(row["duration"]), when)


def _clock(row: Row) -> Clock:
    return WEEKDAYS if row["schedule"] else ROUND_THE_CLOCK


def second_of_duration(text: str) -> int:
    """1970-01-02 03:00:00 is 27 hours."""
    return second(text) - second("1970-01-01 00:00:00") if text else 0


def measures(records: Records, row: Row, now: int) -> Row:
    """The calculated columns of a clock at a second."""
    agreed = records.tables["contract_sla"].rows.get(row["sla"])
    if agreed is None or not row["start_time"]:
        return {}
    start, clock, target = second(row["start_time"]), _clock(row), max(second_of_duration(agreed["duration"]), 1)
    now = max(second(row["pause_time"]) if row["stage"] == "paused" and row["pause_time"] else now, start)
    wall = max(now - start - second_of_duration(row["pause_duration"]), 0)
    worked = max(clock.between(start, now) - second_of_duration(row["business_pause_duration"]), 0)
    return {
        "duration": duration(wall), "time_left": duration(max(target - wall, 0)),
        "business_duration": duration(worked), "business_time_left": duration(max(target - worked, 0)),
        "percentage": f"{100 * wall / target:.2f}", "business_percentage": f"{100 * worked / target:.2f}",
    }  # fmt: skip


def _write(records: Records, sys_id: str, values: Row, at: int, told: bool = True) -> None:
    """The engine writes a row at a second of its own, whatever the instance's clock says."""
    table, when = records.tables["task_sla"], stamp(at)
    old = table.rows[sys_id]
    count = str(int(old["sys_mod_count"]) + 1)
    row = old | values | {"sys_updated_on": when, "sys_updated_by": SYSTEM, "sys_mod_count": count}
    records.put(table, row)
    if told:
        records.tell("task_sla", "update", row, when)


# ---- a task was written


def follow(records: Records, old: Row | None, task: Row) -> None:
    """Let every definition of this kind of task look at it."""
    records.clocks.begin(records)
    for agreed in records.clocks.definitions(records, task["sys_class_name"]):
        rows = records.tables["task_sla"].rows
        mine = [i for i in records.clocks.running.get(task["sys_id"], ()) if rows[i]["sla"] == agreed.row["sys_id"]]
        for sys_id in sorted(mine):
            _move(records, agreed, rows[sys_id], old, task)
        if not mine and agreed.holds("start", task) and not agreed.holds("stop", task):
            _attach(records, agreed, task)


def _move(records: Records, agreed: Definition, row: Row, old: Row | None, task: Row) -> None:
    now, sys_id = second(records.stamp), row["sys_id"]
    if agreed.holds("cancel", task):
        _end(records, row, "cancelled", now)
    elif agreed.holds("stop", task):
        _end(records, row, "completed", now)
    elif agreed.holds("reset", task) and not (old is not None and agreed.holds("reset", old)):
        _end(records, row, "completed", now)
        _attach(records, agreed, task, now)
    elif agreed.holds("pause", task):
        if row["stage"] == "in_progress":
            _write(records, sys_id, {"stage": "paused", "pause_time": stamp(now)}, now)
    elif row["stage"] == "paused":
        _write(records, sys_id, {"stage": "in_progress", **_resumed(agreed.clock, row, now)}, now)


def _resumed(clock: Clock, row: Row, now: int) -> Row:
    """A pause that ends moves the planned end by its seconds on the clock's schedule."""
    paused = second(row["pause_time"])
    wall = second_of_duration(row["pause_duration"]) + now - paused
    worked = clock.between(paused, now)
    planned = clock.after(second(row["planned_end_time"]), worked) if row["has_breached"] != "true" else None
    moved = {"planned_end_time": stamp(planned)} if planned is not None else {}
    total = second_of_duration(row["business_pause_duration"]) + worked
    return {"pause_time": "", "pause_duration": duration(wall), "business_pause_duration": duration(total), **moved}


def _end(records: Records, row: Row, stage: str, now: int) -> None:
    resumed = _resumed(_clock(row), row, now) if row["stage"] == "paused" else {}
    row = row | resumed | {"stage": "in_progress"}
    late = "true" if second(row["planned_end_time"]) < now else row["has_breached"]
    done = {"stage": stage, "active": "false", "end_time": stamp(now), "has_breached": late, **resumed,
            **measures(records, row, now)}  # fmt: skip
    _write(records, row["sys_id"], done, now)


def _attach(records: Records, agreed: Definition, task: Row, start: int | None = None) -> None:
    """A clock starts when its task was opened if the definition is retroactive, else now."""
    if start is None:
        start = second(task["opened_at"] if agreed.row["retroactive"] == "true" else records.stamp)
    due = agreed.clock.after(start, agreed.seconds)
    late = "true" if due <= second(records.stamp) else "false"
    row = {
        "task": task["sys_id"], "sla": agreed.row["sys_id"], "stage": "in_progress", "active": "true",
        "has_breached": late, "start_time": stamp(start), "planned_end_time": stamp(due),
        "original_breach_time": stamp(due), "schedule": agreed.row["schedule"], "timezone": agreed.row["timezone"],
        "percentage": "0", "business_percentage": "0",
    }  # fmt: skip
    made = records.insert(records.tables["task_sla"], row, SYSTEM)
    if agreed.holds("pause", task):
        _write(records, made["sys_id"], {"stage": "paused", "pause_time": records.stamp}, second(records.stamp))


def repair(records: Records, task: str) -> list[str]:
    """Remove the rows of a task and make them anew under other ids, as SLA repair does. No rule hears of it."""
    table = records.tables["task_sla"]
    records.clocks.begin(records)
    made = []
    for row in [row for row in table.rows.values() if row["task"] == task]:
        records.delete(table, row["sys_id"], SYSTEM, ruled=False)
        kept = {name: value for name, value in row.items() if not name.startswith("sys_")}
        made.append(records.insert(table, kept, SYSTEM, ruled=False)["sys_id"])
    return made
