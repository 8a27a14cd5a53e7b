"""Answers as server-sent events: the GraphQL over SSE protocol, distinct connections mode.

Decides: every answer is an event `next`, at the end comes `complete`; also errors of the request come so, with status
200, as the protocol has it. A comment keeps the line open while nothing happens. A reader that takes longer than the
patience for one event is told so and ended; one that takes nothing is cut off. Source: enisdenjo/graphql-sse, PROTOCOL.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.graphql import execution
from api.graphql.execution import Answer
from api.graphql.streams.following import Streams, barred, too_slow
from api.graphql.streams.watch import Barred, Watch

EVENTS = "text/event-stream"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
COMMENT = b":\n\n"
COMPLETE = b"event: complete\ndata:\n\n"


def wanted(request: Request) -> bool:
    """Whether the caller accepts events, and nothing else."""
    named = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")}
    return named == {EVENTS}


class Events(Response):
    """The response: an ASGI application that ends with the stream, or when nobody reads any more."""

    def __init__(self, streams: Streams, token: str, asked: execution.Request, request_id: str) -> None:
        super().__init__()
        self._streams, self._token, self._asked, self._request_id = streams, token, asked, request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.watching(self._token, self._request_id) as watch:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            sending = asyncio.create_task(self._send(watch, send))
            gone = asyncio.create_task(_gone(receive))
            try:
                await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, gone):
                    task.cancel()
                    with suppress(asyncio.CancelledError, TimeoutError):
                        await task

    async def _send(self, watch: Watch, send: Send) -> None:
        async with aclosing(_frames(self._streams, watch, self._asked)) as frames:
            async for frame in frames:
                began = time.monotonic()
                async with asyncio.timeout(watch.pace.limit):
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
                if time.monotonic() - began > watch.pace.patience:
                    await send({"type": "http.response.body", "body": event(too_slow(watch)), "more_body": True})
                    break
        await send({"type": "http.response.body", "body": COMPLETE, "more_body": False})


async def _frames(streams: Streams, watch: Watch, asked: execution.Request) -> AsyncGenerator[bytes, None]:
    """The events of the operation, and a comment whenever none came for a while."""
    async with aclosing(streams.answers(watch, asked)) as answers:
        coming: asyncio.Task[Answer] | None = None
        try:
            while True:
                coming = coming or asyncio.create_task(anext(answers))
                done, _ = await asyncio.wait((coming,), timeout=watch.pace.comment)
                if not done:
                    yield COMMENT
                    continue
                try:
                    answer = coming.result()
                except StopAsyncIteration:
                    return
                except Barred as no:
                    yield event(barred(watch, no))
                    return
                finally:
                    coming = None
                yield event(answer)
        finally:
            if coming is not None:  # it is ended before the generator that it reads from
                coming.cancel()
                with suppress(asyncio.CancelledError, StopAsyncIteration, Barred):
                    await coming


def event(answer: Answer) -> bytes:
    """JSON of ours has no line breaks, so it is one line of data."""
    return b"event: next\ndata: " + answer.body() + b"\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
