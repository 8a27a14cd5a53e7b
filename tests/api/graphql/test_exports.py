"""Large reads: whole, in the name of whoever asked, and handed out to nobody else."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from api import exports, identity
from api.actions import exports as acts
from api.actions import trusted
from api.house import House
from api.ids import parsed
from schema.embedded import Server
from schema.store import DbRole, Viewer
from tests.api.conftest import Asking, asking, small
from tests.api.graphql.following import Time, open_place, socket
from tests.api.small_house import Model, person

START = """mutation ($input: StartBulkExportInput!) { startBulkExport(input: $input) {
  export { id state rows purpose url } userErrors { code message field } } }"""
CANCEL = """mutation ($input: CancelBulkExportInput!) { cancelBulkExport(input: $input) {
  export { state } userErrors { code } } }"""
STATE = """query ($id: ID!) { node(id: $id) { ... on BulkExport {
  state rows bytes sha256 url expiresAt fileEndsAt failure person { name } } } }"""
VALUES = """query ($size: Int!) { kpiValues(first: $size) { nodes { id subjectLabel ...Behind } } }
fragment Behind on KpiValue { evidence(first: 2) { nodes { number } } cycle { label } }"""
PURPOSE = "to plan the capacity of March"


@pytest.fixture(scope="module")
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("exports")
    async with small(postgres, template, folder / "keys", folder.name) as opened:
        yield replace(opened, clock=Time())


@pytest.fixture(scope="module")
async def ask(house: House) -> AsyncIterator[Asking]:
    async with asking(house) as ready:
        ready.token = lambda who: identity.mint(house.signer, person(who), house.clock())  # type: ignore[method-assign]
        yield ready


@pytest.fixture(autouse=True)
async def nothing_waits(house: House) -> AsyncIterator[None]:
    yield
    await exports.work(house)


async def start(ask: Asking, who: str, query: str, **more: Any) -> Any:
    given = {"idempotencyKey": str(uuid4()), "query": query, "purpose": PURPOSE, **more}
    return (await ask(who, START, input=given))["startBulkExport"]


async def begun(ask: Asking, who: str, query: str, **variables: Any) -> str:
    found = await start(ask, who, query, variables=variables)
    assert found["userErrors"] == [], found
    assert found["export"]["state"] == "QUEUED"
    return str(found["export"]["id"])


async def state(ask: Asking, who: str, export_id: str) -> Any:
    return (await ask(who, STATE, id=export_id))["node"]


async def fetched(ask: Asking, url: str) -> httpx.Response:
    return await ask.client.get(url.removeprefix("http://small.test"))


async def whole(ask: Asking, who: str, query: str, **variables: Any) -> list[dict[str, Any]]:
    export_id = await begun(ask, who, query, **variables)
    assert await exports.work(ask.house) == 1
    found = await state(ask, who, export_id)
    assert found["state"] == "READY", found
    answer = await fetched(ask, found["url"])
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    assert sha256(answer.content).hexdigest() == found["sha256"]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert (int(found["rows"]), int(found["bytes"])) == (len(lines), len(answer.content))
    return lines


@pytest.mark.parametrize("size", [1, 3, 200])
async def test_every_row_is_there_once_whatever_the_size_of_the_page(ask: Asking, size: int) -> None:
    lines = await whole(ask, "ava", VALUES, size=size)
    listed = await ask("ava", "{ kpiValues(first: 50) { nodes { id evidence(first: 50) { nodes { number } } } } }")
    wanted = {each["id"]: {row["number"] for row in each["evidence"]["nodes"]} for each in listed["kpiValues"]["nodes"]}
    values = [line for line in lines if "__parentId" not in line]
    assert [line["id"] for line in values] == [each["id"] for each in listed["kpiValues"]["nodes"]]  # also in its order
    assert all(set(line) == {"id", "subjectLabel", "cycle"} for line in values)
    below: dict[str, list[str]] = {}
    for line in lines:
        if "__parentId" in line:
            below.setdefault(line["__parentId"], []).append(line["number"])
    assert {key: set(numbers) for key, numbers in below.items()} == wanted
    assert sum(map(len, below.values())) == sum(map(len, wanted.values()))


@pytest.mark.parametrize("who", ["ana", "mia", "hanna", "paul"])
async def test_whoever_asks_gets_what_a_query_shows_him(ask: Asking, who: str) -> None:
    lines = await whole(ask, who, "{ scores(first: 2) { nodes { subjectLabel value } } }")
    assert {line["subjectLabel"] for line in lines} == {label for _, label in Model(who).subjects()}


async def test_a_list_of_his_own_can_be_read(ask: Asking) -> None:
    assert await whole(ask, "ana", "{ viewer { awards(first: 1) { edges { node { awardRef } } } } }") == [
        {"awardRef": "AW-2026-000001"}
    ]


async def test_where_texts_are_closed_registered_documents_are_exported(house: House) -> None:
    closed = replace(house, settings=replace(house.settings, ad_hoc=False))
    body = "query Mine { scores(first: 3) { nodes { subjectLabel } } }"
    for text_ in (body, START, STATE):
        key = sha256(text_.encode()).hexdigest()
        now, ivo = house.clock(), Viewer(person("ivo"))
        await trusted.register(house.store, house.log, ivo, key, key[:8], text_, computed=True, now=now)
    async with asking(closed) as ask:
        headers = {"authorization": f"Bearer {identity.mint(house.signer, person('ana'), house.clock())}"}

        async def asked(text_: str, **variables: Any) -> Any:
            body = {"documentId": f"sha256:{sha256(text_.encode()).hexdigest()}", "variables": variables}
            return (await ask.client.post("/graphql", headers=headers, json=body)).json()["data"]

        given = {"idempotencyKey": str(uuid4()), "purpose": PURPOSE, "query": body}
        refused = (await asked(START, input=given))["startBulkExport"]
        assert refused["userErrors"][0]["code"] == "DOCUMENT_NOT_FOUND"
        del given["query"]
        given["documentId"] = f"sha256:{sha256(body.encode()).hexdigest()}"
        export_id = (await asked(START, input=given))["startBulkExport"]["export"]["id"]
        assert await exports.work(closed) == 1
        found = (await asked(STATE, id=export_id))["node"]
        assert (found["state"], int(found["rows"])) == ("READY", len(Model("ana").subjects()))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ __typename }", "BAD_INPUT"),
        ("{ scores(first: 2) { nodes { id } } awards(first: 2) { nodes { id } } }", "BAD_INPUT"),
        ("{ viewer { roles } }", "BAD_INPUT"),
        ("{ __schema { types { name } } }", "BAD_INPUT"),
        ("{ people(first: 2) { nodes { id manager { nodes: name pageInfo: email } } } }", "BAD_INPUT"),
        ("{ scores(last: 2) { nodes { id } } }", "BAD_INPUT"),
        ('{ scores(first: 2, after: "x") { nodes { id } } }', "BAD_INPUT"),
        ("{ scores(first: 2) { totalCount } }", "BAD_INPUT"),
        ("{ ...A } fragment A on Query { scores(first: 2) { nodes { id } } }", "BAD_INPUT"),
        ("{ nothing(first: 1) { nodes { id } } }", "DOCUMENT_INVALID"),
        ("{", "DOCUMENT_INVALID"),
        (
            "mutation { cancelBulkExport(input: {idempotencyKey: 1, exportId: 1}) { export { id } } }",
            "METHOD_NOT_ALLOWED",
        ),
        ("{ kpiValues(first: 200) { nodes { evidence(first: 200) { nodes { number } } } } }", "COST_EXCEEDED"),
    ],
)
async def test_what_cannot_be_read_to_its_end_is_refused_at_once(ask: Asking, query: str, code: str) -> None:
    found = await start(ask, "ana", query)
    assert (found["export"], found["userErrors"][0]["code"]) == (None, code), found


async def test_variables_that_cannot_be_kept_are_refused(ask: Asking) -> None:
    found = await start(ask, "ana", "{ scores(first: 2) { nodes { id } } }", variables={"more": "a\0b"})
    assert (found["export"], found["userErrors"][0]["code"]) == (None, "BAD_INPUT"), found


async def test_a_read_is_not_tried_for_ever(house: House, ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "ATTEMPTS_MAX", 1)
    export_id = (await start(ask, "ana", "{ scores(first: 2) { nodes { id } } }"))["export"]["id"]
    with monkeypatch.context() as broken, pytest.raises(ZeroDivisionError):  # noqa: PT012 - the break ends with the try
        broken.setattr(exports, "_asked", lambda *_: 1 / 0)
        await exports.work(house)
    house.clock.later(seconds=61)  # type: ignore[attr-defined]
    await exports.work(house)
    assert (await ask("ana", STATE, id=export_id))["node"]["state"] == "FAILED"


async def test_a_purpose_is_asked_for(ask: Asking) -> None:
    for purpose in ("", "short", "two\nlines of it", "x" * 501):
        found = await start(ask, "ana", "{ scores(first: 2) { nodes { id } } }", purpose=purpose)
        assert found["userErrors"][0] == {
            "code": "BAD_INPUT", "message": "The purpose cannot be kept.", "field": ["input", "purpose"],
        }  # fmt: skip


async def test_two_at_a_time_and_the_same_key_is_the_same_export(ask: Asking) -> None:
    query, key = "{ scores(first: 2) { nodes { id } } }", str(uuid4())
    one = await start(ask, "ben", query, idempotencyKey=key)
    again = await start(ask, "ben", query, idempotencyKey=key)
    assert one["export"]["id"] == again["export"]["id"]
    other = await start(ask, "ben", "{ awards(first: 2) { nodes { id } } }", idempotencyKey=key)
    assert other["userErrors"][0]["code"] == "IDEMPOTENCY_CONFLICT"
    second = await start(ask, "ben", query)
    third = await start(ask, "ben", query)
    assert (second["export"]["state"], third["userErrors"][0]["code"]) == ("QUEUED", "THROTTLED")
    assert (await start(ask, "dan", query))["export"]["state"] == "QUEUED"
    given = {"idempotencyKey": "c", "exportId": second["export"]["id"]}
    assert (await ask("dan", CANCEL, input=given))["cancelBulkExport"]["userErrors"][0]["code"] == "NOT_FOUND"  # type: ignore[index]
    assert (await ask("ben", CANCEL, input=given))["cancelBulkExport"]["export"] == {"state": "CANCELLED"}  # type: ignore[index]
    assert await exports.work(ask.house) == 2


async def test_only_the_requester_and_auditors_see_it_and_only_he_has_its_address(ask: Asking) -> None:
    export_id = await begun(ask, "ana", "{ scores(first: 2) { nodes { id } } }")
    await exports.work(ask.house)
    own, auditor = await state(ask, "ana", export_id), await state(ask, "ava", export_id)
    assert own["url"].startswith("http://small.test/exports/")
    assert (auditor["state"], auditor["url"], auditor["person"]) == ("READY", None, {"name": "ana"})
    for other in ("ben", "mia", "hanna", "ivo"):
        assert await state(ask, other, export_id) is None


async def test_an_address_is_good_for_one_file_and_fifteen_minutes(
    ask: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    one = (await state(ask, "ana", await _made(ask, "ana")))["url"]
    two = (await state(ask, "ana", await _made(ask, "ana")))["url"]
    assert (await fetched(ask, one)).status_code == 200
    mixed = one.partition("?")[0] + "?" + two.partition("?")[2]
    for bad in (mixed, one.partition("?")[0], one[:-4] + "AAAA", one + "&x", one.replace("exports/", "exports/x")):
        answer = await fetched(ask, bad)
        assert (answer.status_code == 200) == (bad == one + "&x"), bad
    bearer = one.partition("=")[0] + "=" + ask.token("ana")  # a token of the API is no address
    assert (await fetched(ask, bearer)).status_code == 401
    headers = {"authorization": f"Bearer {one.partition('token=')[2]}"}  # nor the other way round
    assert (await ask.client.post("/graphql", headers=headers, json={"query": "{ __typename }"})).status_code == 401
    time: Any = ask.house.clock
    time.later(minutes=15, seconds=31)
    assert (await fetched(ask, one)).status_code == 401
    assert one.partition("token=")[2] not in caplog.text


async def _made(ask: Asking, who: str) -> str:
    export_id = await begun(ask, who, "{ scores(first: 2) { nodes { id } } }")
    await exports.work(ask.house)
    return export_id


async def test_a_file_is_not_handed_out_when_rights_have_changed(ask: Asking) -> None:
    url = (await state(ask, "hanna", await _made(ask, "hanna")))["url"]
    assert (await fetched(ask, url)).status_code == 200
    try:
        await _grant(ask.house, "hanna", datetime.now(UTC) - timedelta(seconds=1))
        assert (await fetched(ask, url)).status_code == 403
        waiting = await begun(ask, "hanna", "{ scores(first: 2) { nodes { id } } }")
        await _leave(ask.house, "hanna", active=False)
        assert (await fetched(ask, url)).status_code == 401
        await exports.work(ask.house)
    finally:
        await _leave(ask.house, "hanna", active=True)
        await _grant(ask.house, "hanna", None)
    assert (await fetched(ask, url)).status_code == 200
    failed = await state(ask, "hanna", waiting)
    assert failed["state"] == "FAILED"
    assert failed["failure"].startswith("The rights")


async def _grant(house: House, who: str, until: datetime | None) -> None:
    change = text("update access.role_grant set valid_to = cast(:until as timestamptz) where person_id = :who")
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(change, {"who": person(who), "until": until})


async def _leave(house: House, who: str, active: bool) -> None:
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(
            text("update mirror.person set active = :active where id = :who"), {"who": person(who), "active": active}
        )


class Killed(BaseException):
    """What a worker that dies leaves behind: nothing is tidied up."""


@pytest.mark.parametrize("moment", ["before it counts", "before the file is whole", "before anybody hears of it"])
async def test_a_worker_that_dies_is_followed_by_one_that_goes_on(
    ask: Asking, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await whole(ask, "ava", VALUES, size=4)
    export_id = await begun(ask, "ava", VALUES, size=4)
    times, house = 0, ask.house

    def dies(at: int) -> Any:
        async def act(*given: Any) -> None:
            nonlocal times
            times += 1
            if times == at:
                raise Killed
            await original(*given)

        return act

    if moment == "before it counts":
        original = acts.advance
        monkeypatch.setattr(acts, "advance", dies(3))
    elif moment == "before anybody hears of it":
        original = acts.finish
        monkeypatch.setattr(acts, "finish", dies(1))
    else:
        monkeypatch.setattr(exports, "_sealed", lambda *_: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        await exports.work(house)
    monkeypatch.undo()
    assert (await state(ask, "ava", export_id))["state"] == "RUNNING"
    assert await exports.work(house) == 0  # its lease still runs
    time: Any = house.clock
    time.later(seconds=61)
    if moment == "before it counts":
        parts = parsed(export_id)
        assert parts is not None
        with (house.settings.home / "exports" / f"{parts[1]}.jsonl.part").open("ab") as file:
            file.write(b"x" * 100_000)  # more than what follows: it must not stay behind the end
        assert int((await state(ask, "ava", export_id))["rows"]) > 0  # two pages stand
    assert await exports.work(house) == 1
    found = await state(ask, "ava", export_id)
    answer = await fetched(ask, found["url"])
    assert [json.loads(line) for line in answer.text.splitlines()] == wanted


async def test_who_lost_his_read_to_another_worker_writes_nothing_more(ask: Asking) -> None:
    await begun(ask, "ana", "{ scores(first: 2) { nodes { id } } }")
    house = ask.house
    time: Any = house.clock
    first = await acts.claim(house.store, house.clock())
    assert first is not None
    time.later(seconds=61)
    second = await acts.claim(house.store, house.clock())
    assert second is not None
    assert (second.id, second.attempt) == (first.id, first.attempt + 1)
    for late in (acts.advance(house.store, first, house.clock()),
                 acts.finish(house.store, house.log, first, "00" * 32, house.clock()),
                 acts.fail(house.store, house.log, first, "late", house.clock())):  # fmt: skip
        with pytest.raises(acts.Lost):
            await late
    await acts.fail(house.store, house.log, second, "enough", house.clock())


async def test_files_go_after_their_time_and_what_is_too_large_never_becomes_one(ask: Asking) -> None:
    export_id, folder = await _made(ask, "ana"), ask.house.settings.home / "exports"
    parts = parsed(export_id)
    assert parts is not None
    file = folder / f"{parts[1]}.jsonl"
    assert file.stat().st_mode & 0o077 == 0
    url = (await state(ask, "ana", export_id))["url"]
    good = file.read_bytes()
    file.write_bytes(good + b"{}\n")
    assert (await fetched(ask, url)).json()["code"] == "PROOF_INVALID"
    file.write_bytes(good)
    time: Any = ask.house.clock
    time.later(hours=24)
    await exports.work(ask.house)
    assert not file.exists()
    assert (await state(ask, "ana", export_id))["state"] == "EXPIRED"
    large = await begun(ask, "ana", "{ scores(first: 2) { nodes { id } } }")
    await exports.work(ask.house, exports.Limits(rows=3))
    failed = await state(ask, "ana", large)
    assert (failed["state"], failed["failure"][:22]) == ("FAILED", "It is larger than 3 ro")
    await exports.work(ask.house)
    assert list(folder.iterdir()) == []


async def test_every_step_is_in_the_audit_log_with_its_purpose(ask: Asking) -> None:
    url = (await state(ask, "cara", await _made(ask, "cara")))["url"]
    await fetched(ask, url)
    admin = await asyncpg.connect(ask.house.database_url)
    try:
        rows = await admin.fetch("select id, ty, sealed from audit.entry where actor_id = $1 and object_type = 'export'"
                                 " order by ty", person("cara"))  # fmt: skip
    finally:
        await admin.close()
    assert [row["ty"] for row in rows] == [
        "bulk_export.asked/v1", "bulk_export.downloaded/v1", "bulk_export.made/v1",
    ]  # fmt: skip
    assert PURPOSE.encode() in ask.house.log.open_entry(rows[0]["id"], rows[0]["sealed"])[1]


async def test_its_progress_can_be_followed(house: House, ask: Asking) -> None:
    export_id = await begun(ask, "ana", "{ scores(first: 1) { nodes { id } } }")
    follow = "subscription ($id: ID!) { bulkExportChanged(id: $id) { state rows } }"
    async with open_place(house) as place, socket(place, "ana") as line, socket(place, "ben") as other:
        await line.subscribe(follow, id=export_id)
        assert await line.data() == {"state": "QUEUED", "rows": "0"}
        await other.subscribe(follow, id=export_id)
        assert (await other.read())["payload"][0]["extensions"]["code"] == "NOT_FOUND"
        await exports.work(house)
        seen = [await line.data()]
        while seen[-1]["state"] != "READY":
            seen.append(await line.data())
        assert int(seen[-1]["rows"]) == len(Model("ana").subjects())
        assert await line.read() == {"type": "complete", "id": "1"}
