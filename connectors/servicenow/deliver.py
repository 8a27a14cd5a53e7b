"""Writes a score into the instance: one row of the custom table `u_evenhand_score` for each write, and no second one.

Decides how a lost answer is settled. The row carries the id of the write in `u_outbox_id`, which the table keeps
unique; before a write is repeated the row is looked for. Source: Table API reference. Refused: columns of the body that
are not custom ones, so that a write can never touch a record of the customer.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from connectors.governor import Busy
from connectors.outbox import Write
from connectors.servicenow.instance import Instance, PageRejected, ServiceNowConfig, connect, read, send
from connectors.source import SourceUnavailable
from engine.refusal import Code, Refused

TABLE = "u_evenhand_score"
ID_COLUMN = "u_outbox_id"
_CUSTOM = re.compile(r"u_[a-z0-9_]{1,60}")


def write_score(config: ServiceNowConfig, write: Write) -> None:
    """Make sure that exactly one row stands for this write."""
    row = {**_row(write.body), ID_COLUMN: str(write.id)}
    with connect(config) as instance:
        if write.unsure and is_there(instance, write):
            return
        try:
            config.governor.call_once(lambda: _insert(instance, row))
        except (Busy, PageRejected) as lost:
            if is_there(instance, write):
                return
            raise SourceUnavailable(f"{lost} The score row is not there yet.") from lost


def is_there(instance: Instance, write: Write) -> bool:
    """Whether the row of this write stands in the instance."""
    try:
        answer = read(instance, TABLE, f"{ID_COLUMN}={write.id}", (ID_COLUMN,), 10)
    except PageRejected as rejected:
        raise SourceUnavailable(str(rejected)) from rejected
    return any(row.get(ID_COLUMN) == str(write.id) for row in answer.rows)  # an unknown column would give every row


def _insert(instance: Instance, row: Mapping[str, str]) -> None:
    send(instance, instance.resource(TABLE), "POST", f"writing to {TABLE}", data=orjson.dumps(row))


def _row(body: Mapping[str, Any]) -> dict[str, str]:
    for column in body:
        if not _CUSTOM.fullmatch(column) or column == ID_COLUMN:
            what = f"'{column[:60]}' is not a column that a score may be written to."
            raise Refused(Code.BAD_INPUT, what, "Use columns of u_evenhand_score, which begin with u_.")
    return {column: "" if value is None else str(value) for column, value in body.items()}
