"""What a record of ServiceNow says in the words of the mirror. Pure: no clock, no network, no database.

Decides which version a record is (`sys_mod_count`, then `sys_updated_on`; a row that is only ever added has one
version) and its values under the data contract. What follows from one record alone is decided in facts.py. The payload
is the canonical JSON of the contract's columns that no running clock moves, without empty ones: an empty column and an
absent one are the same to the tool, and a webhook and a page that show the same version so have the same hash. What is
in no payload is in no value either, so that nothing depends on which reading came first. Seconds are whole.
Refuses a record without a usable id or version (`Poison`); any other bad value stays unknown and becomes an `Issue`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.compact import compact_json
from connectors.servicenow import columns
from connectors.servicenow.columns import SYS_ID, Unusable, moment
from connectors.servicenow.contract import Contract, Shape
from connectors.servicenow.facts import FACTS, FIX_RECORD, Raw, Values
from connectors.source import Hint, Hook, Issue, Poison, Translator, Unreadable, Version
from engine.words import IssueCode, Source

OPS = ("insert", "update", "delete")
_COUNT = columns.integer(0, 2**31 - 1)
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
    if not shape.is_ours(record):
        return Hook(note=f"The data contract leaves this row of {table} out.")
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
        payload = compact_json(raw)  # canonical: its keys are in order already
    except TypeError as error:  # a lone surrogate
        raise Poison(_key(record), "record", "", f"The record is not valid Unicode ({error}).", _FIX_SENDER) from error
    if b"\\u0000" in payload:
        raw = _without_nul(raw, issues)
        payload = compact_json(raw)
    key, version_no, version_at = _identity(shape, record, raw)
    values: Values = {}
    for field in shape.fields:
        if text := raw.get(field.column):
            try:
                values[field.name] = field.place(text, raw) if field.place else field.read(text)
                continue
            except Unusable as unusable:
                what = f"{field.column} of this {shape.entity} {unusable.what}."
                issues.append(Issue(unusable.code, field.column, text, what, unusable.fix))
        elif field.required and not field.optional:
            what = f"This {shape.entity} has no {field.column}."
            issues.append(Issue(IssueCode.REQUIRED_FIELD_MISSING, field.column, "", what, FIX_RECORD))
        values[field.name] = "" if field.required else None
    if fact := FACTS.get(shape.kind):
        fact(values, raw, issues)
    return Version(
        Source.SERVICENOW, shape.entity, key, shape.kind, version_no, version_at, payload, values, tuple(issues)
    )


def _identity(shape: Shape, record: Mapping[str, Any], raw: Raw) -> tuple[str, int, datetime]:
    try:
        column, key = "sys_id", raw.get("sys_id", "")
        if not SYS_ID.fullmatch(key):
            raise columns.malformed("is not a sys_id")
        version_no = 0
        if not shape.added_only:
            column = "sys_mod_count"
            version_no = _COUNT(raw.get(column, ""))
        column = shape.time
        return key, version_no, moment(raw.get(column, ""))
    except Unusable as unusable:
        what = f"{column} {unusable.what}, so nobody can tell which version of which record this is."
        raise Poison(_key(record), column, raw.get(column, ""), what, _FIX_SENDER) from unusable


def _key(record: Mapping[str, Any]) -> str:
    key = record.get("sys_id")
    return key if isinstance(key, str) and SYS_ID.fullmatch(key) else ""


def _texts(shape: Shape, record: Mapping[str, Any], issues: list[Issue]) -> Raw:
    """The asked columns that are not empty and do not move with a clock, as texts, in the order of their names."""
    get = record.get
    raw: Raw = {column: value for column in shape.asked if (value := get(column)) is not None and value != ""}
    if set(map(type, raw.values())) != _ONLY_TEXTS:
        raw = _as_texts(shape, raw, issues)
    for column in shape.flags:
        if column in raw:
            raw[column] = _SCRIPT_FLAGS.get(raw[column], raw[column])
    if shape.running and not raw.get(shape.until):
        raw = {column: value for column, value in raw.items() if column not in shape.running}
    return raw


def _as_texts(shape: Shape, given: Mapping[str, Any], issues: list[Issue]) -> Raw:
    """The same columns, where some came as something other than a text."""
    raw: Raw = {}
    for column, value in given.items():
        if type(value) is not str:
            plain = _plain(value)
            if plain is None:
                what = f"{column} of this {shape.entity} is not a single value."
                shown = repr(value)[:200]
                issues.append(Issue(IssueCode.MALFORMED, column, shown, what, _FIX_SENDER))
                continue
            value = plain
        if value:
            raw[column] = value
    return raw


_ONLY_TEXTS = {str}
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
            issues.append(Issue(IssueCode.MALFORMED, column, shown, what, FIX_RECORD))
        else:
            clean[column] = value
    return clean
