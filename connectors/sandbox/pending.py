"""Delivery of the webhooks that wait: to the addresses of the queue, or of the order.

Decides what a ServiceNow after-rule sends about a change, and in which order the waiting go out: one after the other
unless a burst or `concurrency` says otherwise. An address of the order counts for this order alone.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.sandbox.company_book import LiveEvent, record_id
from connectors.sandbox.deliveries import PATIENCE_SECONDS, Parcel, seal_servicenow, wall_seconds
from connectors.sandbox.hooks import LOST, Event, Hooks, Mode
from connectors.sandbox.servicenow_columns import HOOKED
from connectors.sandbox.servicenow_records import Change, Records
from connectors.sandbox.wire import Line
from connectors.sandbox.world import Sandbox

BURST_MOST = 256


def servicenow_mode(key: bytes) -> Mode:
    def seal(event: Event, now: int) -> Parcel:
        record = dict(event.content["record"])
        return seal_servicenow(LiveEvent(event.event_id, "", event.table, event.op, event.key, record), key)(now)

    return Mode(seal, "webhook-signature")


def listen_to(records: Records, hooks: Hooks) -> None:
    """From now on every change of a table with an after-rule of ours joins the queue."""

    def hear(change: Change) -> None:
        if change.table not in HOOKED:
            return
        event_id = record_id(records.seed, "hook:servicenow", hooks.made)
        content = {"event_id": event_id, "table": change.table, "op": change.op, "record": change.row}
        hooks.tell(Event("servicenow", event_id, change.table, change.op, change.row["sys_id"], content, 0))

    records.listeners.append(hear)


def parcels(sandbox: Sandbox, tool: str, now: int, flush: bool = False) -> list[Parcel]:
    """Headers and bodies of what is due, for a receiver in the same process; they count as answered with 202."""
    hooks, found = sandbox.hooks, []
    for event in hooks.take(tool, flush):
        found.append(hooks.seal(event, now))
        hooks.answered(event, "202", "")
    return found


async def deliver_pending(sandbox: Sandbox, order: Mapping[str, Any]) -> dict[str, Any]:
    """Send what waits and is due; answers how it went and how much still waits."""
    hooks, tools = sandbox.hooks, {}
    for tool, mode in hooks.modes.items():
        url = str(order.get(f"{tool}_url") or hooks.urls.get(tool, ""))
        if not url and not any(mode.address(event) for event in hooks.waiting if event.tool == tool):
            continue
        burst = int(hooks.switches.get("burst") or 1)
        lines = min(max(int(order.get("concurrency") or burst), 1), BURST_MOST)
        answers, ready = [], hooks.take(tool, bool(order.get("flush")))
        for to in dict.fromkeys(mode.address(event) or url for event in ready):
            events = [event for event in ready if (mode.address(event) or url) == to]
            if to:
                answers += await _send(hooks, events, to, lines)
            else:
                hooks.waiting += events
        accepted = sum(answer.startswith("2") for answer in answers)
        tools[tool] = {"sent": len(answers), "accepted": accepted, "refused": len(answers) - accepted}
    total = {name: sum(counts[name] for counts in tools.values()) for name in ("sent", "accepted", "refused")}
    return {**total, "tools": tools, "waiting": hooks.counts()}


async def _send(hooks: Hooks, events: list[Event], url: str, lines: int) -> list[str]:
    waiting: Iterator[Event] = iter(events)
    answers: list[str] = []

    async def carry() -> None:
        line = Line(url)
        try:
            for event in waiting:
                headers, body = hooks.seal(event, wall_seconds())
                try:
                    code, _ = await line.post(url, headers, body, PATIENCE_SECONDS)
                    answer = str(code)
                except ConnectionError:
                    answer = LOST
                hooks.answered(event, answer, url)
                answers.append(answer)
        finally:
            line.close()

    await asyncio.gather(*(carry() for _ in range(min(lines, max(len(events), 1)))))
    return answers
