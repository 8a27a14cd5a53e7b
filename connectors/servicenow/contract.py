"""The data contract with an instance: which tables and columns are read, and what their values mean.

Source: contract.yaml beside this file, or a customer's own of the same shape. Refuses with PLAN_INVALID a contract that
names a column, a kind or a word that we do not have, so that a mistake is found before any record is read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from connectors.servicenow import columns
from connectors.servicenow.columns import Reader
from engine.refusal import Code, Refused
from engine.words import (
    ApprovalState,
    ChangeOutcome,
    ChangeType,
    MirrorKind,
    RecordState,
    RootCause,
    SlaStage,
    SlaTarget,
    SlaType,
)
from schema.tables.mirror import TYPED

VERSION_COLUMNS = ("sys_id", "sys_mod_count", "sys_updated_on")
_PLAIN: Mapping[str, Reader] = {
    "text": columns.text, "flag": columns.flag, "moment": columns.moment, "duration": columns.duration,
    "rating": columns.rating,
}  # fmt: skip
_BUILT: Mapping[str, Callable[[Mapping[str, Any]], Reader]] = {
    "integer": lambda given: columns.integer(*given["between"]),
    "choice": lambda given: columns.choice(dict(given["values"])),
    "reference": lambda given: columns.reference(given["to"]),
}
# The words that a column of ours may hold; the same in every kind, except that two kinds have states of their own.
_WORDS: Mapping[str, frozenset[Any]] = {
    "state": frozenset({*RecordState, *ApprovalState}), "change_type": frozenset(ChangeType),
    "outcome": frozenset(ChangeOutcome), "root_cause": frozenset(RootCause), "sla_type": frozenset(SlaType),
    "target": frozenset(SlaTarget), "stage": frozenset(SlaStage), "human": frozenset({True, False}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One column of ours, and how it is read."""

    name: str
    column: str
    read: Reader
    required: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """How the records of one table are read."""

    entity: str
    kind: MirrorKind
    fields: tuple[Field, ...]
    asked: tuple[str, ...]  # every column that a request names, in order
    calculated: frozenset[str]  # those of them that do not make a version
    walked: tuple[str, ...]  # columns of another record (`instance.state`): a webhook does not carry them
    flags: frozenset[str]  # columns that a script reads as 1 and 0, and the API as true and false


Contract = Mapping[str, Shape]


@cache
def standard() -> Contract:
    """The contract that we ship."""
    return read_contract((Path(__file__).parent / "contract.yaml").read_text())


def read_contract(document: str) -> Contract:
    try:
        entities = yaml.safe_load(document)["entities"]
        return {entity: _shape(entity, given) for entity, given in entities.items()}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad(f"it cannot be read ({type(error).__name__}: {error})") from error


def _shape(entity: str, given: Mapping[str, Any]) -> Shape:
    kind = MirrorKind(given["kind"])
    fields = tuple(_field(entity, kind, name, field) for name, field in given["fields"].items())
    also = tuple(given.get("also", ()))
    asked = {*VERSION_COLUMNS, *also, *(field.column for field in fields)}
    flags = {*given.get("flags", ()), *(field.column for field in fields if field.read is columns.flag)}
    calculated = asked & set(given.get("calculated", ()))
    walked = tuple(sorted(column for column in asked if "." in column))
    return Shape(entity, kind, fields, tuple(sorted(asked)), frozenset(calculated), walked, frozenset(flags))


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
    return Field(name, str(given["from"]), read, bool(given.get("required", False)))


def _bad(what: str) -> Refused:
    return Refused(Code.PLAN_INVALID, f"The data contract is wrong: {what}.", "Correct contract.yaml.", ("contract",))
