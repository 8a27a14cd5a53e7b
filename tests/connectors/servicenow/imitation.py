"""The imitated instance over real HTTP, and a governor that does not really sleep."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

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
class Imitation:
    """A running sandbox, how we reach it, and for how long we would have slept."""

    url: str
    tables: Any
    naps: list[float] = field(default_factory=list)
    config: ServiceNowConfig = field(init=False)

    def __post_init__(self) -> None:
        self.config = self.configured()

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

    def asked(self) -> list[dict[str, Any]]:
        """The request log."""
        entries: list[dict[str, Any]] = httpx.get(f"{self.url}/_sandbox/log").json()
        return entries


@contextmanager
def served() -> Iterator[Imitation]:
    app = create(7, CREDENTIALS)
    listener, running = listen(0), server(app)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Imitation(f"http://{LOOPBACK}:{listener.getsockname()[1]}", app.state.sandbox.records.tables)
    finally:
        running.should_exit = True
        thread.join(10)
        listener.close()
