"""Faults that are ordered from the sandbox strike Jira too, in Jira's own words."""

from typing import Any

import requests

from connectors.sandbox.app import create
from tests.connectors.sandbox.conftest import CREDENTIALS, serve


def test_a_fault_of_the_sandbox_is_a_trouble_of_the_requests_that_it_strikes() -> None:
    with serve(create(3, CREDENTIALS, size="small")) as served:
        served.session.auth = (CREDENTIALS.jira_email, CREDENTIALS.jira_token)

        def plan(*faults: dict[str, Any]) -> None:
            requests.post(f"{served.url}/_sandbox/faults", json=list(faults), timeout=5).raise_for_status()

        def get(path: str) -> requests.Response:
            return served.session.get(f"{served.url}/jira/rest/{path}", timeout=5)

        api, desk = {"path": "/jira/rest/api"}, {"path": "/jira/rest/service"}
        plan({"name": "rate_limit", "match": api, "params": {"reason": "quota"}},
             {"name": "permission_loss", "match": api, "times": 2, "params": {"project": "OPS"}},
             {"name": "sla_rebuild", "match": desk, "params": {"goals": {"12": {"1": 60}}}})  # fmt: skip
        statuses = [get("api/3/issue/20001").status_code for _ in range(3)]
        assert statuses == [429, 404, 200]
        cycle = get("servicedeskapi/request/20001/sla").json()["values"][0]["completedCycles"][0]
        assert (cycle["goalDuration"]["millis"], cycle["breached"]) == (3_600_000, True)
        plan({"name": "rate_limit", "times": None, "match": {"path": "/jira/"}, "params": {"budget": 3}})
        answers = [get("api/3/myself") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].headers["RateLimit-Reason"] == "jira-quota-tenant-based"
        assert int(answers[-1].headers["Retry-After"]) == 3600
        requests.post(f"{served.url}/_sandbox/clock", json={"advance_seconds": 3600}, timeout=5).raise_for_status()
        assert get("api/3/myself").status_code == 200
