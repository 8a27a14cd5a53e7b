"""Whether an incident is left out because somebody else caused it.

Only a closed root-cause record (problem) with a cause excludes, and only when the person who approved it is not the one
the incident was assigned to: nobody clears himself. An open or uncoded problem excludes nothing. Every verdict is kept,
also the ones that leave the incident in.
"""

from collections.abc import Set
from dataclasses import dataclass

from engine.words import ExclusionVerdict, RecordState, RootCause


@dataclass(frozen=True, slots=True)
class CauseFacts:
    """What is known about the cause of one incident. `approver_id` is who closed the problem."""

    assignee_id: str | None
    problem_id: str | None = None
    problem_state: RecordState | None = None
    root_cause: RootCause | None = None
    approver_id: str | None = None


def verdict(facts: CauseFacts, excluded_causes: Set[RootCause]) -> ExclusionVerdict:
    """The first condition that fails, in this order, or EXCLUDED."""
    if facts.problem_id is None:
        return ExclusionVerdict.NO_PROBLEM
    if facts.problem_state is not RecordState.CLOSED:
        return ExclusionVerdict.PROBLEM_NOT_CLOSED
    if facts.root_cause is None:
        return ExclusionVerdict.ROOT_CAUSE_MISSING
    if facts.root_cause not in excluded_causes:
        return ExclusionVerdict.ROOT_CAUSE_COUNTS
    if facts.approver_id is None:
        return ExclusionVerdict.APPROVER_MISSING
    if facts.approver_id == facts.assignee_id:
        return ExclusionVerdict.APPROVED_BY_ASSIGNEE
    return ExclusionVerdict.EXCLUDED
