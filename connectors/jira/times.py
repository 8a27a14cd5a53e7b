"""Jira's times: ISO text with any offset, or milliseconds since 1970. Ours are UTC.

Refused (None): text without an offset, anything that is not a time. Never compared as text.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def moment(value: Any) -> datetime | None:
    """The moment that Jira means, or None."""
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, int):
            return EPOCH + value * MILLISECOND
        if isinstance(value, str):
            told = datetime.fromisoformat(value)
            return told.astimezone(UTC) if told.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
    return None


def milliseconds(at: datetime) -> int:
    return (at - EPOCH) // MILLISECOND
