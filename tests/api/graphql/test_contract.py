"""Programs that were written against the last release still work; what may surprise them stands in the changelog."""

from pathlib import Path

import pytest
from graphql import build_schema

from api.graphql import contract
from api.graphql.contract import RELEASED, breaks, changed_codes, coordinate, released, statuses, surprises
from api.graphql.execution import CORE

CHANGELOG = Path(__file__).parents[3] / "CHANGELOG.md"
# Breaks that a release before 1.0 may bring, each with its reason; the changelog says them under "Changed".
ACCEPTED: dict[str, str] = {
    f"A required field {act}Input.idempotencyKey was added.": "without it a lost answer cannot be asked for again"
    for act in ("ApproveAward", "RejectAward", "SubmitAwards", "ApproveAwards", "ApprovePayout", "ReleasePayout")
}


def unreleased() -> str:
    return CHANGELOG.read_text().split("## [Unreleased]")[1].split("\n## [")[0]


def test_nothing_that_was_released_breaks() -> None:
    old, _ = released()
    found = set(breaks(old, CORE))
    assert found - set(ACCEPTED) == set(), "an incompatible redesign is a new field or type beside the old one"
    assert set(ACCEPTED) - found == set(), "an exception that nobody needs any more goes"


def test_what_may_surprise_a_program_stands_in_the_changelog() -> None:
    """As `Type.member` in backticks under "Unreleased"."""
    old, _ = released()
    said = unreleased()
    names = {coordinate(each) for each in surprises(old, CORE)}
    assert {name for name in names if f"`{name}`" not in said} == set()


def test_codes_keep_their_status() -> None:
    _, old = released()
    assert changed_codes(old, statuses()) == []


@pytest.mark.parametrize(
    ("was", "becomes", "sentence"),
    [
        ("  awardRef: String!\n", "  reference: String!\n", "Award.awardRef was removed"),
        ("input ServiceFilter {\n", "input ServiceFilter {\n  kind: String!\n", "ServiceFilter.kind"),
        ("  depth: Int! = 3\n", '  depth: String! = "3"\n', "Query.explain(depth:)"),
        ("  active: Boolean\n", "  active: Boolean!\n", "PersonFilter.active changed type from Boolean to Boolean!"),
        ("never more than 20.", "never more than 10.", "Score.kpiValues gives 10 items at most, not 20."),
        ("at most 100", "at most 50", "Query.nodes gives 50 items at most, not 100."),
        ("1 to 200", "1 to 100", "Query.scores gives 100 items at most, not 200."),
        ("in plain notation, such as `0.751634`", "such as `7.5e-1`", "Decimal is written in another way."),
        ("  NOT_FOUND\n", "", "Code.NOT_FOUND was removed"),
        ("type Cycle implements Node {\n", "type Cycle {\n", "Cycle"),
    ],
)
def test_each_kind_of_break_is_found(was: str, becomes: str, sentence: str) -> None:
    text = RELEASED.read_text()
    assert was in text
    old, new = build_schema(text), build_schema(text.replace(was, becomes))
    assert any(sentence in each for each in breaks(old, new)), breaks(old, new)
    assert breaks(old, old) == []


def test_a_size_that_was_not_needed_is_a_break() -> None:
    old = build_schema("type Query { names: [String!]! }")
    new = build_schema("type Query { names(first: Int): [String!]! }")
    assert breaks(old, new) == ["Query.names needs a size that it did not need."]


def test_a_code_with_another_status_is_found() -> None:
    assert changed_codes({"NOT_FOUND": 404, "GONE": 410}, {"NOT_FOUND": 403}) == [
        "GONE was 410 and is None.", "NOT_FOUND was 404 and is 403.",
    ]  # fmt: skip


def test_a_surprise_names_what_it_is_about() -> None:
    old = build_schema("type Query { a(b: Int = 1): Kind } enum Kind { ONE }")
    new = build_schema("type Query { a(b: Int = 2, c: Int): Kind } enum Kind { ONE TWO }")
    assert {coordinate(each) for each in surprises(old, new)} == {"Kind.TWO", "Query.a(b:)", "Query.a(c:)"}


def test_a_release_keeps_schema_and_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "RELEASED", tmp_path / "released.graphql")
    monkeypatch.setattr(contract, "RELEASED_CODES", tmp_path / "released.json")
    contract.publish("type Query { a: Int }\n")
    old, codes = contract.released()
    assert breaks(old, build_schema("type Query { b: Int }")) == ["Field Query.a was removed."]
    assert codes["NOT_FOUND"] == statuses()["NOT_FOUND"]
