"""Reads an instance: every record of a table that changed since a time, page by page, without losing one.

Decides the order of reading: by sys_id, which never changes, so that edits during paging can neither hide nor repeat a
record ("poll, one keyset"). A record that changes behind the cursor carries a later stamp and comes with the next poll,
which begins `OVERLAP` before this one began by the instance's own clock. The limit is applied before the instance
hides rows from us, so a short or even an empty page is not the end; only an empty page of an empty query is. A page
that comes back cancelled or cut is asked for again at half its size. Queries are built from typed literals alone,
since a value can otherwise be a script. A broken reading raises, and its caller must not move the watermark.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from connectors.servicenow.columns import SYS_ID
from connectors.servicenow.contract import VERSION_COLUMNS, Shape
from connectors.servicenow.instance import Answer, Instance, PageRejected, ServiceNowConfig, connect, read
from connectors.source import Page, SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused
from engine.words import Feed, Source

OVERLAP = timedelta(minutes=10)  # long transactions commit late, with an old stamp
SMALLEST_PAGE = 10
IDS_A_REQUEST = 100


def poll(config: ServiceNowConfig, entity: str, since: datetime | None, feed: Feed = Feed.POLL) -> Iterator[Page]:
    """Every record of `entity` that changed at or after `since` (None: every record).

    All pages carry the instance's clock at the first request. After the last one the watermark of this feed may move
    to that moment less `OVERLAP`.
    """
    shape = _shape(config, entity)
    base = "" if since is None else f"sys_updated_on>={_stamp(since)}^"
    with connect(config) as instance:
        observed_at: datetime | None = None
        for answer in _drain(instance, shape, base, config.page_size):
            observed_at = observed_at or answer.observed_at
            if answer.rows:
                yield _page(shape, feed, answer.rows, observed_at)


def refetch(config: ServiceNowConfig, entity: str, ids: Sequence[str], feed: Feed = Feed.POLL) -> Iterator[Page]:
    """These records as they are now. An absent one is no proof of deletion: it may be hidden from us."""
    shape = _shape(config, entity)
    wanted = sorted(set(ids))
    for sys_id in wanted:
        _checked(sys_id)
    with connect(config) as instance:
        for start in range(0, len(wanted), IDS_A_REQUEST):
            base = f"sys_idIN{','.join(wanted[start : start + IDS_A_REQUEST])}^"
            for answer in _drain(instance, shape, base, config.page_size):
                if answer.rows:
                    yield _page(shape, feed, answer.rows, answer.observed_at)


def _drain(instance: Instance, shape: Shape, base: str, limit: int) -> Iterator[Answer]:
    """Pages of one keyset, until an empty page of an empty query."""
    cursor, first = "", True
    while True:
        query = f"{base}sys_id>{cursor}^ORDERBYsys_id" if cursor else f"{base}ORDERBYsys_id"
        answer, limit = _read_whole(instance, shape, query, limit, 0, count=first)
        if not answer.rows:
            answer, limit = _past_hidden_rows(instance, shape, query, limit, answer)
            if not answer.rows:
                return
        if first:
            _check_columns(shape, answer.rows[0])
        yield answer
        last = _last_id(shape, answer.rows)
        if last <= cursor:
            raise SourceUnavailable(f"ServiceNow gave rows of {shape.entity} out of order. Nothing more was read.")
        cursor, first = last, False


def _read_whole(
    instance: Instance, shape: Shape, query: str, limit: int, offset: int, count: bool
) -> tuple[Answer, int]:
    """A page that may be believed, and the limit with which it came."""
    while True:
        try:
            return read(instance, shape.entity, query, shape.asked, limit, offset, count), limit
        except PageRejected as rejected:
            if limit <= SMALLEST_PAGE:
                raise SourceUnavailable(f"{rejected} Even {limit} rows were too many.") from rejected
            limit = max(limit // 2, SMALLEST_PAGE)


def _past_hidden_rows(instance: Instance, shape: Shape, query: str, limit: int, empty: Answer) -> tuple[Answer, int]:
    """Step over rows that the instance counts but does not show; empty when there is nothing behind them."""
    answer, offset = empty, limit
    if answer.total is None:
        answer, limit = _read_whole(instance, shape, query, limit, 0, count=True)
        offset = limit
    total = answer.total
    if total is None:
        raise SourceUnavailable(f"ServiceNow does not count the rows of {shape.entity}, so their end cannot be known.")
    while not answer.rows and offset < total:
        answer, limit = _read_whole(instance, shape, query, limit, offset, count=False)
        offset += limit
    return answer, limit


def _check_columns(shape: Shape, row: dict[str, Any]) -> None:
    """The instance drops a column that it does not have, or does not show us, without a word."""
    missing = [column for column in shape.asked if column not in row]
    if missing:
        raise SourceRefused(
            f"ServiceNow does not give {', '.join(missing)} of {shape.entity}. Give the integration user read rights "
            "on it, or take it out of contract.yaml if this instance has no such column."
        )


def _last_id(shape: Shape, rows: list[dict[str, Any]]) -> str:
    last = rows[-1].get(VERSION_COLUMNS[0])
    if not isinstance(last, str) or not SYS_ID.fullmatch(last):
        raise SourceUnavailable(f"A page of {shape.entity} ends with a row without a sys_id. Nothing more was read.")
    return last


def _page(shape: Shape, feed: Feed, rows: list[dict[str, Any]], observed_at: datetime) -> Page:
    body = _json(rows)
    digest = sha256(body).hexdigest()
    return Page(Source.SERVICENOW, shape.entity, feed, f"{feed}:{shape.entity}:{digest}", body, observed_at)


def _json(rows: list[dict[str, Any]]) -> bytes:
    try:
        return orjson.dumps(rows)
    except TypeError:  # a lone surrogate: kept as its escape, for the record's reader to refuse
        return json.dumps(rows).encode()


def _shape(config: ServiceNowConfig, entity: str) -> Shape:
    shape = config.contract.get(entity)
    if shape is None:
        raise Refused(Code.BAD_INPUT, f"'{entity}' is not in the data contract.", "Name it in contract.yaml.")
    return shape


def _stamp(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Refused(Code.BAD_INPUT, f"The moment {moment} has no time zone.", "Give times in UTC.")
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _checked(sys_id: str) -> None:
    if not SYS_ID.fullmatch(sys_id):
        raise Refused(Code.BAD_INPUT, f"'{sys_id[:40]}' is not a sys_id.", "Give 32 hexadecimal digits.")
