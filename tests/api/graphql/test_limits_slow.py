"""Whoever is slow keeps nobody else waiting: neither a slow reader of a stream nor a body that never ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

import pytest

from api.graphql import http
from api.graphql.operations import Request
from api.graphql.streams.following import TOGETHER_MAX, Streams
from tests.api.conftest import Asking

ROLES = Request("{ viewer { roles } }", {})


async def test_an_answer_that_nobody_takes_holds_no_turn_of_others(ask: Asking) -> None:
    streams = Streams(ask.house)
    try:
        async with AsyncExitStack() as slow:
            for _ in range(TOGETHER_MAX):
                watch = slow.enter_context(streams.watching(ask.token("mia"), "slow"))
                answers = await slow.enter_async_context(aclosing(streams.answers(watch, ROLES)))
                assert (await anext(answers)).data  # and then takes nothing more
            with streams.watching(ask.token("ana"), "other") as watch:
                async with asyncio.timeout(5), aclosing(streams.answers(watch, ROLES)) as others:
                    assert (await anext(others)).data
    finally:
        await streams.close()


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_body_that_never_ends_is_given_up(ask: Asking, accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.2)

    async def body() -> AsyncIterator[bytes]:
        yield b'{"query": "'
        await asyncio.sleep(30)

    headers = {"authorization": f"Bearer {ask.token('mia')}", "accept": accept, "content-type": "application/json"}
    async with asyncio.timeout(5):
        found = await ask.client.post("/graphql", content=body(), headers=headers)
    assert (found.status_code, found.json()["code"]) == (504, "TIMEOUT")
