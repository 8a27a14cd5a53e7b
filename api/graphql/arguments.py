"""What a caller may narrow a list by: closed filters, no query language.

Decides: which columns a list of numbers, people or money can be narrowed by; those of records are in filters.py. Every
given filter field adds one condition; a list means one of these, a range is half-open. Refused: more than 200 items in
a list, texts over 200 characters, ids of another type.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import strawberry

from api.graphql.ordering import ORDERS, OrderDirection, Ordering
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

__all__ = [
    "CYCLE", "LIST_MAX", "ORDERS", "RUN", "DateRange", "DateTimeRange", "IdFilter", "OrderDirection",
    "Ordering", "by", "storable", "stored",
]  # fmt: skip
LIST_MAX = 200
TEXT_MAX = 200


@strawberry.input(one_of=True, description="One id or a list of ids.")
class IdFilter:
    eq: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="Exactly this id.")
    in_: list[strawberry.ID] | None = strawberry.field(
        name="in", default=strawberry.UNSET, description=f"One of these ids, at most {LIST_MAX}."
    )


@strawberry.input(description="From one moment to before another; either end may be left open.")
class DateTimeRange:
    gte: datetime | None = strawberry.field(default=strawberry.UNSET, description="Not before this moment.")
    lt: datetime | None = strawberry.field(default=strawberry.UNSET, description="Before this moment.")


@strawberry.input(description="From one day to before another; either end may be left open.")
class DateRange:
    gte: date | None = strawberry.field(default=strawberry.UNSET, description="Not before this day.")
    lt: date | None = strawberry.field(default=strawberry.UNSET, description="Before this day.")


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
    record: IdFilter | None = by("record_id", "Of these records.", "MirrorRecord")
    field: list[str] | None = by("field", "Of these fields.")
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
    recorded_at: DateTimeRange | None = by("at", "Recorded in this time.")


RANGES = (DateTimeRange, DateRange)
TESTS: Mapping[str, Callable[[Any, Any], Any]] = {"=": operator.eq, ">=": operator.ge, "<": operator.lt}


def storable(text: str) -> bool:
    """Whether a database can hold this text at all: no U+0000, no half of a character."""
    return not any(each == "\0" or "\ud800" <= each <= "\udfff" for each in text)


def stored(text: str) -> str:
    """A text to look for; refuses what no record can hold."""
    if not storable(text):
        raise Refused(Code.BAD_INPUT, "A text holds U+0000 or half a character.", "Leave it out.")
    return text
