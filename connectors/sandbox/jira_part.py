"""Jira's part in the sandbox: how its acts, troubles, webhooks and truth hang on the machinery that all tools share.

Decides nothing of its own. A fault of the sandbox becomes a trouble of the request that it strikes; `from_ms` and
`until_ms` among its params bind it to the site's clock. Jira tries a webhook again on 408, 409, 425, 429, 5xx and
silence, five times within the hour, with the same identifier and a rising count.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandbox.deliveries import Parcel
from connectors.sandbox.hooks import LOST, Event, Mode
from connectors.sandbox.jira_acts import act
from connectors.sandbox.jira_events import FLAWS, Sending
from connectors.sandbox.jira_hooks import letters, sealed
from connectors.sandbox.jira_state import JiraState
from connectors.sandbox.jira_troubles import HERE, KNOWN, trouble
from connectors.sandbox.jira_truth import jira_truth
from connectors.sandbox.world import Sandbox
from engine.refusal import Code, Refused

WAITS_SECONDS = (60, 300, 600, 900, 900)
TRIED_AGAIN = frozenset({"408", "409", "425", "429", LOST})
REBUILD = "sla_rebuild"
UNBOUND = frozenset({*FLAWS, "double_event", "hook_headers", "secondary"})  # of webhooks: switches of the queue instead


def site_of(sandbox: Sandbox) -> JiraState:
    if sandbox.jira is None:
        raise Refused(Code.BAD_INPUT, "This sandbox has no Jira.", "Load a company instead of a log.")
    return sandbox.jira


def jira_act(sandbox: Sandbox, order: Mapping[str, Any]) -> dict[str, Any]:
    return act(site_of(sandbox), order)


def truth_of(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return jira_truth(sandbox.jira) if sandbox.jira is not None else {}


async def play(app: ASGIApp, fault: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Let the request through with the trouble upon it."""
    state, params = site_of(scope["sandbox"]), dict(fault.params)
    if fault.name == REBUILD:
        act(state, {"op": "rebuild", **params})
        await app(scope, receive, send)
        return
    moments = {name: params.pop(name) for name in ("from_ms", "until_ms") if name in params}
    token = HERE.set((*HERE.get(), trouble({"name": fault.name, "params": params, **moments})))
    try:
        await app(scope, receive, send)
    finally:
        HERE.reset(token)


async def budgeted(app: ASGIApp, fault: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """`budget` requests in `window_seconds` (an hour); then 429 until the oldest has left the window.

    The window is one of the site's clock, or of the machine's with `clock: "machine"`.
    """
    state, window_ms = site_of(scope["sandbox"]), int(1000 * float(fault.params.get("window_seconds", 3600)))
    now_ms = int(1000 * time.monotonic()) if fault.params.get("clock") == "machine" else state.now_ms
    asked: list[int] = fault.memory.setdefault("asked_ms", [])
    asked[:] = [at_ms for at_ms in asked if at_ms > now_ms - window_ms]
    if len(asked) < int(fault.params["budget"]):
        asked.append(now_ms)
        await app(scope, receive, send)
        return
    wait = max(1, -(-(asked[0] + window_ms - now_ms) // 1000)) if asked else 1
    params = {"reason": fault.params.get("reason", "quota"), "retry_after": wait}
    await play(app, Ordered(fault.name, params), scope, receive, send)


@dataclass(frozen=True, slots=True)
class Ordered:
    """What a play reads of a fault."""

    name: str
    params: Mapping[str, Any]


Play = Callable[[ASGIApp, Any, Scope, Receive, Send], Awaitable[None]]
WORDS = ("rate_limit", "row_cap")  # faults that every tool has, in Jira's own words
PLAYS: dict[str, Play] = dict.fromkeys(WORDS, play)
LAYERS: dict[str, Play] = dict.fromkeys({*KNOWN, REBUILD} - UNBOUND - {*WORDS}, play) | {"rate_limit": budgeted}


def _struck(name: str) -> Callable[[Event, Any, Random], list[Event]]:
    """A switch that spoils the body of a share of all events."""

    def strike(event: Event, share: Any, rng: Random) -> list[Event]:
        if rng.random() >= float(share):
            return [event]
        letter = event.content["letter"]
        spoiled = replace(letter, sending=replace(letter.sending, body=FLAWS[name](dict(letter.sending.body))))
        return [replace(event, content={"letter": spoiled}, flaws=(*event.flaws, name))]

    return strike


def _late(event: Event, seconds: Any, rng: Random) -> list[Event]:
    """The fallout of a deletion takes its time."""
    fallout = event.content["letter"].sending.flow == "Secondary"
    return [replace(event, due=event.due + int(seconds)) if fallout else event]


def _as_it_is(event: Event, value: Any, rng: Random) -> list[Event]:
    return [event]  # the site itself asks for this switch


def mode(state: JiraState) -> Mode:
    def seal(event: Event, now: int) -> Parcel:
        return sealed(state, event.content["letter"], event.attempt)

    return Mode(
        seal,
        "x-hub-signature",
        WAITS_SECONDS,
        lambda status: status in TRIED_AGAIN or status.startswith("5"),
        {name: _struck(name) for name in FLAWS}
        | {"secondary": _late, "double_event": _as_it_is, "hook_headers": _as_it_is},
        lambda event: event.content["letter"].url,
    )


def join(sandbox: Sandbox, state: JiraState) -> None:
    """From now on what happens on the site waits in the sandbox's queue."""
    hooks = sandbox.hooks

    def carry(sending: Sending) -> None:
        for letter in letters(sending):
            entity, _, op = sending.event.removeprefix("jira:").rpartition("_")
            hooks.tell(Event("jira", letter.name, entity, op, sending.issue_id, {"letter": letter}, 0))

    sandbox.jira = state
    state.carrier, state.switches = carry, lambda: hooks.switches
    hooks.modes["jira"] = mode(state)
