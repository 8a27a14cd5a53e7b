"""Explanations: every node of every settlement computes again to its value, reads back, and speaks."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.explain import as_json, from_json, reevaluate, sentence
from engine.facts import Measured
from engine.findings import Finding, constant, walk
from engine.plans import read_plan
from engine.refusal import Refused
from engine.results import Settlement
from engine.scoring import settle
from engine.terms import Plan
from engine.words import CompositeKind, Op, TraceKind
from tests.engine.small_company import ALPHA, BETA, GAMMA, PLAN, facts, minutes, share

SMALL = read_plan(PLAN)
VARIANTS = {
    "as written": SMALL,
    "geometric": replace(SMALL, composite=CompositeKind.GEOMETRIC, cap=None),
    "zero": read_plan(PLAN.replace("when_missing: TARGET", "when_missing: ZERO")),
    "chance": read_plan(PLAN.replace("forgive_chance: false", "forgive_chance: true")),
    "exponents": read_plan(
        PLAN.replace("budget: 1, criticality: 1, headcount: 0", "budget: 2, criticality: 3, headcount: 1")
    ),
    "bounds": read_plan(PLAN.replace("  exponents:", "  min_share: 0.2\n  max_share: 0.45\n  exponents:")),
}


def nodes(settlement: Settlement) -> list[Finding]:
    results = (settlement.lines, settlement.scores, settlement.splits, settlement.allocations, settlement.awards)
    return [node for kind in results for result in kind for node in walk(result.finding)]


@st.composite
def measurements(draw: st.DrawFn) -> tuple[Measured, ...]:
    found = []
    for subject in (ALPHA, BETA, GAMMA):
        if draw(st.booleans()):
            found.append(
                minutes(subject, str(draw(st.fractions(0, 3000, max_denominator=2))), draw(st.integers(1, 40)))
            )
        for metric in ("sla_attainment", "change_success_rate", "reopen_rate"):
            all_ = draw(st.integers(0, 60))
            found.append(share(metric, subject, draw(st.integers(0, all_)), all_))
    return tuple(found)


@pytest.mark.capability("I2.6")
@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(VARIANTS)), measurements())
def test_every_node_computes_again_to_its_value(variant: str, measured: tuple[Measured, ...]) -> None:
    for node in nodes(settle(VARIANTS[variant], facts(measured))):
        assert reevaluate(node) == node.value, sentence(node)
        said = sentence(node)
        assert said.endswith(".")
        assert "None" not in said


@pytest.mark.parametrize("plan", VARIANTS.values(), ids=VARIANTS)
def test_traces_survive_json_with_keys_in_any_order(plan: Plan) -> None:
    for award in settle(plan, facts()).awards:
        text = json.dumps(as_json(award.finding), sort_keys=True)
        again = from_json(json.loads(text))
        assert json.dumps(as_json(again), sort_keys=True) == text
        assert all(reevaluate(node) == node.value for node in walk(again))


def test_every_operation_is_used_and_can_be_computed_again() -> None:
    used = {node.op for plan in VARIANTS.values() for node in nodes(settle(plan, facts()))}
    assert used == set(Op)


def test_a_node_that_was_tampered_with_does_not_compute() -> None:
    award = settle(SMALL, facts()).awards[0]
    forged = replace(award.finding, value=1 + award.finding.value)  # type: ignore[operator]
    assert reevaluate(forged) != forged.value


def test_a_trace_reaches_measured_values_and_the_plan() -> None:
    award = settle(SMALL, facts()).awards[0]
    evidence = {(proof.kind, proof.id) for node in walk(award.finding) for proof in node.evidence}
    assert ("MEASURED", f"sla_attainment/SERVICE/{ALPHA.id}") in evidence
    assert ("PLAN", SMALL.content_hash) in evidence
    assert {node.kind for node in walk(award.finding)} >= {
        TraceKind.AWARD,
        TraceKind.CAP,
        TraceKind.COMPOSITE,
        TraceKind.CURVE,
        TraceKind.ATTAINMENT,
        TraceKind.ADJUSTMENT_STEP,
        TraceKind.KPI_VALUE,
    }


def test_a_cut_trace_says_so_and_is_not_read_back() -> None:
    finding = settle(SMALL, facts()).awards[0].finding
    cut = as_json(finding, depth=1)
    assert cut["because"][0]["cut"] is True
    assert cut["because"][0]["because"] == []
    with pytest.raises(Refused):
        from_json(cut)


def test_sentences_are_plain() -> None:
    line = next(line for line in settle(SMALL, facts()).lines if line.component == "restore" and line.subject == ALPHA)
    said = [sentence(node) for node in walk(line.finding)]
    assert said == [
        "Pay factor of restore: an attainment of 1.2 earns 1.2 of the target amount, on straight lines through "
        "0.5 → 0, 1 → 1, 1.5 → 1.5.",
        "Attainment of Median business minutes to resolve of Alpha: 400 minutes against a target of 480 minutes "
        "(lower is better) is an attainment of 1.2.",
        "Target of Median business minutes to resolve is 480 minutes.",
        "Median business minutes to resolve of Alpha is 400 minutes, from 100 records; left out: 3 for vendor.",
    ]


def test_what_was_missing_is_said() -> None:
    lines = {(line.subject, line.component): line for line in settle(SMALL, facts()).lines}
    assert "too few records, so its weight goes to the other components" in sentence(lines[GAMMA, "restore"].finding)
    assert "there is no data" in sentence(lines[GAMMA, "keep"].finding.inputs[0])
    tolerated = lines[ALPHA, "keep"].finding.inputs[0].inputs[0]
    assert "within the agreed tolerance of 0.02" in sentence(tolerated)


def test_money_before_rounding_is_marked() -> None:
    half = constant(Fraction(5, 2), "minor EUR", "Half a cent too much")
    assert sentence(half) == "Half a cent too much is EUR 0.02500 before rounding."
