"""Time of the sandbox on order: every tool's virtual clock moves on by the same seconds.

Decides what passing time means for each tool. Whole seconds; refuses to go back, and more than a year at once.
"""

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox.world import Sandbox
from engine.refusal import Code, Refused

MOST_SECONDS = 366 * 86_400


def _servicenow(sandbox: Sandbox, seconds: int) -> None:
    sandbox.records.advance(seconds)
    sandbox.instance.waited_seconds += seconds


def _jira(sandbox: Sandbox, seconds: int) -> None:
    if sandbox.jira is not None:
        sandbox.jira.now_ms += seconds * 1000


CLOCKS: dict[str, Callable[[Sandbox, int], None]] = {"servicenow": _servicenow, "jira": _jira}


def advance(sandbox: Sandbox, seconds: int) -> dict[str, Any]:
    """Let time pass everywhere; the moments at which the tools now stand."""
    if not 0 <= seconds <= MOST_SECONDS:
        what = f"The clock cannot move by {seconds} seconds."
        raise Refused(Code.BAD_INPUT, what, f"Give 0 to {MOST_SECONDS} seconds.", ("advance_seconds",))
    for move in CLOCKS.values():
        move(sandbox, seconds)
    sandbox.hooks.waited_seconds += seconds
    moments: dict[str, Any] = {"servicenow": sandbox.records.stamp}
    if sandbox.jira is not None:
        moments["jira_ms"] = sandbox.jira.now_ms
    return moments


def order(sandbox: Sandbox, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return advance(sandbox, int(wanted["advance_seconds"]))
