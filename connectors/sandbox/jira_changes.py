"""The life of an imitated change: planned, put before the change advisory board, implemented, closed with an outcome.

Not everybody keeps the rules: some normal changes start before the board has decided, some never ask it, and some
emergencies are approved afterwards. An approver who did not answer before the approval was settled stays "pending".
"""

from collections.abc import Mapping
from random import Random
from typing import Any

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_lives import DAY_MS, HOUR_MS, Crew, Draft, Life, option

WORKS = (
    "raise version",
    "renew certificate",
    "move to new storage",
    "extend capacity",
    "change firewall rule",
    "retune database",
)


def change_life(rng: Random, at_ms: int, crew: Crew, reporter: str) -> list[Draft]:
    kind = rng.choices(("Standard", "Normal", "Emergency"), (40, 50, 10))[0]
    agent = rng.choice(crew.members)
    lead_ms = {"Standard": 2 * DAY_MS, "Normal": 9 * DAY_MS, "Emergency": 3 * HOUR_MS}[kind]
    start_ms = at_ms + int(lead_ms * rng.uniform(0.8, 1.5))
    end_ms = start_ms + int(rng.uniform(0.5, 5) * HOUR_MS)
    values: dict[str, object] = {
        "summary": f"{crew.service}: {rng.choice(WORKS)}",
        "description": "Planned work. Roll back by the saved state.",
        "issuetype": words.ISSUE_TYPES[words.CHANGE],
        "status": words.STATUSES[words.PLANNING],
        "priority": words.PRIORITIES["2" if kind == "Emergency" else "3"],
        "resolution": None,
        "resolutiondate": None,
        "assignee": agent,
        "reporter": reporter,
        "labels": [],
        words.SERVICE: option(crew.service),
        words.TEAM: option(crew.team),
        words.CHANGE_TYPE: option(kind),
        words.OUTCOME: None,
        words.PLANNED_START: start_ms,
        words.PLANNED_END: end_ms,
        words.ACTUAL_START: None,
        words.ACTUAL_END: None,
    }
    life = Life(at_ms, reporter, values)
    {"Standard": _standard, "Normal": _normal, "Emergency": _emergency}[kind](rng, life, agent, crew)
    return life.drafts


def _standard(rng: Random, life: Life, agent: str, crew: Crew) -> None:
    life.move(HOUR_MS, agent, words.APPROVED)
    _implement(rng, life, agent, crew)


def _normal(rng: Random, life: Life, agent: str, crew: Crew) -> None:
    fate = rng.choices(("kept", "late", "skipped", "declined"), (84, 6, 6, 4))[0]
    if fate == "skipped":  # nobody was asked
        _implement(rng, life, agent, crew)
        return
    _ask(rng, life, agent, crew)
    if fate == "late":
        _implement(rng, life, agent, crew)
        _decide(rng, life, crew, "approved", DAY_MS)
    elif fate == "declined":
        _decide(rng, life, crew, "declined", DAY_MS)
        closing = {"resolution": words.RESOLUTIONS["10001"], "resolutiondate": life.now_ms + 1000}
        life.move(1000, crew.board[0], words.DECLINED, **closing)
    else:
        _decide(rng, life, crew, "approved", DAY_MS)
        life.move(1000, crew.board[0], words.APPROVED)
        _implement(rng, life, agent, crew)


def _emergency(rng: Random, life: Life, agent: str, crew: Crew) -> None:
    if rng.random() < 0.75:
        _ask(rng, life, agent, crew)
        _decide(rng, life, crew, "approved", HOUR_MS / 3)
        _implement(rng, life, agent, crew)
    else:  # approved afterwards
        _implement(rng, life, agent, crew)
        life.step(HOUR_MS, agent, {}, approvals=[approval(crew, life.now_ms + HOUR_MS, None, "pending")])
        _decide(rng, life, crew, "approved", DAY_MS)


def _ask(rng: Random, life: Life, agent: str, crew: Crew) -> None:
    after_ms = int(rng.uniform(0.2, 4) * HOUR_MS)
    life.move(after_ms, agent, words.AT_CAB, approvals=[approval(crew, life.now_ms + after_ms, None, "pending")])


def _decide(rng: Random, life: Life, crew: Crew, verdict: str, within_ms: float) -> None:
    asked = next(draft.approvals[0] for draft in life.drafts if draft.approvals)
    after_ms = int(rng.uniform(0.2, 1) * within_ms)
    settled = approval(crew, asked["createdMs"], life.now_ms + after_ms, verdict)
    life.step(after_ms, crew.board[0], {}, approvals=[settled])


def _implement(rng: Random, life: Life, agent: str, crew: Crew) -> None:
    start_ms = max(life.now_ms + HOUR_MS // 2, int(life.values[words.PLANNED_START] + rng.uniform(-0.1, 0.3) * HOUR_MS))
    life.move(start_ms - life.now_ms, agent, words.IMPLEMENTING, **{words.ACTUAL_START: start_ms})
    end_ms = start_ms + int(rng.uniform(0.5, 6) * HOUR_MS)
    good = 0.80 + 0.08 * max(-2.0, min(2.0, crew.skill))
    outcome = rng.choices(
        ("Successful", "Successful with issues", "Unsuccessful"), (good, (1 - good) * 0.6, (1 - good) * 0.4)
    )[0]
    closing = {
        "resolution": words.RESOLUTIONS["10000"],
        "resolutiondate": end_ms,
        words.ACTUAL_END: end_ms,
        words.OUTCOME: option(outcome),
    }
    life.move(end_ms - start_ms, agent, words.COMPLETED, **closing)


def approval(crew: Crew, created_ms: int, completed_ms: int | None, verdict: str) -> Mapping[str, Any]:
    """One approval step. Two of the three board members answer; whoever is late finds it settled."""
    answered = 2 if verdict == "approved" else 1
    return {
        "id": str(created_ms // 1000 % 1_000_000),
        "name": "Waiting for CAB",
        "finalDecision": verdict,
        "createdMs": created_ms,
        "completedMs": completed_ms,
        "approvers": [
            (member, verdict if completed_ms is not None and place < answered else "pending")
            for place, member in enumerate(crew.board)
        ],
    }
