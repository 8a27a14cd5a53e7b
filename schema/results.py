"""From engine results to rows, the way back of schema/facts.py: what a run found, as it is kept.

Shown numbers are rounded to six digits here and nowhere else; the exact value stands in the trace beside them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid5

from engine.explain import as_json
from engine.facts import Measured, Subject
from engine.findings import Finding
from engine.metrics.catalogue import CATALOGUE
from engine.results import KpiLine, Settlement
from engine.terms import Plan
from engine.words import KpiStatus, SubjectKind
from schema.identity import NAMESPACE

SIX_DIGITS = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Frame:
    """What every result row of a run carries."""

    tenant_id: UUID
    run_id: UUID
    cycle_id: UUID
    data_as_of: datetime

    def key(self, *parts: object) -> UUID:
        return uuid5(NAMESPACE, ":".join(("run", str(self.run_id), *map(str, parts))))


def shown(value: Fraction | int | None) -> Decimal | None:
    """Six digits for reading; the exact value stands in the trace."""
    if value is None:
        return None
    exact = Fraction(value)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(SIX_DIGITS, ROUND_HALF_EVEN)


def trace(finding: Finding) -> Any:
    return as_json(finding)


def kpi_rows(frame: Frame, settlement: Settlement) -> Iterable[dict[str, Any]]:
    """Paid and reported lines of the plan's subjects."""
    for no, line in enumerate(settlement.lines):
        yield kpi_row(frame, no, line.component, line.metric, line.subject, line.unit, line) | {
            "value": shown(line.measured),
            "target": shown(line.target),
            "attainment": shown(line.attainment),
            "pays": shown(line.pays),
            "weight": shown(line.weight),
            "status": line.status.value,
            "trace": trace(line.finding),
        }


def overall_rows(frame: Frame, overall: Sequence[Measured]) -> Iterable[dict[str, Any]]:
    """The same metrics over all records: for reading, never paid."""
    for no, measured in enumerate(overall):
        metric = CATALOGUE[measured.metric]
        yield kpi_row(frame, no, metric.key, metric.key, measured.subject, metric.unit, measured) | {
            "value": shown(measured.value),
            "target": None,
            "attainment": None,
            "pays": None,
            "weight": None,
            "status": (KpiStatus.OK if measured.n else KpiStatus.NO_DATA).value,
            "trace": {},
        }


def kpi_row(
    frame: Frame, no: int, component: str, metric: str, subject: Subject, unit: str, counted: KpiLine | Measured
) -> dict[str, Any]:
    return {
        "tenant_id": frame.tenant_id,
        "id": frame.key("kpi", component, subject.kind, subject.id),
        "run_id": frame.run_id,
        "cycle_id": frame.cycle_id,
        "kpi_no": no,
        "component": component,
        "metric": metric,
        "subject_kind": subject.kind.value,
        "subject_id": UUID(subject.id),
        "subject_label": subject.label,
        "unit": unit,
        "numerator": counted.numerator,
        "denominator": counted.denominator,
        "n": counted.n,
        "excluded_n": sum(count for _, count in counted.excluded),
    }


def score_rows(frame: Frame, settlement: Settlement, digest: str) -> Iterable[dict[str, Any]]:
    for score in settlement.scores:
        subject_id = UUID(score.subject.id)
        yield {
            "tenant_id": frame.tenant_id,
            "id": frame.key("score", score.subject.kind, score.subject.id),
            "run_id": frame.run_id,
            "cycle_id": frame.cycle_id,
            "subject_kind": score.subject.kind.value,
            "subject_id": subject_id,
            "subject_label": score.subject.label,
            "person_id": subject_id if score.subject.kind is SubjectKind.PERSON else None,
            "value": shown(score.value),
            "status": score.status.value,
            "result_hash": digest,
            "data_as_of": frame.data_as_of,
            "trace": trace(score.finding),
        }


def split_rows(frame: Frame, settlement: Settlement) -> Iterable[dict[str, Any]]:
    for split in settlement.splits:
        yield {
            "tenant_id": frame.tenant_id,
            "id": frame.key("split", split.service_id, split.person_id, split.role),
            "run_id": frame.run_id,
            "cycle_id": frame.cycle_id,
            "service_id": UUID(split.service_id),
            "person_id": UUID(split.person_id),
            "method": split.method.value,
            "role": split.role.value if split.role else None,
            "share_num": split.share.numerator,
            "share_den": split.share.denominator,
            "share": shown(split.share),
        }


def allocation_rows(frame: Frame, plan: Plan, settlement: Settlement) -> Iterable[dict[str, Any]]:
    for part in settlement.allocations:
        yield {
            "tenant_id": frame.tenant_id,
            "run_id": frame.run_id,
            "service_id": UUID(part.service_id),
            "currency": plan.currency,
            "amount_minor": part.amount_minor,
        }


def proposal_rows(frame: Frame, settlement: Settlement) -> Iterable[dict[str, Any]]:
    """Earned awards. One that the rules could not decide is no proposal; its signal stands on the run."""
    for award in settlement.awards:
        if award.earned_minor is None:
            continue
        yield {
            "tenant_id": frame.tenant_id,
            "run_id": frame.run_id,
            "person_id": UUID(award.person_id),
            "currency": award.currency,
            "target_minor": award.target_minor,
            "earned_minor": award.earned_minor,
            "factor": shown(award.factor),
            "trace": trace(award.finding),
        }


def signal_list(settlement: Settlement) -> list[dict[str, str]]:
    """What a person must decide before the run says everything."""
    return [
        {
            "code": signal.code,
            "subject_kind": signal.subject.kind.value,
            "subject_id": signal.subject.id,
            "subject": signal.subject.label,
            "what": signal.what,
            "fix": signal.fix,
        }
        for signal in settlement.signals
    ]
