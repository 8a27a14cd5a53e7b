"""The two ways on which answers come one after the other: graphql-transport-ws and server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.actions import trusted
from api.house import House
from schema.embedded import Server
from schema.store import Viewer
from tests.api.conftest import small
from tests.api.graphql.following import (
    CHECKING,
    NARROW_BYTES,
    PROTOCOL,
    QUICK,
    Place,
    Socket,
    here,
    move,
    open_place,
    score_anew,
    socket,
)
from tests.api.small_house import person

EVENTS = {"accept": "text/event-stream", "content-type": "application/json"}


SCORES = """subscription ($after: String) {
  scoreChanged(filter: {}, after: $after) { cursor score { subjectLabel value } } }"""


@pytest.fixture(scope="module")
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("streams")
    async with small(postgres, template, folder / "keys", folder.name) as opened:
        yield opened


@pytest.fixture(scope="module")
async def place(house: House) -> AsyncIterator[Place]:
    async with open_place(house) as opened:
        yield opened


async def test_other_subprotocols_are_not_spoken(place: Place) -> None:
    url = place.url.replace("http", "ws")
    for others in (["graphql-ws"], None):
        async with connect(url, subprotocols=others, proxy=None) as raw:  # type: ignore[arg-type]
            assert raw.subprotocol is None
            assert await Socket(raw).end() == 4406
    async with socket(place) as line:
        assert line.raw.subprotocol == PROTOCOL


@pytest.mark.parametrize(
    ("headers", "welcome"),
    [
        ({}, True),
        ({"origin": "http://small.test"}, True),
        ({"origin": "http://127.0.0.1:9321"}, False),  # a page that may frame cards may not listen
        ({"origin": "null"}, False),
    ],
)
async def test_only_pages_of_ours_connect(place: Place, headers: dict[str, str], welcome: bool) -> None:
    if welcome:
        async with socket(place, "ana", additional_headers=headers) as line:
            await line.subscribe("{ viewer { roles } }")
            assert await line.data() == {"roles": ["EMPLOYEE"]}
    else:
        with pytest.raises(InvalidStatus) as no:
            async with socket(place, additional_headers=headers):
                pass
        assert no.value.response.status_code == 403


async def test_only_hosts_of_ours_are_answered_for(place: Place) -> None:
    async with socket(place, "ana", host="localhost"):
        pass
    with pytest.raises(InvalidStatus) as no:
        async with socket(place, host="elsewhere.test"):
            pass
    assert no.value.response.status_code == 403


async def test_the_first_message_must_come_in_time(place: Place) -> None:
    async with socket(place) as line:
        assert await line.end() == 4408


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer x.y.z"},
        {"authorization": 7},
    ],
)
async def test_no_token_no_stream(place: Place, payload: Any) -> None:
    async with socket(place) as line:
        await line.send("connection_init", payload=payload)
        assert await line.end() == 4403


async def test_a_stranger_with_a_good_token_is_nobody(place: Place) -> None:
    async with socket(place) as line:
        await line.send("connection_init", payload={"authorization": f"Bearer {place.token('nobody')}"})
        assert await line.end() == 4403


@pytest.mark.parametrize(
    ("messages", "number"),
    [
        (["{"], 4400),
        (["[]"], 4400),
        (['{"type": 1}'], 4400),
        (['{"type": "start"}'], 4400),  # of the older protocol
        ([b"{}"], 4400),
        (['{"type": "connection_init"}'], 4429),
        (['{"type": "subscribe", "payload": {"query": "{ __typename }"}}'], 4400),
        (['{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}'], 4400),
        (['{"type": "subscribe", "id": "1"}'], 4400),
        ([json.dumps({"type": "subscribe", "id": "1", "payload": {"query": SCORES}})] * 2, 4409),
    ],
)  # fmt: skip
async def test_what_is_no_message_ends_the_connection(place: Place, messages: list[str | bytes], number: int) -> None:
    async with socket(place, "ana") as line:
        for each in messages:
            await line.raw.send(each)
        assert await line.end() == number


async def test_an_operation_before_the_acknowledgement_ends_the_connection(place: Place) -> None:
    async with socket(place) as line:
        await line.subscribe("{ __typename }")
        assert await line.end() == 4401


async def test_a_message_that_is_nested_too_deeply_ends_the_connection(place: Place) -> None:
    """Also before anybody has said who he is: JSON so deep can be read, but not be written again."""
    async with socket(place) as line:
        await line.send("ping", payload={"n": json.loads("[" * 300 + "]" * 300)})
        assert await line.end() == 4400


async def test_pings_are_sent_and_answered(house: House) -> None:
    async with open_place(house, replace(QUICK, ping=0.2)) as place, socket(place) as line:
        await line.send("ping", payload={"n": 1})
        assert await line.read() == {"type": "pong", "payload": {"n": 1}}
        await line.begin(place.token("ana"))
        assert json.loads(await asyncio.wait_for(line.raw.recv(), 5)) == {"type": "ping"}


async def test_one_answer_then_complete_and_errors_of_one_operation_leave_the_others(place: Place) -> None:
    async with socket(place, "ana") as line:
        await line.subscribe("{ viewer { roles } }", name="q")
        assert await line.data("q") == {"roles": ["EMPLOYEE"]}
        assert await line.read() == {"type": "complete", "id": "q"}
        for bad, code in [
            ("{", "DOCUMENT_INVALID"),
            ("{ nothing }", "DOCUMENT_INVALID"),
            ("subscription { __typename }", "DOCUMENT_INVALID"),
            ("subscription { awardChanged(filter: {}) { cursor } payoutBatchChanged(filter: {}) { cursor } }",
             "DOCUMENT_INVALID"),
            ("subscription { awardChanged(filter: {cycle: {in: [\"x\"]}}) { cursor } }", "BAD_INPUT"),
        ]:  # fmt: skip
            await line.subscribe(bad, name="bad")
            message = await line.read()
            assert (message["type"], message["id"]) == ("error", "bad"), bad
            assert message["payload"][0]["extensions"]["code"] == code, bad
        await line.subscribe(SCORES, name="w", after=await here(place.house))
        value = await move(place.house)
        assert (await line.data("w"))["score"]["value"] == value


async def test_where_texts_are_closed_registered_documents_are_followed(house: House) -> None:
    closed = replace(house, settings=replace(house.settings, ad_hoc=False))
    key = sha256(SCORES.encode()).hexdigest()
    await trusted.register(
        house.store, house.log, Viewer(person("ivo")), key, "scores", SCORES, computed=True, now=house.clock()
    )
    async with open_place(closed) as place, socket(place, "ana") as line:
        await line.subscribe(SCORES)
        assert (await line.read())["payload"][0]["extensions"]["code"] == "DOCUMENT_NOT_FOUND"
        payload = {"documentId": f"sha256:{key}", "variables": {"after": await here(house)}}
        await line.send("subscribe", id="1", payload=payload)
        value = await move(house)
        assert (await line.data())["score"]["value"] == value


async def test_what_costs_too_much_is_not_followed(place: Place) -> None:
    dear = "subscription { scoreChanged(filter: {}) { score { kpiValues { evidence(first: 200) { nodes { revision {" \
           " sourceKey } } edges { node { revision { feed } } } } subject { ... on Team { id } } } } } }"  # fmt: skip
    async with socket(place, "ana") as line:
        await line.subscribe(dear)
        assert (await line.read())["payload"][0]["extensions"]["code"] == "COST_EXCEEDED"


async def test_the_21st_subscription_is_refused_and_one_that_ends_makes_room(place: Place) -> None:
    begin = await here(place.house)
    async with socket(place, "ana") as line:
        for number in range(20):
            await line.subscribe(SCORES, name=str(number), after=begin)
        await line.subscribe(SCORES, name="20", after=begin)
        message = await line.read()
        assert (message["type"], message["id"]) == ("error", "20")
        assert message["payload"][0]["extensions"]["code"] == "THROTTLED"
        await line.send("complete", id="7")
        await line.subscribe(SCORES, name="20", after=begin)
        assert await line.quiet(0.3)
        await move(place.house)
        assert {(await line.read())["id"] for _ in range(20)} == {str(number) for number in range(21)} - {"7"}


async def test_one_person_has_so_many_connections_and_no_more(house: House) -> None:
    async with open_place(house, replace(QUICK, streams_max=2)) as place:
        async with socket(place, "ana"), socket(place, "ana"), socket(place, "ben"), socket(place) as third:
            await third.send("connection_init", payload={"authorization": f"Bearer {place.token('ana')}"})
            assert await third.end() == 4429
        async with socket(place, "ana"):
            pass


@asynccontextmanager
async def events(place: Place, who: str, query: str, **more: Any) -> AsyncIterator[httpx.Response]:
    headers = {**EVENTS, "authorization": f"Bearer {place.token(who)}", **more.pop("headers", {})}
    body = {"query": query, "variables": more}
    narrow = httpx.AsyncHTTPTransport(socket_options=[(SOL_SOCKET, SO_RCVBUF, NARROW_BYTES)])
    async with httpx.AsyncClient(timeout=10, transport=narrow) as client, client.stream(
        "POST", place.url, json=body, headers=headers
    ) as answer:  # fmt: skip
        yield answer


async def read(lines: AsyncIterator[str]) -> tuple[str, Any]:
    """The next event and its data; a comment is an event without a name."""
    name, data = "", ""
    async for line in lines:
        if line == "":
            return name, json.loads(data) if data else None
        field, _, value = line.partition(":")
        name, data = (value.strip(), data) if field == "event" else (name, value.strip() if field == "data" else data)
    return "end", None


async def next_event(lines: AsyncIterator[str]) -> tuple[str, Any]:
    while True:
        found = await asyncio.wait_for(read(lines), 10)
        if found[0]:
            return found


async def test_events_come_as_they_happen_with_comments_between(place: Place) -> None:
    async with events(place, "hanna", SCORES, after=await here(place.house)) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.aiter_lines()
        assert await asyncio.wait_for(read(lines), 5) == ("", None)  # a comment
        value = await move(place.house)
        name, told = await next_event(lines)
        assert (name, told["data"]["scoreChanged"]["score"]["value"]) == ("next", value)
        cursor = told["data"]["scoreChanged"]["cursor"]
    value = await move(place.house)
    async with events(place, "hanna", SCORES, after=cursor) as answer:
        name, told = await next_event(answer.aiter_lines())
        assert told["data"]["scoreChanged"]["score"]["value"] == value


async def test_a_question_has_one_event_and_its_errors_too(place: Place) -> None:
    for query, part in [("{ viewer { roles } }", "data"), ("{ nothing }", "errors"), ("{", "errors")]:
        async with events(place, "ana", query) as answer:
            assert answer.status_code == 200
            lines = answer.aiter_lines()
            name, told = await next_event(lines)
            assert (name, part in told) == ("next", True)
            assert await next_event(lines) == ("complete", None)
            assert await next_event(lines) == ("end", None)


async def test_events_need_a_token_and_end_with_it(house: House) -> None:
    async with open_place(house, CHECKING) as place:
        async with events(place, "ana", SCORES, headers={"authorization": "Bearer x"}) as answer:
            assert answer.status_code == 401
        async with events(place, "hanna", SCORES) as answer:
            lines = answer.aiter_lines()
            await asyncio.wait_for(read(lines), 5)
            place.time.later(hours=2)
            _, told = await next_event(lines)
            assert told["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert await next_event(lines) == ("complete", None)


async def test_a_subscription_over_plain_http_is_refused(place: Place) -> None:
    headers = {"authorization": f"Bearer {place.token('ana')}", "accept": "application/json"}
    async with httpx.AsyncClient() as client:
        answer = await client.post(place.url, json={"query": SCORES}, headers=headers)
    assert "data" not in answer.json()
    assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_ACCEPTABLE"


async def test_a_caller_that_goes_leaves_nothing_behind(house: House) -> None:
    async with open_place(house, replace(QUICK, streams_max=1)) as place:
        for _ in range(3):
            async with events(place, "ana", SCORES) as answer:
                assert await asyncio.wait_for(read(answer.aiter_lines()), 5) == ("", None)
            await asyncio.sleep(0.3)


NAMES = " ".join(f"{'x' * 5000}{n}: id" for n in range(10))
WIDE = f"subscription ($after: String) {{ scoreChanged(filter: {{}}, after: $after) {{ score {{ {NAMES} }} }} }}"


async def all_move(place: Place, times: int) -> None:
    everybody = ("mail", "shop", "alpha", "beta", "ana", "ben", "cara", "dan", "mia", "max")
    for number in range(times):
        await score_anew(place.house, values=dict.fromkeys(everybody, f"0.{200 + number}"))


async def test_a_reader_that_is_too_slow_is_told_so(house: House) -> None:
    """Both ways, with little room between the two programs; he catches up with `after`."""
    pace = replace(QUICK, patience=0.3, limit=8)
    async with open_place(house, pace, narrow=True) as place:
        async with socket(place, "hanna", max_queue=1) as line:
            await line.subscribe(WIDE, after=await here(house))
            await all_move(place, 3)
            await asyncio.sleep(2)
            told = 0
            with suppress(ConnectionClosed):
                while told < 30:
                    told += (await line.read())["type"] == "next"
            assert line.raw.close_code == 4413
            assert told > 0
        async with events(place, "hanna", WIDE, after=await here(house)) as answer:
            await all_move(place, 3)
            await asyncio.sleep(2)
            lines, seen = answer.aiter_lines(), []
            while (found := await next_event(lines))[0] == "next":
                seen.append(found[1])
            assert seen[-1]["errors"][0]["extensions"]["code"] == "READER_TOO_SLOW"
            assert 1 < len(seen) < 30


async def test_a_reader_that_takes_nothing_at_all_is_cut_off(house: House) -> None:
    pace = replace(QUICK, patience=0.2, limit=0.5, streams_max=1)
    async with open_place(house, pace, narrow=True) as place, socket(place, "hanna", max_queue=1) as line:
        await line.subscribe(WIDE, after=await here(house))
        await all_move(place, 3)
        await asyncio.sleep(2)
        async with socket(place, "hanna") as other:  # his place is free again
            await other.subscribe("{ __typename }")
            assert (await other.read())["type"] == "next"
        line.raw.transport.abort()
