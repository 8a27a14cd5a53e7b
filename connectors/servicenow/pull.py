"""Reads an instance: every record of a table that changed since a time, or those named by their ids.

Decides what a poll asks for: what changed at or after the moment at which the poll before began, by the instance's own
clock, less `OVERLAP`, because a long transaction commits late with an old stamp. A record that changes behind the
cursor carries a later stamp and comes with the next poll. Every page says where a reading that was interrupted goes on:
at its last row, with the beginning of the first attempt, so that nothing that changed meanwhile is skipped.
Queries are built from typed literals alone. A broken reading raises, and its caller must not move the watermark.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from connectors.governor import Purpose
from connectors.servicenow import queries
from connectors.servicenow.contract import Shape
from connectors.servicenow.instance import Instance, ServiceNowConfig, TableAbsent, connect
from connectors.servicenow.paging import Place, Query, drain
from connectors.source import Page
from engine.refusal import Code, Refused
from engine.words import Feed, Source

OVERLAP = timedelta(minutes=10)  # long transactions commit late, with an old stamp
IDS_A_REQUEST = 100


def poll(
    config: ServiceNowConfig, entity: str, since: datetime | None, feed: Feed = Feed.POLL, cursor: str | None = None
) -> Iterator[Page]:
    """Every record of `entity` that changed at or after `since` (None: every record); none of a table `by_record`.

    All pages carry the instance's clock at the first request. After the last one the watermark of this feed may move
    to that moment less `OVERLAP`. With the cursor of a page the reading goes on after that page, as it was begun.
    """
    shape = shape_of(config, entity)
    if shape.by_record:  # too large to be read by time: history.py asks it for the records that changed
        return
    began: datetime | None = None
    place: Place = ()
    if cursor is not None:
        since, began, place = _resumed(shape, cursor)
    changed = "" if since is None else f"{shape.time}>={queries.stamp(since)}^"
    with connect(config, Purpose.SWEEP if feed is Feed.SWEEP else Purpose.POLL) as instance:
        query = whole(instance, shape, changed)
        try:
            for leaf in drain(query, place):
                began = began or leaf.answer.observed_at
                if leaf.answer.rows:
                    total = leaf.answer.total
                    yield page_of(shape, feed, leaf.answer.rows, began, _cursor(since, began, leaf.end), total)
        except TableAbsent:
            if not shape.absent_ok:
                raise


def refetch(config: ServiceNowConfig, entity: str, ids: Sequence[str], feed: Feed = Feed.POLL) -> Iterator[Page]:
    """These records as they are now. An absent one is no proof of deletion: it may be hidden from us."""
    shape = shape_of(config, entity)
    wanted = sorted({queries.sys_id(sys_id) for sys_id in ids})
    with connect(config, Purpose.REFETCH) as instance:
        for start in range(0, len(wanted), IDS_A_REQUEST):
            these = f"sys_idIN{','.join(wanted[start : start + IDS_A_REQUEST])}^"
            for leaf in drain(Query(instance, shape, shape.asked, f"{shape.base}{these}", config.page_size)):
                if leaf.answer.rows:
                    yield page_of(shape, feed, leaf.answer.rows, leaf.answer.observed_at)


def whole(instance: Instance, shape: Shape, changed: str) -> Query:
    """What of a table is ours, in the order in which it can be paged."""
    limit = instance.config.page_size
    return Query(instance, shape, shape.asked, f"{shape.base}{changed}", limit, shape.added_only)


def page_of(
    shape: Shape,
    feed: Feed,
    rows: list[dict[str, Any]],
    observed_at: datetime,
    cursor: str | None = None,
    total: int | None = None,
) -> Page:
    """A content sweep is proof of its own moment: the same rows seen again later are another page."""
    body = _json(rows)
    digest = sha256(body).hexdigest()
    seen = f"{queries.stamp(observed_at)}:" if feed is Feed.SWEEP else ""
    page_id = f"{feed}:{shape.entity}:{seen}{digest}"
    return Page(Source.SERVICENOW, shape.entity, feed, page_id, body, observed_at, cursor, len(rows), total)


def shape_of(config: ServiceNowConfig, entity: str) -> Shape:
    shape = config.contract.get(entity)
    if shape is None:
        raise Refused(Code.BAD_INPUT, f"'{entity}' is not in the data contract.", "Name it in contract.yaml.")
    return shape


def _json(rows: list[dict[str, Any]]) -> bytes:
    try:
        return orjson.dumps(rows)
    except TypeError:  # a lone surrogate: kept as its escape, for the record's reader to refuse
        return json.dumps(rows).encode()


# ---- where a reading goes on


def _cursor(since: datetime | None, began: datetime, end: Place) -> str:
    return orjson.dumps(
        {"since": since and queries.stamp(since), "began": queries.stamp(began), "after": list(end)}
    ).decode()


def _resumed(shape: Shape, cursor: str) -> tuple[datetime | None, datetime, Place]:
    try:
        told = orjson.loads(cursor)
        since, began, after = told["since"], told["began"], tuple(map(str, told["after"]))
        if len(after) != (2 if shape.added_only else 1):
            raise ValueError("its place is not of this table")
        return (since and _moment(since)), _moment(began), after
    except (ValueError, KeyError, TypeError) as error:
        what = f"'{cursor[:80]}' is not where a reading of {shape.entity} stopped ({error})."
        raise Refused(Code.BAD_INPUT, what, "Begin this reading anew.") from error


def _moment(text: str) -> datetime:
    return datetime.strptime(queries.read_stamp(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
