"""A small imitated instance that listens, and the contract of its small tables: a whole reading takes a moment."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from api.contracts import DIALECTS
from api.house import House
from api.settings import ServiceNowSettings, Settings
from connectors.sandbox.app import LOOPBACK, create, listen, server
from engine.words import Role, Source
from tests.api.actions.firm import NOW, Firm, grant, person
from tests.connectors.servicenow.imitation import CREDENTIALS

TABLES = ("sys_user", "core_company", "cmdb_ci_service", "problem", "change_request")


@contextmanager
def small_instance() -> Iterator[str]:
    """Its address."""
    app = create(11, CREDENTIALS, size="small")
    listener, running = listen(0), server(app)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not running.started:
            time.sleep(0.01)
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(10)
        listener.close()


def requests(url: str) -> int:
    """How many requests the instance has had."""
    return len(httpx.get(f"{url}/_sandbox/log").raise_for_status().json())


def document(**more: Any) -> str:
    """The contract that we ship, of the small tables only, without rules, with an owner."""
    shipped = yaml.safe_load(DIALECTS[Source.SERVICENOW].shipped())
    entities = {name: shipped["entities"][name] for name in TABLES}
    return yaml.safe_dump({"entities": entities, "owner": "service desk", **more}, sort_keys=False)


async def furnished(firm: Firm, url: str, home: Path, body: str) -> House:
    """An installation that is connected to the instance under this contract file; two administrators."""
    file = home / "contract.yaml"
    file.write_text(body)
    login = CREDENTIALS.servicenow
    tool = ServiceNowSettings(url, login.user, login.password, contract=file)
    for name in ("itsm-admin", "second-admin"):
        await grant(firm.store, person(name), Role.ITSM_ADMIN)
    settings = Settings(home=home, servicenow=tool)
    return House(firm.store, firm.url, firm.log, firm.signer, settings, lambda: NOW)
