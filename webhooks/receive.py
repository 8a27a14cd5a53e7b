"""Receive, store, answer; think later. One door a sender: POST, raw bytes, signature, inbox row, 202.

The order is the point: size and time limits before the body is held, the signature before anything is believed, the
commit before the answer. Nothing is parsed: malformed JSON and NUL bytes of a genuine sender are stored, the worker
judges them. Statuses: 202 with {"outcome": "new" | "duplicate" | "conflict"}; 401 (one fixed body, the reason is only
counted), 408, 413, 415; 429 and 503 with Retry-After when nothing was stored. Bytes and seconds as the names say.
Headers that belong on every answer (those of security, for one) are handed in by the application.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.words import Source
from webhooks.intake import Arrival, Intake, Outcome, Tell, Word
from webhooks.reasons import Reason
from webhooks.signatures import Genuine, Headers

LOG = logging.getLogger("evenhand.webhooks")

Clock = Callable[[], datetime]
Verify = Callable[[Headers, bytes, Sequence[bytes], datetime], Genuine | Reason]
KEPT_VALUE_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class Sender:
    """Who may knock at a path: how he proves himself, with which secrets, and which headers are worth keeping."""

    source: Source
    path: str
    verify: Verify
    secrets: tuple[bytes, ...]
    kept_headers: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class BodyLimits:
    body_bytes: int = 1 << 20
    body_seconds: float = 10
    # Of a body that is too big, so much is read and thrown away: hanging up on a sender in mid-sentence costs him the
    # answer on most systems. Beyond it we do hang up.
    drained_bytes: int = 32 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


def answer(status: int, body: bytes, *extra: tuple[bytes, bytes]) -> Answer:
    plain = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
    return Answer(status, body, (*plain, *extra))


HANG_UP = (b"connection", b"close")
UNAUTHORIZED = answer(401, b'{"error":"unauthorized"}')
UNAVAILABLE = answer(503, b'{"error":"not stored, send it again"}', (b"retry-after", b"5"))
TOO_BIG = b'{"error":"body too big"}'
ANSWERS: Mapping[Word, Answer] = {
    **{outcome: answer(202, b'{"outcome":"%b"}' % outcome.encode()) for outcome in Outcome},
    Reason.HEADER_MISSING: UNAUTHORIZED,
    Reason.HEADER_REPEATED: UNAUTHORIZED,
    Reason.ID_MALFORMED: UNAUTHORIZED,
    Reason.TIMESTAMP_MALFORMED: UNAUTHORIZED,
    Reason.OUTSIDE_WINDOW: UNAUTHORIZED,
    Reason.SIGNATURES_TOO_MANY: UNAUTHORIZED,
    Reason.NO_MATCH: UNAUTHORIZED,
    Reason.BODY_TOO_BIG: answer(413, TOO_BIG),
    Reason.BODY_ENDLESS: answer(413, TOO_BIG, HANG_UP),
    Reason.BODY_TOO_SLOW: answer(408, b'{"error":"body too slow"}', HANG_UP),
    Reason.BODY_ENCODED: answer(415, b'{"error":"send the body as it is, without Content-Encoding"}'),
    Reason.SENDER_LEFT: answer(408, b"", HANG_UP),  # nobody is there to read it
    Reason.INTAKE_FULL: answer(429, b'{"error":"too many at once, send it again"}', (b"retry-after", b"1")),
    Reason.DATABASE_AWAY: UNAVAILABLE,
    Reason.ROW_REFUSED: UNAVAILABLE,
}


def routes(
    intake: Intake,
    senders: Iterable[Sender],
    clock: Clock,
    limits: BodyLimits = BodyLimits(),
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> list[Route]:
    """One route a sender. `headers` go onto every answer."""
    always = tuple(headers)
    return [
        Route(sender.path, Door(sender, intake, clock, limits, always), methods=["POST"], name=f"hooks {sender.source}")
        for sender in senders
    ]


class Porch:
    """Middleware that takes deliveries before the application, for they need nothing of what it does for people.

    What is not a POST to one of the routes passes on, to the same routes among others.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[Route]) -> None:
        self._app = app
        self._doors = {route.path: route.app for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self._doors.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        await (door or self._app)(scope, receive, send)


class Door:
    """The ASGI application behind one path. `take` is the same without ASGI, for a body that is already here."""

    def __init__(
        self, sender: Sender, intake: Intake, clock: Clock, limits: BodyLimits, always: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        self._sender = sender
        self._named = {word: f"{sender.source}.{word}" for word in (*Outcome, *Reason)}
        self._secrets_named = [f"{sender.source}.secret_{no}" for no in range(len(sender.secrets))]
        self._always = always
        self._intake = intake
        self._clock = clock
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = ANSWERS[await self._judged(scope["headers"], receive)]
        await send({"type": "http.response.start", "status": reply.status, "headers": self.headers(reply)})
        await send({"type": "http.response.body", "body": reply.body})

    def headers(self, reply: Answer) -> list[tuple[bytes, bytes]]:
        return [*reply.headers, *self._always]

    async def _judged(self, headers: Headers, receive: Receive) -> Word:
        told: asyncio.Future[Word] = asyncio.get_running_loop().create_future()

        def tell(word: Word) -> None:
            if not told.done():  # the request may have been cancelled meanwhile
                told.set_result(word)

        body: bytes | Reason | None = self._refused_unread(headers)
        if body is None:
            try:
                async with asyncio.timeout(self._limits.body_seconds):
                    body = await read(receive, self._limits)
            except TimeoutError:
                body = Reason.BODY_TOO_SLOW
        if isinstance(body, Reason):
            self._count(body)
            return body
        self.take(headers, body, tell)
        return await told

    def take(self, headers: Headers, body: bytes, tell: Tell) -> None:
        """Judge a whole delivery and store it. `tell` hears the outcome once, perhaps before this returns."""
        now = self._clock()
        verdict: Genuine | Reason | None = self._refused_unread(headers)
        if len(body) > self._limits.body_bytes:
            verdict = verdict or Reason.BODY_TOO_BIG
        if verdict is None:
            verdict = self._sender.verify(headers, body, self._sender.secrets, now)
        if isinstance(verdict, Reason):
            self._count(verdict)
            tell(verdict)
            return
        self._intake.counts[self._secrets_named[verdict.secret_no]] += 1
        delivery_id = verdict.delivery_id

        def stored(word: Word) -> None:
            self._count(word)
            if word is Outcome.CONFLICT:
                LOG.warning("%s sent %s again with another body", self._sender.source, delivery_id)
            tell(word)

        kept = keep(headers, self._sender.kept_headers)
        self._intake.offer(Arrival(self._sender.source, delivery_id, body, kept, now), stored)

    def _refused_unread(self, headers: Headers) -> Reason | None:
        """Refusals that need no byte of the body."""
        for name, value in headers:
            if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                return Reason.BODY_ENCODED
            if name == b"content-length" and value.isdigit() and int(value[:20]) > self._limits.body_bytes:
                endless = int(value[:20]) > self._limits.drained_bytes
                return Reason.BODY_ENDLESS if endless else Reason.BODY_TOO_BIG
        return None

    def _count(self, word: Word) -> None:
        self._intake.counts[self._named[word]] += 1


async def read(receive: Receive, limits: BodyLimits) -> bytes | Reason:
    """The whole body, whatever length was announced; never more than the limit and one chunk in memory."""
    body = bytearray()
    size_bytes = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return Reason.SENDER_LEFT
        chunk = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes > limits.drained_bytes:
            return Reason.BODY_ENDLESS
        if size_bytes <= limits.body_bytes:
            body += chunk
        more = message.get("more_body", False)
    return bytes(body) if size_bytes <= limits.body_bytes else Reason.BODY_TOO_BIG


def keep(headers: Headers, names: frozenset[bytes]) -> dict[str, str]:
    """The listed headers that are plain text. Values are the sender's: what is odd is left out, not repaired."""
    kept = {}
    for name, value in headers:
        if name in names and len(value) <= KEPT_VALUE_MAX_CHARS:
            text = value.decode("latin-1")
            if text.isascii() and text.isprintable():
                kept[name.decode()] = text
    return kept
