"""The data contract of one Jira site: which of its fields, types, statuses and options mean which of our words.

A contract is data (`contract.yaml` is the one of a plain Jira Service Management site). Reading it refuses a word that
is not ours; what the contract does not list is reported while translating and stays unknown. Parts that speak to
others (`rules`, `owner`, `freshness`, `completeness`, `schedule`) are left to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any, TypeVar

import yaml

from engine.calendar import Calendar
from engine.refusal import Code, Refused
from engine.words import (
    ApprovalState,
    ChangeOutcome,
    ChangeType,
    MirrorKind,
    RecordState,
    SlaTarget,
    SlaType,
)

FIELDS = ("service", "team", "satisfaction", "change_type", "outcome", "work_started_at")
PRIORITIES = range(1, 6)
Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class SlaMeaning:
    """`vendor`: sys_id of the company in ServiceNow whose promise an underpinning contract's clock measures."""

    sla_type: SlaType
    target: SlaTarget
    vendor: str | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """`fields` names custom fields by name or id; `services`, `teams` and `people` lead to sys_ids in ServiceNow.

    A field that the site does not have is written as null, and is not in here.
    """

    fields: Mapping[str, str]
    kinds: Mapping[str, MirrorKind]
    states: Mapping[MirrorKind, Mapping[str, RecordState]]
    priorities: Mapping[str, int]
    change_types: Mapping[str, ChangeType]
    cab_required: frozenset[ChangeType]
    outcomes: Mapping[str, ChangeOutcome]
    decisions: Mapping[str, ApprovalState]
    slas: Mapping[str, SlaMeaning]
    calendar: Calendar
    services: Mapping[str, str]
    teams: Mapping[str, str]
    people: Mapping[str, str]


def plain_contract() -> str:
    """Text of the contract that ships with Evenhand."""
    return files(__package__).joinpath("contract.yaml").read_text(encoding="utf-8")


def read_contract(text: str) -> Contract:
    """The contract in a YAML document; Refused names the place that is wrong."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _wrong(f"it is not YAML ({error})", "contract") from None
    part = _Part(document, "contract")
    kinds = {number: part.word(MirrorKind, "kinds", kind) for number, kind in part.table("kinds").items()}
    for kind in kinds.values():
        if kind not in (MirrorKind.INCIDENT, MirrorKind.CHANGE):
            raise _wrong(f"an issue cannot be a {kind}", "kinds")
    fields = part.table("fields")
    unknown, missing = sorted(set(fields) - set(FIELDS)), sorted(set(FIELDS) - set(fields))
    if unknown or missing:
        raise _wrong(f"unknown fields {unknown}, missing fields {missing}", "fields")
    states = _Part(document.get("states"), "states")
    return Contract(
        fields={name: str(field) for name, field in fields.items() if field is not None},
        kinds=kinds,
        states={
            kind: {status: part.word(RecordState, "states", state) for status, state in states.table(kind).items()}
            for kind in sorted(set(kinds.values()))
        },
        priorities={number: part.priority(rank) for number, rank in part.table("priorities").items()},
        change_types={t: part.word(ChangeType, "change_types", w) for t, w in part.table("change_types").items()},
        cab_required=frozenset(part.word(ChangeType, "cab_required", w) for w in document.get("cab_required") or ()),
        outcomes={text: part.word(ChangeOutcome, "outcomes", w) for text, w in part.table("outcomes").items()},
        decisions={d: part.word(ApprovalState, "decisions", w) for d, w in part.table("decisions").items()},
        slas={metric: part.sla(meaning) for metric, meaning in part.table("slas").items()},
        calendar=part.calendar(),
        services={name: str(sys_id) for name, sys_id in part.table("services").items()},
        teams={name: str(sys_id) for name, sys_id in part.table("teams").items()},
        people={account: str(sys_id) for account, sys_id in part.table("people").items()},
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A mapping of the document that is being read."""

    document: Any
    name: str

    def table(self, key: str) -> dict[str, Any]:
        if not isinstance(self.document, dict):
            raise _wrong(f"'{self.name}' is not a mapping", self.name)
        found = self.document.get(key)
        if not isinstance(found, dict):
            raise _wrong(f"'{key}' is not a mapping", key)
        return {str(name): value for name, value in found.items()}

    @staticmethod
    def word(words: type[Word], key: str, text: Any) -> Word:
        try:
            return words(text)
        except ValueError:
            raise _wrong(f"'{text}' is none of {', '.join(words)}", key) from None

    @staticmethod
    def priority(rank: Any) -> int:
        if isinstance(rank, bool) or not isinstance(rank, int) or rank not in PRIORITIES:
            raise _wrong(f"the priority '{rank}' is not a number from 1 to 5", "priorities")
        return rank

    def sla(self, meaning: Any) -> SlaMeaning:
        if not isinstance(meaning, dict):
            raise _wrong(f"'{meaning}' names no type and target", "slas")
        vendor = meaning.get("vendor")
        return SlaMeaning(
            self.word(SlaType, "slas", meaning.get("type")),
            self.word(SlaTarget, "slas", meaning.get("target")),
            str(vendor) if vendor else None,
        )

    def calendar(self) -> Calendar:
        hours = self.table("calendar")
        try:
            opens, closes = (_seconds(text) for text in hours["hours"])
            days = set(hours["days"])
            if not days <= set(range(1, 8)):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise _wrong("it needs days (1 to 7) and hours such as ['09:00', '17:00']", "calendar") from None
        week = tuple(((opens, closes),) if day in days else () for day in range(1, 8))
        return Calendar(str(hours.get("time_zone")), week)


def _seconds(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60


def _wrong(what: str, key: str) -> Refused:
    return Refused(Code.BAD_INPUT, f"The Jira contract is wrong at '{key}': {what}.", "Correct the contract.", (key,))
