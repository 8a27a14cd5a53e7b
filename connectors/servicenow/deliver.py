"""Writes a score into the instance, once: a row of the custom table `u_evenhand_score`, or a column of an incident.

Decides how a lost answer is settled: by reading. A row carries the id of the write in `u_outbox_id`, which the table
keeps unique; before a write is repeated the row is looked for. A column is read together with `sys_mod_count` just
before it is written: the Table API has no If-Match, so a record that has moved on since the score was queued is left
alone (`PremiseGone`). Source: Table API reference. Refused: columns that are not custom ones, so that a write can never
touch what belongs to the customer.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from connectors.governor import Busy, Purpose
from connectors.limits import servicenow_scopes
from connectors.outbox import PremiseGone, Write
from connectors.servicenow.instance import Instance, PageRejected, ServiceNowConfig, connect, read, send
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused

TABLE = "u_evenhand_score"
ID_COLUMN = "u_outbox_id"
INCIDENT = "incident"
_CUSTOM = re.compile(r"u_[a-z0-9_]{1,60}")
_SYS_ID = re.compile(r"[0-9a-f]{32}")


def deliver(config: ServiceNowConfig, write: Write) -> None:
    """What the outbox asks for."""
    OPERATIONS[write.operation](config, write)


# ---- a row of our own table


def write_score(config: ServiceNowConfig, write: Write) -> None:
    """Make sure that exactly one row stands for this write."""
    row = {**_row(write.body), ID_COLUMN: str(write.id)}
    with connect(config, Purpose.WRITE) as instance:
        if write.unsure and is_there(instance, write):
            return
        try:
            config.governor.call_once(lambda: _insert(instance, row), scopes=servicenow_scopes(TABLE))
        except (Busy, PageRejected) as lost:
            if is_there(instance, write):
                return
            raise SourceUnavailable(f"{lost} The score row is not there yet.") from lost


def is_there(instance: Instance, write: Write) -> bool:
    """Whether the row of this write stands in the instance."""
    rows = _rows(instance, TABLE, f"{ID_COLUMN}={write.id}", (ID_COLUMN,))
    return any(row.get(ID_COLUMN) == str(write.id) for row in rows)  # an unknown column would give every row


def _insert(instance: Instance, row: Mapping[str, str]) -> None:
    resource, scopes = instance.resource(TABLE), servicenow_scopes(TABLE)
    send(instance, scopes, resource, "POST", f"writing to {TABLE}", data=orjson.dumps(row))


# ---- a column of an incident


def write_column(config: ServiceNowConfig, write: Write) -> None:
    """Make the custom columns of the incident equal the body, if the incident is still the one it was."""
    wanted = _row(write.body)
    if not _SYS_ID.fullmatch(write.record):
        raise Refused(Code.BAD_INPUT, f"'{write.record[:60]}' is not a sys_id.", "Give the record's own id.")
    with connect(config, Purpose.WRITE) as instance:
        stands, version = _standing(instance, write.record, wanted)
        if stands:
            return
        if write.premise is not None and version != write.premise:
            raise PremiseGone(f"version {write.premise} was scored, the instance holds version {version}.")
        try:
            config.governor.call_once(
                lambda: _patch(instance, write.record, wanted), scopes=servicenow_scopes(INCIDENT)
            )
        except (Busy, PageRejected) as lost:
            if _standing(instance, write.record, wanted)[0]:
                return
            raise SourceUnavailable(f"{lost} The column does not hold the score yet.") from lost


def _standing(instance: Instance, sys_id: str, wanted: Mapping[str, str]) -> tuple[bool, int]:
    """Whether the columns hold the values, and the version of the record that was read."""
    found = _rows(instance, INCIDENT, f"sys_id={sys_id}", ("sys_id", "sys_mod_count", *wanted))
    row = next((row for row in found if row.get("sys_id") == sys_id), None)
    if row is None:
        raise SourceRefused(f"ServiceNow shows no incident {sys_id}. It was deleted, or hidden from the account.")
    if missing := sorted(set(wanted) - set(row)):
        what = f"The incident has no column {', '.join(missing)} that the account may see."
        raise SourceRefused(f"{what} Make it, or name another one in EVENHAND_SERVICENOW_SCORE_COLUMN.")
    version = str(row.get("sys_mod_count", ""))
    return {name: row[name] for name in wanted} == dict(wanted), int(version) if version.isdigit() else -1


def _patch(instance: Instance, sys_id: str, wanted: Mapping[str, str]) -> None:
    resource, scopes, doing = instance.resource(INCIDENT), servicenow_scopes(INCIDENT), f"writing to {INCIDENT}"
    send(instance, scopes, resource, "PATCH", doing, path_append=f"/{sys_id}", data=orjson.dumps(wanted))


OPERATIONS: Mapping[str, Callable[[ServiceNowConfig, Write], None]] = {"score": write_score, "column": write_column}


def _rows(instance: Instance, table: str, query: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    try:
        return read(instance, table, query, columns, 10).rows
    except PageRejected as rejected:
        raise SourceUnavailable(str(rejected)) from rejected


def _row(body: Mapping[str, Any]) -> dict[str, str]:
    for column in body:
        if not _CUSTOM.fullmatch(column) or column == ID_COLUMN:
            what = f"'{column[:60]}' is not a column that a score may be written to."
            raise Refused(Code.BAD_INPUT, what, "Use custom columns, which begin with u_.")
    return {column: "" if value is None else str(value) for column, value in body.items()}
