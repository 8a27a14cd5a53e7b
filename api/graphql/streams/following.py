"""One operation whose answers come one after the other: a subscription, or anything else, which answers once.

Decides: every change that the watch sees is executed as a query of its own: in a fresh snapshot, in the viewer's name,
with the field's event as its root, at the price of a query. A change whose row he can no longer read is not told. While
the database is away, or his bucket is empty, the stream waits; nothing is left out. Ends (`Barred`) when he may not
watch any more. Refused: what execution.py refuses, and more streams at a time than one person gets.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    OperationType,
    create_source_event_stream,
    execute,
)

from api import identity
from api.graphql import execution
from api.graphql.binding import by_key
from api.graphql.bucket import Buckets, Throttled
from api.graphql.context import Context
from api.graphql.documents import Document
from api.graphql.errors import said
from api.graphql.execution import Answer, Request
from api.graphql.operations import Operation, Unsound, affordable, document_of, opened
from api.graphql.served import CORE
from api.graphql.streams.bell import Bell, Hearing
from api.graphql.streams.watch import Barred, Pace, Watch, away
from api.graphql.subscriptions import Watching, target_of
from api.house import House
from engine.refusal import Code, Refused

TOGETHER_MAX = 2  # watchers that read at a time; the others wait, and those who ask are not held up


class Streams:
    """What all streams of a process share. `close` it with the application."""

    def __init__(self, house: House, pace: Pace | None = None, hearing: Hearing | None = None) -> None:
        self.house = house
        self.pace = pace or Pace()
        self.bell = Bell(house.database_url, hearing)
        self.buckets = Buckets(house.store, house.settings)
        self._trust = identity.access_trust(house.signer)
        self._turns = asyncio.Semaphore(TOGETHER_MAX)
        self._open: Counter[str] = Counter()

    @contextmanager
    def watching(self, token: str, request_id: str) -> Iterator[Watch]:
        """A connection of whoever the token names; refuses one that is not accepted, and one too many."""
        watch = Watch(self.house, self.bell, self.pace, self._turns, token, self._trust, request_id)
        who = str(watch.viewer.person_id)
        if self._open[who] >= self.pace.streams_max:
            raise Refused(Code.THROTTLED, f"{self.pace.streams_max} streams of yours are open.", "Close one of them.")
        self._open[who] += 1
        try:
            yield watch
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    def answers(self, watch: Watch, request: Request) -> AsyncGenerator[Answer, None]:
        """The answers of one operation. The first without `data` is the last: nothing was executed."""
        return _answers(watch, self.buckets, request)

    async def close(self) -> None:
        await self.bell.close()


@dataclass(frozen=True, slots=True)
class _Followed:
    """A subscription that was checked and priced."""

    document: Document
    request: Request
    cost: int
    watch: Watch
    buckets: Buckets

    def context(self, reading: Any) -> Watching:
        house = self.watch.house
        return Watching(house, reading, self.buckets.purse(self.watch.viewer), watch=self.watch)


async def _answers(watch: Watch, buckets: Buckets, request: Request) -> AsyncGenerator[Answer, None]:
    async with watch.reading() as reading:  # which is over before anything is told: who listens may be slow
        context = Context(watch.house, reading, buckets.purse(watch.viewer))
        operation = await _subscription(request, context)
        if operation is None:
            begun: Answer | tuple[_Followed, Any] = await execution.answer(request, context)
        else:
            begun = await _begun(operation, request, context, watch, buckets)
    if isinstance(begun, Answer):
        yield begun
        return
    followed, source = begun
    try:
        async for event in source:
            answer = await _told(followed, event)
            if answer is not None:
                yield answer
    except Refused as no:
        yield _refused(watch, [no])
    finally:
        await source.aclose()  # a generator, as strawberry has it


async def _subscription(request: Request, context: Context) -> Operation | None:
    """The operation, if it is sound and a subscription."""
    try:
        operation = opened(request, await document_of(request, context))
    except (GraphQLError, Refused, Unsound):
        return None
    return operation if operation.kind is OperationType.SUBSCRIPTION else None


async def _begun(
    operation: Operation, request: Request, context: Context, watch: Watch, buckets: Buckets
) -> Answer | tuple[_Followed, Any]:
    """The subscription and where its events come from, once it is paid; or why there is none."""
    try:
        followed = _Followed(operation.document, request, affordable(operation), watch, buckets)
        await context.purse.pay(followed.cost)
        source = await _source(followed, context.reading)
    except (GraphQLError, Refused) as no:
        return _refused(watch, [no])
    return _refused(watch, source.errors or []) if isinstance(source, ExecutionResult) else (followed, source)


async def _source(followed: _Followed, reading: Any) -> AsyncIterable[Any] | ExecutionResult:
    executor = Executor.build(
        CORE,
        followed.document.ast,
        context_value=followed.context(reading),
        raw_variable_values=dict(followed.request.variables),
        operation_name=followed.request.operation_name,
    )
    if isinstance(executor, list):
        return ExecutionResult(None, errors=executor)
    source = create_source_event_stream(executor)
    return source if isinstance(source, ExecutionResult | AsyncIterator) else await source  # type: ignore[misc]


async def _told(followed: _Followed, event: Any) -> Answer | None:
    """The answer about one change; None when its row is hidden from him by now."""
    watch = followed.watch
    while True:
        try:
            await followed.buckets.purse(watch.viewer).pay(followed.cost)
            async with watch.reading() as reading:
                target = target_of(event)
                if await by_key(reading, target[0], target[1]) is None:
                    return None
                return await _executed(followed, event, reading)
        except Throttled as later:
            await asyncio.sleep(later.after_seconds)
        except Exception as error:
            if not away(error):
                raise
            await asyncio.sleep(watch.pace.again)


async def _executed(followed: _Followed, event: Any, reading: Any) -> Answer:
    context = followed.context(reading)
    result = execute(
        CORE,
        followed.document.ast,
        root_value=event,
        context_value=context,
        variable_values=dict(followed.request.variables),
        operation_name=followed.request.operation_name,
    )
    done: ExecutionResult = result if isinstance(result, ExecutionResult) else await result
    for error in done.errors or ():
        if error.original_error is not None and away(error.original_error):
            raise error.original_error
    request_id = followed.watch.request_id
    extensions = {"requestId": request_id, "cost": context.purse.standing().cost(followed.cost)}
    errors = [said(error, request_id) for error in done.errors or ()]
    return execution.fitting(Answer(orjson.dumps(done.data), errors, extensions), request_id)


def _refused(watch: Watch, errors: list[Any]) -> Answer:
    return Answer(None, [said(error, watch.request_id) for error in errors], {"requestId": watch.request_id})


def barred(watch: Watch, no: Barred) -> Answer:
    """The last words of a stream that ends because he may not read it any more."""
    return _refused(watch, [no.no])


def too_slow(watch: Watch) -> Answer:
    """The last words to somebody who does not take what he is sent."""
    no = Refused(Code.READER_TOO_SLOW, "One answer was not taken in time.", "Go on with `after`, and read faster.")
    return _refused(watch, [no])
