"""The book in which the made-up company writes its records: every record is a life, a list of dated versions.

Decides what stands in the tables when the sandbox starts (everything before `LIVE_START`) and what follows as live
events (up to the end of the year). Rows have the shape of ServiceNow's raw JSON: strings, "" for null, UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import md5
from random import Random

from connectors.sandbox.company_hours import LIVE_START, YEAR_END, stamp

Row = dict[str, str]
Tables = dict[str, dict[str, Row]]
Step = tuple[int, str, Row]  # when, user name of who did it, columns that change


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One later version of one record. Applying it is idempotent: `record` is the whole row after the event."""

    event_id: str
    at: str
    table: str
    op: str  # "insert" or "update"
    sys_id: str
    record: Row


@dataclass(slots=True)
class Truth:
    """What really was, whatever the records say. Nothing here is served over HTTP; fairness is measured against it.

    Skills are in standard deviations (0 is average, more is better); complexity and quality likewise.
    """

    person_skill: dict[str, float] = field(default_factory=dict)
    team_skill: dict[str, float] = field(default_factory=dict)
    service_complexity: dict[str, float] = field(default_factory=dict)
    service_quality: dict[str, float] = field(default_factory=dict)
    incident_cause: dict[str, str] = field(default_factory=dict)  # incident -> word of RootCause, lower case
    incident_vendor: dict[str, str] = field(default_factory=dict)  # incident -> vendor that really is at fault
    problem_cause: dict[str, str] = field(default_factory=dict)
    cab_skipped: dict[str, str] = field(default_factory=dict)  # change -> kind of skip; "" when the CAB did decide


# Whose moves are kept for the history of the instance, and of how many records of each table.
REMEMBERED = {"change_request": ("state", "approval"), "sysapproval_approver": ("state",), "incident": ("state",)}
INCIDENTS_REMEMBERED = 2_500
Move = tuple[str, str, int, str, int, str, str, str]  # table, record, second, who, version, column, old, new


def record_id(seed: int, table: str, number: int) -> str:
    return md5(f"{seed}:{table}:{number}".encode(), usedforsecurity=False).hexdigest()


class Book:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.tables: Tables = {}
        self.truth = Truth()
        self.moves: list[Move] = []
        self._live: list[tuple[int, int, LiveEvent]] = []
        self._numbers: dict[str, int] = {}

    def new_id(self, table: str) -> str:
        number = self._numbers.get(table, 0) + 1
        self._numbers[table] = number
        return record_id(self.seed, table, number)

    def write(self, table: str, sys_id: str, first: Row, steps: Iterable[Step]) -> None:
        """Keep the life of one record; the first step is its creation, steps after the year do not happen."""
        rows = self.tables.setdefault(table, {})
        row: Row = {}
        remembered = REMEMBERED.get(table, ()) if table != "incident" or len(rows) < INCIDENTS_REMEMBERED else ()
        for count, (second, who, columns) in enumerate(steps):
            if second > YEAR_END:
                break
            when = stamp(second)
            if count == 0:
                row = {"sys_id": sys_id, "sys_class_name": table, "sys_created_on": when, "sys_created_by": who,
                       "sys_domain": "global", "sys_domain_path": "/", **first}  # fmt: skip
            elif second >= LIVE_START:
                row = dict(row)  # the table keeps the version before
            if count and second < LIVE_START:
                for name in remembered:
                    if name in columns and columns[name] != row[name]:
                        self.moves.append((table, sys_id, second, who, count, name, row[name], columns[name]))
            row.update(columns)
            row["sys_updated_on"], row["sys_updated_by"], row["sys_mod_count"] = when, who, str(count)
            if second < LIVE_START:
                rows[sys_id] = row
            else:
                op = "update" if count else "insert"
                event_id = record_id(self.seed, f"event:{table}:{sys_id}", count)
                self._live.append((second, len(self._live), LiveEvent(event_id, when, table, op, sys_id, row)))

    def live(self) -> list[LiveEvent]:
        return [event for _, _, event in sorted(self._live, key=lambda entry: entry[:2])]
