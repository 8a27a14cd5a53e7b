"""GraphQL over HTTP: statuses and media types, limits, and errors that give nothing away."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from graphql import ExecutionResult
from sqlalchemy import text

from api.graphql import documents
from api.house import House
from tests.api.conftest import Asking, asking
from tests.api.small_house import LINE

RESPONSE = "application/graphql-response+json"
PLAIN = "application/json"
GOOD = '{"query": "{ __typename }"}'
GOOD_TEXT = "{ __typename }"


async def send(ask: Asking, body: str | bytes, method: str = "POST", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    every = {"authorization": f"Bearer {ask.token('ana')}", "content-type": PLAIN, "accept": RESPONSE, **named}
    return await ask.client.request(method, "/graphql", content=body, headers=every)


def asked(query: str, **variables: Any) -> str:
    return json.dumps({"query": query, "variables": variables})


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (RESPONSE, RESPONSE),
        (PLAIN, PLAIN),
        ("*/*", PLAIN),
        ("application/*", PLAIN),
        (f"{PLAIN};q=0.5, {RESPONSE}", RESPONSE),
        (f"{PLAIN}, {RESPONSE}", PLAIN),
        (f"{RESPONSE}, {PLAIN}", RESPONSE),
        (f"text/html, {RESPONSE};q=0.1", RESPONSE),
        ("", PLAIN),
        (f"{RESPONSE}, */*;q=0.5", RESPONSE),
        (f"*/*;q=0.5, {RESPONSE};q=0.1", PLAIN),
        (f"*/*, {PLAIN};q=0", RESPONSE),
        (f"*/*, {PLAIN};q=0.9", RESPONSE),
        (f"{RESPONSE};q=0.8, {PLAIN};q=0.81", PLAIN),
        (f"application/*;q=0.1, */*;q=1, {RESPONSE};q=0.2", RESPONSE),
        (f"{PLAIN};q=2, {RESPONSE};q=0.1", RESPONSE),
        (f"{PLAIN};q=nan, {RESPONSE};q=0.1", RESPONSE),
        (f"{RESPONSE.upper()}; charset=utf-8;Q=1", RESPONSE),
    ],
)
async def test_the_answer_comes_in_an_accepted_type(ask: Asking, accept: str, kind: str) -> None:
    answer = await send(ask, GOOD, accept=accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize(
    "body",
    [
        asked("{"),
        asked("{ __typename"),
        asked("{ notAField }"),
        asked("query ($id: ID!) { node(id: $id) { id } }", id=None),
        asked("query ($id: ID!) { node(id: $id) { id } }"),
        asked(
            "query ($metrics: [String!]) { kpiValues(first: 1, filter: {metric: $metrics}) { nodes { id } } }",
            metrics=7,
        ),
        asked("query A { __typename } query B { __typename }"),
        asked(""),
        asked("fragment A on Query { __typename }"),
        asked("subscription { __typename }"),
    ],
)
async def test_what_was_not_executed_is_400_and_has_no_data(ask: Asking, body: str) -> None:
    strict = await send(ask, body)
    assert strict.status_code == 400
    assert set(strict.json()) == {"errors", "extensions"}
    assert all(error["extensions"]["requestId"] and error["extensions"]["code"] for error in strict.json()["errors"])
    plain = await send(ask, body, accept=PLAIN)
    assert plain.status_code == 200
    assert "data" not in plain.json()


async def test_what_was_executed_is_200_even_with_errors(ask: Asking) -> None:
    answer = await send(ask, asked("{ scores { nodes { id } } }"))
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    assert answer.json()["errors"][0]["path"] == ["scores"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (GOOD, {"content_type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD, {"content_type": "application/json; charset=latin-1"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD, {"content_type": "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD, {"content_type": ""}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD, {"content_type": "application/graphql"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD, {"content_encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (GOOD, {"accept": "text/html"}, 406, "NOT_ACCEPTABLE"),
        (GOOD, {"accept": f"{PLAIN};q=0"}, 406, "NOT_ACCEPTABLE"),
        (GOOD, {"accept": f"*/*;q=0, {PLAIN};q=0"}, 406, "NOT_ACCEPTABLE"),
        (GOOD, {"accept": "application/json5, text/*"}, 406, "NOT_ACCEPTABLE"),
        (GOOD, {"authorization": "Bearer x.y.z"}, 401, "UNAUTHENTICATED"),
        ("{", {}, 400, "BAD_INPUT"),
        ("", {}, 400, "BAD_INPUT"),
        ('{"query": "{ __typename }", "documentId": "x"}', {}, 400, "BAD_INPUT"),
        ('{"documentId": 1}', {}, 400, "BAD_INPUT"),
        ("[" + GOOD + "]", {}, 400, "BAD_INPUT"),
        ("{}", {}, 400, "BAD_INPUT"),
        ('{"query": 1}', {}, 400, "BAD_INPUT"),
        ('{"query": "{ __typename }", "variables": []}', {}, 400, "BAD_INPUT"),
        ('{"query": "{ __typename }", "operationName": 1}', {}, 400, "BAD_INPUT"),
        ('{"query": "{ __typename }", "extensions": 1}', {}, 400, "BAD_INPUT"),
        ('{"query": "{ __typename \\u0000}"}', {}, 400, "BAD_INPUT"),
        (b'{"query": "\xff"}', {}, 400, "BAD_INPUT"),
        ('{"query": NaN}', {}, 400, "BAD_INPUT"),
        ('{"query": "' + " " * 262_144 + '"}', {}, 413, "INPUT_TOO_LARGE"),
    ],
)
async def test_malformed_requests(
    ask: Asking, body: str | bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await send(ask, body, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "what", "fix", "requestId"}
    assert (await send(ask, GOOD)).status_code == 200


@pytest.mark.parametrize(
    ("more", "status", "kind"),
    [
        ([("content-type", "text/plain")], 415, PLAIN),
        ([("accept", "text/html"), ("accept", "text/css")], 406, PLAIN),
        ([("accept", "text/html"), ("accept", RESPONSE)], 200, RESPONSE),
    ],
)
async def test_a_header_in_two_lines(ask: Asking, more: list[tuple[str, str]], status: int, kind: str) -> None:
    """What may be a list is read as one; what may not is refused: a program in between may have read the other line."""
    headers = httpx.Headers([("authorization", f"Bearer {ask.token('ana')}"), ("content-type", PLAIN), *more])
    answer = await ask.client.post("/graphql", content=GOOD, headers=headers)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, kind)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_post_and_get_ask(ask: Asking, method: str) -> None:
    answer = await send(ask, GOOD, method=method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


# --- by GET ----------------------------------------------------------------------------------------------------------

TWO = "query A { __typename } query B($id: ID!) { node(id: $id) { id } }"


async def get(ask: Asking, method: str = "GET", accept: str = RESPONSE, **parameters: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {ask.token('ana')}", "accept": accept}
    return await ask.client.request(method, "/graphql", params=parameters, headers=headers)


async def test_what_only_reads_may_come_by_get(ask: Asking) -> None:
    ana = (await ask("ana", "{ viewer { person { id } } }"))["viewer"]["person"]["id"]  # type: ignore[index]
    answer = await get(ask, query=TWO, operationName="B", variables=json.dumps({"id": ana}), extensions="{}")
    assert (answer.status_code, answer.json()["data"]) == (200, {"node": {"id": ana}})
    assert (await get(ask, query=GOOD_TEXT, operationName="", variables="")).json()["data"] == {"__typename": "Query"}
    head = await get(ask, "HEAD", query=GOOD_TEXT)
    assert (head.status_code, head.headers["content-type"]) == (200, f"{RESPONSE}; charset=utf-8")


@pytest.mark.parametrize("accept", [RESPONSE, PLAIN, "*/*"])
async def test_a_mutation_does_not_come_by_get(ask: Asking, accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither alone nor chosen by name; and by POST the same operation is let through."""
    ran: list[object] = []
    monkeypatch.setattr("api.graphql.execution.execute", lambda *a, **k: ran.append(a) or ExecutionResult({}))
    mutation = "mutation M { __typename } query Q { __typename }"
    for parameters in ({"query": "mutation { __typename }"}, {"query": mutation, "operationName": "M"}):
        answer = await get(ask, accept=accept, **parameters)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD, POST"
        assert answer.json()["errors"][0]["extensions"]["code"] == "METHOD_NOT_ALLOWED"
        assert not ran
    assert (await send(ask, json.dumps({"query": mutation, "operationName": "M"}))).status_code == 200


@pytest.mark.parametrize(
    ("query_string", "status", "code"),
    [
        ("", 400, "BAD_INPUT"),
        ("query=", 400, "DOCUMENT_INVALID"),
        ("query=%7B", 400, "DOCUMENT_INVALID"),
        ("variables=%7B%7D", 400, "BAD_INPUT"),
        ("query=%7B__typename%7D&query=%7B__typename%7D", 400, "BAD_INPUT"),
        ("query=%7B__typename%7D&variables=%7B", 400, "BAD_INPUT"),
        ("query=%7B__typename%7D&variables=%5B%5D", 400, "BAD_INPUT"),
        ("query=%7B__typename%7D&extensions=1", 400, "BAD_INPUT"),
        ("query=%FF", 400, "BAD_INPUT"),
        ("query=%00", 400, "BAD_INPUT"),
        ("query=%7B__typename%7D&documentId=x", 400, "BAD_INPUT"),
        ("&".join(f"p{n}=1" for n in range(17)), 400, "BAD_INPUT"),
        ("query=%7B__typename%7D&x=" + "y" * 8167, 200, None),
        ("query=%7B__typename%7D&x=" + "y" * 8168, 414, "URL_TOO_LONG"),
    ],
)
async def test_query_strings(ask: Asking, query_string: str, status: int, code: str | None) -> None:
    headers = {"authorization": f"Bearer {ask.token('ana')}", "accept": RESPONSE}
    answer = await ask.client.get(f"/graphql?{query_string}", headers=headers)
    body = answer.json()
    said = body.get("code") or next((error["extensions"]["code"] for error in body.get("errors", [])), None)
    assert (answer.status_code, said) == (status, code)


async def test_who_asks_by_get_needs_a_token_too(ask: Asking) -> None:
    assert (await ask.client.get("/graphql", params={"query": GOOD_TEXT})).status_code == 401
    in_the_url = {"query": GOOD_TEXT, "access_token": ask.token("ana")}
    assert (await ask.client.get("/graphql", params=in_the_url)).status_code == 401


# --- documents by their id -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [RESPONSE, PLAIN])
@pytest.mark.parametrize("document_id", ["sha256:" + "0" * 64, "sha256:short", "", "x"])
async def test_an_unknown_document_is_one_error(ask: Asking, document_id: str, accept: str) -> None:
    body = json.dumps({"documentId": document_id, "variables": {}})
    for answer in (await send(ask, body, accept=accept), await get(ask, accept=accept, documentId=document_id)):
        assert answer.status_code == 400
        [error] = answer.json()["errors"]
        assert error["extensions"]["code"] == "DOCUMENT_NOT_FOUND"
        assert "data" not in answer.json()


async def test_texts_can_be_closed(house: House, ask: Asking) -> None:
    """Then nothing that was not registered is answered, and whether it would have been right is not said."""
    closed = replace(house, settings=replace(house.settings, ad_hoc=False))
    async with asking(closed) as strict:
        for text_ in (GOOD_TEXT, "{", "{ notAField }"):
            for answer in (await send(strict, asked(text_)), await get(strict, query=text_)):
                assert answer.status_code == 400
                assert answer.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_FOUND"
    assert (await send(ask, GOOD)).status_code == 200


# --- limits ----------------------------------------------------------------------------------------------------------

DEEP = "{ viewer { person " + "{ manager " * 9 + "{ name }" + " }" * 9 + " } }"
FRAGMENTS = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))


@pytest.mark.parametrize(
    ("query", "good"),
    [
        ("{ viewer { person " + "{ manager " * 8 + "{ name }" + " }" * 8 + " } }", True),
        (DEEP, False),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(10)) + " }", True),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(11)) + " }", False),
        ("{ " + "__typename " * 20 + "}", True),
        ("{ " + "__typename " * 21 + "}", False),
        ("{ __typename " + "@include(if: true) @skip(if: false)" + " }", True),
        ("{ " + "__typename @include(if: true) " * 20 + " }", True),
        ("{ ...A } fragment A on Query { a: __typename b: __typename ...B ...B } fragment B on Query { c: __typename"
         " d: __typename e: __typename f: __typename g: __typename }", False),
        ("{ ...F0 } " + FRAGMENTS + " fragment F60 on Query { __typename }", False),
        ("{ ...A } fragment A on Query { ...A }", False),
        ("{ " + "__typename " * 1499 + "}", False),
    ],
)  # fmt: skip
async def test_documents_are_bounded(ask: Asking, query: str, good: bool) -> None:
    answer = (await send(ask, asked(query))).json()
    assert ("data" in answer) == good, answer
    if not good:
        assert answer["errors"][0]["extensions"]["code"] in ("DOCUMENT_TOO_COMPLEX", "DOCUMENT_INVALID")


async def test_at_most_five_errors_are_listed(ask: Asking) -> None:
    answer = (await send(ask, asked("{ " + " ".join(f"wrong{n}" for n in range(15)) + " }"))).json()
    assert len(answer["errors"]) <= 6


async def test_errors_suggest_nothing(ask: Asking) -> None:
    """Neither names of fields nor of types nor of enum values are given away to somebody who guesses."""
    for query in (
        "{ service(first: 1) { nodes { id } } }",
        "{ node(id: 1) { ... on Persn { name } } }",
        "query ($f: ScoreFiltr) { scores(first: 1, filter: $f) { nodes { id } } }",
        "{ scores(firs: 1) { nodes { id } } }",
        "{ scores(first: 1, filter: {status: [FINL]}) { nodes { id } } }",
    ):
        answer = (await send(ask, asked(query))).text
        assert "errors" in answer
        assert "Did you mean" not in answer


async def test_a_defect_becomes_an_id(
    ask: Asking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("salary of ana is 4711")

    monkeypatch.setattr("api.graphql.types.explanation.explain", broken)
    answer = await send(ask, asked('{ explain(id: "x") { root { value } } }'))
    assert "4711" not in answer.text
    error = answer.json()["errors"][0]
    assert (error["message"], error["extensions"]["code"]) == ("Internal error", "INTERNAL")
    logged = [record.getMessage() for record in caplog.records if record.name == "evenhand.graphql"]
    assert any(error["extensions"]["requestId"] in line and "RuntimeError" in line for line in logged)
    assert "4711" not in caplog.text


async def test_a_slow_statement_is_stopped(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.graphql.reading.STATEMENT_MILLISECONDS", 50)
    monkeypatch.setattr("api.graphql.root.ROLES", text("select pg_sleep(5)::text as role"))
    answer = (await send(ask, asked("{ viewer { roles person { name } } }"))).json()
    assert "TIMEOUT" in {error["extensions"]["code"] for error in answer["errors"]}
    monkeypatch.undo()
    assert (await send(ask, asked("{ viewer { roles } }"))).json()["data"]["viewer"]["roles"]


async def test_introspection_can_be_switched_off() -> None:
    for document, listed in (("{ __schema { types { name } } }", False), ("{ __typename }", True)):
        assert not documents.prepared(document, True).errors
        assert bool(documents.prepared(document, False).errors) != listed


async def test_many_at_once_are_all_answered(ask: Asking) -> None:
    query = "{ people(first: 5) { nodes { name } } }"
    answers = await asyncio.gather(*(ask.post(who, query) for who in [*LINE] * 2))
    assert {answer.status_code for answer in answers} == {200}
