"""What a record of ServiceNow says in the words of the mirror. Pure: no clock, no network, no database.

Decides which version a record is (`sys_mod_count`, then `sys_updated_on`), its values under the data contract, and the
facts that follow from one record alone, such as seconds to resolve on the wall clock. The payload
is the canonical JSON of the contract's columns that the tool does not compute at read time, without empty ones: an
empty column and an absent one are the same to the tool, and a webhook and a page that show the same version so have the
same hash. Seconds are whole.
Refuses a record without a usable id or version (`Poison`); any other bad value stays unknown and becomes an `Issue`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from connectors.servicenow import columns
from connectors.servicenow.columns import SYS_ID, Unusable, moment
from connectors.servicenow.contract import Contract, Shape
from connectors.source import Hint, Hook, Issue, Poison, Translator, Unreadable, Version
from engine.words import IssueCode, MirrorKind, RecordState, RootCause, Source

Values = dict[str, Any]
Raw = dict[str, str]
Fact = Callable[[Values, Raw, list[Issue]], None]

OPS = ("insert", "update", "delete")
_COUNT = columns.integer(0, 2**31 - 1)
_CHANGE_ID = columns.reference("change_request")
_FIX_RECORD = "Correct the record in ServiceNow."
_FIX_SENDER = "Send the columns of the data contract as the API returns them."


def translator(contract: Contract) -> Translator:
    """Read this instance under its contract."""

    def translate(entity: str, record: Mapping[str, Any], observed_at: datetime) -> tuple[Version, ...]:
        shape = contract.get(entity)
        if shape is None:
            raise Unreadable(f"The table {entity!r} is not in the data contract; name it there or stop sending it.")
        return (_version(shape, record),)

    return Translator(translate, lambda body: read_hook(contract, body))


def read_hook(contract: Contract, body: Mapping[str, Any]) -> Hook:
    """`{event_id, table, op, record}` as our business rule sends it."""
    table, op, record = body.get("table"), body.get("op"), body.get("record")
    if not isinstance(table, str) or op not in OPS or not isinstance(record, Mapping):
        raise Unreadable("The body needs a table, an op (insert, update, delete) and a record.")
    shape = contract.get(table)
    if shape is None:
        return Hook(
            note=f"The table {table[:80]} is not in the data contract; nothing of it is mirrored.".replace("\0", "")
        )
    key = record.get("sys_id")
    if isinstance(key, str) and SYS_ID.fullmatch(key):
        if op == "delete":
            return Hook(suspected=(Hint(Source.SERVICENOW, table, key),))
        if any(column not in record for column in shape.walked):
            return Hook(refetch=(Hint(Source.SERVICENOW, table, key),))
    return Hook(records=((table, record),))


def _version(shape: Shape, record: Mapping[str, Any]) -> Version:
    issues: list[Issue] = []
    raw = _texts(shape, record, issues)
    try:
        payload = _payload(shape, raw)
    except TypeError as error:  # a lone surrogate
        raise Poison(_key(record), "record", "", f"The record is not valid Unicode ({error}).", _FIX_SENDER) from error
    if b"\\u0000" in payload:
        raw = _without_nul(raw, issues)
        payload = _payload(shape, raw)
    key, version_no, version_at = _identity(record, raw)
    values: Values = {}
    for field in shape.fields:
        if text := raw.get(field.column):
            try:
                values[field.name] = field.read(text)
                continue
            except Unusable as unusable:
                what = f"{field.column} of this {shape.entity} {unusable.what}."
                issues.append(Issue(unusable.code, field.column, text, what, unusable.fix))
        elif field.required:
            what = f"This {shape.entity} has no {field.column}."
            issues.append(Issue(IssueCode.REQUIRED_FIELD_MISSING, field.column, "", what, _FIX_RECORD))
        values[field.name] = "" if field.required else None
    if fact := _FACTS.get(shape.kind):
        fact(values, raw, issues)
    return Version(
        Source.SERVICENOW, shape.entity, key, shape.kind, version_no, version_at, payload, values, tuple(issues)
    )


def _payload(shape: Shape, raw: Raw) -> bytes:
    """Canonical JSON: the keys of `raw` are in order already."""
    if shape.calculated:
        return orjson.dumps({column: value for column, value in raw.items() if column not in shape.calculated})
    return orjson.dumps(raw)


def _identity(record: Mapping[str, Any], raw: Raw) -> tuple[str, int, datetime]:
    try:
        column, key = "sys_id", raw.get("sys_id", "")
        if not SYS_ID.fullmatch(key):
            raise columns.malformed("is not a sys_id")
        column = "sys_mod_count"
        version_no = _COUNT(raw.get(column, ""))
        column = "sys_updated_on"
        return key, version_no, moment(raw.get(column, ""))
    except Unusable as unusable:
        what = f"{column} {unusable.what}, so nobody can tell which version of which record this is."
        raise Poison(_key(record), column, raw.get(column, ""), what, _FIX_SENDER) from unusable


def _key(record: Mapping[str, Any]) -> str:
    key = record.get("sys_id")
    return key if isinstance(key, str) and SYS_ID.fullmatch(key) else ""


def _texts(shape: Shape, record: Mapping[str, Any], issues: list[Issue]) -> Raw:
    """The asked columns that are not empty, as texts, in the order of their names."""
    raw: Raw = {}
    for column in shape.asked:
        value = record.get(column)
        if value is None or value == "":
            continue
        if type(value) is not str:
            plain = _plain(value)
            if plain is None:
                what = f"{column} of this {shape.entity} is not a single value."
                shown = repr(value)[:200]
                issues.append(Issue(IssueCode.MALFORMED, column, shown, what, _FIX_SENDER))
                continue
            value = plain
        if column in shape.flags:
            value = _SCRIPT_FLAGS.get(value, value)
        if value:
            raw[column] = value
    return raw


_SCRIPT_FLAGS = {"1": "true", "0": "false"}


def _plain(value: object) -> str | None:
    """The text of a value that came as a link object, a number or a boolean."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping) and isinstance(value.get("value"), str):
        return str(value["value"])
    return None


def _without_nul(raw: Raw, issues: list[Issue]) -> Raw:
    """A text with a NUL character cannot be kept as text; it is left out and listed."""
    clean: Raw = {}
    for column, value in raw.items():
        if "\0" in value:
            shown = value.replace("\0", "\\u0000")
            what = f"{column} holds a NUL character."
            issues.append(Issue(IssueCode.MALFORMED, column, shown, what, _FIX_RECORD))
        else:
            clean[column] = value
    return clean


# ---- facts of one record


def _incident(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """Seconds from opened to resolved; unknown while one end is missing or the ends are the wrong way round."""
    values["resolve_seconds"] = None
    opened, resolved = values.get("opened_at"), values.get("resolved_at")
    ordered = _in_order(opened, resolved, raw.get("resolved_at", ""), "resolved_at", issues)
    if opened is None or resolved is None or not ordered:
        return
    values["resolve_seconds"] = int((resolved - opened).total_seconds())


def _change(values: Values, raw: Raw, issues: list[Issue]) -> None:
    _in_order(values.get("opened_at"), values.get("closed_at"), raw.get("closed_at", ""), "closed_at", issues)


def _problem(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """Only a closed problem with a cause is evidence; a vendor's fault needs the vendor's name."""
    if values.get("state") != RecordState.CLOSED:
        return
    if values.get("root_cause") is None and not raw.get("u_root_cause"):
        what = "The problem is closed, but its root cause is not recorded. It excludes nothing."
        issues.append(
            Issue(IssueCode.EVIDENCE_REQUIRED, "u_root_cause", "", what, "Record the root cause on the problem.")
        )
    if values.get("root_cause") == RootCause.VENDOR and values.get("vendor_id") is None:
        what = "The root cause is a vendor, but no vendor is named."
        issues.append(
            Issue(IssueCode.EVIDENCE_REQUIRED, "u_root_cause_vendor", "", what, "Name the vendor on the problem.")
        )


def _approval(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """Approvals stand on any table; only those of changes point at a change."""
    target = raw.get("document_id") or raw.get("sysapproval", "")
    of_change = raw.get("source_table", "change_request") == "change_request"
    values["change_id"] = _CHANGE_ID(target) if of_change and SYS_ID.fullmatch(target) else None


def _task_sla(values: Values, raw: Raw, issues: list[Issue]) -> None:
    _in_order(values.get("started_at"), values.get("ended_at"), raw.get("end_time", ""), "end_time", issues)


def _answer(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """Only a finished questionnaire on an incident counts."""
    if raw.get("instance.trigger_table") != "incident":
        values["task_id"] = None
    if raw.get("instance.state") != "complete":
        values["rating"] = None


def _person(values: Values, raw: Raw, issues: list[Issue]) -> None:
    """An account that only machines use is nobody, whatever else it says."""
    if "true" in (raw.get("web_service_access_only"), raw.get("internal_integration_user")):
        values["human"] = False


_FACTS: Mapping[MirrorKind, Fact] = {
    MirrorKind.INCIDENT: _incident,
    MirrorKind.CHANGE: _change,
    MirrorKind.PROBLEM: _problem,
    MirrorKind.CHANGE_APPROVAL: _approval,
    MirrorKind.TASK_SLA: _task_sla,
    MirrorKind.CSAT_RESPONSE: _answer,
    MirrorKind.PERSON: _person,
}


def _in_order(start: datetime | None, end: datetime | None, shown: str, column: str, issues: list[Issue]) -> bool:
    """False, with an issue, when both ends are known and the wrong way round."""
    if start is not None and end is not None and end < start:
        what = f"{column} is before the record's beginning ({start:%Y-%m-%d %H:%M:%S} UTC)."
        issues.append(Issue(IssueCode.TIME_ORDER, column, shown, what, _FIX_RECORD))
        return False
    return True
