"""A crowd of managers asks at once: nobody gets an error, and nobody a row that is not his."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api import identity
from api.actions.audit import Log
from api.app import create_app
from api.bench import hostile
from api.bench.dashboards import ask, expected, foreign
from api.bench.hostile_requests import campaign
from api.bench.reads_data import Size, fill, key
from api.house import House
from api.sealing import open_system_key
from api.serving import served
from api.settings import Settings
from api.signing.development import DevelopmentSigner
from schema.store import Store
from tests.api.listening import free_port

SIZE = Size(managers=20, people=4)


@pytest.fixture
async def firm(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    await fill(database_url, SIZE)
    keys = tmp_path / "keys"
    signer, store = DevelopmentSigner(keys, environment="test"), Store(database_url)
    log = Log("dev.invalid/firm/audit", open_system_key(keys), signer)
    settings = Settings(home=tmp_path, port=free_port(), hosts=("localhost",))
    yield House(store=store, database_url=database_url, log=log, signer=signer, settings=settings)
    await store.close()


@pytest.mark.parametrize("planner", [True, False], ids=["planned", "standard"])
async def test_twenty_managers_at_once_get_their_own_and_no_error(firm: House, planner: bool) -> None:
    house = replace(firm, settings=replace(firm.settings, planner=planner))
    now = datetime.now(UTC)
    tokens = {each: identity.mint(house.signer, key("person", each), now) for each in range(1, SIZE.managers + 1)}
    async with served(create_app(house), house.settings):
        await ask("127.0.0.1", house.settings.port, SIZE, {1: tokens[1]}, rounds=1)  # opens pools, makes plans
        found = await ask("127.0.0.1", house.settings.port, SIZE, tokens, rounds=3)
        # the judge sees it: with his neighbour's token a manager gets what is not his
        swapped = await ask("127.0.0.1", house.settings.port, SIZE, {1: tokens[2]}, rounds=1)
    told = found.told()
    assert (told["answers"], told["errors"], told["foreign_rows"], told["other_answers"]) == (60, 0, 0, 0), found.errors
    assert swapped.told()["foreign_rows"] > SIZE.people


def test_the_judge_knows_a_foreign_row_from_a_missing_one() -> None:
    answer = expected(3, SIZE)
    assert foreign(answer, 3, SIZE) == 0
    assert foreign(answer, 4, SIZE) > SIZE.people
    answer["people"]["nodes"].pop()
    assert foreign(answer, 3, SIZE) == 0


async def test_the_bench_of_hostile_requests_knows_a_wrong_answer(firm: House, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [each for each in campaign() if each.name in ("5 MB", "200 levels deep", "20 __typename")]
    wrong = replace(few[0], name="not so", status=200)
    monkeypatch.setattr(hostile, "campaign", lambda: [*few, wrong])
    monkeypatch.setattr(hostile, "REST_SECONDS", 0.05)
    token = identity.mint(firm.signer, key("person", 1), datetime.now(UTC))
    async with served(create_app(firm), firm.settings):
        found = await hostile._measured(firm.settings.port, token, rounds=1)
    assert (len(few), found.answers, found.wrong) == (3, 4, 1)
    assert set(found.requests) == {each.name for each in few} | {"not so"}
    assert found.beats
    assert found.beats_at_rest
