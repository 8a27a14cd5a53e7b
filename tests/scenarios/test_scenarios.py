"""Run the agreed scenarios: each YAML file belongs to one function, each case to one sentence.

Numbers are read as exact text; an expectation is met when the answer rounds to it at its own digits.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from engine.curves import Curve, pays
from engine.documents import read_document
from engine.means import geometric_mean, weighted_mean
from engine.words import CompositeKind, CurveKind

Given = dict[str, Any]
FOLDER = Path(__file__).parent


def _curve(given: Given) -> dict[str, Fraction | None]:
    points = tuple((Fraction(at), Fraction(share)) for at, share in given["points"])
    return {"factor": pays(Curve(CurveKind(given["kind"]), points), Fraction(given["attainment"]))}


def _composite(given: Given) -> dict[str, Fraction | None]:
    mean = {CompositeKind.ARITHMETIC: weighted_mean, CompositeKind.GEOMETRIC: geometric_mean}[given["kind"]]
    values = [None if text == "missing" else Fraction(text) for text in given["pays"]]
    return {"score": mean([Fraction(weight) for weight in given["weights"]], values)}


RULES: dict[str, Callable[[Given], dict[str, Fraction | None]]] = {"curves": _curve, "composites": _composite}


def _scenarios() -> list[Any]:
    return [
        pytest.param(name, case, id=f"{name}: {case['name']}")
        for name in RULES
        for case in read_document((FOLDER / f"{name}.yaml").read_text()).node
    ]


def _as_written(value: Fraction | None, text: str) -> str:
    if value is None:
        return "missing"
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal(text if text != "missing" else "1"), ROUND_HALF_UP))


@pytest.mark.parametrize(("rule", "case"), _scenarios())
def test_scenario(rule: str, case: dict[str, Any]) -> None:
    answers = RULES[rule](case["given"])
    assert {name: _as_written(answers[name], text) for name, text in case["expect"].items()} == case["expect"]


def test_every_file_has_a_rule() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(RULES)
