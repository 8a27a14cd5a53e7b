"""Misbehaviour on order: what a test asks the sandbox to do wrong, to which requests, how often.

Decides for each request whether a fault applies and plays it. A fault is `{"name", "match": {"method", "path",
"table"}, "times", "skip", "params"}`: `path` is a prefix, `skip` lets that many matching requests pass first. Also
keeps the request log, without credentials.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox.servicenow import refuse
from connectors.sandbox.world import Sandbox
from engine.refusal import Code, Refused

LOG_LENGTH, BODY_CHARACTERS = 20_000, 4_000
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>User name, password</body></html>"


@dataclass(slots=True)
class Fault:
    name: str
    match: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    skip: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is hit; counts it if so."""
        pieces = path.split("/")
        hit = (
            self.times > 0
            and self.match.get("method", method) == method
            and path.startswith(self.match.get("path", ""))
            and self.match.get("table", pieces[-1]) in pieces
        )
        if hit and self.skip > 0:
            self.skip -= 1
            return False
        self.times -= hit
        return hit


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the request log."""

    number: int
    method: str
    path: str
    query: str
    body: str
    status: int
    fault: str


@dataclass(slots=True)
class Answer:
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def send(self, send: Send, claimed_length: int | None = None) -> None:
        length = len(self.body) if claimed_length is None else claimed_length
        headers = [pair for pair in self.headers if pair[0] != b"content-length"]
        headers.append((b"content-length", str(length).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Faulty:
    """The app with its log and its planned faults around it."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self.app = app
        self.sandbox = sandbox
        self.faults: list[Fault] = []
        self.log: deque[Entry] = deque(maxlen=LOG_LENGTH)
        self.requests = 0

    def plan(self, faults: list[dict[str, Any]]) -> None:
        """Add faults; refuses names that are not known."""
        planned = [Fault(**fault) for fault in faults]
        for fault in planned:
            if fault.name not in _PLAYS:
                raise Refused(Code.BAD_INPUT, f"There is no fault {fault.name}.", f"Use one of {', '.join(_PLAYS)}.")
        self.faults += planned

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, body = 0, bytearray()

        async def listen() -> Message:
            message = await receive()
            body.extend(message.get("body", b"")[: BODY_CHARACTERS - len(body)])
            return message

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        method, path = scope["method"], scope["path"]
        fault = next((fault for fault in self.faults if fault.strikes(method, path)), None)
        if fault is None:
            await self.app(scope, listen, watch)
        else:
            await _PLAYS[fault.name](self.app, scope, listen, watch, fault.params)
        self.requests += 1
        query, text = scope["query_string"].decode("latin-1"), body.decode("utf-8", "replace")
        name = fault.name if fault else ""
        # credentials come in the body of the token request alone; they are not kept
        text = "" if path == "/oauth_token.do" else text
        self.log.append(Entry(self.requests, method, path, query, text, status, name))

    def planned(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self.faults if fault.times > 0]

    def logged(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.log]


Params = Mapping[str, Any]
Play = Callable[[ASGIApp, Scope, Receive, Send, Params], Awaitable[None]]


async def _collect(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    answer = Answer()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message["headers"])
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, keep)
    return answer


async def _http_error(app: ASGIApp, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
    wait = {"Retry-After": str(params["retry_after"])} if "retry_after" in params else {}
    message = {401: "User Not Authenticated"}.get(params.get("status", 503), "Sandbox fault")
    await refuse(int(params.get("status", 503)), message, None, wait)(scope, receive, send)


async def _rate_limit(app: ASGIApp, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
    limit = params.get("limit", 100)
    headers = {
        "Retry-After": str(params.get("retry_after", 1)), "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Reset": str(params.get("reset", 1_767_225_600)), "X-RateLimit-Rule": "0" * 32,
    }  # fmt: skip
    detail = f"Rate limit of {limit} requests per hour for Table API exceeded"
    await refuse(429, "Rate limit exceeded", detail, headers)(scope, receive, send)


async def _html_login(app: ASGIApp, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
    status = int(params.get("status", 200))
    headers = [(b"content-type", b"text/html;charset=UTF-8")]
    if status == 302:
        headers.append((b"location", b"/login.do"))
    await Answer(status, headers, LOGIN_PAGE).send(send)


async def _transaction_cancelled(app: ASGIApp, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
    """Status 200 all the same. `shape`: `error` alone, `rows` and error, or `strings` among the records."""
    answer = await _collect(app, scope, receive)
    shape, rows = params.get("shape", "error"), json.loads(answer.body).get("result", [])
    text = "Transaction cancelled: maximum execution time exceeded"
    error = {"message": text, "detail": "Check logs for error trace or enable glide.rest.debug property to verify"}
    content: dict[str, Any] = {"error": error, "status": "failure"}
    if shape == "rows":
        content = {"result": rows[: int(params.get("rows", 3))], **content}
    elif shape == "strings":
        content = {"result": [*rows[: int(params.get("rows", 3))], text]}
    answer.status, answer.body = 200, json.dumps(content).encode()
    await answer.send(send)


async def _truncate(app: ASGIApp, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
    """Cut the body after `bytes`; with `wrong_length` the header still promises all of it."""
    answer = await _collect(app, scope, receive)
    promised = len(answer.body)
    answer.body = answer.body[: int(params.get("bytes", promised // 2))]
    await answer.send(send, promised if params.get("wrong_length") else None)


async def _row_cap(app: ASGIApp, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
    """At most `rows` rows, whatever was asked for; the count in the header stays."""
    answer = await _collect(app, scope, receive)
    content = json.loads(answer.body)
    if isinstance(content.get("result"), list):
        content["result"] = content["result"][: int(params.get("rows", 10_000))]
        answer.body = json.dumps(content).encode()
    await answer.send(send)


async def _slow(app: ASGIApp, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
    await asyncio.sleep(float(params.get("seconds", 1)))
    await app(scope, receive, send)


async def _reset_after_write(app: ASGIApp, scope: Scope, receive: Receive, send: Send, params: Params) -> None:
    """What was asked for is done, but the answer never arrives."""
    answer = await _collect(app, scope, receive)
    promised, answer.body = len(answer.body) + 1, b""
    await answer.send(send, promised)


_PLAYS: dict[str, Play] = {
    "http_error": _http_error,
    "rate_limit": _rate_limit,
    "html_login": _html_login,
    "transaction_cancelled": _transaction_cancelled,
    "truncate": _truncate,
    "row_cap": _row_cap,
    "slow": _slow,
    "reset_after_write": _reset_after_write,
}
