"""Streams as the libraries hear them whose authors wrote the protocols: npm graphql-ws and graphql-sse."""

from pathlib import Path

import pytest

from api.bench import node
from api.house import House
from engine.refusal import Refused
from schema.embedded import Server
from tests.api.conftest import small
from tests.api.graphql.following import here, move, open_place
from tests.api.programs import run

FOLLOW = Path(__file__).parent / "follow.mjs"


async def test_both_libraries_hear_of_the_same_change(
    postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        node.node()
    except Refused as no:
        pytest.skip(no.what)
    folder = tmp_path_factory.mktemp("libraries")
    async with small(postgres, template, folder / "keys", folder.name) as house, open_place(house) as place:
        assert isinstance(house, House)
        after = await here(house)
        value = await move(house)
        found = await run(FOLLOW, folder, ADDRESS=place.url, TOKEN=place.token("mia"), AFTER=after)
    assert [each["score"] for each in found] == [{"subjectLabel": "ana", "value": value}] * 2
    assert found[0]["cursor"] == found[1]["cursor"]
