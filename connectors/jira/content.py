"""What of an issue is content, and what only follows from who looks at it and when.

Two looks at the same version must give the same bytes: otherwise another time zone of the account, a new portrait or a
word such as "yesterday" would look like an edit that nobody made. The page keeps what came, byte for byte.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from connectors.compact import compact_json
from connectors.jira.times import moment

Raw = Mapping[str, Any]
ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}")
# addresses, and what a person or an administrator can change elsewhere without touching the issue
ELSEWHERE = frozenset(
    {
        "self", "avatarUrls", "iconUrl", "displayName", "active", "timeZone", "_links", "_expands", "description",
        "canAnswerApproval",
    }
)  # fmt: skip
REQUEST_TYPE = ("id", "name", "serviceDeskId")


def canonical(record: Any) -> bytes:
    """The same content, the same bytes, in whatever order the keys came."""
    return compact_json(record, orjson.OPT_SORT_KEYS)


def issue_content(record: Raw) -> bytes:
    fields, ids = record["fields"], record.get("field_ids")
    request_type = ids.get("request_type") if isinstance(ids, dict) else None
    held = {name: _value(value) for name, value in fields.items()}
    if isinstance(request_type, str) and request_type in fields:
        held[request_type] = _request_type(fields[request_type])
    kept = {name: value for name, value in record.items() if name not in ("self", "expand")} | {"fields": held}
    if "approvals" in record:
        kept["approvals"] = lasting(record["approvals"])
    return canonical(kept)


def _value(value: Any) -> Any:
    if isinstance(value, str) and ZONED.fullmatch(value):
        at = moment(value)
        return at.isoformat(timespec="milliseconds") if at is not None else value
    return lasting(value)


def lasting(value: Any) -> Any:
    """Without what somebody can change elsewhere, and what only follows from who looks."""
    if isinstance(value, dict):
        return {name: lasting(part) for name, part in value.items() if name not in ELSEWHERE}
    return [lasting(part) for part in value] if isinstance(value, list) else value


def _request_type(value: Any) -> Any:
    """Its state is told with words such as "today"; the type alone is content."""
    kind = value.get("requestType") if isinstance(value, dict) else None
    return {name: kind.get(name) for name in REQUEST_TYPE} if isinstance(kind, dict) else lasting(value)
