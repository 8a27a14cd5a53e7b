"""Answers over a WebSocket: the graphql-transport-ws protocol, several operations on one connection.

Decides: who may connect (a page of our own origin, or a program), which messages are taken, and with which number the
connection ends: 4400 a message that is none, 4401 an operation before the acknowledgement, 4403 a token that is not, or
no longer, accepted, 4406 another subprotocol, 4408 no first message in time, 4409 an id twice, 4413 a reader that does
not take what it is sent, 4429 a second first message or too many connections. One more operation than 20 is refused by
an `error` of its own. The token comes in the first message, never in the address.
Source: enisdenjo/graphql-ws, PROTOCOL.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any
from uuid import uuid4

import orjson
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api import identity
from api.edge import defect
from api.graphql import form
from api.graphql.errors import said
from api.graphql.streams.following import Streams
from api.graphql.streams.watch import Barred, Watch
from engine.refusal import Code, Refused

PROTOCOL = "graphql-transport-ws"
MESSAGE_MAX = 256 * 1024
ID_MAX = 128
NESTING_MAX = 2 * form.NESTING_MAX  # a message holds an operation; what is deeper could not be sent back in a pong


class Ended(Exception):
    """The connection ends with this number and these words."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(words)
        self.number, self.words = number, words


def route(streams: Streams) -> WebSocketRoute:
    async def endpoint(socket: WebSocket) -> None:
        if not _welcome(socket, streams):
            await socket.close()  # before it was accepted: 403
        elif PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
        else:
            await socket.accept(PROTOCOL)
            await _Talk(socket, streams).go()

    return WebSocketRoute("/graphql", endpoint)


def _welcome(socket: WebSocket, streams: Streams) -> bool:
    """A host of ours; and where a browser says whose page it is, a page of ours."""
    settings = streams.house.settings
    host = ",".join(socket.headers.getlist("host"))
    name = host.lower() if host.endswith("]") else host.rsplit(":", 1)[0].lower()
    origin = socket.headers.get("origin")
    return name in settings.hosts and origin in (None, settings.public_url)


class _Talk:
    """One connection."""

    def __init__(self, socket: WebSocket, streams: Streams) -> None:
        self._socket, self._streams, self._pace = socket, streams, streams.pace
        self._under_way: dict[str, asyncio.Task[None]] = {}  # an id is free again before its last message leaves
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def go(self) -> None:
        try:
            token = await self._first()
            with self._streams.watching(token, uuid4().hex) as watch:
                async with watch.reading():
                    pass  # he is somebody who is here
                await self._send({"type": "connection_ack"})
                await self._work(watch)
        except Ended as end:
            await self._close(end.number, end.words)
        except Barred as no:
            await self._close(4403, no.no.what)
        except Refused as no:
            await self._close(4429 if no.code is Code.THROTTLED else 4403, no.what)
        except WebSocketDisconnect:
            pass
        except Exception as wrong:
            defect(wrong, "of a WebSocket")
            await self._close(1011, "Internal error")

    async def _first(self) -> str:
        try:
            async with asyncio.timeout(self._pace.init):
                while (message := await self._message())["type"] != "connection_init":
                    if message["type"] not in ("ping", "pong"):
                        raise Ended(4401, "Unauthorized")
                    await self._answer_ping(message)
        except TimeoutError:
            raise Ended(4408, "Connection initialisation timeout") from None
        payload = message.get("payload")
        named = {str(name).lower(): value for name, value in payload.items()} if isinstance(payload, dict) else {}
        return identity.bearer([(b"authorization", str(named.get("authorization", "")).encode())])

    async def _work(self, watch: Watch) -> None:
        beside = {asyncio.create_task(self._listen(watch)), asyncio.create_task(self._ping())}
        try:
            await asyncio.wait({*beside, self._ending}, return_when=asyncio.FIRST_COMPLETED)
            for task in (*beside, self._ending):
                if task.done():
                    task.result()
        finally:
            if not self._ending.cancel():
                self._ending.exception()  # somebody else was first to end the connection
            await _end([*beside, *self._tasks])

    async def _listen(self, watch: Watch) -> None:
        while True:
            message = await self._message()
            match message["type"]:
                case "ping" | "pong":
                    await self._answer_ping(message)
                case "connection_init":
                    raise Ended(4429, "Too many initialisation requests")
                case "subscribe":
                    await self._subscribe(watch, _id(message), message.get("payload"))
                case "complete":
                    if task := self._under_way.pop(_id(message), None):
                        await _end([task])
                case _:
                    raise Ended(4400, "Invalid message type")

    async def _subscribe(self, watch: Watch, name: str, payload: Any) -> None:
        if name in self._under_way:
            raise Ended(4409, f"Subscriber for {name} already exists")
        if not isinstance(payload, dict):
            raise Ended(4400, "Invalid payload")
        if len(self._under_way) >= self._pace.subscriptions_max:
            most = f"{self._pace.subscriptions_max} operations are under way on this connection."
            no = Refused(Code.THROTTLED, most, "Complete one of them, or open another connection.")
            await self._send({"id": name, "type": "error", "payload": [said(no, watch.request_id)]})
            return
        task = self._under_way[name] = asyncio.create_task(self._operation(watch, name, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _operation(self, watch: Watch, name: str, payload: Mapping[str, Any]) -> None:
        """Answer until there is nothing more to answer. What ends the connection is left in `_ending`."""
        last: dict[str, Any] = {"id": name, "type": "complete"}
        try:
            try:
                async with aclosing(self._streams.answers(watch, form.operation_of(payload))) as answers:
                    async for answer in answers:
                        if answer.data is None:
                            last = {"id": name, "type": "error", "payload": answer.errors}
                            break
                        body = answer.body()
                        await self._send_text(b'{"id":%b,"type":"next","payload":%b}' % (orjson.dumps(name), body))
            except Refused as no:
                last = {"id": name, "type": "error", "payload": [said(no, watch.request_id)]}
            del self._under_way[name]
            await self._send(last)
        except Exception as end:
            if not self._ending.done():
                self._ending.set_exception(end)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._pace.ping)
            await self._send({"type": "ping"})

    async def _answer_ping(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "ping":
            given = message.get("payload")
            await self._send({"type": "pong", **({"payload": given} if isinstance(given, dict) else {})})

    async def _message(self) -> dict[str, Any]:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1006))
        text = received.get("text")
        if not isinstance(text, str) or len(text) > MESSAGE_MAX:
            raise Ended(4400, "Invalid message received")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Ended(4400, "Invalid message received") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Ended(4400, "Invalid message received")
        if form.deeper(message, NESTING_MAX):
            raise Ended(4400, "Invalid message received")
        return message

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._send_text(orjson.dumps(message))

    async def _send_text(self, message: bytes) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._pace.limit):
                await self._socket.send_text(message.decode())
        except TimeoutError:
            raise Ended(4413, "Too slow") from None
        except RuntimeError:  # so says uvicorn of a connection that the other side is closing
            raise WebSocketDisconnect(1006) from None
        if time.monotonic() - began > self._pace.patience:
            raise Ended(4413, "Too slow")

    async def _close(self, number: int, words: str) -> None:
        with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(self._pace.patience):
                await self._socket.close(number, words)


def _id(message: Mapping[str, Any]) -> str:
    name = message.get("id")
    if not isinstance(name, str) or not 1 <= len(name) <= ID_MAX:
        raise Ended(4400, "Invalid message id")
    return name


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
