"""The outermost layer: what is true of every request and every answer, whatever happens inside.

Decides: a request id, the list of hosts that we answer for, the security headers, and that nothing but one of our
refusals ever leaves: a defect becomes an id, its text stays in the log. Routes may set a header themselves, such as the
policy of an embed; it is left as it is.
"""

import logging
import traceback
from uuid import uuid4

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import refusals
from api.settings import Settings
from engine.refusal import Code, Refused

HEADERS = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
AWAY = (OperationalError, InterfaceError, PoolTimeout, ConnectionError)

_log = logging.getLogger("evenhand.edge")


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = frozenset(settings.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = uuid4().hex
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = list(message.get("headers", []))
                named = {name.lower() for name, _ in own}
                ours = [header for header in RAW_HEADERS if header[0] not in named]
                message = {**message, "headers": [*own, *ours, (b"x-request-id", request_id.encode())]}
            await send(message)

        try:
            refused = self._foreign_host(scope)
            if refused is None:
                await self._app(scope, receive, sending)
                return
            answer = refusals.answer(refused, request_id)
        except Refused as no:
            answer = refusals.answer(no, request_id)
        except TimeoutError:
            answer = refusals.answer(Refused(Code.TIMEOUT, "The request took too long.", "Ask for less."), request_id)
        except AWAY:
            answer = refusals.answer(refusals.unavailable(), request_id)
        except Exception as wrong:
            answer = refusals.answer(defect(wrong, request_id), request_id)
        if not started:
            await answer(scope, receive, sending)

    def _foreign_host(self, scope: Scope) -> Refused | None:
        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = named[0].rsplit(":", 1)[0] if len(named) == 1 and not named[0].endswith("]") else "".join(named)
        if len(named) == 1 and host.lower() in self._hosts:
            return None
        return Refused(Code.BAD_INPUT, "This host is not served here.", "Add it to EVENHAND_HOSTS if it should be.")


def defect(wrong: Exception, request_id: str) -> Refused:
    """Note a mistake of ours in the log: kind and place only, for the message may hold a value of somebody's."""
    frames = traceback.extract_tb(wrong.__traceback__)[-4:]
    where = " ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)
    _log.error("defect in request %s: %s at %s", request_id, type(wrong).__name__, where)
    return refusals.internal()
