"""The HTTP application: which paths exist and what answers there. Everything it needs is handed in with the house."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from api import exports, handover, refusals
from api.edge import RAW_HEADERS, Edge
from api.embed import page as embed
from api.graphql import graphiql
from api.graphql import http as graphql
from api.graphql.streams import ws
from api.graphql.streams.following import Streams
from api.graphql.streams.watch import Pace
from api.house import House
from api.scim import http as scim
from engine.refusal import Code, Refused
from schema.identity import DEFAULT_TENANT
from schema.store import DbRole
from webhooks import jira, receive, servicenow
from webhooks.intake import Intake

TENANT = text(
    """insert into access.tenant as here (tenant_id, name, frame_ancestors) values (:tenant, 'Default', :origins)
       on conflict (tenant_id) do update set frame_ancestors = excluded.frame_ancestors
       where excluded.frame_ancestors not in ('', here.frame_ancestors)"""
)


def create_app(house: House, pace: Pace | None = None) -> Starlette:
    """`pace` says how often streams are looked after."""
    intake, streams = Intake(house.database_url), Streams(house, pace)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        await introduce(house)
        yield
        await streams.close()
        await intake.close()

    hooks = receive.routes(intake, senders(house), house.clock, headers=RAW_HEADERS)
    return Starlette(
        routes=[
            graphql.route(house, streams),
            ws.route(streams),
            *graphiql.routes(house),
            *hooks,
            *handover.routes(house),
            *exports.routes(house),
            *embed.routes(house),
            *scim.routes(house),
            *health(house),
            *published(house),
        ],
        middleware=[Middleware(receive.Porch, routes=hooks), Middleware(Edge, settings=house.settings)],
        exception_handlers={404: _nothing_here, 405: _nothing_here},
        lifespan=life,
    )


async def introduce(house: House) -> None:
    """The tenant's own row. Who may frame its embeds follows from the settings; none set leaves what stands."""
    async with house.store.begin(DbRole.WORKER) as connection:
        origins = " ".join(house.settings.frame_ancestors)
        await connection.execute(TENANT, {"tenant": DEFAULT_TENANT, "origins": origins})


def senders(house: House) -> list[receive.Sender]:
    """The doors that have a secret; a sender without one is not let in at all."""
    known = [
        (servicenow.sender, house.settings.servicenow.webhook_secrets),
        (jira.sender, house.settings.jira.webhook_secrets),
    ]
    return [sender(secrets) for sender, secrets in known if secrets]


def health(house: House) -> list[BaseRoute]:
    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        """Whether requests can be served: the database answers as the application's role."""
        try:
            async with house.store.begin(DbRole.APP, read_only=True) as connection:
                await connection.execute(text("select 1"))
        except Exception:
            return JSONResponse({"status": "not ready", "failing": ["database"]}, 503, headers={"retry-after": "5"})
        return JSONResponse({"status": "ready"})

    return [Route("/healthz", alive), Route("/livez", alive), Route("/readyz", ready)]


def published(house: House) -> list[BaseRoute]:
    """What others need to check us without asking us."""

    async def jwks(request: Request) -> Response:
        return JSONResponse(house.signer.jwks(), headers={"cache-control": "public, max-age=300"})

    async def vkeys(request: Request) -> Response:
        lines = "".join(f"{line}\n" for line in house.signer.vkeys(house.log.origin))
        return PlainTextResponse(lines, headers={"cache-control": "public, max-age=300"})

    return [Route("/.well-known/jwks.json", jwks), Route("/.well-known/evenhand-vkeys.txt", vkeys)]


async def _nothing_here(request: Request, wrong: Exception) -> Response:
    status = getattr(wrong, "status_code", 404)
    code = Code.METHOD_NOT_ALLOWED if status == 405 else Code.NOT_FOUND
    no = Refused(code, "There is nothing here.", "Check path and method.")
    return refusals.answer(no, str(request.scope.get("request_id", "")), getattr(wrong, "headers", None))
