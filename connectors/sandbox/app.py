"""The sandbox as one app: ServiceNow at `/`, Jira at `/jira`, the controls under `/_sandbox/`.

Decides what is loaded: a made-up company from a seed (ServiceNow and Jira), or a real incident log (ServiceNow alone,
so that nothing made up mixes with it). Refuses to listen anywhere but on loopback, and in production mode.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp

from connectors.sandbox import control, servicenow
from connectors.sandbox import log as incident_log
from connectors.sandbox.company import Company, generate
from connectors.sandbox.company_hours import LIVE_START, stamp
from connectors.sandbox.company_small import small_company
from connectors.sandbox.deliveries import Outbox, Seal, secret_bytes, servicenow_outbox, settled
from connectors.sandbox.faults import Faulty
from connectors.sandbox.jira import routes as jira_routes
from connectors.sandbox.jira_hooks import jira_deliveries
from connectors.sandbox.jira_part import join
from connectors.sandbox.jira_project import open_site
from connectors.sandbox.jira_small import small_site
from connectors.sandbox.jira_state import CLOUD, PROFILES
from connectors.sandbox.pending import listen_to, servicenow_mode
from connectors.sandbox.servicenow_records import Records
from connectors.sandbox.world import Sandbox
from engine.refusal import Code, Refused

LOOPBACK = "127.0.0.1"
WARNING = "WARNING: this is the Evenhand SANDBOX. It imitates ServiceNow and Jira and holds no customer's records."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens the imitated tools, and what signs that which they send."""

    servicenow: servicenow.Login
    servicenow_hook: str = field(repr=False)  # whsec_<base64>
    jira_email: str
    jira_token: str = field(repr=False)
    jira_hook: str = field(repr=False)


def create(
    seed: int, credentials: Credentials, log: Path | None = None, size: str = "company", profile: str = CLOUD
) -> Starlette:
    """The ASGI app; `app.state.sandbox` is what runs inside, for tests in the same process.

    `profile` is the edition of Jira: "cloud" or "dc".
    """
    app = Starlette()

    def found(order: Mapping[str, Any]) -> None:
        """Put another world in the place of the one that stands, between two requests."""
        world = _from_seed(int(order["seed"]), credentials, str(order.get("size", size)))
        _open(app, world, credentials, str(order.get("profile", profile)), found)

    world = _from_log(log, credentials) if log else _from_seed(seed, credentials, size)
    _open(app, world, credentials, profile, found)
    return app


def _open(
    app: Starlette,
    sandbox: Sandbox,
    credentials: Credentials,
    profile: str,
    found: Callable[[Mapping[str, Any]], None],
) -> None:
    tools: list[BaseRoute] = servicenow.routes(sandbox.instance)
    if sandbox.company is not None:
        tools += _jira(sandbox, sandbox.company, credentials, profile)
    faulty = Faulty(Starlette(routes=tools), sandbox)
    app.router.routes[:] = [*control.routes(sandbox, faulty, found), Mount("/", faulty)]
    app.state.sandbox, app.state.faulty = sandbox, faulty


def _from_seed(seed: int, credentials: Credentials, size: str) -> Sandbox:
    if size not in SIZES:
        raise Refused(Code.BAD_INPUT, f"There is no size {size!r}.", f"Use {' or '.join(SIZES)}.", ("size",))
    company, records = SIZES[size](seed, credentials.servicenow.user)
    key = secret_bytes(credentials.servicenow_hook)
    return _sandbox(records, credentials, servicenow_outbox(records, company.live, key), company)


def _whole_year(seed: int, writer: str) -> tuple[Company, Records]:
    company = generate(seed)
    return company, Records(company.tables, stamp(LIVE_START), writer)


SIZES: dict[str, Callable[[int, str], tuple[Company, Records]]] = {"company": _whole_year, "small": small_company}


def _from_log(path: Path, credentials: Credentials) -> Sandbox:
    tables = incident_log.load(path)
    newest = max(row["sys_updated_on"] for row in tables["incident"].values())
    records = Records(tables, newest, credentials.servicenow.user)
    key = secret_bytes(credentials.servicenow_hook)
    outbox = servicenow_outbox(
        records, [], key, lambda: chain(incident_log.directory(tables), incident_log.versions(path))
    )
    return _sandbox(records, credentials, outbox, None)


def _sandbox(records: Records, credentials: Credentials, outbox: Outbox, company: Company | None) -> Sandbox:
    instance = servicenow.Instance(records, credentials.servicenow)
    sandbox = Sandbox(records, instance, {"servicenow": outbox}, company)
    sandbox.hooks.modes["servicenow"] = servicenow_mode(secret_bytes(credentials.servicenow_hook))
    listen_to(records, sandbox.hooks)
    return sandbox


def _jira(sandbox: Sandbox, company: Company, credentials: Credentials, profile: str) -> list[BaseRoute]:
    if profile not in PROFILES:
        raise Refused(
            Code.BAD_INPUT, f"There is no profile {profile!r}.", f"Use {' or '.join(PROFILES)}.", ("profile",)
        )
    site = (small_site if company.small else open_site)(company, profile)
    site.email, site.token = credentials.jira_email, credentials.jira_token
    site.app_token = f"{credentials.jira_token}-app"
    site.webhook_secret = credentials.jira_hook.encode()
    join(sandbox, site)

    def live() -> Iterator[Seal]:
        return (settled(parcel) for parcel in jira_deliveries(site))

    sandbox.outboxes["jira"] = Outbox(live)
    return [Mount("/jira", routes=jira_routes(site))]


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one."""
    try:
        return socket.create_server((LOOPBACK, port), backlog=2048)
    except OSError as error:
        what = f"The sandbox cannot listen on {LOOPBACK}:{port}: {error.strerror}."
        raise Refused(Code.BAD_INPUT, what, "Choose another port or end what uses it.") from error


def server(app: ASGIApp) -> uvicorn.Server:
    """The only way to serve it: the sandbox writes its own Date header, that of its virtual clock."""
    if os.environ.get("EVENHAND_ENVIRONMENT", "").lower() == "production":
        raise Refused(Code.BAD_INPUT, "The sandbox does not run in production mode.", "Point Evenhand at real tools.")
    config = uvicorn.Config(
        app,
        date_header=False,
        server_header=False,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,  # an order to send a whole log goes on for minutes
    )
    return uvicorn.Server(config)
