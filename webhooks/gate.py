"""The short way in: a delivery that has arrived whole is judged as its last byte is read, without a task of its own.

uvicorn makes a task, a scope and five messages for each request; for a body of a kilobyte that costs several times what
judging it does. Decides which requests go the short way: POST to a door, head and body in one read of the socket,
nothing else under way on the connection. All others (slow or big bodies, pipelines, upgrades, `Expect`, a full house)
go the ordinary way through ASGI to the same door, and hear the same words. Source: uvicorn's own protocol class, of
which this is one; it keeps connections, keep-alive, limits and shutdown as they are.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from starlette.routing import BaseRoute, Route
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from webhooks.intake import Word
from webhooks.receive import ANSWERS, Door


class Knock:
    """What uvicorn wants to know of the request under way: a request and response cycle without the cycle."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "response_complete")

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.body = b""
        self.more_body = self.disconnected = self.response_complete = False

    @property
    def message_event(self) -> "Knock":
        return self

    def set(self) -> None:
        """Nobody waits for a message."""


class Gate(HttpToolsProtocol):
    """uvicorn's protocol with a short way to `doors`, by raw path."""

    doors: ClassVar[Mapping[bytes, Door]] = {}
    letters: ClassVar[dict[tuple[Door, Word], tuple[bytes, bytes]]] = {}
    date: ClassVar[tuple[list[tuple[bytes, bytes]], bytes]] = ([], b"")

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._door: Door | None = None
        self._body = b""
        self._idle_since: float | None = None

    def data_received(self, data: bytes) -> None:
        self._idle_since = None
        super().data_received(data)
        if self._door is not None and not self.transport.is_closing():  # the rest is yet to come
            self._the_ordinary_way()

    def on_headers_complete(self) -> None:
        door = self.doors.get(self.url)
        if door is None or self._engaged() or self.parser.get_method() != b"POST":
            super().on_headers_complete()
        else:
            self._door, self._body = door, b""

    def _engaged(self) -> bool:
        """Whether this request, or the house, needs more care than the short way takes."""
        limit = self.limit_concurrency
        return (
            (self.cycle is not None and not self.cycle.response_complete)
            or self.expect_100_continue
            or self.access_log
            or self.parser.should_upgrade()
            or (limit is not None and (len(self.connections) >= limit or len(self.tasks) >= limit))
        )

    def on_body(self, body: bytes) -> None:
        if self._door is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        if self._door is None:
            super().on_message_complete()
            return
        door, body = self._door, self._body
        self._door, self._body = None, b""
        knock = Knock(self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive())
        self.cycle = knock  # type: ignore[assignment]  # it has all that uvicorn asks of one
        door.take(self.headers, body, lambda word: self._answer(knock, door, word))

    def _the_ordinary_way(self) -> None:
        body, self._door, self._body = self._body, None, b""
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _answer(self, knock: Knock, door: Door, word: Word) -> None:
        if knock.disconnected or self.transport.is_closing():
            return
        head, body = self.letters.get((door, word)) or self._write_letter(door, word)
        end = b"\r\n" if knock.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((head, self._date_line(), end, body)))
        knock.response_complete = True
        if not knock.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _write_letter(self, door: Door, word: Word) -> tuple[bytes, bytes]:
        reply = ANSWERS[word]
        letter = (STATUS_LINE[reply.status] + lines(door.headers(reply)), reply.body)
        self.letters[door, word] = letter
        return letter

    def _date_line(self) -> bytes:
        """uvicorn makes a new list of these headers every second."""
        given = self.server_state.default_headers
        if self.date[0] is not given:
            type(self).date = (given, lines(given))
        return self.date[1]

    # One timer runs for as long as a connection rests between deliveries, instead of one made anew for each answer.

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None or self.pipeline:
            super().on_response_complete()
        elif not self.transport.is_closing():
            self.server_state.total_requests += 1
            self.flow.resume_reading()

    def _unset_keepalive_if_required(self) -> None:
        if self.transport.is_closing():
            super()._unset_keepalive_if_required()

    def timeout_keep_alive_handler(self) -> None:
        idle = 0.0 if self._idle_since is None else self.loop.time() - self._idle_since
        left = self.timeout_keep_alive - idle
        if self.transport.is_closing() or left <= 0.001:
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)


def lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def gate(routes: Iterable[BaseRoute]) -> type[Gate]:
    """The protocol for an application with these routes."""
    doors = {r.path.encode(): r.app for r in routes if isinstance(r, Route) and isinstance(r.app, Door)}
    return type("Gate", (Gate,), {"doors": doors, "letters": {}})
