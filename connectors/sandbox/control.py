"""The controls of the sandbox under `/_sandbox/`: what it holds, what it was asked, what it shall do wrong or send.

    GET    /_sandbox/state     clock, rows by table, planned faults, progress of deliveries
    GET    /_sandbox/log       requests so far, oldest first; `?after=N` leaves out the first N
    POST   /_sandbox/faults    a list of faults (see faults.py); DELETE forgets them
    POST   /_sandbox/deliver   {"what": "live" | "log", "servicenow_url", "jira_url", "shuffle_seed", "duplicate_share",
                               "concurrency"}; answers when all is sent: {"sent", "accepted", "refused", "tools"};
                               live events happen in both tools and are sent where a URL is given

Refuses malformed orders with {"error": {"code", "what", "fix"}} and 400.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox.company import Company
from connectors.sandbox.deliveries import Outbox, Progress, Seal, arrange, push
from connectors.sandbox.faults import Faulty
from connectors.sandbox.servicenow_records import STAMP, Records
from engine.refusal import Code, Refused

CONCURRENCY = 32


@dataclass(slots=True)
class Sandbox:
    """Everything that runs. `outboxes` is the registry of senders, by tool: "servicenow", "jira"."""

    records: Records
    outboxes: dict[str, Outbox]
    company: Company | None  # with the truth; None when a log is loaded
    progress: dict[str, Progress] = field(default_factory=dict)


def routes(sandbox: Sandbox, faulty: Faulty) -> list[BaseRoute]:
    async def state(_: Request) -> Response:
        content = {
            "now": sandbox.records.now.strftime(STAMP),
            "source": "company" if sandbox.company else "log",
            "rows": {name: len(table.rows) for name, table in sorted(sandbox.records.tables.items())},
            "requests": faulty.requests,
            "faults": [asdict(fault) for fault in faulty.faults if fault.times > 0],
            "deliveries": {tool: asdict(progress) for tool, progress in sandbox.progress.items()},
        }
        return _json(content)

    async def log(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        first = int(after) if after.isascii() and after.isdigit() else 0
        return _json([entry for entry in faulty.logged() if entry["number"] > first])

    async def plan(request: Request) -> Response:
        wanted = await _content(request)
        faulty.plan(wanted if isinstance(wanted, list) else [wanted])
        return Response(status_code=204)

    async def forget(_: Request) -> Response:
        faulty.faults.clear()
        return Response(status_code=204)

    async def send(request: Request) -> Response:
        return _json(await deliver(sandbox, await _content(request)))

    table = (("GET", "state", state), ("GET", "log", log), ("POST", "faults", plan), ("DELETE", "faults", forget),
             ("POST", "deliver", send))  # fmt: skip
    return [Route(f"/_sandbox/{name}", _refusing(handler), methods=[method]) for method, name, handler in table]


async def deliver(sandbox: Sandbox, order: Any) -> dict[str, Any]:
    """Send what is ordered, tool by tool, and say how it went."""
    if not isinstance(order, dict) or order.get("what") not in ("live", "log"):
        raise Refused(Code.BAD_INPUT, "The order does not say what to deliver.", 'Give "what": "live" or "log".')
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


def _refusing(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as no:
            return _json({"error": {"code": no.code, "what": no.what, "fix": no.fix}}, 400)
        except (TypeError, ValueError) as error:
            what = f"The order is not understood: {error}."
            return _json({"error": {"code": Code.BAD_INPUT, "what": what, "fix": "See the list of controls."}}, 400)

    return endpoint


async def _content(request: Request) -> Any:
    return orjson.loads(await request.body())


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
