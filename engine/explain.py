"""Explain a number: its trace as JSON, back again, and computed anew.

Numbers in JSON are exact text (decimal, or `numerator/denominator`). `reevaluate` uses a node's operation, parameters
and the values of its direct inputs, nothing else. Refused: reading back a trace that was cut short.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from engine.findings import Evidence, Finding, Number, number_text
from engine.operations import evaluate
from engine.refusal import Code, Refused
from engine.sentences import sentence
from engine.words import KpiStatus, Op, TraceKind

__all__ = ["as_json", "from_json", "reevaluate", "sentence"]


def reevaluate(finding: Finding) -> Number | None:
    """The value that follows from the node's parameters and the values of its inputs."""
    return evaluate(finding.op, dict(finding.params), [node.value for node in finding.inputs])


def as_json(finding: Finding, depth: int | None = None) -> dict[str, Any]:
    """The trace as JSON; below `depth` levels inputs are left out, and `cut` says so."""
    node: dict[str, Any] = {
        "value": None if finding.value is None else number_text(finding.value),
        "unit": finding.unit,
        "kind": finding.kind.value,
        "op": finding.op.value,
        "params": dict(finding.params),
        "label": finding.label,
        "status": finding.status.value,
        "sentence": sentence(finding),
        "evidence": [{"kind": proof.kind, "id": proof.id, "label": proof.label} for proof in finding.evidence],
    }
    inputs = finding.inputs
    if depth is not None and depth <= 0 and inputs:
        return node | {"because": [], "cut": True}
    below = None if depth is None else depth - 1
    return node | {"because": [as_json(cause, below) for cause in inputs]}


def from_json(node: Mapping[str, Any]) -> Finding:
    """The Finding that a whole trace describes; evidence stands behind the inputs."""
    if node.get("cut"):
        raise Refused(Code.BAD_INPUT, "A trace that was cut cannot be read back.", "Ask for the whole trace.")
    evidence = tuple(Evidence(proof["kind"], proof["id"], proof["label"]) for proof in node["evidence"])
    return Finding(
        value=None if node["value"] is None else Fraction(node["value"]),
        unit=node["unit"],
        kind=TraceKind(node["kind"]),
        op=Op(node["op"]),
        params=tuple(sorted(node["params"].items())),
        because=tuple(from_json(cause) for cause in node["because"]) + evidence,
        label=node["label"],
        status=KpiStatus(node["status"]),
    )
