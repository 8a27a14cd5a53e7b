"""Which changes needed the approval of a board, and whether each had it before the work began.

Source: a policy that people agree on (YAML), and facts of the mirror. A change is implemented when work on it began, or
when the tool says that it is done. Decides by who approved and when: an agenda, a meeting or a recommendation approves
nothing. What cannot be known (no type, no moment, approvals that are not mirrored) is UNKNOWN with its reason, never
skipped. Moments are UTC. The case that follows from a skip, and whether it was justified, is not decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from engine.calendar import Calendar, business_deadline
from engine.documents import Place, read_document
from engine.plans import read_calendar
from engine.words import ApprovalState, ChangeType, RecordState, Source

PLAIN = """
owner: change management
needs:
  - {types: [NORMAL], approval: CAB}
  - {types: [EMERGENCY], approval: ECAB}
boards: {}  # CAB: [names of the teams whose members decide]; a board that is not listed: any approver
implementing: {servicenow: ["-1"], jira: ["10013"]}  # the tool's words for work having begun
risk: {servicenow: risk}  # the tool's column of the risk; its contract must ask for it (also: [risk])
answer: {business_days: 2}
calendar:
  time_zone: UTC
  hours: {MONDAY: ["09:00-17:00"], TUESDAY: ["09:00-17:00"], WEDNESDAY: ["09:00-17:00"], THURSDAY: ["09:00-17:00"],
          FRIDAY: ["09:00-17:00"]}
"""


class Board(StrEnum):
    CAB = "CAB"
    ECAB = "ECAB"


class Verdict(StrEnum):
    NO_APPROVAL = "NO_APPROVAL"
    REJECTED = "REJECTED"
    APPROVED_LATE = "APPROVED_LATE"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Need:
    """Changes of these types, and of these risks where some are named, need this approval."""

    types: frozenset[ChangeType]
    approval: Board
    risks: frozenset[str] = frozenset()  # in the tool's words
    flagged: bool = False  # only those that the tool itself marks


@dataclass(frozen=True, slots=True)
class Policy:
    owner: str
    needs: tuple[Need, ...]
    boards: Mapping[Board, tuple[str, ...]]
    implementing: Mapping[Source, tuple[str, ...]]
    risk: Mapping[Source, str]
    business_days: int
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class Approval:
    """One approver's row, or one group's. `teams` are those that it speaks for; `decided_at` None is not known."""

    key: str
    group: bool
    state: str | None
    decided_at: datetime | None
    by: str | None = None
    teams: tuple[str, ...] = ()
    human: bool | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What the mirror knows of a change. `decided_at` is the tool's stamp on the change itself."""

    id: str
    number: str
    source: Source
    change_type: str | None
    state: str | None
    cab_required: bool | None
    unauthorized: bool | None
    risk: str | None
    started_at: datetime | None
    closed_at: datetime | None
    decided_at: datetime | None
    implementer: str | None
    approvals: tuple[Approval, ...] = ()
    approvals_known: bool = True  # whether approvals of this source are mirrored at all


@dataclass(frozen=True, slots=True)
class Skip:
    """A change that was implemented without its approval, or of which that is not known. `due_at`: the answer."""

    change: Change
    verdict: Verdict
    board: Board | None
    because: str
    due_at: datetime | None
    evidence: tuple[Approval, ...] = field(default=())


# ---- reading


def read_policy(text: str) -> Policy:
    place = read_document(text)
    place.keys(("owner", "needs", "calendar"), ("boards", "implementing", "risk", "answer"))
    answer = place.at("answer") if place.has("answer") else Place({"business_days": "2"}, ("answer",))
    answer.keys(("business_days",))
    boards = place.at("boards") if place.has("boards") else Place({}, ("boards",))
    boards.keys((), list(Board))
    return Policy(
        place.at("owner").text(200),
        tuple(_need(given) for given in place.at("needs").items(1)),
        {Board(name): tuple(team.text(200) for team in given.items(1)) for name, given in boards.entries()},
        {source: tuple(word.text(100) for word in at.items(1)) for source, at in _by_source(place, "implementing")},
        {source: at.text(100) for source, at in _by_source(place, "risk")},
        answer.at("business_days").integer(1),
        read_calendar(place.at("calendar")),
    )


def _by_source(place: Place, name: str) -> list[tuple[Source, Place]]:
    if not place.has(name):
        return []
    place.at(name).keys((), list(Source))
    return [(Source(source), at) for source, at in place.at(name).entries()]


def _need(place: Place) -> Need:
    place.keys(("types", "approval"), ("risks", "flagged"))
    return Need(
        frozenset(each.word(ChangeType) for each in place.at("types").items(1)),
        place.at("approval").word(Board),
        frozenset(each.text(64) for each in place.at("risks").items(1)) if place.has("risks") else frozenset(),
        place.at("flagged").yes() if place.has("flagged") else False,
    )


# ---- judging


def judge(policy: Policy, change: Change) -> Skip | None:
    """None when the change is not implemented, needs nobody, or was approved in time."""
    if not _implemented(change):
        return None
    board, unknown = required(policy, change)
    if change.unauthorized:
        return _skip(policy, change, Verdict.UNAUTHORIZED, board, "The tool itself marks it as unauthorised.")
    if unknown:
        return _skip(policy, change, Verdict.UNKNOWN, board, unknown)
    if board is None:
        return None
    decisions, doubt = _decisions(policy, change, board)
    return _decided(policy, change, board, decisions, doubt)


def required(policy: Policy, change: Change) -> tuple[Board | None, str]:
    """Which board must approve; or why that cannot be said."""
    unknown = ""
    for need in policy.needs:
        if change.change_type is not None and change.change_type not in need.types:
            continue
        if need.flagged and change.cab_required is False:
            continue
        if need.risks and change.risk is not None and change.risk not in need.risks:
            continue
        if change.change_type is None:
            unknown = unknown or "Its type is not known."
        elif need.flagged and change.cab_required is None:
            unknown = unknown or "It is not known whether the tool marks it for a board."
        elif need.risks and change.risk is None:
            unknown = unknown or "Its risk is not known."
        else:
            return need.approval, ""
    return None, unknown


def _implemented(change: Change) -> bool:
    if change.started_at is not None:
        return True
    return change.state in (RecordState.RESOLVED, RecordState.CLOSED)


def _decisions(policy: Policy, change: Change, board: Board) -> tuple[list[Approval], str]:
    """Decisions of people who may decide for this board, and why one of the others might be one too."""
    teams = policy.boards.get(board)
    decided, doubt = [], ""
    for each in change.approvals:
        if each.human is False or each.state not in (ApprovalState.APPROVED, ApprovalState.REJECTED, None):
            continue
        if teams is None or set(teams) & set(each.teams):
            if each.state is None:
                doubt = doubt or f"The state of the approval {each.key} is not known."
            else:
                decided.append(each)
        elif each.state is not None and not each.teams and not each.by:
            doubt = doubt or f"Who gave the approval {each.key} is not known."
    return decided, doubt


def _decided(policy: Policy, change: Change, board: Board, decisions: Sequence[Approval], doubt: str) -> Skip | None:
    def skip(verdict: Verdict, because: str) -> Skip:
        return _skip(policy, change, verdict, board, because, tuple(decisions))

    said = {each.state for each in decisions}
    if not decisions:
        if doubt or not change.approvals_known:
            return skip(Verdict.UNKNOWN, doubt or f"No approvals of {change.source} are mirrored.")
        return skip(Verdict.NO_APPROVAL, f"Nobody approved it for the {board}.")
    if said == {ApprovalState.REJECTED}:
        return skip(Verdict.REJECTED, f"The {board} rejected it, and it was carried out.")
    if change.started_at is None:
        return skip(Verdict.UNKNOWN, "It was approved, but when the work began is not known.")
    stamps = [(_moment(policy, change, board, each), each) for each in decisions]
    known = sorted(((at, each.state) for at, each in stamps if at is not None), key=lambda one: (one[0], str(one[1])))
    if len(known) < len(stamps) and (len(said) > 1 or not known):
        return skip(Verdict.UNKNOWN, "It was approved, but when is not known.")
    before = [state for at, state in known if at <= change.started_at]
    if before and before[-1] == ApprovalState.APPROVED:
        return None
    if before:
        return skip(Verdict.REJECTED, f"The {board} had rejected it when the work began.")
    if len(known) < len(stamps):
        return skip(Verdict.UNKNOWN, "One approval came after the work began; when another came is not known.")
    first = min(at for at, state in known if state == ApprovalState.APPROVED)
    return skip(Verdict.APPROVED_LATE, f"The {board} approved it at {first:%Y-%m-%d %H:%M} UTC, after the work began.")


def _moment(policy: Policy, change: Change, board: Board, approval: Approval) -> datetime | None:
    """Where any approver decides, the change is approved when the tool says so: that may take several of them."""
    if board not in policy.boards and change.decided_at is not None:
        return change.decided_at
    return approval.decided_at or change.decided_at


def _skip(
    policy: Policy,
    change: Change,
    verdict: Verdict,
    board: Board | None,
    because: str,
    evidence: tuple[Approval, ...] = (),
) -> Skip:
    at = change.started_at or change.closed_at
    due = (
        business_deadline(policy.calendar, at, policy.business_days) if at and verdict is not Verdict.UNKNOWN else None
    )
    return Skip(change, verdict, board, because, due, evidence)
