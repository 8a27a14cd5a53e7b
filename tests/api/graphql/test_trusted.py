"""Registered documents, and answers that are not made anew: who may register, and what makes a tag another one."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from api.actions import trusted
from api.graphql.binding import TYPES
from api.graphql.checking import checked
from api.graphql.registry import id_of
from api.graphql.tags import Tagging, areas
from api.house import House
from api.settings import Budget
from engine.refusal import Code, Refused
from schema.embedded import Server
from schema.store import DbRole, Viewer
from tests.api.conftest import Asking, asking, small
from tests.api.small_house import NOW, person

PEOPLE = "query People($n: Int! = 3) { people(first: $n) { nodes { name scores(first: 2) { nodes { value } } } } }"
ADMIN = Viewer(person("ivo"))
JUDGES = {"mirror.team_membership", "mirror.account", "access.role_grant", "access.reporting_closure"}
NEWEST = {"score.run", "score.plan_version"}


@pytest.fixture(scope="module")
async def own(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asking]:
    """A small house that may be changed."""
    keys = tmp_path_factory.mktemp("trusted") / "keys"
    async with small(postgres, template, keys, "trusted") as house, asking(house) as ready:
        yield ready


async def register(house: House, body: str, viewer: Viewer = ADMIN, *, computed: bool = False) -> str:
    found = checked(body, computed=computed)
    key = found.id.removeprefix("sha256:")
    needs = found.lane != "planned"
    await trusted.register(house.store, house.log, viewer, key, found.name, body, computed=needs, now=NOW)
    return found.id


async def get(ask: Asking, who: str, document_id: str, held: str = "", **variables: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {ask.token(who)}", **({"if-none-match": held} if held else {})}
    params = {"documentId": document_id, **({"variables": json.dumps(variables)} if variables else {})}
    return await ask.client.get("/graphql", params=params, headers=headers)


async def by_post(ask: Asking, who: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    named = {"authorization": f"Bearer {ask.token(who)}", **headers}
    return await ask.client.post("/graphql", json=body, headers=named)


async def test_a_registered_document_is_asked_for_by_its_hash(own: Asking) -> None:
    document_id = await register(own.house, PEOPLE)
    assert document_id == id_of(PEOPLE)
    assert id_of(PEOPLE + " ") != document_id
    plain = (await own.post("mia", PEOPLE)).json()
    posted = (await by_post(own, "mia", {"documentId": document_id})).json()
    got = (await get(own, "mia", document_id)).json()
    assert plain["data"] == posted["data"] == got["data"]
    assert plain["data"]["people"]["nodes"]
    one = (await get(own, "mia", document_id, n=1)).json()
    assert len(one["data"]["people"]["nodes"]) == 1


UNKNOWN = ["sha256:" + "0" * 64, "x", "sha256:", id_of(PEOPLE).upper(), "sha256:\0", "sha256:" + "\u00e9" * 64]


@pytest.mark.parametrize("document_id", UNKNOWN)
async def test_an_unknown_id_is_no_document(own: Asking, document_id: str) -> None:
    for found in (await by_post(own, "mia", {"documentId": document_id}), await get(own, "mia", document_id)):
        assert found.status_code == 400
        assert [error["extensions"]["code"] for error in found.json()["errors"]] == ["DOCUMENT_NOT_FOUND"]
        assert "data" not in found.json()


async def test_texts_can_be_closed(own: Asking) -> None:
    document_id = await register(own.house, PEOPLE)
    closed = replace(own.house, settings=replace(own.house.settings, ad_hoc=False))
    async with asking(closed) as ready:
        refused = (await ready.post("mia", PEOPLE)).json()
        assert refused["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_FOUND"
        assert (await get(ready, "mia", document_id)).json()["data"]["people"]["nodes"]


async def test_only_an_administrator_registers_and_both_acts_are_audited(own: Asking) -> None:
    body = "query Fresh { services(first: 1) { nodes { name } } }"
    for who in ("ana", "mia", "hanna"):
        with pytest.raises(Refused) as no:
            await register(own.house, body, Viewer(person(who)))
        assert no.value.code is Code.ACCESS_DENIED
    document_id = await register(own.house, body)
    async with asking(own.house) as ready:
        assert (await get(ready, "ana", document_id)).status_code == 200
        await trusted.retire(own.house.store, own.house.log, ADMIN, document_id.partition(":")[2], NOW)
    async with asking(own.house) as another:  # a process that has not heard of it
        assert (await get(another, "ana", document_id)).status_code == 400
    async with own.house.store.begin(DbRole.SEQUENCER, read_only=True) as connection:
        found = await connection.execute(
            text("select ty from audit.entry where object_id = :id order by ty"), {"id": document_id.partition(":")[2]}
        )
        assert list(found.scalars()) == ["query.registered/v1", "query.retired/v1"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("query A { nobody }", "nobody"),
        ("{ services(first: 1) { nodes { name } } }", "a name"),
        ("query A { viewer { roles } } query B { viewer { roles } }", "one operation"),
        ("query A {", "Syntax Error"),
        ("query A { __schema { types { name } } }", "introspection"),
        ("query A($id: ID!) { explain(id: $id) { root { value } } }", "computed"),
    ],
)
def test_what_would_fail_for_everybody_is_not_registered(body: str, said: str) -> None:
    with pytest.raises(Refused) as no:
        checked(body, computed=False)
    assert said in no.value.what
    assert no.value.code is Code.DOCUMENT_INVALID


def test_what_is_computed_may_be_registered_when_somebody_says_so() -> None:
    assert checked("query A($id: ID!) { explain(id: $id) { root { value } } }", computed=True).lane == "computed"


async def test_registered_documents_may_be_larger_and_dearer(own: Asking) -> None:
    deep = "{ nodes { reports(first: 1) " * 11 + "{ nodes { name } }" + " } }" * 11
    body = f"query Deep {{ people(first: 1) {deep} }}"
    assert (await own.post("mia", body)).json()["errors"][0]["extensions"]["code"] == "DOCUMENT_TOO_COMPLEX"
    assert (await get(own, "mia", await register(own.house, body))).json()["data"]["people"]["nodes"]
    dear = "query Dear { people(first: 100) { nodes { reports(first: 150) { nodes { name } } } } }"
    assert (await own.post("mia", dear)).json()["errors"][0]["extensions"]["code"] == "COST_EXCEEDED"
    assert (await get(own, "mia", await register(own.house, dear))).status_code == 200


async def test_an_answer_that_is_held_is_not_sent_again(own: Asking) -> None:
    document_id = await register(own.house, PEOPLE)
    first = await get(own, "mia", document_id)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-store"
    assert {"Authorization", "Accept"} <= set(first.headers["vary"].split(", "))
    for held in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await get(own, "mia", document_id, held)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await get(own, "mia", document_id, '"other"')).status_code == 200
    posted = await by_post(own, "mia", {"documentId": document_id}, **{"if-none-match": tag})
    assert (posted.status_code, "etag" in posted.headers) == (200, False)
    text_asked = await own.client.get(
        "/graphql", params={"query": PEOPLE}, headers={"authorization": f"Bearer {own.token('bo')}"}
    )
    assert "etag" not in text_asked.headers


async def test_a_tag_belongs_to_one_viewer_and_one_question(own: Asking) -> None:
    document_id = await register(own.house, PEOPLE)
    tags = {
        (await get(own, "mia", document_id)).headers["etag"],
        (await get(own, "ana", document_id)).headers["etag"],
        (await get(own, "mia", document_id, n=2)).headers["etag"],
        (await get(own, "mia", await register(own.house, PEOPLE + "\n"))).headers["etag"],
    }
    assert len(tags) == 4
    for tag in tags - {(await get(own, "ana", document_id)).headers["etag"]}:
        assert (await get(own, "ana", document_id, tag)).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        "update mirror.person set name = name || '.' where id = '{ana}'",
        "update access.role_grant set valid_to = now() where person_id = '{hanna}'",
        "delete from access.reporting_closure where manager_id = '{mia}'",
        "update mirror.team_membership set gone_at = now()",
    ],
)
async def test_every_change_of_what_is_shown_or_of_a_right_makes_another_tag(own: Asking, change: str) -> None:
    document_id = await register(own.house, PEOPLE)
    tag = (await get(own, "mia", document_id)).headers["etag"]
    admin = await asyncpg.connect(own.house.database_url)
    try:
        transaction = admin.transaction()
        await transaction.start()
        await admin.execute(change.format(**{who: person(who) for who in ("ana", "mia", "hanna")}))
        assert (await get(own, "mia", document_id, tag)).status_code == 304, "nothing has happened yet"
        await transaction.commit()
        assert (await get(own, "mia", document_id, tag)).status_code == 200
        newer = (await get(own, "mia", document_id)).headers["etag"]
        async with own.house.store.begin(DbRole.WORKER) as connection:
            await connection.execute(text("select app.fold_data_changes()"))
        assert (await get(own, "mia", document_id)).headers["etag"] == newer, "folding counts the same"
    finally:
        await admin.close()


async def test_a_role_that_ends_by_itself_makes_another_tag(own: Asking) -> None:
    document_id = await register(own.house, PEOPLE)
    admin = await asyncpg.connect(own.house.database_url)
    try:
        await admin.execute(
            "update access.role_grant set valid_to = now() + interval '1.5 seconds' where person_id = $1", person("ava")
        )
        tag = (await get(own, "ava", document_id)).headers["etag"]
        assert (await get(own, "ava", document_id, tag)).status_code == 304
        await admin.execute("select pg_sleep(1.6)")
        assert (await get(own, "ava", document_id, tag)).status_code != 304
    finally:
        await admin.close()


async def test_variables_that_nobody_declared_are_no_part_of_a_tag(own: Asking) -> None:
    document_id = await register(own.house, PEOPLE)
    plain = await get(own, "mia", document_id)
    found = await get(own, "mia", document_id, more=[{}])
    assert (found.status_code, found.headers["etag"]) == (200, plain.headers["etag"])


@pytest.mark.parametrize(("levels", "status"), [(31, 200), (32, 400), (900, 400)])
async def test_variables_that_are_nested_too_deeply_are_refused(own: Asking, levels: int, status: int) -> None:
    """JSON as deep as 1,024 can be read, but not be written again or walked over."""
    document_id = await register(own.house, PEOPLE)
    deep = json.loads("[" * levels + "]" * levels)
    for found in (
        await get(own, "mia", document_id, more=deep),
        await by_post(own, "mia", {"query": PEOPLE, "variables": {"more": deep}}),
    ):
        assert found.status_code == status


DEAR = "people(first: 50) { nodes { scores(first: 50) { nodes { id } } } }"


def poor(own: Asking) -> House:
    return replace(own.house, settings=replace(own.house.settings, budget=Budget(3000, 1)))


async def test_what_is_made_is_paid_also_where_it_cannot_be_planned(own: Asking) -> None:
    score = (await own.post("ana", "{ scores(first: 1) { nodes { id } } }")).json()["data"]["scores"]["nodes"][0]["id"]
    body = f"query Told($id: ID!) {{ explain(id: $id) {{ root {{ value }} }} {DEAR} }}"
    document_id = await register(own.house, body, computed=True)
    async with asking(poor(own)) as ready:
        first = await get(ready, "ana", document_id, id=score)
        cost = first.json()["extensions"]["cost"]
        assert first.json()["data"]["explain"]["root"]["value"]
        assert cost["currentlyAvailable"] <= 3000 - cost["requested"] + 5
        assert (await get(ready, "ana", document_id, id=score)).status_code == 429


async def test_whoever_cannot_pay_for_a_new_answer_is_told_as_everywhere(own: Asking) -> None:
    document_id = await register(own.house, f"query Dear {{ {DEAR} }}")
    async with asking(poor(own)) as ready:
        first = await get(ready, "ben", document_id)
        cost = first.json()["extensions"]["cost"]
        assert cost["currentlyAvailable"] <= 3000 - cost["requested"] + 5
        again = await get(ready, "ben", document_id, first.headers["etag"])
        assert again.status_code == 304
        refused = await get(ready, "ben", document_id)
        assert refused.status_code == 429
        (error,) = refused.json()["errors"]
        assert error["extensions"]["code"] == "THROTTLED"
        assert int(refused.headers["retry-after"]) == error["extensions"]["retryAfterSeconds"] > 1


async def test_whoever_has_left_is_told_nothing_whatever_he_holds(own: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even that something is still as it was: who knows how a tag is made could make one."""
    document_id = await register(own.house, PEOPLE)
    monkeypatch.setattr(Tagging, "held", lambda *_: True)
    assert (await get(own, "mia", document_id)).status_code == 304
    admin = await asyncpg.connect(own.house.database_url)
    try:
        await admin.execute("update mirror.person set active = false where id = $1", person("dan"))
        assert (await get(own, "dan", document_id)).status_code == 401
        await admin.execute("update mirror.person set active = true where id = $1", person("dan"))
    finally:
        await admin.close()


async def test_policies_that_are_laid_anew_make_another_tag(own: Asking) -> None:
    document_id = await register(own.house, PEOPLE)
    tag = (await get(own, "mia", document_id)).headers["etag"]
    admin = await asyncpg.connect(own.house.database_url)
    try:
        laid = await admin.fetchval("update ops.security_digest set digest = digest || 'x' returning digest")
        assert (await get(own, "mia", document_id, tag)).status_code == 200
        await admin.execute("update ops.security_digest set digest = $1", laid.removesuffix("x"))
        assert (await get(own, "mia", document_id, tag)).status_code == 304
    finally:
        await admin.close()


def test_every_shown_table_is_counted() -> None:
    for bound in TYPES.values():
        assert bound.table.fullname in areas(f"select from {bound.table.fullname}")


async def test_every_table_that_is_shown_or_judges_is_noted(own: Asking) -> None:
    admin = await asyncpg.connect(own.house.database_url)
    try:
        found = await admin.fetch(
            "select tgrelid::regclass::text as name from pg_trigger where tgname = 'noted' and not tgisinternal"
        )
    finally:
        await admin.close()
    assert {row["name"] for row in found} == {bound.table.fullname for bound in TYPES.values()} | JUDGES | NEWEST | {
        "feed.export"
    }
