"""The life of an imitated incident: reported, taken, perhaps waiting, resolved, perhaps reopened, rated, closed.

A more skilled team answers and resolves faster and gets better ratings; most customers do not answer.
"""

from random import Random

from connectors.sandbox import jira_words as words
from connectors.sandbox.jira_lives import DAY_MS, HOUR_MS, MINUTE_MS, Crew, Draft, Life, option
from connectors.sandbox.jira_sla import RESOLUTION_GOAL_MINUTES, RESPONSE_GOAL_MINUTES

TROUBLES = (
    "cannot sign in", "page stays empty", "report is cut off", "order is stuck", "export takes minutes",
    "message queue grows", "certificate about to expire", "totals differ from yesterday", "mail is not delivered",
    "search finds nothing",
)  # fmt: skip


def incident_life(rng: Random, at_ms: int, crew: Crew, reporter: str) -> list[Draft]:
    priority = rng.choices(("1", "2", "3", "4"), (6, 18, 46, 30))[0]
    values = {
        "summary": f"{crew.service}: {rng.choice(TROUBLES)}",
        "description": f"Reported through the portal. Since this morning: {rng.choice(TROUBLES)}.",
        "issuetype": words.ISSUE_TYPES[words.INCIDENT],
        "status": words.STATUSES[words.OPEN],
        "priority": words.PRIORITIES[priority],
        "resolution": None,
        "resolutiondate": None,
        "assignee": None,
        "reporter": reporter,
        "labels": ["monitoring"] if rng.random() < 0.2 else [],
        words.SERVICE: option(crew.service),
        words.TEAM: option(crew.team),
        words.SATISFACTION: None,
    }
    life = Life(at_ms, reporter, values)
    agent = rng.choice(crew.members)
    pace = 2 ** (-0.5 * crew.skill)  # one deviation better is 30 % faster
    answer_ms = RESPONSE_GOAL_MINUTES[priority] * MINUTE_MS * rng.lognormvariate(-0.9, 0.8) * pace
    life.move(answer_ms, agent, words.WORKING, assignee=agent)
    if rng.random() < 0.08:  # the first judgement of urgency was wrong
        life.step(5 * MINUTE_MS, agent, {"priority": words.PRIORITIES["3" if priority != "3" else "4"]})
    if rng.random() < 0.05:
        life.move(2 * HOUR_MS, agent, words.CANCELED, **_resolved("10002", life.now_ms + 2 * HOUR_MS))
        return life.drafts
    if rng.random() < 0.25:
        life.move(rng.uniform(0.1, 2) * HOUR_MS, agent, words.WAITING)
        life.move(rng.uniform(1, 40) * HOUR_MS, reporter, words.WORKING)
    if rng.random() < 0.12:
        life.step(20 * MINUTE_MS, agent, {"assignee": rng.choice(crew.members)})
    work_ms = RESOLUTION_GOAL_MINUTES[priority] * MINUTE_MS * rng.lognormvariate(-0.95, 0.9) * pace
    _resolve(rng, life, agent, work_ms)
    if rng.random() < 0.06:
        back_ms = rng.uniform(1, 30) * HOUR_MS
        life.move(back_ms, reporter, words.WORKING, resolution=None, resolutiondate=None)
        _resolve(rng, life, agent, work_ms / 3)
    if rng.random() < 0.35:
        stars = round(rng.gauss(4.0 + 0.35 * crew.skill, 0.9))
        life.step(rng.uniform(0.2, 20) * HOUR_MS, reporter, {words.SATISFACTION: float(min(5, max(1, stars)))})
    life.move(3 * DAY_MS, agent, words.CLOSED)
    return life.drafts


def _resolved(resolution: str, at_ms: float) -> dict[str, object]:
    return {"resolution": words.RESOLUTIONS[resolution], "resolutiondate": int(at_ms)}


def _resolve(rng: Random, life: Life, agent: str, after_ms: float) -> None:
    done_ms = life.now_ms + max(1, int(after_ms))
    life.move(after_ms, agent, words.RESOLVED, **_resolved("10000", done_ms))
