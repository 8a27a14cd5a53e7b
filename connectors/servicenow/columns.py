"""How one stored text of ServiceNow becomes a value of ours, or why it cannot.

Source: Table API reference. Raw JSON values are texts: "" for nothing, "true", "3", "2026-03-04 10:15:07" (UTC), a
reference as the bare sys_id, a duration as a date from 1970 ("1970-01-02 03:00:00" is 27 h). Moments are aware
datetimes, durations whole seconds. Refused, never guessed: anything else, as `Unusable`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from engine.words import IssueCode, Source
from schema.identity import mirror_id

Reader = Callable[[str], Any]
Placed = Callable[[str, Mapping[str, str]], UUID | None]  # reads a value beside the other columns of its row

SYS_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"-?[0-9]{1,15}")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = {"true": True, "false": False}
_MISSING = object()
FIRST_MOMENT, END_OF_MOMENTS = "1970-01-01", "2190-01-01"  # outside stands no ticket, only a typing error


class Unusable(Exception):
    """This text has no value for us. `fix` says what a person can do."""

    def __init__(self, code: IssueCode, what: str, fix: str) -> None:
        super().__init__(what)
        self.code, self.what, self.fix = code, what, fix


def malformed(what: str, fix: str = "Correct the record in ServiceNow.") -> Unusable:
    return Unusable(IssueCode.MALFORMED, what, fix)


def text(value: str) -> str:
    return value


def flag(value: str) -> bool:
    try:
        return _FLAGS[value]
    except KeyError:
        raise malformed("is neither true nor false") from None


def moment(value: str) -> datetime:
    """2026-03-04 10:15:07, which is UTC whatever the zone of the reader."""
    if len(value) == 19 and value[10] == " " and FIRST_MOMENT <= value < END_OF_MOMENTS:
        try:
            return datetime.fromisoformat(value + "+00:00")
        except ValueError:
            pass
    raise malformed("is not a UTC date and time between 1970 and 2189")


def duration(value: str) -> int:
    """Seconds. 1970-01-02 03:00:00 is 27 hours."""
    try:
        return int((moment(value) - _EPOCH).total_seconds())
    except Unusable:
        raise malformed("is not a duration written as a date from 1970") from None


def day(value: str) -> date:
    """A date; of a date with a time the UTC date."""
    if len(value) == 10 and FIRST_MOMENT <= value < END_OF_MOMENTS:
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise malformed("is not a date") from None
    return moment(value).date()


def decimal(value: str) -> Decimal:
    if not _DECIMAL.fullmatch(value):
        raise malformed("is not a number")
    return Decimal(value)


def rating(value: str) -> int | None:
    """A mark from 1 to 5. -1 is how a survey stores an answer in words: no mark."""
    if not _DECIMAL.fullmatch(value):
        raise malformed("is not a number")
    mark = float(value)
    if mark == -1:
        return None
    if mark not in (1, 2, 3, 4, 5):
        what = "is not on the scale of 1 to 5"
        raise Unusable(IssueCode.UNMAPPED_SOURCE_VALUE, what, "Leave this survey out, or have it ask on that scale.")
    return int(mark)


def integer(first: int, last: int) -> Reader:
    @lru_cache(maxsize=1_000)  # counters and ranks: few values, on every row
    def read(value: str) -> int:
        if _NUMBER.fullmatch(value) and first <= (number := int(value)) <= last:
            return number
        raise malformed(f"is not a whole number from {first} to {last}")

    return read


def choice(values: Mapping[str, Any]) -> Reader:
    """A stored choice value, by an explicit list. What the list does not name stays unknown."""

    def read(value: str) -> Any:
        known = values.get(value, _MISSING)
        if known is _MISSING:
            what = "is a value that the data contract does not know"
            raise Unusable(IssueCode.UNMAPPED_SOURCE_VALUE, what, "Name its meaning in contract.yaml, or correct it.")
        return known

    return read


def reference(table: str) -> Reader:
    """The id in our mirror of the record that a sys_id of `table` points at, whether it has arrived or not."""

    @lru_cache(maxsize=100_000)
    def read(value: str) -> UUID | None:
        if not SYS_ID.fullmatch(value):
            raise malformed("is not a sys_id")
        return mirror_id(Source.SERVICENOW, table, value)

    return read


def document(columns: Sequence[str], among: Sequence[str], otherwise: str | None) -> Placed:
    """The id of a record whose table stands in another column of the same row, such as source_table.

    The first of `columns` that names one of the tables in `among` says which. None when they name another table: that
    record is not mirrored. Where none of them says anything it is `otherwise`, or nobody knows.
    """
    readers = {table: reference(table) for table in (*among, *([otherwise] if otherwise else []))}

    def read(value: str, raw: Mapping[str, str]) -> UUID | None:
        named = [raw[column] for column in columns if raw.get(column)]
        table = next((name for name in named if name in among), None if named else otherwise)
        if table is not None:
            return readers[table](value)  # type: ignore[no-any-return]
        if not SYS_ID.fullmatch(value):
            raise malformed("is not a sys_id")
        return None

    return read
