"""/graphql over HTTP, as the GraphQL over HTTP draft has it: POST with JSON, one operation a request.

Decides: the media type of the answer and its status. `application/graphql-response+json` tells a request that was not
executed by 400; `application/json`, also for `*/*` and a missing Accept, answers 200 for every well-formed request.
Refuses: GET (405), other media types (406, 415), bodies over 256 KiB (413), lists of operations, what is not JSON or
not an object with `query` (400), and more requests at a time than there are connections for reading (503).
"""

import asyncio
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import identity, refusals
from api.graphql import execution
from api.graphql.context import Context
from api.graphql.reading import Reading
from api.house import House
from engine.refusal import Code, Refused

BODY_MAX_BYTES = 256 * 1024
REQUEST_SECONDS = 10
TOGETHER_MAX = 4  # one less than the pool of the store: the rest of the house reads too
WAIT_SECONDS = 2
RESPONSE = "application/graphql-response+json"
PLAIN = "application/json"
MATCHES = {
    RESPONSE: (RESPONSE,),
    PLAIN: (PLAIN,),
    "application/*": (PLAIN,),
    "*/*": (PLAIN,),
}


def route(house: House) -> Route:
    trust = identity.access_trust(house.signer)
    turns = asyncio.Semaphore(TOGETHER_MAX)

    async def endpoint(request: Request) -> Response:
        if request.method != "POST":
            no = Refused(Code.METHOD_NOT_ALLOWED, "GraphQL is asked by POST here.", "Send the operation by POST.")
            return refusals.answer(no, request_id_of(request), {"allow": "POST"})
        token = identity.bearer(request.scope["headers"])
        claims = identity.verify(token, trust, house.clock())
        kind = accepted(request.headers.get("accept", ""))
        async with asyncio.timeout(REQUEST_SECONDS):
            asked = await read(request)
            try:
                await asyncio.wait_for(turns.acquire(), WAIT_SECONDS)
            except TimeoutError:
                raise Refused(Code.DATABASE_UNAVAILABLE, "Too many are reading.", "Try again in a second.") from None
            try:
                found = await answer(house, claims, asked, request_id_of(request))
            finally:
                turns.release()
        status = 400 if kind == RESPONSE and "data" not in found else 200
        return Response(orjson.dumps(found), status, {"content-type": f"{kind}; charset=utf-8"})

    return Route("/graphql", endpoint, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


async def answer(house: House, claims: identity.Claims, asked: execution.Request, request_id: str) -> execution.Answer:
    """The operation's answer for the person whom the claims name, from one snapshot."""
    viewer = identity.subject(claims, request_id)
    async with Reading(house.store, viewer) as reading:
        await identity.require_known(await reading.connection())
        return await execution.answer(asked, Context(house, reading))


def request_id_of(request: Request) -> str:
    return str(request.scope.get("request_id", ""))


def accepted(header: str) -> str:
    """The media type to answer in: the highest q wins, the first listed wins a tie."""
    best, best_q = "", 0.0
    for part in header.split(",") if header.strip() else ["*/*"]:
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        q = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    q = float(value)
                except ValueError:
                    q = 0.0
        for kind in MATCHES.get(name, ()):
            if q > best_q:
                best, best_q = kind, q
    if not best:
        raise Refused(Code.NOT_ACCEPTABLE, "No media type of the Accept header can be served.", f"Accept {RESPONSE}.")
    return best


async def read(request: Request) -> execution.Request:
    """The operation in the body; refuses every other form."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.replace('"', "").strip().lower()
    if kind.strip().lower() != PLAIN or charset not in ("", "charset=utf-8"):
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The body is not application/json.", f"Send {PLAIN} in UTF-8.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            raise Refused(Code.INPUT_TOO_LARGE, "The body is larger than 256 KiB.", "Ask for less at a time.")
    try:
        found: Any = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        raise _bad("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise _bad("The body is not one JSON object; lists of operations are not taken.")
    query, variables, name = found.get("query"), found.get("variables"), found.get("operationName")
    if not isinstance(query, str) or "\0" in query:
        raise _bad("`query` is missing or not text.")
    if not isinstance(variables, dict | None):
        raise _bad("`variables` is not an object.")
    if not isinstance(name, str | None) or not isinstance(found.get("extensions"), dict | None):
        raise _bad("`operationName` is not text, or `extensions` is not an object.")
    return execution.Request(query, variables or {}, name or None)


def _bad(what: str) -> Refused:
    return Refused(Code.BAD_INPUT, what, 'Send {"query": "…", "variables": {…}}.')
