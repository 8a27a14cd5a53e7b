"""SCIM over HTTP: which paths exist below /scim/v2, who may ask, and how a no looks there.

A request carries a token of a service account with the scope scim:write. Bodies are application/scim+json (or plain
JSON) of at most 1 MiB. Answers carry the version as ETag; a write heeds If-Match, a read If-None-Match. Every no has
the shape of RFC 7644, section 3.12, also those that come from the house around: away, too large, wrong method.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError
from scim2_models import Context, Error, NotFoundException, NotImplementedException, Resource, SCIMException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api import identity, refusals
from api.edge import AWAY, defect
from api.handover import limited
from api.house import House
from api.scim import changes, queries, records
from api.scim.changes import Sender, matches
from api.scim.records import ACCOUNTS, BASE, GROUPS, Kind, Standing
from api.scim.resources import PROVIDER, config
from engine.refusal import Code, Refused
from schema.store import DbRole

SCOPE = "scim:write"
BODY_MAX_BYTES = 1 << 20
MEDIA_TYPE = "application/scim+json"
TAKEN_TYPES = ("application/scim+json", "application/json")
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: who sent it, what it is about, and the id in its path, empty for all of a kind."""

    by: Sender
    request: Request
    key: str


Handler = Callable[[Asked], Awaitable[Response]]


def routes(house: House) -> list[BaseRoute]:
    trust = identity.access_trust(house.signer)
    table = {**of_kind(ACCOUNTS), **of_kind(GROUPS), **DISCOVERY, **OFF}

    async def answered(request: Request) -> Response:
        request_id = str(request.scope.get("request_id", ""))
        try:
            claims = identity.verify(identity.bearer(request.scope["headers"]), trust, house.clock())
            viewer = identity.service(claims, SCOPE, request_id)
            place, _, key = request.path_params["rest"].strip("/").partition("/")
            found = table.get((place, bool(key)))
            if found is None or "/" in key:
                raise NotFoundException(detail="There is nothing here.")
            handler = found.get("GET" if request.method == "HEAD" else request.method)
            if handler is None:
                return problem(405, "This method is not for this path.", headers={"allow": ", ".join(sorted(found))})
            by = Sender(house, viewer, claims.subject, house.clock())
            return await handler(Asked(by, request, key))
        except SCIMException as no:
            return shaped(no.to_error())
        except ValidationError as wrong:
            return shaped(Error.from_validation_errors(wrong)[0])
        except Refused as no:
            return refused(no)
        except AWAY:
            return refused(refusals.unavailable())
        except RecursionError:
            return problem(400, "This is nested too deep.", "invalidSyntax")
        except Exception as wrong:
            return refused(defect(wrong, request_id))

    return [Route(f"{BASE}/{{rest:path}}", answered, methods=METHODS)]


# ---- accounts and groups


def of_kind(kind: Kind) -> dict[tuple[str, bool], Mapping[str, Handler]]:
    """What may be done with all of a kind, and with one of it."""

    async def listing(asked: Asked) -> Response:
        search, held = queries.search(kind, asked.request.query_params)
        first, count = (search.start_index or 1) - 1, search.count or 0
        by = asked.by
        async with by.house.store.begin(DbRole.WORKER, by.viewer, read_only=True) as connection:
            total, found = await records.page(connection, kind, by.tenant, by.url, held, first, count)
        shown = [
            each.resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=search)
            for each in found
        ]
        return listed(shown, total, first + 1)

    async def make(asked: Asked) -> Response:
        wanted = queries.parameters(kind, asked.request.query_params)
        made = await changes.create(asked.by, kind, await body(asked.request))
        headers = {"location": str(made.resource.meta.location)}
        return one(made, wanted, Context.RESOURCE_CREATION_RESPONSE, 201, headers)

    async def read(asked: Asked) -> Response:
        wanted, by = queries.parameters(kind, asked.request.query_params), asked.by
        async with by.house.store.begin(DbRole.WORKER, by.viewer, read_only=True) as connection:
            found = await records.find(connection, kind, asked.key, by.tenant, by.url)
        if found is None:
            raise NotFoundException(detail=f"There is no such {kind.entity}.")
        known = asked.request.headers.get("if-none-match")
        if known is not None and matches(known, found.etag):
            return Response(status_code=304, headers={"etag": found.etag})
        return one(found, wanted, Context.RESOURCE_QUERY_RESPONSE)

    async def put(asked: Asked) -> Response:
        wanted, if_match = queries.parameters(kind, asked.request.query_params), asked.request.headers.get("if-match")
        said = await body(asked.request)
        written = await changes.replace(asked.by, kind, asked.key, said, if_match)
        return one(written, wanted, Context.RESOURCE_REPLACEMENT_RESPONSE)

    async def patch(asked: Asked) -> Response:
        wanted, if_match = queries.parameters(kind, asked.request.query_params), asked.request.headers.get("if-match")
        said = await body(asked.request)
        written = await changes.patch(asked.by, kind, asked.key, said, if_match)
        return one(written, wanted, Context.RESOURCE_PATCH_RESPONSE)

    async def delete(asked: Asked) -> Response:
        await changes.delete(asked.by, kind, asked.key, asked.request.headers.get("if-match"))
        return Response(status_code=204)

    return {
        (kind.place, False): {"GET": listing, "POST": make},
        (kind.place, True): {"GET": read, "PUT": put, "PATCH": patch, "DELETE": delete},
    }


async def body(request: Request) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TAKEN_TYPES:
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The body is not JSON.", f"Send {MEDIA_TYPE}.")
    try:
        return orjson.loads(await limited(request, BODY_MAX_BYTES))
    except orjson.JSONDecodeError:
        raise Refused(Code.DOCUMENT_INVALID, "The body is not valid JSON.", "Correct it.") from None


# ---- what the service says about itself


async def provider(asked: Asked) -> Response:
    found = config()
    return scim(described(found, asked, "ServiceProviderConfig", ""))


async def resource_types(asked: Asked) -> Response:
    return some(PROVIDER.resource_types, asked, "ResourceType", "ResourceTypes")


async def schemas(asked: Asked) -> Response:
    return some(PROVIDER.schemas, asked, "Schema", "Schemas")


def some(found: tuple[Resource[Any], ...], asked: Asked, entity: str, place: str) -> Response:
    """All of them, or the one that the path names. They are not searched (RFC 7644, section 4)."""
    if asked.request.query_params.get("filter"):
        return problem(403, "These are not searched.")
    if not asked.key:
        shown = [described(each, asked, entity, f"{place}/{each.id}") for each in found]
        return listed(shown, len(shown), 1)
    for each in found:
        if each.id == asked.key:
            return scim(described(each, asked, entity, f"{place}/{each.id}"))
    raise NotFoundException(detail=f"There is no such {entity}.")


def described(resource: Resource[Any], asked: Asked, entity: str, path: str) -> dict[str, Any]:
    shown = resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
    return shown | {"meta": {"resourceType": entity, "location": f"{asked.by.url}{BASE}/{path or entity}"}}


async def off(asked: Asked) -> Response:
    raise NotImplementedException(detail="This is not offered; see ServiceProviderConfig.")


DISCOVERY: dict[tuple[str, bool], Mapping[str, Handler]] = {
    ("ServiceProviderConfig", False): {"GET": provider},
    ("ResourceTypes", False): {"GET": resource_types},
    ("ResourceTypes", True): {"GET": resource_types},
    ("Schemas", False): {"GET": schemas},
    ("Schemas", True): {"GET": schemas},
}
OFF: dict[tuple[str, bool], Mapping[str, Handler]] = {
    ("Bulk", False): {"POST": off},
    ("Me", False): dict.fromkeys(["GET", "POST", "PUT", "PATCH", "DELETE"], off),
    (".search", False): {"POST": off},
}


# ---- answers


def one(
    found: Standing, wanted: Any, context: Context, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    shown = found.resource.model_dump(scim_ctx=context, response_parameters=wanted)
    return scim(shown, status, {"etag": found.etag, **(headers or {})})


def listed(shown: list[dict[str, Any]], total: int, first: int) -> Response:
    page = {"schemas": [LIST], "totalResults": total, "startIndex": first, "itemsPerPage": len(shown)}
    return scim(page | {"Resources": shown})


def scim(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def shaped(error: Error, headers: Mapping[str, str] | None = None) -> Response:
    status = error.status or 400
    # A text that was sent may be no valid Unicode, and the words about it repeat a part of it.
    error.detail = (error.detail or "").encode("utf-8", "replace").decode()
    return scim(error.model_dump(), status, {**refusals.HEADERS.get(status, {}), **(headers or {})})


def problem(status: int, detail: str, kind: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
    return shaped(Error(status=status, scim_type=kind, detail=detail), headers)


SCIM_TYPES: Mapping[Code, str] = {Code.DOCUMENT_INVALID: "invalidSyntax", Code.BAD_INPUT: "invalidValue"}


def refused(no: Refused) -> Response:
    headers = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{SCOPE}"'}
    status = refusals.status_of(no.code)
    more = headers if status == 403 else None
    return problem(status, f"{no.what} {no.fix}", SCIM_TYPES.get(no.code), more)
