"""Faults that any HTTP server may have: errors, limits, login pages, cut, capped and slow answers, lost ones.

A play is called with the app that it stands around, the fault, and the request. Rate limits speak ServiceNow's words;
a tool that has others stands in faults.py with its own. Sources: SN Inbound REST API rate limiting, Table API.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox.servicenow_answers import refuse

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>User name, password</body></html>"
RULE = "b8a3d0c5db1f1300a9b7f5361d961901"  # sys_id of the rule that limits us
HOUR_SECONDS = 3_600


class Struck(Protocol):
    """What a play reads of its fault."""

    params: Mapping[str, Any]
    rng: Random
    memory: dict[str, Any]


Play = Callable[[ASGIApp, Any, Scope, Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class Answer:
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def send(self, send: Send, claimed_length: int | None = None) -> None:
        length = len(self.body) if claimed_length is None else claimed_length
        await send({"type": "http.response.start", "status": self.status, "headers": self.sized(length)})
        await send({"type": "http.response.body", "body": self.body})

    def sized(self, length: int) -> list[tuple[bytes, bytes]]:
        headers = [pair for pair in self.headers if pair[0] != b"content-length"]
        return [*headers, (b"content-length", str(length).encode())]


async def collect(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """The whole answer of the app."""
    answer = Answer()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message["headers"])
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, keep)
    return answer


async def _http_error(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    params = fault.params
    wait = {"Retry-After": str(params["retry_after"])} if "retry_after" in params else {}
    message = {401: "User Not Authenticated"}.get(params.get("status", 503), "Sandbox fault")
    await refuse(int(params.get("status", 503)), message, None, wait)(scope, receive, send)


async def _rate_limit(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    """429, whatever was asked before."""
    limit, wait = fault.params.get("limit", 100), int(fault.params.get("retry_after", 1))
    reset = int(fault.params.get("reset", scope["sandbox"].records.now.timestamp() + wait))
    await _refuse_rate(limit, wait, reset)(scope, receive, send)


async def _rate_budget(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    """`budget` requests in a `window_seconds` (an hour); what was asked counts after `commit_seconds` (30).

    The window is one of the virtual clock, or of the machine's with `clock: "machine"`.
    """
    budget, window = int(fault.params["budget"]), int(fault.params.get("window_seconds", HOUR_SECONDS))
    commit, memory = int(fault.params.get("commit_seconds", 30)), fault.memory
    machine = fault.params.get("clock") == "machine"
    now = time.monotonic() if machine else scope["sandbox"].records.now.timestamp()
    if now >= memory.get("until", 0):
        memory |= {"until": (now // window + 1) * window, "asked": []}
    memory["asked"].append(now)
    counted = sum(at <= now - commit or commit == 0 for at in memory["asked"][:-1])
    wait = int(memory["until"] - now) + 1
    reset = int(scope["sandbox"].records.now.timestamp()) + wait
    if counted >= budget:
        memory["asked"].pop()
        await _refuse_rate(budget, wait, reset)(scope, receive, send)
        return

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = [(name.lower().encode(), value.encode()) for name, value in _rate_headers(budget, reset).items()]
            message = {**message, "headers": [*message["headers"], *told]}
        await send(message)

    await app(scope, receive, tell)


def _rate_headers(limit: int, reset: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Reset": str(reset), "X-RateLimit-Rule": RULE}


def _refuse_rate(limit: int, wait: int, reset: int) -> ASGIApp:
    detail = f"Rate limit of {limit} requests per hour for Table API exceeded"
    return refuse(429, "Rate limit exceeded", detail, {"Retry-After": str(wait), **_rate_headers(limit, reset)})


async def _html_login(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    status = int(fault.params.get("status", 200))
    headers = [(b"content-type", b"text/html;charset=UTF-8")]
    if status == 302:
        headers.append((b"location", b"/login.do"))
    await Answer(status, headers, LOGIN_PAGE).send(send)


async def _transaction_cancelled(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    """Status 200 all the same. `shape`: `error` alone, `rows` and error, or `strings` among the records."""
    answer = await collect(app, scope, receive)
    shape, rows = fault.params.get("shape", "error"), json.loads(answer.body).get("result", [])
    text = "Transaction cancelled: maximum execution time exceeded"
    error = {"message": text, "detail": "Check logs for error trace or enable glide.rest.debug property to verify"}
    content: dict[str, Any] = {"error": error, "status": "failure"}
    if shape == "rows":
        content = {"result": rows[: int(fault.params.get("rows", 3))], **content}
    elif shape == "strings":
        content = {"result": [*rows[: int(fault.params.get("rows", 3))], text]}
    answer.status, answer.body = 200, json.dumps(content).encode()
    await answer.send(send)


async def _truncate(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    """Cut the body after `bytes`; with `wrong_length` the header still promises all of it."""
    answer = await collect(app, scope, receive)
    promised = len(answer.body)
    answer.body = answer.body[: int(fault.params.get("bytes", promised // 2))]
    await answer.send(send, promised if fault.params.get("wrong_length") else None)


async def _row_cap(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    """At most `rows` rows, whatever was asked for; the count in the header stays."""
    answer = await collect(app, scope, receive)
    content = json.loads(answer.body)
    if isinstance(content.get("result"), list):
        content["result"] = content["result"][: int(fault.params.get("rows", 10_000))]
        answer.body = json.dumps(content).encode()
    await answer.send(send)


async def _slow(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    """Late by `seconds`; with `drip_bytes` the body comes in pieces of that size, the seconds spread over them."""
    seconds, drip = float(fault.params.get("seconds", 1)), int(fault.params.get("drip_bytes", 0))
    if not drip:
        await asyncio.sleep(seconds)
        await app(scope, receive, send)
        return
    answer = await collect(app, scope, receive)
    pieces = [answer.body[start : start + drip] for start in range(0, len(answer.body), drip)] or [b""]
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.sized(len(answer.body))})
    for piece in pieces:
        await asyncio.sleep(seconds / len(pieces))
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _reset_after_write(app: ASGIApp, fault: Struck, scope: Scope, receive: Receive, send: Send) -> None:
    """What was asked for is done, but the answer never arrives."""
    answer = await collect(app, scope, receive)
    promised, answer.body = len(answer.body) + 1, b""
    await answer.send(send, promised)


PLAYS: dict[str, Play] = {
    "http_error": _http_error,
    "rate_limit": _rate_limit,
    "html_login": _html_login,
    "transaction_cancelled": _transaction_cancelled,
    "truncate": _truncate,
    "row_cap": _row_cap,
    "slow": _slow,
    "reset_after_write": _reset_after_write,
}
BUDGETS: dict[str, Play] = {"rate_limit": _rate_budget}
