"""The made-up company, and the sandbox served over real HTTP on loopback."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandbox.app import LOOPBACK, Credentials, create, listen, server
from connectors.sandbox.company import Company, generate
from connectors.sandbox.servicenow import Login
from connectors.sandbox.world import Sandbox

HOOK_SECRET = "whsec_" + base64.b64encode(b"a secret that tests may know").decode()
CREDENTIALS = Credentials(
    Login("evenhand.integration", "made-up-password", "client", "made-up-secret"),
    HOOK_SECRET, "evenhand@tarnhelm.example", "made-up-token", "made-up-hook",
)  # fmt: skip


@dataclass
class Served:
    url: str
    app: ASGIApp
    session: requests.Session

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def rows(self, table: str, query: str = "", **params: str) -> list[dict[str, str]]:
        asked = {"sysparm_query": query, "sysparm_exclude_reference_link": "true", **params}
        answer = self.session.get(f"{self.url}/api/now/v2/table/{table}", params=asked, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]


@contextmanager
def serve(app: ASGIApp) -> Iterator[Served]:
    listener, running = listen(0), server(app)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    with requests.Session() as session:
        session.auth = (CREDENTIALS.servicenow.user, CREDENTIALS.servicenow.password)
        try:
            while not running.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield Served(f"http://{LOOPBACK}:{listener.getsockname()[1]}", app, session)
        finally:
            running.should_exit = True
            thread.join(10)
            listener.close()


@pytest.fixture(scope="session")
def company() -> Company:
    """Read only."""
    return generate(7)


@pytest.fixture(scope="session")
def credentials() -> Credentials:
    return CREDENTIALS


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Served]:
    """Shared by tests that only read."""
    with serve(create(7, CREDENTIALS)) as served:
        yield served


@pytest.fixture
def own_sandbox() -> Iterator[Served]:
    """For one test alone, which may write, send and break things."""
    with serve(create(7, CREDENTIALS)) as served:
        yield served


@pytest.fixture
def serve_log() -> Iterator[Callable[[Path], Served]]:
    open_servers = []

    def start(path: Path) -> Served:
        context = serve(create(7, CREDENTIALS, path))
        open_servers.append(context)
        return context.__enter__()

    yield start
    for context in open_servers:
        context.__exit__(None, None, None)


class Receiver:
    """Takes webhooks over real HTTP and answers what `answers` says, then 202."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status = self.answers.pop(0) if self.answers else 202
        self.taken.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        headers = [(b"content-length", b"2"), *([(b"retry-after", b"0")] if status == 429 else [])]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with serve(receiver) as served:
        receiver.url = f"{served.url}/hooks/servicenow"
        yield receiver


@dataclass
class World:
    """A small world in this process, asked without a network."""

    client: TestClient
    sandbox: Sandbox

    def rows(self, table: str, query: str = "", **params: str) -> list[dict[str, str]]:
        answer = self.ask(f"/api/now/v2/table/{table}", sysparm_query=query, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def ask(self, path: str, method: str = "GET", json: object = None, **params: str) -> httpx.Response:
        given = {"sysparm_exclude_reference_link": "true", **params}
        return self.client.request(method, path, params=given, json=json, follow_redirects=False)

    def order(self, control: str, content: object) -> Any:
        answer = self.client.post(f"/_sandbox/{control}", json=content)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None

    def act(self, table: str, op: str, key: str = "", **rest: Any) -> dict[str, Any]:
        """The row after one act of a user."""
        order = {"tool": "servicenow", "table": table, "op": op, "key": key, **rest}
        return self.order("act", [order])["done"][0]["row"]

    def one(self, table: str, **values: str) -> dict[str, str]:
        """Some row with these values."""
        rows = self.sandbox.records.tables[table].rows.values()
        return next(row for row in rows if all(row[name] == value for name, value in values.items()))


def small_world(seed: int = 1) -> World:
    app = create(seed, CREDENTIALS, size="small")
    client = TestClient(app)
    client.auth = (CREDENTIALS.servicenow.user, CREDENTIALS.servicenow.password)
    return World(client, app.state.sandbox)


@pytest.fixture
def world() -> World:
    """A small world for one test alone."""
    return small_world()
