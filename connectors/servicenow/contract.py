"""The data contract with an instance: which tables and columns are read, and what their values mean.

Source: contract.yaml beside this file, or a customer's own of the same shape. Refuses with PLAN_INVALID a contract that
names a column, a kind or a word that we do not have, or that would put something into a query that is not a literal, so
that a mistake is found before any record is read. Keys that it does not know belong to other readers of the document.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from connectors.servicenow import columns, queries
from connectors.servicenow.columns import Placed, Reader
from engine.refusal import Code, Refused
from engine.words import (
    ApprovalState,
    ChangeOutcome,
    ChangeType,
    MeetingState,
    MirrorKind,
    RecordState,
    RootCause,
    SlaStage,
    SlaTarget,
    SlaType,
)
from schema.tables.mirror import TYPED

VERSION_COLUMNS = ("sys_id", "sys_mod_count", "sys_updated_on")
ADDED_COLUMNS = ("sys_id", "sys_created_on")  # of a table whose rows are only ever added
_PLAIN: Mapping[str, Reader] = {
    "text": columns.text, "flag": columns.flag, "moment": columns.moment, "date": columns.day,
    "duration": columns.duration, "decimal": columns.decimal, "rating": columns.rating,
}  # fmt: skip
_BUILT: Mapping[str, Callable[[Mapping[str, Any]], Reader]] = {
    "integer": lambda given: columns.integer(*given["between"]),
    "choice": lambda given: columns.choice(dict(given["values"])),
    "reference": lambda given: columns.reference(given["to"]),
    "document": lambda given: columns.text,
}
# The words that a column of ours may hold; the same in every kind, except that some kinds have states of their own.
_WORDS: Mapping[str, frozenset[Any]] = {
    "state": frozenset({*RecordState, *ApprovalState, *MeetingState}), "change_type": frozenset(ChangeType),
    "outcome": frozenset(ChangeOutcome), "root_cause": frozenset(RootCause), "sla_type": frozenset(SlaType),
    "target": frozenset(SlaTarget), "stage": frozenset(SlaStage), "human": frozenset({True, False}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One column of ours, and how it is read."""

    name: str
    column: str
    read: Reader
    required: bool = False
    optional: bool = False
    place: Placed | None = None  # instead of `read`, where the other columns of the row matter


@dataclass(frozen=True, slots=True)
class Shape:
    """How the records of one table are read."""

    entity: str
    kind: MirrorKind
    fields: tuple[Field, ...] = ()
    asked: tuple[str, ...] = ()  # every column that a request names, in order
    running: frozenset[str] = frozenset()  # those that say nothing while `until` is empty, because a clock moves them
    until: str = ""
    walked: tuple[str, ...] = ()  # columns of another record (`instance.state`): a webhook does not carry them
    flags: frozenset[str] = frozenset()  # columns that a script reads as 1 and 0, and the API as true and false
    optional: frozenset[str] = frozenset()  # columns that an instance need not have
    absent_ok: bool = False  # a table that an instance need not have
    added_only: bool = False  # rows are only ever added: no count of updates, no time of the last one
    by_record: bool = False  # read for single records when something happened to them, never as a whole
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)  # which rows of the table are ours
    without: Mapping[str, Sequence[str]] = field(default_factory=dict)
    hidden: int = 0  # rows that the instance counts and rightly does not show us

    @property
    def time(self) -> str:
        """The column whose stamp says when a row came to be as it is."""
        return "sys_created_on" if self.added_only else "sys_updated_on"

    @property
    def base(self) -> str:
        """Which rows are ours, as the beginning of every query."""
        return queries.base(self.only, self.without)

    def is_ours(self, record: Mapping[str, Any]) -> bool:
        """The same for a record that was sent to us; a column that it does not carry says nothing."""
        return all(record.get(column, words[0]) in words for column, words in self.only.items()) and not any(
            record.get(column) in words for column, words in self.without.items()
        )

    @property
    def version(self) -> tuple[str, ...]:
        return ADDED_COLUMNS if self.added_only else VERSION_COLUMNS


Contract = Mapping[str, Shape]


@cache
def standard() -> Contract:
    """The contract that we ship."""
    return read_contract((Path(__file__).parent / "contract.yaml").read_text())


def polled(contract: Contract) -> Iterable[str]:
    """The tables that are read as a whole, masters first as the document names them."""
    return [entity for entity, shape in contract.items() if not shape.by_record]


def read_contract(document: str) -> Contract:
    try:
        entities = yaml.safe_load(document)["entities"]
        return {entity: _shape(entity, given) for entity, given in entities.items()}
    except Refused as refused:
        raise refused if refused.code is Code.PLAN_INVALID else _bad(refused.what) from refused
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad(f"it cannot be read ({type(error).__name__}: {error})") from error


def _shape(entity: str, given: Mapping[str, Any]) -> Shape:
    kind = MirrorKind(given["kind"])
    fields = tuple(_field(entity, kind, name, each) for name, each in given["fields"].items())
    also = {str(name): bool((more or {}).get("optional", False)) for name, more in _named(given.get("also", ()))}
    added_only = bool(given.get("added_only", False))
    needed = {*(ADDED_COLUMNS if added_only else VERSION_COLUMNS)}
    needed |= {each.column for each in fields if not each.optional}
    needed |= {name for name, optional in also.items() if not optional}
    asked = needed | {*also, *(each.column for each in fields)}
    asked |= {str(column) for each in given["fields"].values() for column in each.get("named_by", ())}
    if wrong := sorted(asked & set(given.get("calculated", ()))):
        raise _bad(f"{entity}: {', '.join(wrong)} is computed whenever it is read, so it says nothing of a version")
    running, only, without = given.get("running", {}), given.get("only", {}), given.get("without", {})
    queries.base(only, without)
    return Shape(
        entity=queries.name(entity),
        kind=kind,
        fields=fields,
        asked=tuple(sorted(asked)),
        running=frozenset(asked & set(running.get("columns", ()))),
        until=str(running.get("until", "")),
        walked=tuple(sorted(column for column in asked if "." in column)),
        flags=frozenset({*given.get("flags", ()), *(f.column for f in fields if f.read is columns.flag)}),
        optional=frozenset(asked - needed),
        absent_ok=bool(given.get("optional", False)),
        added_only=added_only,
        by_record=bool(given.get("by_record", False)),
        only=only,
        without=without,
        hidden=int(given.get("hidden", 0)),
    )


def _named(given: Sequence[Any]) -> list[tuple[str, Mapping[str, Any] | None]]:
    """`[a, {b: {optional: true}}]` as pairs."""
    pairs: list[tuple[str, Mapping[str, Any] | None]] = []
    for entry in given:
        pairs += entry.items() if isinstance(entry, Mapping) else [(entry, None)]
    return pairs


def _field(entity: str, kind: MirrorKind, name: str, given: Mapping[str, Any]) -> Field:
    if name not in TYPED[kind].model_fields:
        raise _bad(f"{entity}: {kind} has no column {name}")
    reading = given["as"]
    if reading not in _PLAIN and reading not in _BUILT:
        raise _bad(f"{entity}.{name}: {reading!r} is not one of {', '.join((*_PLAIN, *_BUILT))}")
    if reading == "choice":
        for stored, word in given["values"].items():
            if not isinstance(stored, str):
                raise _bad(f"{entity}.{name}: write the stored value {stored!r} in quotes")
            if word is not None and word not in _WORDS[name]:
                raise _bad(f"{entity}.{name}: {word!r} is not one of our words")
    read = _PLAIN[reading] if reading in _PLAIN else _BUILT[reading](given)
    place = None
    if reading == "document":
        place = columns.document(tuple(given["named_by"]), tuple(given["among"]), given.get("otherwise"))
    required, optional = bool(given.get("required", False)), bool(given.get("optional", False))
    return Field(name, str(given["from"]), read, required, optional, place)


def _bad(what: str) -> Refused:
    return Refused(Code.PLAN_INVALID, f"The data contract is wrong: {what}.", "Correct contract.yaml.", ("contract",))
