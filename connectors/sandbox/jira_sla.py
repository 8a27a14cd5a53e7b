"""Service level clocks of an imitated request: cycles that follow from its status history and the site's clock alone.

As in Jira Service Management the clock runs without touching the issue's `updated`. Times and durations in
milliseconds, calendar time, 24 hours by 7 days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.jira_words import CANCELED, CLOSED, OPEN, RESOLVED, WAITING

MINUTE_MS = 60_000
RESOLUTION_GOAL_MINUTES = {"1": 240, "2": 480, "3": 1440, "4": 4320}
RESPONSE_GOAL_MINUTES = {"1": 15, "2": 30, "3": 120, "4": 480}

Timeline = Sequence[tuple[int, str]]  # (at_ms, status id), oldest first


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


def metric(
    number: str,
    name: str,
    goal_ms: int,
    timeline: Timeline,
    now_ms: int,
    pause: set[str],
    stop: set[str],
    restarts: bool,
) -> dict[str, Any]:
    """One service level metric: completed cycles oldest first, and the running one if there is one."""
    completed: list[dict[str, Any]] = []
    cycle: Cycle | None = None
    for at_ms, status in timeline:
        if cycle is not None:
            cycle.advance(at_ms)
            if status in stop:
                completed.append(cycle.shown(at_ms, stopped=True))
                cycle = None
                continue
        elif status in stop or (completed and not restarts):
            continue
        else:
            cycle = Cycle(at_ms, goal_ms)
        cycle.running_since_ms = None if status in pause else at_ms
    answer: dict[str, Any] = {"id": number, "name": name, "completedCycles": completed}
    if cycle is not None:
        cycle.advance(now_ms)
        answer["ongoingCycle"] = cycle.shown(now_ms, stopped=False)
    return answer


def request_slas(priority: str, timeline: Timeline, now_ms: int) -> list[dict[str, Any]]:
    """Both metrics of an incident; goals follow the priority it has now, as after a recalculation."""
    answered = {status for _, status in timeline} - {OPEN}
    return [
        metric(
            "12",
            "Time to resolution",
            RESOLUTION_GOAL_MINUTES.get(priority, 1440) * MINUTE_MS,
            timeline,
            now_ms,
            pause={WAITING},
            stop={RESOLVED, CLOSED, CANCELED},
            restarts=True,
        ),
        metric(
            "13",
            "Time to first response",
            RESPONSE_GOAL_MINUTES.get(priority, 120) * MINUTE_MS,
            timeline,
            now_ms,
            pause=set(),
            stop=answered,
            restarts=False,
        ),
    ]
