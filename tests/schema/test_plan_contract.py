"""The JSON Schema of plan documents agrees with the reader, as far as a schema can."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from engine.documents import read_document
from engine.metrics.catalogue import CATALOGUE
from engine.money import CURRENCY_DIGITS
from engine.plans import read_plan
from engine.refusal import Refused
from engine.words import CompositeKind, CurveKind, RaciRole, RootCause, Weekday, WhenMissing

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schema" / "contracts" / "plan.schema.json").read_text())
PLAN_TEXTS = {name: (ROOT / "connectors" / "sandbox" / f"{name}.yaml").read_text() for name in ("plan", "log_plan")}
VALIDATOR = Draft202012Validator(SCHEMA)


def _numbers(node: Any) -> Any:
    """The tree as an editor sees it: plain decimals are numbers."""
    if isinstance(node, dict):
        return {key: _numbers(child) for key, child in node.items()}
    if isinstance(node, list):
        return [_numbers(child) for child in node]
    try:
        return int(node) if node.isdigit() else float(node)
    except ValueError:
        return node


def test_the_schema_is_a_schema_with_descriptions() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for name, part in SCHEMA["properties"].items():
        assert part.get("description"), name


@pytest.mark.parametrize("name", PLAN_TEXTS)
def test_good_plans_are_good_in_both(name: str) -> None:
    tree = read_document(PLAN_TEXTS[name]).node
    assert read_plan(PLAN_TEXTS[name])
    assert [error.message for error in VALIDATOR.iter_errors(tree)] == []
    assert [error.message for error in VALIDATOR.iter_errors(_numbers(tree))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weight: 0.2\n", "weight: -0.2\n"),
        ("weight: 0.2\n", "weight: twenty\n"),
        ("metric: sla_attainment", "metric: mood"),
        ("kind: STEP", "kind: JUMP"),
        ("points: [[0.95, 0.5], [1, 1]]", "points: [[0.95, 0.5]]"),
        ("points: [[0.95, 0.5], [1, 1]]", "points: [[0.95], [1, 1]]"),
        ("band: 0.02", "band: 0.11"),
        ("exclude: [VENDOR]  #", "exclude: [WEATHER]  #"),
        ("subject: SERVICE", "subject: PERSON"),
        ("currency: EUR", "currency: EURO"),
        ("currency: EUR\n", ""),
        ("amount_minor: 25000000", "amount_minor: 0"),
        ("amount_minor: 25000000", "amount_minor: 1.5"),
        ("key: reliable-services", "key: Reliable Services"),
        ("version: 1\n", "version: 0\n"),
        ("version: 1\n", "version: 1\nextra: 1\n"),
        ("title: Reliable services 2025\n", ""),
        ("starts_on: 2025-01-01", "starts_on: January"),
        ("FRIDAY:", "FREITAG:"),
        ("method: RACI", "method: SHAPLEY"),
        ("CONSULTED: 0.1", "HELPER: 0.1"),
        ("composite: ARITHMETIC", "composite: AVERAGE"),
    ],
)
def test_bad_plans_are_bad_in_both(old: str, new: str) -> None:
    assert old in PLAN_TEXTS["plan"]
    text = PLAN_TEXTS["plan"].replace(old, new, 1)
    assert not VALIDATOR.is_valid(read_document(text).node)
    with pytest.raises(Refused):
        read_plan(text)


def test_words_are_the_words_of_the_engine() -> None:
    component = SCHEMA["$defs"]["component"]["properties"]
    assert SCHEMA["$defs"]["metric"]["enum"] == sorted(CATALOGUE)
    assert SCHEMA["properties"]["currency"]["enum"] == sorted(CURRENCY_DIGITS)
    assert SCHEMA["properties"]["composite"]["enum"] == list(CompositeKind)
    assert list(SCHEMA["properties"]["calendar"]["properties"]["hours"]["properties"]) == list(Weekday)
    assert component["when_missing"]["enum"] == list(WhenMissing)
    assert component["exclude"]["items"]["enum"] == list(RootCause)
    assert component["curve"]["properties"]["kind"]["enum"] == list(CurveKind)
    assert list(SCHEMA["$defs"]["by_role"]["properties"]["weights"]["properties"]) == list(RaciRole)
