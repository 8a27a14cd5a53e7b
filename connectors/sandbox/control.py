"""The controls of the sandbox under `/_sandbox/`: what it holds, what it was asked, what it shall do wrong or send.

    GET    /_sandbox/state       clock, rows by table, planned faults, progress of deliveries, what waits
    GET    /_sandbox/truth       {tool: {table: {key: raw row}}}; `?tables=incident,problem` gives these alone
    GET    /_sandbox/log         requests so far, oldest first; `?after=N` leaves out the first N
    POST   /_sandbox/clock       {"advance_seconds": n}; every tool's clock (see clock.py)
    POST   /_sandbox/act         a list of acts of users (see acts.py); answers what each has done
    POST   /_sandbox/seed        {"seed": n, "size": "company" | "small"}: another world in the place of this one
    POST   /_sandbox/faults      a list of faults (see faults.py); DELETE forgets them
    POST   /_sandbox/hooks       {"servicenow_url", "jira_url", "seed", and switches} (see hooks.py)
    GET    /_sandbox/deliveries  attempts of the queue with their answers; `?after=N`
    POST   /_sandbox/deliver     {"what": "live" | "log" | "pending", "servicenow_url", "jira_url", "concurrency"}
                                 and for live and log {"shuffle_seed", "duplicate_share"}, for pending {"flush"};
                                 answers when all is sent: {"sent", "accepted", "refused", "tools"};
                                 live events happen in both tools and are sent where a URL is given

Refuses malformed orders with {"error": {"code", "what", "fix"}} and 400.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox import acts, clock
from connectors.sandbox.deliveries import Outbox, Progress, Seal, arrange, push
from connectors.sandbox.faults import Faulty
from connectors.sandbox.pending import deliver_pending
from connectors.sandbox.truth import truth
from connectors.sandbox.world import Sandbox
from engine.refusal import Code, Refused

CONCURRENCY = 32
Handler = Callable[[Request], Awaitable[Response]]


def routes(sandbox: Sandbox, faulty: Faulty, found: Callable[[Mapping[str, Any]], None]) -> list[BaseRoute]:
    """`found` puts another world in the place of this one."""

    async def plan(request: Request) -> Response:
        wanted = await _content(request)
        faulty.plan(wanted if isinstance(wanted, list) else [wanted])
        return Response(status_code=204)

    async def forget(_: Request) -> Response:
        faulty.faults.clear()
        return Response(status_code=204)

    async def act(request: Request) -> Response:
        wanted = await _content(request)
        return _json({"done": acts.perform(sandbox, wanted if isinstance(wanted, list) else [wanted])})

    async def move_clock(request: Request) -> Response:
        return _json(clock.order(sandbox, await _content(request)))

    async def seed(request: Request) -> Response:
        found(await _content(request))
        return Response(status_code=204)

    async def hook(request: Request) -> Response:
        sandbox.hooks.configure(await _content(request))
        return Response(status_code=204)

    async def send(request: Request) -> Response:
        return _json(await deliver(sandbox, await _content(request)))

    table = (
        ("POST", "clock", move_clock), ("POST", "act", act), ("POST", "seed", seed), ("POST", "faults", plan),
        ("DELETE", "faults", forget), ("POST", "hooks", hook), ("POST", "deliver", send), *_reads(sandbox, faulty),
    )  # fmt: skip
    return [Route(f"/_sandbox/{name}", _refusing(handler), methods=[method]) for method, name, handler in table]


def _reads(sandbox: Sandbox, faulty: Faulty) -> tuple[tuple[str, str, Handler], ...]:
    async def state(_: Request) -> Response:
        return _json(_state(sandbox, faulty))

    async def log(request: Request) -> Response:
        return _json([entry for entry in faulty.logged() if entry["number"] > _after(request)])

    async def deliveries(request: Request) -> Response:
        return _json([attempt for attempt in sandbox.hooks.shown() if attempt["number"] > _after(request)])

    async def held(request: Request) -> Response:
        wanted = {name for name in request.query_params.get("tables", "").split(",") if name}
        return _json(truth(sandbox, wanted))

    return ("GET", "state", state), ("GET", "log", log), ("GET", "deliveries", deliveries), ("GET", "truth", held)


def _after(request: Request) -> int:
    text = request.query_params.get("after", "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def _state(sandbox: Sandbox, faulty: Faulty) -> dict[str, Any]:
    return {
        "now": sandbox.records.stamp,
        "source": "company" if sandbox.company else "log",
        "rows": {name: len(table.rows) for name, table in sorted(sandbox.records.tables.items())},
        "requests": faulty.requests,
        "faults": faulty.planned(),
        "deliveries": {tool: asdict(progress) for tool, progress in sandbox.progress.items()},
        "waiting": sandbox.hooks.counts(),
    }


async def deliver(sandbox: Sandbox, order: Any) -> dict[str, Any]:
    """Send what is ordered, tool by tool, and say how it went."""
    if not isinstance(order, dict) or order.get("what") not in ("live", "log", "pending"):
        what, fix = "The order does not say what to deliver.", 'Give "what": "live", "log" or "pending".'
        raise Refused(Code.BAD_INPUT, what, fix)
    if order["what"] == "pending":
        return await deliver_pending(sandbox, order)
    total: dict[str, Any] = {"sent": 0, "accepted": 0, "refused": 0, "tools": {}}
    for tool, outbox in sandbox.outboxes.items():
        url = order.get(f"{tool}_url")
        seals = await _seals(outbox, order["what"])
        if not url:  # what is live happens all the same, for whoever polls
            continue
        arranged = arrange(seals, order.get("shuffle_seed"), float(order.get("duplicate_share") or 0))
        progress = sandbox.progress[tool] = Progress()
        await push(arranged, str(url), int(order.get("concurrency") or CONCURRENCY), progress)
        total["tools"][tool] = asdict(progress)
        for name, count in progress.counts.items():
            total[name] += count
    return total


async def _seals(outbox: Outbox, what: str) -> list[Seal]:
    if what == "live":
        return list(outbox.live())  # changes the state, so it happens between two requests
    replay: Callable[[], Iterator[Seal]] | None = outbox.log
    return await asyncio.to_thread(lambda: list(replay())) if replay else []


def _refusing(handler: Handler) -> Handler:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as no:
            return _json({"error": {"code": no.code, "what": no.what, "fix": no.fix}}, 400)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            what = f"The order is not understood: {error}."
            return _json({"error": {"code": Code.BAD_INPUT, "what": what, "fix": "See the list of controls."}}, 400)

    return endpoint


async def _content(request: Request) -> Any:
    return orjson.loads(await request.body())


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
