"""A small Jira project for campaigns: 25 issues in every status there is, made in milliseconds, another for every seed.

Decides a fixed script of courses; the seed decides who worked and how long before the end each began. Ten changes with
approvals that were given, refused, late or are still awaited; fifteen incidents with clocks that were kept, breached,
paused, reopened. Ids do not rise with creation, as after an import. Nothing waits to happen. A second project stands
empty, for issues that move. The end is the moment at which the company's live time begins.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

from connectors.sandbox import jira_words as words
from connectors.sandbox.company import Company
from connectors.sandbox.company_hours import LIVE_START, stamp
from connectors.sandbox.jira_changes import approval
from connectors.sandbox.jira_edits import comment, log_work
from connectors.sandbox.jira_lives import DAY_MS, HOUR_MS, Crew, Draft, Life, option
from connectors.sandbox.jira_project import accounts, crews, edits, site_of
from connectors.sandbox.jira_state import CLOUD, JiraState
from connectors.sandbox.jira_words import (
    APPROVED,
    CANCELED,
    CLOSED,
    COMPLETED,
    IMPLEMENTING,
    RESOLVED,
    WAITING,
    WORKING,
)

END_MS = int(datetime.strptime(stamp(LIVE_START), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()) * 1000
ASK, YES, NO, RATE = "ask", "approved", "declined", "rate"
Course = Sequence[tuple[float, str]]  # hours after the step before, and a status or one of the words above

# How many days before the end it began, its priority, and what became of it.
INCIDENTS: tuple[tuple[float, str, Course], ...] = (
    (20, "1", ((0.1, WORKING), (2, RESOLVED), (5, RATE), (72, CLOSED))),
    (19, "2", ((0.3, WORKING), (1, WAITING), (9, WORKING), (2, RESOLVED), (72, CLOSED))),
    (18, "3", ((1, WORKING), (30, RESOLVED), (1, RATE), (72, CLOSED))),
    (17, "4", ((4, WORKING), (3, CANCELED))),
    (16, "2", ((0.2, WORKING), (3, RESOLVED), (20, WORKING), (5, RESOLVED), (72, CLOSED))),
    (15, "1", ((0.5, WORKING), (6, RESOLVED), (72, CLOSED))),
    (12, "3", ((1, WORKING), (2, WAITING))),
    (9, "4", ((2, WORKING), (40, RESOLVED))),
    (7, "3", ((0.5, WORKING), (5, RESOLVED), (30, WORKING))),
    (5, "2", ((0.2, WORKING), (4, RESOLVED), (2, RATE))),
    (3, "4", ((3, WORKING),)),
    (2, "3", ()),
    (0.9, "2", ((0.4, WORKING),)),
    (0.15, "1", ()),
    (0.08, "3", ()),
)
CHANGES: tuple[tuple[float, str, Course], ...] = (
    (21, "Standard", ((1, APPROVED), (24, IMPLEMENTING), (2, COMPLETED))),
    (20, "Normal", ((2, ASK), (20, YES), (0.1, APPROVED), (90, IMPLEMENTING), (3, COMPLETED))),
    (19, "Normal", ((1, ASK), (30, NO))),
    (18, "Normal", ((5, IMPLEMENTING), (2, COMPLETED))),
    (16, "Emergency", ((0.2, ASK), (0.3, YES), (0.2, IMPLEMENTING), (1, COMPLETED))),
    (14, "Emergency", ((0.5, IMPLEMENTING), (1, ASK), (10, YES), (1, COMPLETED))),
    (8, "Normal", ((2, ASK), (24, YES), (0.1, APPROVED))),
    (4, "Normal", ((2, ASK),)),
    (2, "Standard", ((1, APPROVED), (30, IMPLEMENTING))),
    (1, "Normal", ()),
)


def small_site(company: Company, profile: str = CLOUD) -> JiraState:
    """The site of a small company as it stands at the end of its weeks."""
    people = accounts(company, profile)
    dice = Random(f"jira-small:{company.seed}")
    teams = crews(company, people)
    state = site_of(company, people, edits(_lives(dice, teams, sorted(people))), [], profile)
    state.projects[words.ARCHIVE["id"]] = words.ARCHIVE
    state.advance(END_MS)
    for issue in list(state.issues.values())[:3]:
        comment(state, issue, issue.values["reporter"], "It happens every morning.", {})
    log_work(state, state.issues["20001"], state.issues["20001"].values["assignee"], 5400)
    state.queue.clear()  # nobody had registered yet
    return state


def _lives(dice: Random, teams: Sequence[Crew], everybody: Sequence[str]) -> Iterator[list[Draft]]:
    for kind, table in ((words.INCIDENT, INCIDENTS), (words.CHANGE, CHANGES)):
        for days, sort, course in table:
            crew, reporter = dice.choice(teams), dice.choice(everybody)
            at_ms = END_MS - int(days * DAY_MS) - dice.randrange(60_000)
            first = _incident(crew, reporter, sort) if kind == words.INCIDENT else _change(crew, reporter, sort, at_ms)
            yield _lived(dice, Life(at_ms, reporter, first), crew, course)


def _both(crew: Crew, reporter: str) -> dict[str, Any]:
    return {
        "description": "Told by telephone.", "resolution": None, "resolutiondate": None, "reporter": reporter,
        "labels": ["small"], words.SERVICE: option(crew.service), words.TEAM: option(crew.team),
    }  # fmt: skip


def _incident(crew: Crew, reporter: str, priority: str) -> dict[str, Any]:
    return _both(crew, reporter) | {
        "summary": f"{crew.service}: page stays empty", "issuetype": words.ISSUE_TYPES[words.INCIDENT],
        "status": words.STATUSES[words.OPEN], "priority": words.PRIORITIES[priority], "assignee": None,
        words.SATISFACTION: None,
    }  # fmt: skip


def _change(crew: Crew, reporter: str, sort: str, at_ms: int) -> dict[str, Any]:
    start_ms = at_ms + 4 * DAY_MS
    return _both(crew, reporter) | {
        "summary": f"{crew.service}: raise version", "issuetype": words.ISSUE_TYPES[words.CHANGE],
        "status": words.STATUSES[words.PLANNING], "priority": words.PRIORITIES["3"], "assignee": crew.members[0],
        words.CHANGE_TYPE: option(sort), words.OUTCOME: None, words.PLANNED_START: start_ms,
        words.PLANNED_END: start_ms + 4 * HOUR_MS, words.ACTUAL_START: None, words.ACTUAL_END: None,
    }  # fmt: skip


def _lived(dice: Random, life: Life, crew: Crew, course: Course) -> list[Draft]:
    agent = life.values["assignee"] or dice.choice(crew.members)
    for hours, step in course:
        after_ms = int(hours * HOUR_MS)
        at_ms = life.now_ms + max(1, after_ms)
        if step == ASK:
            life.move(after_ms, agent, words.AT_CAB, approvals=[approval(crew, at_ms, None, "pending")])
        elif step in (YES, NO):
            asked = next(draft.approvals[0] for draft in life.drafts if draft.approvals)
            life.step(after_ms, crew.board[0], {}, [approval(crew, asked["createdMs"], at_ms, step)])
            if step == NO:
                life.move(1, crew.board[0], words.DECLINED, **_ended("10001", at_ms + 1))
        elif step == RATE:
            life.step(after_ms, life.values["reporter"], {words.SATISFACTION: float(dice.randrange(2, 6))})
        else:
            life.move(after_ms, agent, step, **_with(step, agent, life.values, at_ms))
    return life.drafts


def _ended(resolution: str | None, at_ms: int) -> dict[str, Any]:
    found = words.RESOLUTIONS[resolution] if resolution else None
    return {"resolution": found, "resolutiondate": at_ms if resolution else None}


def _with(status: str, agent: str, held: Mapping[str, Any], at_ms: int) -> dict[str, Any]:
    """What belongs to arriving in a status."""
    if status == CLOSED:
        return {}
    more = _ended({RESOLVED: "10000", CANCELED: "10002", COMPLETED: "10000"}.get(status), at_ms)
    fitting: dict[str, dict[str, Any]] = {
        WORKING: {"assignee": agent},
        IMPLEMENTING: {words.ACTUAL_START: at_ms},
        COMPLETED: {words.ACTUAL_END: at_ms, words.OUTCOME: option("Successful")},
    }
    return more | fitting.get(status, {})
