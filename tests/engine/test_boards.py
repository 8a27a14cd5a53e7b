"""Which changes skipped their board: each verdict by example, and what is not known is never called skipped."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.boards import PLAIN, Approval, Board, Change, Verdict, judge, read_policy, required
from engine.calendar import Calendar, business_deadline, read_hours
from engine.refusal import Refused
from engine.words import ApprovalState, Source

PLAIN_POLICY = read_policy(PLAIN)
OWN = read_policy(PLAIN.replace("boards: {}", "boards: {CAB: [Change board]}"))
BEGAN = datetime(2026, 3, 6, 15, tzinfo=UTC)  # a Friday
BEFORE, AFTER = BEGAN - timedelta(hours=2), BEGAN + timedelta(minutes=1)
WEEK = [["09:00-17:00"]] * 5 + [[], []]


def approval(state: str | None = "APPROVED", at: datetime | None = BEFORE, **more: Any) -> Approval:
    return Approval(more.pop("key", f"{state} {at}"), False, state, at, **{"by": "ann", **more})


def change(*approvals: Approval, **more: Any) -> Change:
    plain = Change(
        "1", "CHG1", Source.SERVICENOW, "NORMAL", "CLOSED", True, False, None, BEGAN, AFTER, None, "eve", approvals
    )
    return replace(plain, **more)


def verdict(found: Change, policy: Any = PLAIN_POLICY) -> str | None:
    skip = judge(policy, found)
    return skip and skip.verdict.value


@pytest.mark.capability("I5.6")
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (change(approval()), None),
        (change(approval(at=BEGAN)), None),
        (change(approval(at=AFTER)), "APPROVED_LATE"),
        (change(approval(at=None), decided_at=BEFORE), None),
        (change(approval(), decided_at=AFTER), "APPROVED_LATE"),  # one of several that it takes
        (change(approval(at=None)), "UNKNOWN"),
        (change(), "NO_APPROVAL"),
        (change(approval(human=False)), "NO_APPROVAL"),
        (change(approval("REQUESTED")), "NO_APPROVAL"),
        (change(approval(None)), "UNKNOWN"),
        (change(approvals_known=False), "UNKNOWN"),
        (change(approval("REJECTED")), "REJECTED"),
        (change(approval("REJECTED", BEFORE), approval("APPROVED", BEFORE + timedelta(hours=1))), None),
        (change(approval("APPROVED", BEFORE), approval("REJECTED", BEFORE + timedelta(hours=1))), "REJECTED"),
        (change(approval("REJECTED", None), approval()), "UNKNOWN"),
        (change(approval(), started_at=None), "UNKNOWN"),
        (change(started_at=None), "NO_APPROVAL"),  # done, whenever it began
        (change(started_at=None, state="IN_PROGRESS"), None),
        (change(started_at=None, state="CANCELLED"), None),
        (change(change_type="STANDARD"), None),
        (change(change_type=None), "UNKNOWN"),
        (change(change_type="STANDARD", unauthorized=True), "UNAUTHORIZED"),
        (change(approval(), unauthorized=True), "UNAUTHORIZED"),
        (change(change_type="EMERGENCY"), "NO_APPROVAL"),
    ],
)
def test_verdicts(told: Change, expected: str | None) -> None:
    assert verdict(told) == expected


@pytest.mark.capability("I5.6")
def test_a_named_board_decides_by_its_own_members_and_groups() -> None:
    assert verdict(change(approval()), OWN) == "NO_APPROVAL", "somebody approved it, but not for the board"
    assert verdict(change(approval(teams=("Change board",))), OWN) is None
    late = change(approval(teams=("Change board",), at=AFTER), approval(), decided_at=BEFORE)
    assert verdict(late, OWN) == "APPROVED_LATE", "the stamp on the change is that of an earlier stage"
    assert verdict(change(approval(by=None)), OWN) == "UNKNOWN"
    assert verdict(change(approval(), change_type="EMERGENCY"), OWN) is None, "any approver, where no team is named"


def test_types_risks_and_flags() -> None:
    told = read_policy(
        PLAIN.replace("types: [NORMAL], approval: CAB", "types: [NORMAL], approval: CAB, risks: ['2'], flagged: true")
    )
    assert required(told, change(risk="2")) == (Board.CAB, "")
    assert required(told, change(risk="4")) == (None, "")
    assert required(told, change(risk="2", cab_required=False)) == (None, "")
    assert required(told, change(risk=None)) == (None, "Its risk is not known.")
    assert "marks" in required(told, change(risk="2", cab_required=None))[1]
    assert required(told, change(risk="4", change_type=None)) == (None, "Its type is not known."), "maybe an emergency"


@pytest.mark.capability("I5.6")
def test_the_answer_is_due_at_the_end_of_the_second_business_day() -> None:
    skip = judge(PLAIN_POLICY, change())
    assert skip is not None
    assert skip.due_at == datetime(2026, 3, 10, 17, tzinfo=UTC)  # Friday, Monday, Tuesday
    berlin = Calendar("Europe/Berlin", read_hours(WEEK), frozenset({date(2026, 3, 30)}))
    start = datetime(2026, 3, 27, 23, 30, tzinfo=UTC)  # Saturday there; the clock changes on Sunday
    assert business_deadline(berlin, start, 1) == datetime(2026, 3, 31, 15, tzinfo=UTC)
    always = Calendar("UTC", read_hours([["00:00-24:00"]] * 7))
    assert business_deadline(always, BEGAN, 2) == datetime(2026, 3, 9, tzinfo=UTC)
    with pytest.raises(Refused, match="no 1 open days"):
        business_deadline(Calendar("UTC", read_hours([[]] * 7)), BEGAN, 1)
    unknown = judge(PLAIN_POLICY, change(approval(at=None)))
    assert unknown is not None
    assert unknown.due_at is None, "nobody is asked to justify what is not known"


APPROVALS = st.lists(
    st.builds(
        approval,
        st.sampled_from(["APPROVED", "REJECTED", "REQUESTED", None]),
        st.sampled_from([None, BEFORE, BEFORE + timedelta(hours=1), BEGAN, AFTER]),
    ),
    max_size=4,
)


@given(APPROVALS)
def test_the_order_of_rows_decides_nothing(approvals: list[Approval]) -> None:
    assert len({verdict(change(*order)) for order in permutations(approvals)}) == 1


@given(APPROVALS, st.booleans())
def test_an_approval_in_time_is_never_lost_by_knowing_more(approvals: list[Approval], known: bool) -> None:
    """What people decided before can only be called skipped when a decision of theirs says so."""
    found = verdict(change(*approvals, approvals_known=known))
    said = {each.state for each in approvals}
    if found == Verdict.NO_APPROVAL:
        assert not said & {ApprovalState.APPROVED, ApprovalState.REJECTED, None}
    if found == Verdict.REJECTED:
        assert ApprovalState.REJECTED in said
    if found == Verdict.APPROVED_LATE:
        assert not any(a.state == "APPROVED" and a.decided_at and a.decided_at <= BEGAN for a in approvals) or (
            ApprovalState.REJECTED in said
        )


@pytest.mark.parametrize(
    ("swap", "place"),
    [
        (("types: [NORMAL]", "types: [USUAL]"), ("needs", "0", "types", "0")),
        (("approval: ECAB", "approval: BOSS"), ("needs", "1", "approval")),
        (("boards: {}", "boards: {ALL: [x]}"), ("boards", "ALL")),
        (("servicenow: risk", "remedy: risk"), ("risk", "remedy")),
        (("business_days: 2", "business_days: 0"), ("answer", "business_days")),
        (("time_zone: UTC", "time_zone: Mars"), ("calendar", "time_zone")),
    ],
)
def test_a_policy_that_is_wrong_says_where(swap: tuple[str, str], place: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as no:
        read_policy(PLAIN.replace(*swap))
    assert no.value.field == place
