"""/graphql over HTTP, as the GraphQL over HTTP draft has it: POST with JSON, GET for reading, one operation a request.

Decides: who may ask (a token, somebody who is here), and how long an answer may take. form.py reads the request,
turns.py says whose turn it is, bucket.py what he may ask, media.py chooses type and status.
"""

import asyncio
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import identity, refusals
from api.graphql import execution, form, media
from api.graphql.bucket import Buckets
from api.graphql.context import Context
from api.graphql.reading import Reading
from api.graphql.registry import Registry
from api.graphql.streams import sse
from api.graphql.streams.following import Streams
from api.graphql.turns import Turns
from api.house import House
from api.verified import Verified
from engine.refusal import Code, Refused

METHODS = ("GET", "HEAD", "POST")
REQUEST_SECONDS = 10
TOGETHER_MAX = 4  # one less than the pool of the store: the rest of the house reads too


def route(house: House, streams: Streams) -> Route:
    tokens = Verified(identity.access_trust(house.signer))
    turns, documents = Turns(TOGETHER_MAX), Registry(house.store)

    async def endpoint(request: Request) -> Response:
        if request.method not in METHODS:
            no = Refused(Code.METHOD_NOT_ALLOWED, "GraphQL is asked by POST or GET.", "Send the operation by POST.")
            return refusals.answer(no, request_id_of(request), media.ALLOW)
        token = identity.bearer(request.scope["headers"])
        claims = tokens.claims(token, house.clock())
        if sse.wanted(request):
            async with asyncio.timeout(REQUEST_SECONDS):
                asked = await form.read(request)
            return sse.Events(streams, token, asked, request_id_of(request))
        kind = media.accepted(",".join(request.headers.getlist("accept")))
        async with asyncio.timeout(REQUEST_SECONDS):
            asked = replace(
                await form.read(request), media=kind, if_none_match=request.headers.get("if-none-match", "")
            )
            async with turns.taken(claims.subject):
                found = await answer(house, streams.buckets, documents, claims, asked, request_id_of(request))
        return media.response(kind, found)

    return Route("/graphql", endpoint, methods=[*METHODS, "PUT", "PATCH", "DELETE", "OPTIONS"])


async def answer(
    house: House,
    buckets: Buckets,
    documents: Registry,
    claims: identity.Claims,
    asked: execution.Request,
    request_id: str,
) -> execution.Answer:
    """The operation's answer for the person whom the claims name, from one snapshot."""
    viewer = identity.subject(claims, request_id)
    async with Reading(house.store, viewer) as reading:
        found = await execution.answer(asked, Context(house, reading, buckets.purse(viewer), documents))
        await reading.require_known()  # also before telling somebody what is wrong with his document
        return found


def request_id_of(request: Request) -> str:
    return str(request.scope.get("request_id", ""))
