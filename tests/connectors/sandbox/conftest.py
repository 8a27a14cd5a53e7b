"""The made-up company, and the sandbox served over real HTTP on loopback."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from starlette.types import ASGIApp

from connectors.sandbox.app import LOOPBACK, Credentials, create, listen, server
from connectors.sandbox.company import Company, generate
from connectors.sandbox.servicenow import Login

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
