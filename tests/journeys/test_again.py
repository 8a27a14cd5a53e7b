"""The same demonstration again, and what is served from its home: nothing changes, and nobody is paid twice."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.journeys.place import Place
from tests.journeys.playing import Told

AWARDS = """{ awards(first: 200) { totalCount pageInfo { hasNextPage endCursor }
              nodes { id awardRef person { id } amounts { earned { amount } } } } }"""


def test_a_second_run_changes_nothing(told: Told) -> None:
    before = contents(told.place)
    assert told.place.demo() == told.summary
    assert contents(told.place) == before


def contents(place: Place) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.out.iterdir()}


# ---- served: roles by their tokens, files by HTTP


@pytest.fixture(scope="module")
def served(told: Told) -> Iterator[Place]:
    with told.place.start("serve") as running:
        told.place.await_ready(running)
        yield told.place


def ask(place: Place, role: str, query: str, **variables: Any) -> dict[str, Any]:
    answer = httpx.post(
        f"{place.url}/graphql",
        json={"query": query, "variables": variables},
        headers={"Authorization": f"Bearer {place.token(role)}"},
        timeout=60,
    )
    found: dict[str, Any] = answer.json()
    assert answer.status_code == 200, found
    assert "errors" not in found, found
    data: dict[str, Any] = found["data"]
    return data


def test_the_printed_token_opens_graphql_and_finance_sees_every_award(told: Told, served: Place) -> None:
    assert ask(served, "finance", AWARDS)["awards"]["totalCount"] == told.summary["awards"]


def test_a_manager_reads_his_line_and_nothing_else_by_any_way(told: Told, served: Place) -> None:
    everybody = {node["id"]: node for node in ask(served, "finance", AWARDS)["awards"]["nodes"]}
    mine = ask(served, "manager", AWARDS)["awards"]
    own = {node["id"] for node in mine["nodes"]}
    assert 0 < len(own) == mine["totalCount"] < told.summary["awards"]
    hidden = [node for id_, node in everybody.items() if id_ not in own][:20]
    assert hidden
    found = ask(
        served,
        "manager",
        """query ($ids: [ID!]!, $one: ID!) {
             nodes(ids: $ids) { id } node(id: $one) { id } explain(id: $one) { root { value } } }""",
        ids=[node["id"] for node in hidden],
        one=hidden[0]["id"],
    )
    assert found == {"nodes": [None] * len(hidden), "node": None, "explain": None}


def test_payroll_pulls_the_very_files_and_a_manager_finds_nothing(told: Told, served: Place) -> None:
    def get(role: str, name: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {served.token(role)}"}
        return httpx.get(f"{served.url}/payouts/payroll-de-01/1/{name}", headers=headers, timeout=30)

    listed = get("payroll", "").json()
    assert listed["state"] == "PAID"
    for name in ("payout.csv", "manifest.json"):
        assert get("payroll", name).content == (told.place.out / name).read_bytes()
    assert get("manager", "payout.csv").status_code in (403, 404)
    assert httpx.get(f"{served.url}/payouts/payroll-de-01/1/payout.csv", timeout=30).status_code == 401
