"""How the edits of one imitated issue are drafted: values and changelog items, before they get numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox import jira_words as words

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
YEAR_END_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000) - 1


@dataclass(frozen=True, slots=True)
class Crew:
    """A team that works tickets of one service. `skill` in standard deviations, more is faster and better."""

    service: str
    team: str
    members: tuple[str, ...]
    board: tuple[str, ...]
    skill: float


@dataclass(frozen=True, slots=True)
class Draft:
    at_ms: int
    author: str
    values: Mapping[str, Any]
    items: tuple[dict[str, Any], ...] = ()
    approvals: Sequence[Mapping[str, Any]] | None = None


class Life:
    """One issue while it is drafted: every `step` is one saved edit, later than the one before."""

    def __init__(self, at_ms: int, author: str, values: Mapping[str, Any]) -> None:
        self.now_ms = at_ms
        self.values: dict[str, Any] = dict(values)
        self.drafts = [Draft(at_ms, author, dict(values))]

    def step(
        self,
        after_ms: float,
        author: str,
        change: Mapping[str, Any],
        approvals: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.now_ms += max(1, int(after_ms))
        change = {name: value for name, value in change.items() if self.values.get(name) != value}
        items = tuple(item(name, self.values.get(name), value) for name, value in change.items())
        if approvals is not None and not items:
            items = (item("customfield_10140", None, None),)  # the "Approvals" field: JSM logs an answer under it
        self.values.update(change)
        self.drafts.append(Draft(self.now_ms, author, change, items, approvals))

    def move(self, after_ms: float, author: str, status: str, **more: Any) -> None:
        approvals = more.pop("approvals", None)
        self.step(after_ms, author, {"status": words.STATUSES[status], **more}, approvals)


def item(name: str, old: Any, new: Any) -> dict[str, Any]:
    """One changelog item. Times stand in it as ISO text, options and people by id and label."""
    label = next((field[1] for field in words.CUSTOM_FIELDS if field[0] == name), name)
    (before, before_label), (after, after_label) = _ends(name, old), _ends(name, new)
    return {
        "field": label,
        "fieldId": name,
        "fieldtype": "custom" if name.startswith("customfield") else "jira",
        "from": before,
        "fromString": before_label,
        "to": after,
        "toString": after_label,
    }


def _ends(name: str, value: Any) -> tuple[str | None, str | None]:
    if value is None:
        return None, None
    if isinstance(value, dict):
        return value["id"], value.get("name") or value.get("value")
    text = words.jira_time(value) if name in words.TIME_FIELDS else str(value)
    return (None, text) if name in words.TIME_FIELDS or name == words.SATISFACTION else (text, text)


def option(value: str) -> dict[str, str]:
    """A select list value; its id follows from its text."""
    return {"id": str(30000 + sum(map(ord, value)) % 9999), "value": value}
