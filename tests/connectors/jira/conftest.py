"""The imitated Jira site over real HTTP: a fresh state for every test, the company made once."""

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.governor import Governor
from connectors.jira.contract import Contract, plain_contract, read_contract
from connectors.jira.site import JiraConfig
from connectors.sandbox.company import Company, generate
from connectors.sandbox.company_small import small_company
from connectors.sandbox.jira import routes
from connectors.sandbox.jira_project import open_site
from connectors.sandbox.jira_small import small_site
from connectors.sandbox.jira_state import CLOUD, DATA_CENTER, JiraState


@dataclasses.dataclass
class Patience:
    """Time for a governor: it passes by sleeping alone."""

    now: float = 0.0
    naps: list[float] = dataclasses.field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture(scope="session")
def jira_company() -> Company:
    return generate(7)


@pytest.fixture(scope="session")
def jira_year(jira_company: Company) -> JiraState:
    """The site as it opens; tests get copies."""
    return open_site(jira_company)


@pytest.fixture
def jira_state(jira_year: JiraState) -> JiraState:
    issues = {
        issue.issue_id: dataclasses.replace(
            issue,
            values=dict(issue.values),
            history=list(issue.history),
            approvals=list(issue.approvals),
            properties={},
            comments=[],
        )
        for issue in jira_year.issues.values()
    }
    mine: dict[str, Any] = {"sent": {}, "faults": [], "log": []}
    ids, applied = dict(jira_year.ids_by_key), set(jira_year.applied)
    return dataclasses.replace(jira_year, issues=issues, ids_by_key=ids, applied=applied, **mine)


@pytest.fixture(scope="session")
def jira_server() -> Iterator[tuple[str, dict[str, ASGIApp]]]:
    """One listening server for all tests; the site of the running test is put behind it."""
    site: dict[str, ASGIApp] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await site["now"](scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/jira", site
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def jira_url(jira_server: tuple[str, dict[str, ASGIApp]], jira_state: JiraState) -> str:
    """The site under a prefix, as `https://example.test/jira` would be."""
    url, site = jira_server
    site["now"] = Starlette(routes=[Mount("/jira", routes=routes(jira_state))])
    return url


@pytest.fixture
def jira_contract(jira_state: JiraState) -> Contract:
    people = {account: person.sys_id for account, person in jira_state.people.items()}
    plain = read_contract(plain_contract())
    return dataclasses.replace(plain, services=jira_state.services, teams=jira_state.teams, people=people)


@pytest.fixture
def jira_config(jira_url: str, jira_state: JiraState, jira_contract: Contract) -> JiraConfig:
    """A governor of this test's own, with a clock that runs only while it sleeps; what fails is asked for once."""
    patience = Patience()
    governor = Governor(attempts=1, clock=lambda: patience.now, sleep=patience.sleep, dice=lambda: 0.0)
    return JiraConfig(jira_url, jira_state.email, jira_state.token, ("OPS",), jira_contract, governor)


@pytest.fixture(scope="session")
def small_world() -> Company:
    """A dozen people and two services, for sites of 25 issues that tests may do anything to."""
    company, _ = small_company(7, "evenhand.integration")
    return company


@pytest.fixture(params=[CLOUD, DATA_CENTER])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def small(small_world: Company, profile: str) -> JiraState:
    """A site of its own for every test, of either edition."""
    return small_site(small_world, profile)


@pytest.fixture
def serve_site(jira_server: tuple[str, dict[str, ASGIApp]]) -> Callable[[JiraState], JiraConfig]:
    """Puts a site behind the server. Cloud is entered with an address and a token, Data Center with a token alone."""
    url, site = jira_server

    def serve(state: JiraState) -> JiraConfig:
        site["now"] = Starlette(routes=[Mount("/jira", routes=routes(state))])
        people = {account: person.sys_id for account, person in state.people.items()}
        plain = read_contract(plain_contract())
        contract = dataclasses.replace(plain, services=state.services, teams=state.teams, people=people)
        patience = Patience()
        governor = Governor(attempts=1, clock=lambda: patience.now, sleep=patience.sleep, dice=lambda: 0.0)
        email = "" if state.data_center else state.email
        return JiraConfig(url, email, state.token, ("OPS",), contract, governor)

    return serve


@pytest.fixture
def small_config(serve_site: Callable[[JiraState], JiraConfig], small: JiraState) -> JiraConfig:
    return serve_site(small)
