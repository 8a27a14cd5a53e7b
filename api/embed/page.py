"""The pages behind /embed/: an empty shell that may be framed where the tenant allows it, and the data it fetches.

The host's own server gets an embed token (POST /embed/v1/tokens, with the person's bearer token) for one score, one
person and one parent origin; it lives 300 s and is good for nothing else. The frame fetches the data with it in a
header; it never stands in an address. Data are read under the row security of the token's person.
Refuses: to be framed by an origin that is not on the tenant's list (an empty list means by nobody), tokens for other
origins, scores that the person may not see.
"""

from html import escape
from pathlib import Path

import orjson
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from api import identity
from api.embed import scores
from api.house import House
from api.ids import parsed
from api.settings import origins
from api.signing.keys import Purpose
from engine.refusal import Code, Refused
from schema.store import DbRole, Viewer

TOKEN_SECONDS = 300
BODY_MAX_BYTES = 4096
STATIC = {
    "embed.js": "text/javascript",
    "score-card.js": "text/javascript",
    "card.css": "text/css",
}
HERE = Path(__file__).parent / "static"
ALLOWED = text("select frame_ancestors from access.tenant")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {}"
)
SHELL = """<!doctype html>
<html lang="en" data-origins="{origins}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Score</title>
<link rel="stylesheet" href="/embed/v1/card.css">
<script src="/embed/v1/embed.js" defer></script>
</head>
<body><h1>Score</h1><main aria-busy="true" aria-live="polite"><p>Loading…</p></main></body>
</html>
"""


def routes(house: House) -> list[BaseRoute]:
    access, embed = identity.access_trust(house.signer), identity.embed_trust(house.signer)

    async def shell(request: Request) -> Response:
        allowed = await allowed_origins(house)
        page = SHELL.format(origins=escape(" ".join(allowed)))
        return Response(page, media_type="text/html", headers=framed(allowed) | {"cache-control": "public, max-age=60"})

    async def token(request: Request) -> Response:
        bearer = identity.bearer(request.scope["headers"])
        claims = identity.verify(bearer, access, house.clock())
        viewer = identity.subject(claims, request_id(request))
        resource, origin = await wanted(request)
        async with house.store.begin(DbRole.APP, viewer, read_only=True) as connection:
            await identity.require_known(connection)
            found = parsed(resource)
            if found is None or found[0] != "Score" or not await scores.visible(connection, found[1]):
                raise Refused(Code.NOT_FOUND, "There is no such score.", "Ask for a score that you may see.")
        if origin not in await allowed_origins(house):
            raise Refused(
                Code.ACCESS_DENIED,
                "This origin may not show embeds.",
                "Add it to the tenant's list of origins.",
                ("origin",),
            )
        minted = mint(house, viewer, resource, origin)
        return JSONResponse({"token": minted, "expiresInSeconds": TOKEN_SECONDS}, headers={"cache-control": "no-store"})

    async def data(request: Request) -> Response:
        bearer = identity.bearer(request.scope["headers"])
        claims = identity.verify(bearer, embed, house.clock())
        viewer = identity.subject(claims, request_id(request))
        resource = request.path_params["resource"]
        found = parsed(resource)
        allowed = await allowed_origins(house)
        fits = claims.more.get("resource") == resource and claims.more.get("tenant") == str(viewer.tenant_id)
        if not fits or claims.more.get("origin") not in allowed or found is None:
            raise identity.unauthenticated()
        async with house.store.begin(DbRole.APP, viewer, read_only=True) as connection:
            await identity.require_known(connection)
            card = await scores.card_of(connection, found[1])
        return Response(scores.fragment(card), media_type="text/html", headers=framed(()))

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise Refused(Code.NOT_FOUND, "There is nothing here.", "Check the path.")
        headers = framed(()) | {"cache-control": "public, max-age=3600"}
        return Response((HERE / name).read_bytes(), media_type=STATIC[name], headers=headers)

    return [
        Route("/embed/v1/score", shell, methods=["GET"]),
        Route("/embed/v1/tokens", token, methods=["POST"]),
        Route("/embed/v1/data/{resource:str}", data, methods=["GET"]),
        Route("/embed/v1/{name:str}", static, methods=["GET"]),
    ]


def mint(house: House, viewer: Viewer, resource: str, origin: str) -> str:
    """A token for this person, this score and this parent page."""
    more = {"sub": str(viewer.person_id), "tenant": str(viewer.tenant_id), "resource": resource, "origin": origin}
    return identity.signed(
        house.signer, Purpose.EMBED, "embed+jwt", identity.EMBED_AUDIENCE, house.clock(), TOKEN_SECONDS, more
    )


async def allowed_origins(house: House) -> tuple[str, ...]:
    """Who may frame our embeds; a list that cannot be read allows nobody."""
    async with house.store.begin(DbRole.APP, read_only=True) as connection:
        stored = (await connection.execute(ALLOWED)).scalar() or ""
    try:
        return origins(stored)
    except ValueError:
        return ()


def framed(allowed: tuple[str, ...]) -> dict[str, str]:
    return {
        "content-security-policy": POLICY.format(" ".join(allowed) or "'none'"),
        "cross-origin-resource-policy": "cross-origin",
    }


async def wanted(request: Request) -> tuple[str, str]:
    """Resource and origin from the body."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            raise Refused(Code.INPUT_TOO_LARGE, "The body is too large.", "Send resource and origin only.")
    try:
        found = orjson.loads(bytes(body))
        resource, origin = found["resource"], found["origin"]
        if not isinstance(resource, str) or not isinstance(origin, str):
            raise TypeError
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Refused(
            Code.BAD_INPUT,
            "The body does not say resource and origin.",
            'Send {"resource": "…", "origin": "https://…"}.',
        ) from None
    return resource, origin


def request_id(request: Request) -> str:
    return str(request.scope.get("request_id", ""))
