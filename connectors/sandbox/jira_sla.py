"""Service level clocks of an imitated request: cycles that follow from its status history and the site's clock alone.

As in Jira Service Management the clock runs without touching the issue's `updated`. A cycle has the goal that stood
when it stopped, a running one the goal of today; goals follow the priority that the request has now. Times and
durations in milliseconds, calendar time, 24 hours by 7 days.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.jira_words import CANCELED, CLOSED, OPEN, RESOLVED, WAITING

MINUTE_MS = 60_000
RESOLUTION_GOAL_MINUTES = {"1": 240, "2": 480, "3": 1440, "4": 4320}
RESPONSE_GOAL_MINUTES = {"1": 15, "2": 30, "3": 120, "4": 480}

RESOLUTION, RESPONSE = "12", "13"

Timeline = Sequence[tuple[int, str]]  # (at_ms, status id), oldest first
Goals = Sequence[tuple[int, Mapping[str, Mapping[str, int]]]]  # since when: metric -> priority -> minutes; oldest first
STANDARD: Mapping[str, Mapping[str, int]] = {RESOLUTION: RESOLUTION_GOAL_MINUTES, RESPONSE: RESPONSE_GOAL_MINUTES}
FALLBACK_MINUTES = {RESOLUTION: 1440, RESPONSE: 120}


@dataclass(slots=True)
class Cycle:
    """One run of one clock."""

    start_ms: int
    goal_ms: int
    elapsed_ms: int = 0
    running_since_ms: int | None = None
    breach_ms: int | None = None

    def advance(self, to_ms: int) -> None:
        """Let the clock run up to `to_ms`, if it runs at all; remember the moment of the breach."""
        if self.running_since_ms is None:
            return
        left_ms = self.goal_ms - self.elapsed_ms
        self.elapsed_ms += to_ms - self.running_since_ms
        if self.breach_ms is None and self.elapsed_ms > self.goal_ms:
            self.breach_ms = self.running_since_ms + left_ms
        self.running_since_ms = to_ms

    def shown(self, at_ms: int, stopped: bool) -> dict[str, Any]:
        """The cycle as the servicedesk API shows it at `at_ms`, which is also its stop when it stopped."""
        common = {
            "startTime": {"epochMillis": self.start_ms},
            "breachTime": {"epochMillis": self.breach_ms or at_ms + self.goal_ms - self.elapsed_ms},
            "breached": self.breach_ms is not None,
            "goalDuration": {"millis": self.goal_ms},
            "elapsedTime": {"millis": self.elapsed_ms},
            "remainingTime": {"millis": self.goal_ms - self.elapsed_ms},
        }
        if stopped:
            return common | {"stopTime": {"epochMillis": at_ms}}
        return common | {"paused": self.running_since_ms is None, "withinCalendarHours": True}


def goal_ms(goals: Goals, number: str, priority: str, at_ms: int) -> int:
    """The goal of a metric as it stood at a moment."""
    minutes = STANDARD[number].get(priority, FALLBACK_MINUTES[number])
    for since_ms, table in goals:
        if since_ms <= at_ms:
            minutes = table.get(number, {}).get(priority, minutes)
    return minutes * MINUTE_MS


def metric(
    number: str,
    name: str,
    goal_at: Callable[[int], int],
    timeline: Timeline,
    now_ms: int,
    pause: set[str],
    stop: set[str],
    restarts: bool,
) -> dict[str, Any]:
    """One service level metric: completed cycles oldest first, and the running one if there is one."""
    completed: list[dict[str, Any]] = []
    cycle: Cycle | None = None
    for place, (at_ms, status) in enumerate(timeline):
        if cycle is not None:
            cycle.advance(at_ms)
            if status in stop:
                completed.append(cycle.shown(at_ms, stopped=True))
                cycle = None
                continue
        elif status in stop or (completed and not restarts):
            continue
        else:
            end_ms = next((later_ms for later_ms, later in timeline[place + 1 :] if later in stop), now_ms)
            cycle = Cycle(at_ms, goal_at(end_ms))
        cycle.running_since_ms = None if status in pause else at_ms
    answer: dict[str, Any] = {"id": number, "name": name, "completedCycles": completed}
    if cycle is not None:
        cycle.advance(now_ms)
        answer["ongoingCycle"] = cycle.shown(now_ms, stopped=False)
    return answer


def request_slas(priority: str, timeline: Timeline, now_ms: int, goals: Goals = ()) -> list[dict[str, Any]]:
    """Both metrics of an incident."""
    answered = {status for _, status in timeline} - {OPEN}
    return [
        metric(
            RESOLUTION,
            "Time to resolution",
            lambda at_ms: goal_ms(goals, RESOLUTION, priority, at_ms),
            timeline,
            now_ms,
            pause={WAITING},
            stop={RESOLVED, CLOSED, CANCELED},
            restarts=True,
        ),
        metric(
            RESPONSE,
            "Time to first response",
            lambda at_ms: goal_ms(goals, RESPONSE, priority, at_ms),
            timeline,
            now_ms,
            pause=set(),
            stop=answered,
            restarts=False,
        ),
    ]


def rebuilt(goals: Goals) -> list[tuple[int, Mapping[str, Mapping[str, int]]]]:
    """The goals after an administrator had all cycles computed anew: today's, as if they had always stood."""
    return [(0, table) for _, table in goals]
