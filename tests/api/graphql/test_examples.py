"""The examples of GraphiQL are what people begin with: they are fast ones, and both ways of execution agree on them."""

import json
from typing import Any

import pytest

from api.graphql import execution
from api.graphql.context import Context
from api.graphql.graphiql import examples
from api.graphql.reading import Reading
from api.house import House
from schema.store import Viewer
from tests.api.graphql.web.test_graphiql import PLAYERS
from tests.api.small_house import person

# Examples with something that only the standard execution can answer, and why it does.
COMPUTED = {"auditor-log": "computed"}  # proofs


async def answered(house: House, example: dict[str, Any], *, planned: bool) -> execution.Answer:
    async with Reading(house.store, Viewer(person(PLAYERS[example["role"]]))) as reading:
        request = execution.Request(example["text"], {})
        return await execution.answer(request, Context(house, reading), planned=planned)


@pytest.mark.parametrize("example", examples(), ids=lambda each: str(each["name"]))
async def test_examples_are_planned_and_answered_alike(house: House, example: dict[str, Any]) -> None:
    fast, slow = [await answered(house, example, planned=planned) for planned in (True, False)]
    assert fast.lane == COMPUTED.get(example["name"], "planned")
    assert (fast.errors, slow.errors) == ([], [])
    assert json.dumps(json.loads(fast.data or b"")) == json.dumps(json.loads(slow.data or b"")), "with the same order"
