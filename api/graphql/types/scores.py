"""What was computed: values of metrics, scores, shares of outcomes. All of them explain themselves: `explain(id)`."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

import strawberry
from sqlalchemy import func
from strawberry.types import Info

from api.graphql.binding import Node, about, bounded, by_key, computed, shown, to_one
from api.graphql.connections import Connection, connection
from api.graphql.relations import OneOf, Text
from api.graphql.scalars import BigInt
from api.graphql.types.organisation import Person, Service
from api.graphql.types.runs import Cycle, Run
from engine.canonical import fraction_text
from engine.words import AttributionMethod, Feed, KpiStatus, RaciRole, ScoreStatus, Source, SubjectKind
from schema.tables import mirror, scores

AwardType = Annotated["Award", strawberry.lazy("api.graphql.types.money")]  # type: ignore[name-defined]  # noqa: F821
RecordType = Annotated["MirrorRecord", strawberry.lazy("api.graphql.types.records")]  # type: ignore[name-defined]  # noqa: F821
SHOWN_TYPE = {"PERSON": "Person", "TEAM": "Team", "SERVICE": "Service"}


async def subject_of(root: Any, info: Info) -> Node | None:
    kind = SHOWN_TYPE.get(root.subject_kind)
    found: Node | None = await by_key(info.context.reading, kind, root.subject_id) if kind else None
    return found


def subject() -> Any:
    return computed(
        "The person, team or service; null for the whole organisation and where the viewer may not see the subject.",
        "subject_kind",
        "subject_id",
        sql=OneOf(SHOWN_TYPE, "subject_kind", "subject_id"),
    )(subject_of)


@shown(mirror.Revision, "One accepted version of a mirrored record. For auditors and ITSM administrators.")
class RecordRevision:
    source: Source = about("The tool.")
    entity: str = about("The tool's table or kind.")
    source_key: str = about("The record's key in the tool.")
    version_no: BigInt = about("The tool's own version.")
    version_at: datetime = about("When the tool changed it.")
    observed_at: datetime = about("When it was read.")
    feed: Feed = about("How it arrived.")

    payload_sha256: str = computed(
        "sha256 of the record as it came, hex.", "payload_hash", sql=Text(lambda c: func.encode(c.payload_hash, "hex"))
    )(lambda root: root.payload_hash.hex())


@shown(
    scores.KpiLineage,
    "A mirrored record behind a value: what it contributed, or why it was left out.",
    key="record_id",
    unique=("metric", "subject_id", "record_id"),
)
class EvidenceRecord:
    metric: str = about("For which metric.")
    subject_kind: SubjectKind = about("Kind of the subject it was counted for.")
    number: str = about("The number of the record in its tool.")
    measure: BigInt | None = about("What it contributed: seconds, or 1 and 0 for yes and no. Null when left out.")
    left_out: str | None = about("Why it was left out; null when it counts.")
    revision_id: BigInt = about("The version of the record that was used.")
    revision: RecordRevision | None = to_one("RecordRevision", "revision_id", "That version; null if not visible.")
    record: RecordType | None = to_one("MirrorRecord", "record_id", "The record as it stands now; null if not visible.")


@shown(scores.KpiValue, "One metric of one subject in one run.")
class KpiValue(Node):
    component: str = about("The component of the plan.")
    metric: str = about("The metric.")
    subject_kind: SubjectKind = about("Whom it speaks about.")
    subject_label: str = about("Name of the subject when it was computed.")
    subject: Node | None = subject()
    value: Decimal | None = about("The measured value in `unit`, shown with six decimals; exact in the explanation.")
    unit: str = about("Unit of value and target.")
    numerator: BigInt | None = about("Records that met the metric, for a share.")
    denominator: BigInt | None = about("Records that counted, for a share.")
    n: int = about("Records that counted.")
    excluded_n: int = about("Records that were left out.")
    target: Decimal | None = about("What was agreed, in `unit`.")
    attainment: Decimal | None = about("Result against target; 1 is on target.")
    pays: Decimal | None = about("What the curve pays for it; 1 is the full target.")
    weight: Decimal | None = about("Weight of the component in the score, after redistribution.")
    status: KpiStatus = about("Whether the value can be relied on.")
    cycle: Cycle | None = to_one("Cycle", "cycle_id", "The cycle.")
    run: Run | None = to_one("Run", "run_id", "The run that computed it.")
    evidence: Connection[EvidenceRecord] = connection(
        "EvidenceRecord",
        "The mirrored records behind the value, down to their versions.",
        keys=("run_id", "metric", "subject_kind", "subject_id"),
        match=lambda c, keys: (
            (c.run_id == keys[0]) & (c.metric == keys[1]) & (c.subject_kind == keys[2]) & (c.subject_id == keys[3])
        ),
    )


@shown(scores.Score, "The composite of one subject in one run.")
class Score(Node):
    subject_kind: SubjectKind = about("Whom it speaks about.")
    subject_label: str = about("Name of the subject when it was computed.")
    subject: Node | None = subject()
    value: Decimal | None = about(
        "The composite payout factor; 1 is on target. Six decimals; exact in the explanation."
    )
    status: ScoreStatus = about("How far it has come.")
    result_hash: str = about("sha256 of the run's whole result, hex.")
    data_as_of: datetime = about("When the data was read.")
    cycle: Cycle | None = to_one("Cycle", "cycle_id", "The cycle.")
    run: Run | None = to_one("Run", "run_id", "The run that computed it.")
    kpi_values: list[KpiValue] = bounded(
        "KpiValue",
        ("run_id", "subject_kind", "subject_id"),
        lambda c, keys: (c.run_id == keys[0]) & (c.subject_kind == keys[1]) & (c.subject_id == keys[2]),
        ("kpi_no", "id"),
        20,
        "The values of the same subject and run, in the plan's order.",
        settled=True,
    )
    awards: list[AwardType] = bounded(
        "Award",
        ("run_id", "person_id"),
        lambda c, keys: (c.run_id == keys[0]) & (c.person_id == keys[1]),
        ("award_ref",),
        10,
        "Awards that follow from it.",
    )


def _exact(root: Any) -> str:
    return fraction_text(Fraction(root.share_num, root.share_den))


@shown(scores.AttributionSplit, "One person's share of one service's outcome. The shares of a service sum to 1.")
class AttributionSplit(Node):
    share: Decimal = about("The share, shown with six decimals.")
    share_exact: str = computed(
        "The share, exact: a decimal or numerator/denominator.",
        "share_num",
        "share_den",
        sql=Text(lambda c: func.app.fraction_text(c.share_num, c.share_den)),
    )(_exact)
    method: AttributionMethod = about("How the outcome was split.")
    role: RaciRole | None = about("The responsibility it follows from, where it does.")
    person: Person | None = to_one("Person", "person_id", "Whose share it is; null where the viewer may not see him.")
    service: Service | None = to_one("Service", "service_id", "Whose outcome it is.")
    cycle: Cycle | None = to_one("Cycle", "cycle_id", "The cycle.")
    run: Run | None = to_one("Run", "run_id", "The run that computed it.")


__all__ = ["AttributionSplit", "EvidenceRecord", "KpiValue", "RecordRevision", "Score"]
