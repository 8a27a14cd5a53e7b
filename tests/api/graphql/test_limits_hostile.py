"""Requests that are made to hurt, over real HTTP: each is refused with its code, and little work is done for it.

Work is counted, not timed: tokens read, steps of the rule that compares fields, whether rules were asked at all.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from graphql.language import parser
from graphql.validation.rules import overlapping_fields_can_be_merged as merging

from api import identity
from api.app import create_app
from api.bench.hostile_requests import TOO_COMPLEX, Hostile, campaign
from api.graphql import documents, errors
from api.graphql.limits import COMPARED_MAX, ERRORS_MAX, TOKENS_MAX
from api.house import House
from api.serving import served
from tests.api.listening import free_port
from tests.api.small_house import NOW, person

RESPONSE = "application/graphql-response+json"
REQUESTS = list(campaign())
# All others that are too complex are found by counting alone: none of the rules of GraphQL has looked at them.
COMPARED = {
    "1,490 duplicate leaves one level down",
    "370 duplicate objects",
    "120 fragments beside each other",
}


@pytest.fixture(scope="module")
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    settings = replace(house.settings, port=free_port())
    token = identity.mint(house.signer, person("ana"), NOW)
    headers = {"authorization": f"Bearer {token}", "accept": RESPONSE, "content-type": "application/json"}
    async with (
        served(create_app(replace(house, settings=settings)), settings),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", headers=headers) as opened,
    ):
        yield opened


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """What is done while a request is answered."""
    done: Counter[str] = Counter()

    def counted(where: Any, name: str) -> None:
        real = getattr(where, name)

        def counting(*given: Any, **more: Any) -> Any:
            done[name] += 1
            return real(*given, **more)

        monkeypatch.setattr(where, name, counting)

    counted(parser.Lexer, "advance")
    counted(merging, "spend_complexity_budget")
    counted(documents, "validate")
    documents.prepared.cache_clear()
    yield done
    documents.prepared.cache_clear()


async def asked(client: httpx.AsyncClient, request: Hostile) -> httpx.Response:
    return await client.post("/graphql", content=request.body)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: each.name)
async def test_each_is_refused_with_its_code(
    client: httpx.AsyncClient, work: Counter[str], request_: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await asked(client, request_)
    assert answer.status_code == request_.status, answer.text[:500]
    found = answer.json()
    told = found.get("errors", [{"extensions": found}] if "code" in found else [])
    assert [each["extensions"]["code"] for each in told[:1]] == ([request_.code] if request_.code else [])
    assert len(told) <= ERRORS_MAX
    assert all(each["extensions"]["requestId"] == answer.headers["x-request-id"] for each in told)
    assert all(len(each.get("message", "")) <= errors.MESSAGE_MAX for each in told)
    assert len(answer.content) < 4_000 or not told  # nothing that was sent comes back
    assert "Traceback" not in answer.text
    assert not [record for record in caplog.records if record.name == "evenhand.edge"]  # and none is a defect
    assert work["advance"] <= TOKENS_MAX + 1
    assert work["spend_complexity_budget"] <= COMPARED_MAX + 1
    if request_.code == TOO_COMPLEX:
        assert work["validate"] == (request_.name in COMPARED)


async def test_nobody_waits_behind_them(client: httpx.AsyncClient) -> None:
    """Between them, others are answered as if nothing were."""
    for request in REQUESTS[::6]:
        await asked(client, request)
        good = await client.post("/graphql", json={"query": "{ viewer { person { name } } }"})
        assert good.json()["data"] == {"viewer": {"person": {"name": "ana"}}}


async def test_without_a_token_nothing_is_read(client: httpx.AsyncClient, work: Counter[str]) -> None:
    for request in REQUESTS[::6]:
        answer = await client.post("/graphql", content=request.body, headers={"authorization": "Bearer x"})
        assert answer.status_code == 401
    assert not work
