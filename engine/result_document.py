"""The canonical form of results: what a result hash is taken of.

The same engine version, plan and snapshot give the same hash on any machine; another hash means that something may not
be paid. Numbers are exact text, lists stand in an order of their own; labels, findings and wording take no part.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, TypeVar

from engine.canonical import canonical_hash, canonical_json, fraction_text
from engine.results import AllocationResult, AwardResult, KpiLine, ScoreResult, Settlement, SplitResult

Result = TypeVar("Result")


def result_hash(settlement: Settlement, plan_hash: str, snapshot_hash: str, engine_version: str) -> str:
    """Name of these results: what was computed, by which rules, from what."""
    return canonical_hash(
        {
            "engine_version": engine_version,
            "plan": plan_hash,
            "snapshot": snapshot_hash,
            "cycle": settlement.cycle,
            "lines": _ordered(_line, settlement.lines),
            "scores": _ordered(_score, settlement.scores),
            "splits": _ordered(_split, settlement.splits),
            "allocations": _ordered(_allocation, settlement.allocations),
            "awards": _ordered(_award, settlement.awards),
        }
    )


def _ordered(form: Callable[[Result], dict[str, Any]], results: Iterable[Result]) -> list[dict[str, Any]]:
    return sorted(map(form, results), key=canonical_json)


def _text(value: Fraction | None) -> str | None:
    return None if value is None else fraction_text(value)


def _line(line: KpiLine) -> dict[str, Any]:
    return {
        "subject": [line.subject.kind.value, line.subject.id],
        "component": line.component,
        "metric": line.metric,
        "measured": _text(line.measured),
        "n": line.n,
        "counts": [line.numerator, line.denominator],
        "excluded": sorted([reason, count] for reason, count in line.excluded),
        "target": _text(line.target),
        "attainment": _text(line.attainment),
        "pays": _text(line.pays),
        "weight": _text(line.weight),
        "status": line.status.value,
    }


def _score(score: ScoreResult) -> dict[str, Any]:
    return {"subject": [score.subject.kind.value, score.subject.id], "value": _text(score.value)}


def _split(split: SplitResult) -> dict[str, Any]:
    return {
        "service": split.service_id,
        "person": split.person_id,
        "method": split.method.value,
        "role": None if split.role is None else split.role.value,
        "share": _text(split.share),
    }


def _allocation(part: AllocationResult) -> dict[str, Any]:
    return {"service": part.service_id, "amount_minor": part.amount_minor}


def _award(award: AwardResult) -> dict[str, Any]:
    return {
        "person": award.person_id,
        "currency": award.currency,
        "target_minor": award.target_minor,
        "earned_minor": award.earned_minor,
        "factor": _text(award.factor),
    }
