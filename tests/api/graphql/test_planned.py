"""Questions that once got another answer than they should have, found by generated documents (generated/)."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from api.graphql import execution
from api.graphql.context import Context
from api.graphql.reading import Reading
from api.house import House
from api.ids import global_id
from schema.store import Viewer
from tests.api.conftest import Asking
from tests.api.small_house import person


def forged(*values: str) -> str:
    return urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()


BEYOND = forged("STARTED_AT", "DESC", "9999-12-31T23:59:59.999999-12:00", "9")
NO_ZONE = forged("STARTED_AT", "DESC", "2026-01-01T00:00:00", "9")
TOO_MANY = forged("SUBJECT", "ASC", "PERSON", "ana", "3000000000", str(person("ana")))
ANA = global_id("Person", person("ana"))


async def test_a_refusal_beside_a_read_is_an_answer(ask: Asking) -> None:
    """The refusal ends a list while its neighbours are being read: their read is cancelled in the middle."""
    query = """{ people(first: 3) { nodes { scores(first: 0) { nodes { id } } } }
                 services(first: 50) { nodes { id } } teams(first: 50) { nodes { id name } } }"""
    answer = await ask.post("ava", query)
    assert answer.status_code == 200
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "PAGE_SIZE_REQUIRED"
    assert await ask("ava", query.replace("first: 0", "first: 1"))


async def answered(house: House, query: str, variables: dict[str, Any], *, planned: bool) -> execution.Answer:
    async with Reading(house.store, Viewer(person("ava"))) as reading:
        request = execution.Request(query, variables)
        return await execution.answer(request, Context(house, reading), planned=planned)


@pytest.mark.parametrize(
    ("query", "variables", "codes"),
    [
        # everything inside a page, an edge or a page's place is left out
        ("{ scores(first: 1) { totalCount @include(if: false) } }", {}, []),
        ("{ scores(first: 1) { edges { cursor @skip(if: true) } } }", {}, []),
        ("{ scores(first: 1) { nodes { id } pageInfo { endCursor @skip(if: true) } } }", {}, []),
        # nothing of a page is counted or joined, whatever stands in it
        ("{ people(first: 4) { pageInfo { __typename } } }", {}, []),
        ("{ people(first: 4) { pageInfo { hasPreviousPage } } }", {}, []),
        ("{ people(last: 4) { pageInfo { hasNextPage } } }", {}, []),
        ('{ dataIssues(first: 1, filter: {entity: ["none"]}) { pageInfo { __typename } } }', {}, []),
        # what graphql-core itself finds wrong while an argument is read
        (f'query ($id: ID = "{ANA}") {{ nodes(ids: [$id]) {{ id }} }}', {"id": None}, ["DOCUMENT_INVALID"]),
        ('query ($id: ID = "x") { node(id: $id) { id } }', {"id": None}, ["DOCUMENT_INVALID"]),
        ("{ scores(first: 1, filter: {id: {}}) { totalCount } }", {}, ["DOCUMENT_INVALID"]),
        (f'{{ people(first: 1, filter: {{id: {{eq: "{ANA}", in: []}}}}) {{ totalCount }} }}', {}, ["DOCUMENT_INVALID"]),
        # a moment, a number that no row can have
        (f'{{ sweeps(first: 1, after: "{BEYOND}") {{ totalCount }} }}', {}, ["INVALID_CURSOR"]),
        (f'{{ sweeps(first: 1, after: "{NO_ZONE}") {{ totalCount }} }}', {}, ["INVALID_CURSOR"]),
        (f'{{ kpiValues(first: 1, after: "{TOO_MANY}") {{ totalCount }} }}', {}, ["INVALID_CURSOR"]),
        ("{ incidents(first: 1, filter: {priority: [2147483647]}) { totalCount } }", {}, []),
    ],
)
async def test_both_lanes_answer_the_same(
    house: House, query: str, variables: dict[str, Any], codes: list[str]
) -> None:
    planned = await answered(house, query, variables, planned=True)
    standard = await answered(house, query, variables, planned=False)
    assert [each["extensions"]["code"] for each in planned.errors] == codes
    assert planned.errors == standard.errors
    assert (planned.data and json.loads(planned.data)) == (standard.data and json.loads(standard.data))
    assert planned.lane == "planned" or codes
