"""Exclusions: only a closed root cause, approved by somebody else, takes an incident out."""

from dataclasses import replace

import pytest

from engine.adjustments.exclusions import CauseFacts, verdict
from engine.words import ExclusionVerdict, RecordState, RootCause

VENDOR = frozenset({RootCause.VENDOR})
PROVEN = CauseFacts("ada", "PRB1", RecordState.CLOSED, RootCause.VENDOR, "bea")


@pytest.mark.capability("I2.4")
def test_a_closed_vendor_cause_approved_by_somebody_else_excludes() -> None:
    assert verdict(PROVEN, VENDOR) is ExclusionVerdict.EXCLUDED


@pytest.mark.capability("I2.4")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"problem_id": None}, ExclusionVerdict.NO_PROBLEM),
        ({"problem_state": RecordState.RESOLVED}, ExclusionVerdict.PROBLEM_NOT_CLOSED),
        ({"problem_state": None}, ExclusionVerdict.PROBLEM_NOT_CLOSED),
        ({"root_cause": None}, ExclusionVerdict.ROOT_CAUSE_MISSING),
        ({"root_cause": RootCause.CHANGE}, ExclusionVerdict.ROOT_CAUSE_COUNTS),
        ({"approver_id": None}, ExclusionVerdict.APPROVER_MISSING),
        ({"approver_id": "ada"}, ExclusionVerdict.APPROVED_BY_ASSIGNEE),
    ],
)
def test_everything_less_leaves_the_incident_in(change: dict[str, object], expected: ExclusionVerdict) -> None:
    assert verdict(replace(PROVEN, **change), VENDOR) is expected  # type: ignore[arg-type]


def test_an_incident_without_assignee_can_be_excluded_by_anybody() -> None:
    assert verdict(replace(PROVEN, assignee_id=None), VENDOR) is ExclusionVerdict.EXCLUDED


def test_nothing_is_excluded_without_an_agreed_cause() -> None:
    assert verdict(PROVEN, frozenset()) is ExclusionVerdict.ROOT_CAUSE_COUNTS
