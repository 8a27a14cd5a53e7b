"""The imitated instance over real HTTP, behind access rules of ours, and a governor that does not really sleep."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import httpx

from connectors.governor import Governor
from connectors.sandbox.app import LOOPBACK, Credentials, create, listen, server
from connectors.sandbox.servicenow import Login
from connectors.servicenow.contract import standard
from connectors.servicenow.instance import ServiceNowConfig

CREDENTIALS = Credentials(
    Login("evenhand.integration", "made-up-password", "client", "made-up-secret"), "whsec_bWFkZS11cA==",
    "evenhand@tarnhelm.example", "made-up-token", "made-up-hook",
)  # fmt: skip


@dataclass
class Veil:
    """Access rules in front of the instance, as the product applies them: to the rows of an answer, after the limit."""

    app: Any
    hidden: set[str] = field(default_factory=set)  # sys_ids
    columns: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)  # tables that answer 403
    emptied: set[str] = field(default_factory=set)  # tables that show and count nothing
    counts_hidden: bool = True  # whether X-Total-Count knows of hidden rows
    headers: dict[bytes, bytes] = field(default_factory=dict)  # that every answer carries
    deaf: str = ""  # a condition that the instance ignores, as a pattern

    def lift(self) -> None:
        for rules in (self.hidden, self.columns, self.forbidden, self.emptied, self.headers):
            rules.clear()
        self.counts_hidden, self.deaf = True, ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        pieces = scope.get("path", "").split("/")
        rules = (self.hidden, self.columns, self.forbidden, self.emptied, self.headers, self.deaf)
        if not any(rules) or scope["type"] != "http" or scope["method"] != "GET" or "now" not in pieces:
            await self.app(scope, receive, send)
            return
        if self.deaf:
            asked = unquote(scope["query_string"].decode())
            scope["query_string"] = quote(re.sub(self.deaf, "", asked), safe="&=").encode()
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, keep)
        start, body = sent[0], b"".join(message.get("body", b"") for message in sent[1:])
        if start["status"] == 200 and body.startswith(b"{"):
            start, body = await self._veiled(scope, receive, start, body, pieces)
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def _veiled(self, scope: Any, receive: Any, start: Any, body: bytes, pieces: list[str]) -> tuple[Any, bytes]:
        headers = dict(start["headers"]) | self.headers
        status, told = start["status"], json.loads(body)
        if self.forbidden & set(pieces):
            status, told = 403, {"error": {"message": "Operation Failed", "detail": "ACL"}, "status": "failure"}
        elif self.emptied & set(pieces):
            told = {"result": {"stats": {"count": "0"}} if "stats" in pieces else []}
            headers[b"x-total-count"] = b"0"
        elif isinstance(told.get("result"), list):
            told["result"] = [self._shown(row) for row in told["result"] if row.get("sys_id") not in self.hidden]
            if b"x-total-count" in headers and not self.counts_hidden:
                headers[b"x-total-count"] = str(await self._visible(scope, receive)).encode()
        elif told.get("result", {}).get("sys_id") in self.hidden:
            status, told = 404, {"error": {"message": "No Record found", "detail": "ACL"}, "status": "failure"}
        body = json.dumps(told).encode()
        headers[b"content-length"] = str(len(body)).encode()
        return start | {"status": status, "headers": list(headers.items())}, body

    def _shown(self, row: Any) -> Any:
        return {column: value for column, value in row.items() if column not in self.columns}

    async def _visible(self, scope: Any, receive: Any) -> int:
        """How many rows of this query are not hidden, wherever they stand."""
        all_rows = re.sub(rb"sysparm_(limit|offset)=[0-9]+", b"", scope["query_string"]) + b"&sysparm_limit=1000000"
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await self.app(scope | {"query_string": all_rows}, receive, keep)
        rows = json.loads(b"".join(message.get("body", b"") for message in sent[1:]))["result"]
        return sum(row["sys_id"] not in self.hidden for row in rows)


@dataclass
class Imitation:
    """A running sandbox, how we reach it, and for how long we would have slept."""

    url: str
    tables: Any
    veil: Veil
    naps: list[float] = field(default_factory=list)
    config: ServiceNowConfig = field(init=False)
    user: httpx.Client = field(init=False)  # somebody else, who works in the instance

    def __post_init__(self) -> None:
        self.config = self.configured()
        login = (CREDENTIALS.servicenow.user, CREDENTIALS.servicenow.password)
        self.user = httpx.Client(base_url=f"{self.url}/api/now/v2/table", auth=login)

    def configured(self, **changes: Any) -> ServiceNowConfig:
        now = [0.0]

        def sleep(seconds: float) -> None:
            self.naps.append(seconds)
            now[0] += seconds

        governor = Governor(clock=lambda: now[0], sleep=sleep, dice=lambda: 0.5)
        login = {"user": CREDENTIALS.servicenow.user, "password": CREDENTIALS.servicenow.password}
        return ServiceNowConfig(self.url, **({"contract": standard(), **login, "governor": governor} | changes))

    def break_down(
        self, name: str, times: int = 1, skip: int = 0, method: str = "GET", path: str = "/api/now", **params: Any
    ) -> None:
        fault = {"name": name, "match": {"method": method, "path": path}, "times": times, "skip": skip}
        httpx.post(f"{self.url}/_sandbox/faults", json=fault | {"params": params}).raise_for_status()

    def write(self, table: str, **columns: str) -> str:
        """A record that somebody else creates; its sys_id."""
        made = self.user.post(f"/{table}", json=columns).raise_for_status()
        return str(made.json()["result"]["sys_id"])

    def delete(self, table: str, sys_id: str) -> None:
        self.user.delete(f"/{table}/{sys_id}").raise_for_status()

    def edit(self, table: str, sys_id: str, **columns: str) -> None:
        self.user.patch(f"/{table}/{sys_id}", json=columns).raise_for_status()

    def asked(self) -> list[dict[str, Any]]:
        """The request log."""
        entries: list[dict[str, Any]] = httpx.get(f"{self.url}/_sandbox/log").json()
        return entries


@contextmanager
def served(seed: int = 7, size: str = "company") -> Iterator[Imitation]:
    app = create(seed, CREDENTIALS, size=size)
    veil = Veil(app)
    listener, running = listen(0), server(veil)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        imitation = Imitation(f"http://{LOOPBACK}:{listener.getsockname()[1]}", app.state.sandbox.records.tables, veil)
        with imitation.user:
            yield imitation
    finally:
        running.should_exit = True
        thread.join(10)
        listener.close()
