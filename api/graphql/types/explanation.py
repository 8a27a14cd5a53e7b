"""Why a number is what it is: its stored trace as a tree, and the mirrored records at its leaves.

A step can be computed again from its own operation, parameters and the values of its inputs. Values are exact text.
A trace is shown where its number is, since it stands in the same row.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy import ColumnElement, and_, false, or_, select
from strawberry.scalars import JSON

from api.graphql.binding import computed
from api.graphql.connections import Connection, connection
from api.graphql.context import Asked
from api.graphql.reading import Reading
from api.graphql.types.scores import EvidenceRecord
from api.ids import parsed
from engine.refusal import Code, Refused
from engine.words import KpiStatus, Op, TraceKind
from schema.tables import money, scores

DEPTH_MAX = 10
MEASURED = "MEASURED"
AWARD_AMOUNT: Any = money.AwardAmount.__table__  # type: ignore[attr-defined]
AWARD: Any = money.Award.__table__  # type: ignore[attr-defined]
KPI: Any = scores.KpiValue.__table__  # type: ignore[attr-defined]
SCORE: Any = scores.Score.__table__  # type: ignore[attr-defined]

OF_AWARD = select(AWARD_AMOUNT.c.trace, AWARD.c.run_id).join(
    AWARD, (AWARD.c.tenant_id == AWARD_AMOUNT.c.tenant_id) & (AWARD.c.id == AWARD_AMOUNT.c.award_id)
)
# type of the id -> where its trace stands
TRACES: Mapping[str, tuple[Any, Any]] = {
    "KpiValue": (select(KPI.c.trace, KPI.c.run_id), KPI.c.id),
    "Score": (select(SCORE.c.trace, SCORE.c.run_id), SCORE.c.id),
    "Award": (OF_AWARD, AWARD_AMOUNT.c.award_id),
    "AwardAmounts": (OF_AWARD, AWARD_AMOUNT.c.award_id),
}


@strawberry.type(description="Where a trace leaves the rules: a measured value, or a version of a plan.")
class TraceEvidence:
    kind: str = strawberry.field(description="`MEASURED` or `PLAN`.")
    reference: str = strawberry.field(description="Metric and subject, or the plan's hash.")
    label: str = strawberry.field(description="In words.")


@strawberry.type(description="One step: a value, and how it follows from its inputs.")
class TraceNode:
    kind: TraceKind = strawberry.field(description="Level of the step.")
    operation: Op = strawberry.field(description="How it follows.")
    label: str = strawberry.field(description="What the number is.")
    sentence: str = strawberry.field(description="The step as a plain sentence.")
    parameters: JSON = strawberry.field(description="Parameters of the operation, as text.")
    value: str | None = strawberry.field(description="Exact: a decimal or numerator/denominator; null when unknown.")
    unit: str = strawberry.field(description="Unit of the value.")
    status: KpiStatus = strawberry.field(description="Whether it can be relied on.")
    cut: bool = strawberry.field(description="Whether inputs exist that lie below the asked depth.")
    evidence: list[TraceEvidence] = strawberry.field(description="Where this step leaves the rules.")
    below: strawberry.Private[list["TraceNode"]]

    @computed("The numbers it follows from, in the order of the operation.")
    def inputs(
        self, limit: Annotated[int, strawberry.argument(description="How many at most; never more than 200.")] = 50
    ) -> list["TraceNode"]:
        return self.below[: max(0, min(limit, 200))]


@strawberry.type(description="A number explained, from the result down to the mirrored records.")
class Explanation:
    root: TraceNode = strawberry.field(description="The number itself; its inputs lie below.")
    tree: JSON = strawberry.field(description="The same tree as JSON, for programs that compute it again.")
    run_id: strawberry.Private[UUID]
    measured: strawberry.Private[list[tuple[str, str, UUID]]]

    evidence: Connection[EvidenceRecord] = connection(
        "EvidenceRecord",
        "The mirrored records behind all measured values in the whole trace, down to their versions.",
        of_root=lambda root, table: [_evidence_of(root, table)],
    )


def _evidence_of(root: Explanation, table: Any) -> ColumnElement[bool]:
    c = table.c
    found = [
        and_(c.metric == metric, c.subject_kind == kind, c.subject_id == key) for metric, kind, key in root.measured
    ]
    return and_(c.run_id == root.run_id, or_(false(), *found))


async def explain(info: Asked, id_: str, depth: int) -> Explanation | None:
    """The explanation of the number with this id; null where it is hidden or missing."""
    if not 0 <= depth <= DEPTH_MAX:
        raise Refused(Code.BAD_INPUT, "The depth cannot be given.", f"Use 0 to {DEPTH_MAX}.", ("depth",))
    found = parsed(id_)
    if found is None or found[0] not in TRACES:
        return None
    row = await _stored(info.context.reading, *found)
    if row is None:
        return None
    trace, run_id = row
    return Explanation(
        root=_node(trace, depth), tree=_cut(trace, depth), run_id=run_id, measured=sorted(set(_measured(trace)))
    )


async def _stored(reading: Reading, kind: str, key: UUID) -> tuple[dict[str, Any], UUID] | None:
    statement, column = TRACES[kind]
    rows = await reading.rows(statement.where(column == key))
    return (rows[0]["trace"], rows[0]["run_id"]) if rows else None


def _node(trace: Mapping[str, Any], depth: int) -> TraceNode:
    below = trace["because"]
    return TraceNode(
        kind=TraceKind(trace["kind"]),
        operation=Op(trace["op"]),
        label=trace["label"],
        sentence=trace["sentence"],
        parameters=trace["params"],
        value=trace["value"],
        unit=trace["unit"],
        status=KpiStatus(trace["status"]),
        cut=bool(below) and depth == 0,
        evidence=[TraceEvidence(kind=e["kind"], reference=e["id"], label=e["label"]) for e in trace["evidence"]],
        below=[_node(cause, depth - 1) for cause in below] if depth else [],
    )


def _cut(trace: Mapping[str, Any], depth: int) -> JSON:
    below = trace["because"]
    if not depth and below:
        return JSON({**trace, "because": [], "cut": True})
    return JSON({**trace, "because": [_cut(cause, depth - 1) for cause in below]})


def _measured(trace: Mapping[str, Any]) -> Iterator[tuple[str, str, UUID]]:
    """Metric, kind and id of every measured subject in the trace."""
    waiting = [trace]
    while waiting:
        node = waiting.pop()
        waiting.extend(node["because"])
        for proof in node["evidence"]:
            if proof["kind"] == MEASURED:
                metric, kind, key = proof["id"].rsplit("/", 2)
                yield metric, kind, UUID(key)
