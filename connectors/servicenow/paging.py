"""The pages of a query, each row once, none lost.

Decides the order of reading. A table whose records change is paged by sys_id, which never does, so that edits during
paging can neither hide nor repeat a record. A table whose rows are only ever added is paged by (sys_created_on,
sys_id), so that any number of rows of one second survive. The limit is applied before the instance hides rows from us:
a short or even an empty page is not the end, only an empty page of an empty query is. A page that comes back cancelled
or cut is asked for again at half its size; a page out of order, or before its cursor, is not believed, since then the
instance has not understood the query. Source: Table API reference. Raises `SourceUnavailable` and `SourceRefused`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from connectors.servicenow import queries
from connectors.servicenow.columns import SYS_ID
from connectors.servicenow.contract import Shape
from connectors.servicenow.instance import Answer, Instance, PageRejected, count_rows, read
from connectors.source import SourceRefused, SourceUnavailable

SMALLEST_PAGE = 10
Place = tuple[str, ...]  # where a page ends: (sys_id,), or (sys_created_on, sys_id); empty before the first
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page that may be believed, and the place where the next one begins."""

    answer: Answer
    end: Place


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for, again and again. `filtered` ends with `^` or is empty."""

    instance: Instance
    shape: Shape
    fields: Sequence[str]
    filtered: str
    limit: int
    by_time: bool = False

    def after(self, place: Place) -> str:
        if self.by_time:
            return queries.by_time(self.filtered, self.shape.time, (place[0], place[1]) if place else None)
        return queries.by_id(self.filtered, place[0] if place else "")

    def end(self, row: Row) -> Place:
        wanted = (self.shape.time, "sys_id") if self.by_time else ("sys_id",)
        place = tuple(str(row.get(column) or "") for column in wanted)
        if not SYS_ID.fullmatch(place[-1]) or not all(place):
            entity = self.shape.entity
            raise SourceUnavailable(f"A page of {entity} holds a row without {wanted[-1]}. Nothing more was read.")
        return place


def drain(query: Query, place: Place = ()) -> Iterator[Leaf]:
    """Pages after `place`, until an empty page of an empty query. The first one may be empty: it tells the time."""
    first = True
    while True:
        text = query.after(place)
        answer, query = _read_whole(query, text, 0, count=first)
        if not answer.rows:
            behind, query = _past_hidden_rows(query, text, answer)
            if not behind.rows:
                if first:
                    yield Leaf(answer, place)
                return
            answer = replace(behind, observed_at=answer.observed_at)
        if first:
            _check_columns(query, answer.rows[0])
        end = _in_order(query, answer.rows, place)
        yield Leaf(answer, end)
        place, first = end, False


def _read_whole(query: Query, text: str, offset: int, count: bool) -> tuple[Answer, Query]:
    """A page that may be believed, and the query with the limit with which it came."""
    while True:
        limit = query.limit
        try:
            return read(query.instance, query.shape.entity, text, query.fields, limit, offset, count), query
        except PageRejected as rejected:
            if limit <= SMALLEST_PAGE:
                raise SourceUnavailable(f"{rejected} Even {limit} rows were too many.") from rejected
            query = replace(query, limit=max(limit // 2, SMALLEST_PAGE))


def _past_hidden_rows(query: Query, text: str, empty: Answer) -> tuple[Answer, Query]:
    """Step over rows that the instance counts but does not show; empty when there is nothing behind them.

    Whether the count of an answer knows of hidden rows is not documented. Where it does not, it may end too early;
    so the Aggregate API, which does not look at single rows, has the last word on how far to step.
    """
    answer, offset = empty, query.limit
    if answer.total is None:
        answer, query = _read_whole(query, text, 0, count=True)
        offset = query.limit
    entity, behind = query.shape.entity, answer.total
    if behind is None:
        raise SourceUnavailable(f"ServiceNow does not count the rows of {entity}, so their end cannot be known.")
    sure = behind == 0
    while not answer.rows and not (sure and offset >= behind):
        if offset >= behind:
            behind, sure = max(behind, count_rows(query.instance, entity, text).rows), True
            continue
        answer, query = _read_whole(query, text, offset, count=False)
        offset += query.limit
    return answer, query


def _in_order(query: Query, rows: list[Row], place: Place) -> Place:
    """The end of the page; every row stands after the one before it, and all of them after the page before."""
    ends = [query.end(row) for row in rows]
    if ends[0] <= place or any(one >= next_one for one, next_one in pairwise(ends)):
        raise SourceUnavailable(f"ServiceNow gave rows of {query.shape.entity} out of order. Nothing more was read.")
    return ends[-1]


def _check_columns(query: Query, row: Row) -> None:
    """The instance drops a column that it does not have, or does not show us, without a word."""
    shape = query.shape
    missing = [column for column in query.fields if column not in row and column not in shape.optional]
    if missing:
        raise SourceRefused(
            f"ServiceNow does not give {', '.join(missing)} of {shape.entity}. Give the integration user read rights "
            "on it, or take it out of contract.yaml if this instance has no such column."
        )
