"""What a caller may ask of a list: closed orders and closed filters, no query language.

Decides: which columns a list can be ordered and narrowed by. Ordering columns are never null and have leakproof
comparison, so that an index serves them under row security. Every given filter field adds one condition; a list means
one of these. Refused: more than 200 items in a list, texts over 200 characters, ids of another type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Table

from api.graphql.words import describe
from api.ids import keys_of
from engine.refusal import Code, Refused
from engine.words import (
    AttributionMethod,
    AwardState,
    IssueCode,
    KpiStatus,
    PayFileState,
    ScoreStatus,
    Source,
    SubjectKind,
)

LIST_MAX = 200
TEXT_MAX = 200


class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


describe(
    OrderDirection,
    "Which way a list runs.",
    {"ASC": "From small to large, from early to late.", "DESC": "From large to small, from late to early."},
)


@dataclass(frozen=True, slots=True)
class Ordering:
    """The orders of one type's lists. `columns` by name of the order; the first order is the default."""

    input: type
    columns: Mapping[str, tuple[str, ...]]
    default: Any
    descending: bool
    said: str


def ordering(kind: str, *, descending: bool = False, **orders: tuple[tuple[str, ...], str]) -> Ordering:
    """Make the enum and the input object for the orders of `kind`: NAME=((columns), description)."""
    make: Any = StrEnum  # mypy wants the name of an enum to be written out
    fields = make(f"{kind}OrderField", {name: name for name in orders})
    said_of = {name: said for name, (_, said) in orders.items()}
    describe(fields, f"What a list of type {kind} can be ordered by.", said_of)
    body = {
        "__annotations__": {"field": fields, "direction": OrderDirection},
        "field": strawberry.field(description="What to order by."),
        "direction": strawberry.field(default=OrderDirection.ASC, description="Which way."),
    }
    made = strawberry.input(type(f"{kind}Order", (), body), description=f"Order of a list of type {kind}.")
    first = next(iter(orders))
    direction = "DESC" if descending else "ASC"
    columns = {name: columns for name, (columns, _) in orders.items()}
    return Ordering(made, columns, fields[first], descending, f"`{first}` `{direction}`")


ORDERS: Mapping[str, Ordering] = {
    "Service": ordering("Service", NAME=(("name",), "The name of the service.")),
    "Team": ordering("Team", NAME=(("name",), "The name of the team.")),
    "Person": ordering("Person", NAME=(("name",), "The name of the person.")),
    "Cycle": ordering("Cycle", STARTS_ON=(("starts_on",), "The first day."), descending=True),
    "Score": ordering(
        "Score",
        SUBJECT=(("subject_kind", "subject_label"), "Kind and name of the subject."),
        DATA_AS_OF=(("data_as_of",), "When the data was read."),
    ),
    "KpiValue": ordering(
        "KpiValue",
        SUBJECT=(("subject_kind", "subject_label", "kpi_no"), "Kind and name of the subject, then the plan's order."),
        METRIC=(("metric", "subject_label"), "The metric, then the name of the subject."),
    ),
    "AttributionSplit": ordering("AttributionSplit", SERVICE=(("service_id", "person_id"), "Service, then person.")),
    "Award": ordering(
        "Award",
        REFERENCE=(("award_ref",), "The award's reference."),
        SUBMITTED_AT=(("submitted_at",), "When it was submitted."),
    ),
    "PayoutBatch": ordering(
        "PayoutBatch",
        SEQUENCE=(("receiver", "sequence"), "Receiver, then the number of the file."),
        CREATED_AT=(("created_at",), "When it was prepared."),
    ),
    "DataIssue": ordering("DataIssue", RECORD=(("entity", "source_key"), "Entity and key of the record.")),
    "EvidenceRecord": ordering("EvidenceRecord", NUMBER=(("number",), "The number of the record in its tool.")),
    "AuditRecord": ordering("AuditRecord", RECORDED_AT=(("at",), "When it was recorded."), descending=True),
}


@strawberry.input(one_of=True, description="One id or a list of ids.")
class IdFilter:
    eq: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Exactly this id.")
    in_: list[strawberry.ID] | None = strawberry.field(
        name="in", default=strawberry.UNSET, description=f"One of these ids, at most {LIST_MAX}."
    )


def by(column: str, about: str, *kinds: str) -> Any:
    """A filter field over `column`; with `kinds` it takes global ids of these types."""
    return strawberry.field(default=strawberry.UNSET, description=about, metadata={"column": column, "kinds": kinds})


RUN = "Of these runs. Left out: of the newest run of each cycle and plan."
CYCLE = "Of these cycles."
ANYBODY = ("Person", "Team", "Service")


@strawberry.input(description="Which services.")
class ServiceFilter:
    id: IdFilter | None = by("id", "These services.", "Service")


@strawberry.input(description="Which teams.")
class TeamFilter:
    id: IdFilter | None = by("id", "These teams.", "Team")
    manager: IdFilter | None = by("manager_id", "Led by these people.", "Person")


@strawberry.input(description="Which people.")
class PersonFilter:
    id: IdFilter | None = by("id", "These people.", "Person")
    manager: IdFilter | None = by("manager_id", "Reporting directly to these people.", "Person")
    active: bool | None = by("active", "Whether the account is active.")


@strawberry.input(description="Which scores.")
class ScoreFilter:
    id: IdFilter | None = by("id", "These scores.", "Score")
    subject: IdFilter | None = by("subject_id", "Of these people, teams or services.", *ANYBODY)
    subject_kind: list[SubjectKind] | None = by("subject_kind", "Of subjects of these kinds.")
    cycle: IdFilter | None = by("cycle_id", CYCLE, "Cycle")
    run: IdFilter | None = by("run_id", RUN, "Run")
    status: list[ScoreStatus] | None = by("status", "In these states.")


@strawberry.input(description="Which KPI values.")
class KpiValueFilter:
    id: IdFilter | None = by("id", "These values.", "KpiValue")
    metric: list[str] | None = by("metric", "Of these metrics.")
    component: list[str] | None = by("component", "Of these components of the plan.")
    subject: IdFilter | None = by("subject_id", "Of these people, teams or services.", *ANYBODY)
    subject_kind: list[SubjectKind] | None = by("subject_kind", "Of subjects of these kinds.")
    cycle: IdFilter | None = by("cycle_id", CYCLE, "Cycle")
    run: IdFilter | None = by("run_id", RUN, "Run")
    status: list[KpiStatus] | None = by("status", "In these states.")


@strawberry.input(description="Which attribution splits.")
class AttributionSplitFilter:
    id: IdFilter | None = by("id", "These splits.", "AttributionSplit")
    service: IdFilter | None = by("service_id", "Of the outcomes of these services.", "Service")
    person: IdFilter | None = by("person_id", "Of these people.", "Person")
    cycle: IdFilter | None = by("cycle_id", CYCLE, "Cycle")
    run: IdFilter | None = by("run_id", RUN, "Run")
    method: list[AttributionMethod] | None = by("method", "Made by these methods.")


@strawberry.input(description="Which awards.")
class AwardFilter:
    id: IdFilter | None = by("id", "These awards.", "Award")
    person: IdFilter | None = by("person_id", "Of these people.", "Person")
    cycle: IdFilter | None = by("cycle_id", CYCLE, "Cycle")
    state: list[AwardState] | None = by("state", "In these states.")


@strawberry.input(description="Which payout batches.")
class PayoutBatchFilter:
    id: IdFilter | None = by("id", "These batches.", "PayoutBatch")
    cycle: IdFilter | None = by("cycle_id", CYCLE, "Cycle")
    receiver: list[str] | None = by("receiver", "For these receivers.")
    state: list[PayFileState] | None = by("state", "In these states.")


@strawberry.input(description="Which data issues.")
class DataIssueFilter:
    source: list[Source] | None = by("source", "From these tools.")
    entity: list[str] | None = by("entity", "Of these entities of the tool.")
    code: list[IssueCode] | None = by("code", "For these reasons.")
    state: list[str] | None = by("state", "`OPEN` or `RESOLVED`.")


@strawberry.input(description="Which audit records.")
class AuditRecordFilter:
    id: IdFilter | None = by("id", "These records.", "AuditRecord")
    action: list[str] | None = by("ty", "About these actions, such as `award.granted/v1`.")
    subject: IdFilter | None = by("subject_id", "About these people.", "Person")
    actor: IdFilter | None = by("actor_id", "By these people.", "Person")
    object_id: list[str] | None = by("object_id", "About the objects with these references.")


def conditions(given: Any, table: Table) -> list[ColumnElement[bool]]:
    """One condition for each filter field that was given."""
    found: list[ColumnElement[bool]] = []
    for field in given.__strawberry_definition__.fields if given is not None else ():
        value = getattr(given, field.python_name)
        if value is None or value is strawberry.UNSET:
            continue
        column = table.c[field.metadata["column"]]
        if isinstance(value, IdFilter):
            value = keys_of(_few(_ids(value)), field.metadata["kinds"])
        if isinstance(value, list):
            found.append(column.in_([_word(each) for each in _few(value)]))
        else:
            found.append(column == value)
    return found


def _ids(value: IdFilter) -> list[str]:
    return [value.eq] if isinstance(value.eq, str) else list(value.in_ or [])


def _few(values: Sequence[Any]) -> Sequence[Any]:
    if len(values) > LIST_MAX or any(isinstance(each, str) and len(each) > TEXT_MAX for each in values):
        raise Refused(
            Code.INPUT_TOO_LARGE,
            f"A list holds at most {LIST_MAX} items, a text {TEXT_MAX} characters.",
            "Ask in several steps.",
        )
    return values


def _word(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return stored(value) if isinstance(value, str) else value


def storable(text: str) -> bool:
    """Whether a database can hold this text at all: no U+0000, no half of a character."""
    return not any(each == "\0" or "\ud800" <= each <= "\udfff" for each in text)


def stored(text: str) -> str:
    """A text to look for; refuses what no record can hold."""
    if not storable(text):
        raise Refused(Code.BAD_INPUT, "A text holds U+0000 or half a character.", "Leave it out.")
    return text
