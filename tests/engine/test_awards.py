"""Pools and awards: every minor unit of the pool is promised once, and earned money is rounded once (F-14, F-16)."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.awards import allocate, bounded_shares
from engine.facts import ServiceFacts
from engine.plans import read_plan
from engine.refusal import Code, Refused
from engine.terms import Pool
from tests.engine.small_company import PLAN

SMALL = read_plan(PLAN)
LABELS = {"a": Fraction("1.5"), "b": Fraction(1), "c": Fraction(2), "d": Fraction("0.5")}
BUDGETS = {"a": 120_000_000, "b": 80_000_000, "c": 40_000_000, "d": 10_000_000}
GOLDEN = Pool(250_000_00, criticality=LABELS)
FOUR = [ServiceFacts(f"s-{name}", name, budget, name) for name, budget in BUDGETS.items()]
HEADS = {"s-a": 10, "s-b": 20, "s-c": 30, "s-d": 40}


def amounts(pool: Pool, services: list[ServiceFacts] = FOUR) -> dict[str, int]:
    parts, _ = allocate(SMALL, pool, "EUR", services, HEADS)
    return {part.service_id.removeprefix("s-"): part.amount_minor for part in parts}


@pytest.mark.capability("I4.1")
def test_golden_pool_by_budget_and_criticality() -> None:
    assert amounts(GOLDEN) == {"a": 130_434_78, "b": 57_971_02, "c": 57_971_01, "d": 3_623_19}


@pytest.mark.capability("I4.1")
def test_budgets_of_the_plan_go_before_those_of_the_tool() -> None:
    swapped = dict(zip(BUDGETS, reversed(BUDGETS.values()), strict=True))
    assert amounts(replace(GOLDEN, budgets_minor=swapped)) != amounts(GOLDEN)


@pytest.mark.capability("I4.1")
@pytest.mark.parametrize(
    ("exponents", "expected"),
    [
        ((0, 0, 0), {"a": 62_500_00, "b": 62_500_00, "c": 62_500_00, "d": 62_500_00}),
        ((0, 2, 0), {"a": 75_000_00, "b": 33_333_33, "c": 133_333_34, "d": 8_333_33}),
        ((1, 0, 1), {"a": 68_181_82, "b": 90_909_09, "c": 68_181_82, "d": 22_727_27}),
    ],
)
def test_exponents_decide_what_counts(exponents: tuple[int, int, int], expected: dict[str, int]) -> None:
    budget, criticality, headcount = exponents
    pool = replace(GOLDEN, budget_exponent=budget, criticality_exponent=criticality, headcount_exponent=headcount)
    found = amounts(pool)
    assert sum(found.values()) == GOLDEN.amount_minor
    for name, amount in found.items():
        assert abs(amount - expected[name]) <= 1


@pytest.mark.capability("I4.1")
@pytest.mark.parametrize("change", [{"budget_minor": None}, {"criticality": None}, {"criticality": "unheard of"}])
def test_a_service_without_budget_or_criticality_gets_nothing_and_a_signal(change: dict[str, object]) -> None:
    services = [replace(FOUR[0], **change), *FOUR[1:]]  # type: ignore[arg-type]
    parts, signals = allocate(SMALL, GOLDEN, "EUR", services, HEADS)
    assert [part.service_id for part in parts] == ["s-b", "s-c", "s-d"]
    assert sum(part.amount_minor for part in parts) == GOLDEN.amount_minor
    assert [(signal.code, signal.subject.id) for signal in signals] == [("UNALLOCATED", "s-a")]


def test_a_pool_that_nobody_can_take_part_in_is_refused() -> None:
    services = [replace(service, budget_minor=0) for service in FOUR]
    with pytest.raises(Refused) as refusal:
        allocate(SMALL, GOLDEN, "EUR", services, HEADS)
    assert refusal.value.code is Code.BUDGET_INFEASIBLE


def test_bounds_move_shares_and_keep_the_rest_in_proportion() -> None:
    weights = {"a": Fraction(60), "b": Fraction(30), "c": Fraction(8), "d": Fraction(2)}
    found, _ = bounded_shares(weights, Fraction("0.05"), Fraction("0.5"))
    assert found["a"] == Fraction("0.5")
    assert found["d"] == Fraction("0.05")
    assert found["b"] / found["c"] == Fraction(30, 8)
    assert sum(found.values()) == 1


_WEIGHTS = st.dictionaries(st.text(max_size=2), st.fractions(0, 50, max_denominator=50), min_size=1, max_size=7)


@given(_WEIGHTS, st.fractions(0, 1, max_denominator=20), st.fractions(0, 1, max_denominator=20))
def test_bounded_shares_sum_to_one_inside_their_bounds(
    weights: dict[str, Fraction], one: Fraction, other: Fraction
) -> None:
    least, most = sorted((one, other))
    positive = sum(1 for weight in weights.values() if weight)
    if least * len(weights) > 1 or most * positive + least * (len(weights) - positive) < 1:
        with pytest.raises(Refused):
            bounded_shares(weights, least, most)
        return
    found, scale = bounded_shares(weights, least, most)
    assert sum(found.values()) == 1
    for id_, share in found.items():
        assert least <= share <= most
        assert share == min(max(scale * weights[id_], least), most)


def test_bounds_that_nobody_can_keep_are_refused() -> None:
    with pytest.raises(Refused) as refusal:
        amounts(replace(GOLDEN, min_share=Fraction("0.3")))
    assert refusal.value.code is Code.BUDGET_INFEASIBLE
    assert amounts(replace(GOLDEN, min_share=Fraction("0.1")))["d"] == 25_000_00
