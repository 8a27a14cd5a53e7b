"""/graphql over HTTP, as the GraphQL over HTTP draft has it: POST with JSON, GET for reading, one operation a request.

Decides: who may ask (a token, somebody who is here), how long an answer may take, and that no more requests work at a
time than there are connections for reading (503). form.py reads the request, media.py chooses type and status.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import identity, refusals
from api.graphql import execution, form, media
from api.graphql.context import Context
from api.graphql.reading import Reading
from api.house import House
from engine.refusal import Code, Refused

METHODS = ("GET", "HEAD", "POST")
REQUEST_SECONDS = 10
TOGETHER_MAX = 4  # one less than the pool of the store: the rest of the house reads too
WAIT_SECONDS = 2


def route(house: House) -> Route:
    trust = identity.access_trust(house.signer)
    turns = asyncio.Semaphore(TOGETHER_MAX)

    async def endpoint(request: Request) -> Response:
        if request.method not in METHODS:
            no = Refused(Code.METHOD_NOT_ALLOWED, "GraphQL is asked by POST or GET.", "Send the operation by POST.")
            return refusals.answer(no, request_id_of(request), media.ALLOW)
        token = identity.bearer(request.scope["headers"])
        claims = identity.verify(token, trust, house.clock())
        kind = media.accepted(",".join(request.headers.getlist("accept")))
        async with asyncio.timeout(REQUEST_SECONDS):
            asked = await form.read(request)
            try:
                await asyncio.wait_for(turns.acquire(), WAIT_SECONDS)
            except TimeoutError:
                raise Refused(Code.DATABASE_UNAVAILABLE, "Too many are reading.", "Try again in a second.") from None
            try:
                found = await answer(house, claims, asked, request_id_of(request))
            finally:
                turns.release()
        return media.response(kind, found)

    return Route("/graphql", endpoint, methods=[*METHODS, "PUT", "PATCH", "DELETE", "OPTIONS"])


async def answer(house: House, claims: identity.Claims, asked: execution.Request, request_id: str) -> execution.Answer:
    """The operation's answer for the person whom the claims name, from one snapshot."""
    viewer = identity.subject(claims, request_id)
    async with Reading(house.store, viewer) as reading:
        await identity.require_known(await reading.connection())
        return await execution.answer(asked, Context(house, reading))


def request_id_of(request: Request) -> str:
    return str(request.scope.get("request_id", ""))
