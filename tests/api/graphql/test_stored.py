"""Parts of answers that are kept: the same answer for everybody, never another's, and never an old one."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest
from sqlalchemy import text

from api.graphql import storing
from api.graphql.checking import planned_of
from schema.embedded import Server
from schema.store import DbRole, Viewer
from tests.api.conftest import Asking, asking, small
from tests.api.graphql.test_trusted import get, register
from tests.api.small_house import LINE, key, person

LATER = date(2027, 6, 1)
VALUES = "nodes { subjectLabel value kpiValues(limit: 5) { ...K weight n status } }"
SCORES = f"query Scores {{ scores(first: 100) {{ {VALUES} }} }} fragment K on KpiValue {{ id metric value target }}"
PLAIN = "query Loose($n: Int!) { scores(first: 9) { nodes { kpiValues(limit: $n) { metric } } } }"
DEEPER = "query Deeper { scores(first: 9) { nodes { kpiValues(limit: 2) { metric subject { id } } } } }"


@pytest.fixture(scope="module")
async def own(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asking]:
    keys = tmp_path_factory.mktemp("stored") / "keys"
    async with small(postgres, template, keys, "stored") as house, asking(house) as ready:
        yield ready


async def sql(ask: Asking, statement: str, *values: object) -> list[asyncpg.Record]:
    admin = await asyncpg.connect(ask.house.database_url)
    try:
        return list(await admin.fetch(statement, *values))
    finally:
        await admin.close()


async def test_what_is_kept_is_what_would_be_made(own: Asking) -> None:
    document_id = await register(own.house, SCORES)
    before = {who: (await get(own, who, document_id)).json()["data"] for who in LINE}
    assert await storing.keep(own.house, date(2026, 6, 1)) == 0, "the cycle is not over"
    kept = await storing.keep(own.house, LATER)
    scores = await sql(own, "select count(*) from score.score where run_id = $1", key("run", "new"))
    assert kept == scores[0][0] > 0
    assert await storing.keep(own.house, LATER) == 0
    after = {who: (await get(own, who, document_id)).json()["data"] for who in LINE}
    assert after == before
    assert any(node["kpiValues"] for node in after["hanna"]["scores"]["nodes"])
    assert {who: (await own.post(who, SCORES)).json()["data"] for who in LINE} == before


async def test_what_is_kept_is_shown_to_whom_the_score_is_shown_and_to_registered_documents_only(own: Asking) -> None:
    document_id = await register(own.house, SCORES)
    await storing.keep(own.house, LATER)
    await sql(own, 'update score.stored_json set body = \'[{"metric": "as kept"}]\'')
    for who in LINE:
        made = (await own.post(who, SCORES)).json()["data"]["scores"]["nodes"]
        kept = (await get(own, who, document_id)).json()["data"]["scores"]["nodes"]
        assert "as kept" not in str(made)
        assert [node["subjectLabel"] for node in kept] == [node["subjectLabel"] for node in made]
        assert {str(node["kpiValues"]) for node in kept} == {"[{'metric': 'as kept'}]"}
        rows = await _seen_by(own, who)
        assert rows == len(made), "the policy of what is kept is that of scores"
    await sql(own, "delete from score.stored_json")
    assert "as kept" not in (await get(own, "hanna", document_id)).text


async def _seen_by(ask: Asking, who: str) -> int:
    async with ask.house.store.begin(DbRole.APP, Viewer(person(who)), read_only=True) as connection:
        return int((await connection.execute(text("select count(*) from score.stored_json"))).scalar() or 0)


@pytest.mark.parametrize("body", [PLAIN, DEEPER])
def test_what_depends_on_a_variable_or_on_other_policies_is_not_kept(body: str) -> None:
    assert planned_of(body) == ()


def test_another_text_of_the_same_part_is_the_same_part_and_another_part_is_not() -> None:
    (one,) = planned_of("query A { scores(first: 1) { nodes { kpiValues(limit: 5) { metric value } } } }")
    (same,) = planned_of("query B { scores(last: 3) { nodes { id k: kpiValues(limit: 5) { ... { metric } value } } } }")
    (other,) = planned_of("query A { scores(first: 1) { nodes { kpiValues(limit: 4) { metric value } } } }")
    (renamed,) = planned_of("query A { scores(first: 1) { nodes { kpiValues(limit: 5) { m: metric value } } } }")
    assert one.hash == same.hash
    assert len({one.hash, other.hash, renamed.hash}) == 3
