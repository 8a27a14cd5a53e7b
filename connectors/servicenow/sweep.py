"""Which records of a table stand in the instance: the truth about what webhooks and polls have missed.

Decides when such a list is complete, so that what it lacks may be doubted. It is when it holds as many rows as the
Aggregate API counted before it began, less those that the contract explains as hidden (`hidden`) and those that the
instance says it has deleted meanwhile. Rows that were added meanwhile do not make up for missing ones. Anything else,
such as an access rule that now hides a part of the table, makes a list that proves nothing by its gaps; an empty list
proves nothing at all, since a table that is hidden from us looks the same.
A delete is never decided here: `exists` only says what a question for one id was answered. Source: Table API and
Aggregate API reference; sys_audit_delete. Rows without a readable version stand in the list with version 0.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.governor import Purpose
from connectors.servicenow import columns, queries
from connectors.servicenow.columns import Unusable
from connectors.servicenow.contract import Shape
from connectors.servicenow.instance import (
    Forbidden,
    Instance,
    PageRejected,
    ServiceNowConfig,
    TableAbsent,
    connect,
    count_rows,
    is_found,
    read,
)
from connectors.servicenow.paging import Query, drain
from connectors.servicenow.pull import shape_of
from connectors.source import Key, KeySet, SourceUnavailable
from engine.words import MirrorKind, Source

DELETES = "sys_audit_delete"
_DELETE_COLUMNS = ("sys_id", "sys_created_on", "documentkey")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)  # the grain of the instance's stamps
_COUNT = columns.integer(0, 2**31 - 1)
_FIX = (
    "Give the integration user read rights on all its rows; if an access rule hides some on purpose, say how many "
    "under `hidden` in contract.yaml."
)


def sweep(config: ServiceNowConfig, entity: str) -> KeySet:
    """Key and version of every record of `entity` that the instance shows us."""
    shape = shape_of(config, entity)
    keys: list[Key] = []
    began = _NEVER
    if shape.by_record:
        why = f"{entity} is read for single records only, so nothing can be said about all of it."
        return KeySet(Source.SERVICENOW, entity, keys, False, began, why)
    with connect(config, Purpose.SWEEP) as instance:
        try:
            counted = count_rows(instance, entity, shape.base.removesuffix("^"))
            began = counted.observed_at
            for leaf in drain(Query(instance, shape, shape.version, shape.base, config.page_size)):
                keys += [_key(shape, row) for row in leaf.answer.rows]
        except (Forbidden, TableAbsent) as refused:
            return KeySet(Source.SERVICENOW, entity, keys, False, began, str(refused))
        standing = sum(not _is_new(key, began) for key in keys)
        missing = counted.rows - shape.hidden - standing
        if missing > 0:  # a row that was seen and then deleted explains nothing
            missing -= len(_deleted(instance, entity, began + _SECOND) - {key.key for key in keys})
    why = ""
    if missing > 0:
        why = f"ServiceNow counts {counted.rows} rows of {entity} and showed us {standing}. {_FIX}"
    elif not keys:
        why = f"ServiceNow shows no row of {entity}, which may as well be a right that we lost."
    return KeySet(Source.SERVICENOW, entity, keys, not why, began, why)


def exists(config: ServiceNowConfig, entity: str, key: str) -> bool:
    """Whether the instance shows this record now, and it is still one of ours. Anything but yes or no raises.

    One that was moved out of what the contract takes is shown by no poll any more: here it stands no longer.
    """
    shape = shape_of(config, entity)
    with connect(config, Purpose.SWEEP) as instance:
        return is_found(instance, entity, key) and (not shape.base or _is_ours(instance, shape, key))


def _is_ours(instance: Instance, shape: Shape, key: str) -> bool:
    query = f"{shape.base}sys_id={queries.sys_id(key)}"
    try:
        return bool(read(instance, shape.entity, query, ("sys_id",), 1, count=False).rows)
    except PageRejected as rejected:
        raise SourceUnavailable(str(rejected)) from rejected


def _deleted(instance: Instance, entity: str, since: datetime) -> set[str]:
    """Keys of what the instance says it has deleted since then. That it names none proves nothing."""
    shape = Shape(DELETES, MirrorKind.STATE_CHANGE, asked=_DELETE_COLUMNS, added_only=True)
    filtered = f"tablename={queries.name(entity)}^sys_created_on>={queries.stamp(since)}^"
    found: set[str] = set()
    try:
        for leaf in drain(Query(instance, shape, _DELETE_COLUMNS, filtered, instance.config.page_size, by_time=True)):
            found |= {str(row["documentkey"]) for row in leaf.answer.rows if row.get("documentkey")}
    except (Forbidden, TableAbsent):
        return set()
    return {key for key in found if columns.SYS_ID.fullmatch(key)}


def _key(shape: Shape, row: Mapping[str, Any]) -> Key:
    try:
        version_no = 0 if shape.added_only else _COUNT(str(row.get("sys_mod_count", "")))
        return Key(str(row["sys_id"]), version_no, columns.moment(str(row.get(shape.time, ""))))
    except Unusable:
        return Key(str(row["sys_id"]), 0, _NEVER)


def _is_new(key: Key, began: datetime) -> bool:
    """Added after the count was taken, as far as one can tell: never changed, and stamped since."""
    return key.version_no == 0 and key.version_at > began
