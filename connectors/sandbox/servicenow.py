"""ServiceNow's Table API, Aggregate API and token endpoint over the records of the sandbox.

Decides parameters, answers, headers and error bodies as documented: limit 10,000 by default, `X-Total-Count` and `Link`
unless they are suppressed, references as link objects unless excluded, v1 404 against v2 `[]` for no rows, unknown
fields dropped, Basic or Bearer. Refuses without credentials. Source: ServiceNow REST API reference, Table API.
"""

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox.company_book import Row
from connectors.sandbox.servicenow_columns import columns
from connectors.sandbox.servicenow_query import parse
from connectors.sandbox.servicenow_records import Records, Table

DEFAULT_LIMIT, TOKEN_SECONDS = 10_000, 1_799
NO_AUTH = ("User Not Authenticated", "Required to provide Auth information")
NO_RECORD = ("No Record found", "Record doesn't exist or ACL restricts the record retrieval")
Params = Mapping[str, str]
Handler = Callable[["Instance", Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Login:
    """Who may call: a user with a password, or a client that asks for tokens."""

    user: str
    password: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(slots=True)
class Instance:
    records: Records
    login: Login
    tokens: dict[str, float] = field(default_factory=dict)  # token -> when it ends
    waited_seconds: int = 0  # by order; tokens age by them, and by the machine's own clock

    def moment(self) -> float:
        return time.monotonic() + self.waited_seconds


def routes(instance: Instance) -> list[BaseRoute]:
    def bound(handler: Handler, open_to_all: bool = False) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if not open_to_all and not _known(instance, request):
                return refuse(401, *NO_AUTH, {"WWW-Authenticate": 'BASIC realm="Service-now"'}, instance)
            return _dated(await handler(instance, request), instance)

        return endpoint

    found: list[BaseRoute] = [Route("/oauth_token.do", bound(give_token, True), methods=["POST"])]
    for version in ("", "/v1", "/v2"):
        table = f"/api/now{version}/table/{{table}}"
        found += [
            Route(table, bound(read_rows), methods=["GET"]),
            Route(table, bound(create_row), methods=["POST"]),
            Route(f"{table}/{{sys_id}}", bound(read_row), methods=["GET"]),
            Route(f"{table}/{{sys_id}}", bound(change_row), methods=["PATCH", "PUT"]),
            Route(f"{table}/{{sys_id}}", bound(delete_row), methods=["DELETE"]),
            Route(f"/api/now{version}/stats/{{table}}", bound(count_rows), methods=["GET"]),
        ]
    return found


# ---- who calls


async def give_token(instance: Instance, request: Request) -> Response:
    form = {name: values[-1] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
    login = instance.login
    given = f"{form.get('client_id', '')}\n{form.get('client_secret', '')}"
    if form.get("grant_type") != "client_credentials" or not _same(given, f"{login.client_id}\n{login.client_secret}"):
        return _json({"error": "access_denied", "error_description": "access_denied"}, 401)
    token = secrets.token_urlsafe(32)
    instance.tokens[token] = instance.moment() + TOKEN_SECONDS
    content = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": "useraccount"}
    return _json(content)


def _known(instance: Instance, request: Request) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return instance.tokens.get(given, 0.0) > instance.moment()
    try:
        decoded = base64.b64decode(given, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return False
    return scheme.lower() == "basic" and _same(decoded, f"{instance.login.user}:{instance.login.password}")


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


# ---- rows


async def read_rows(instance: Instance, request: Request) -> Response:
    params, records = request.query_params, instance.records
    table = records.tables.get(request.path_params["table"])
    if table is None:
        return refuse(400, f"Invalid table {request.path_params['table']}", None)
    query = parse(params.get("sysparm_query", ""), records.reader(table))
    limit, offset = _whole(params, "sysparm_limit", DEFAULT_LIMIT), _whole(params, "sysparm_offset", 0)
    counted = not _asked(params, "sysparm_no_count")
    rows, total = records.select(table, query, offset, limit, counted)
    headers = {}
    if total is not None:
        headers["X-Total-Count"] = str(total)
        if not _asked(params, "sysparm_suppress_pagination_header"):
            headers["Link"] = _links(request, offset, limit, total)
    if not rows and "/v1/" in request.url.path:
        return refuse(404, *NO_RECORD, headers)
    return _json({"result": _shown(records, table, rows, request)}, headers=headers)


async def read_row(instance: Instance, request: Request) -> Response:
    table = instance.records.tables.get(request.path_params["table"])
    row = table.rows.get(request.path_params["sys_id"]) if table else None
    if table is None or row is None:
        return refuse(404, *NO_RECORD)
    return _json({"result": _shown(instance.records, table, [row], request)[0]})


async def create_row(instance: Instance, request: Request) -> Response:
    values = await _body(request)
    if values is None:
        return refuse(400, "Exception while reading request", "The payload is not valid JSON.")
    table = instance.records.table(request.path_params["table"])
    row = instance.records.insert(table, values)
    return _json({"result": _shown(instance.records, table, [row], request)[0]}, 201)


async def change_row(instance: Instance, request: Request) -> Response:
    table = instance.records.tables.get(request.path_params["table"])
    values, sys_id = await _body(request), request.path_params["sys_id"]
    if values is None:
        return refuse(400, "Exception while reading request", "The payload is not valid JSON.")
    if table is None or sys_id not in table.rows:
        return refuse(404, *NO_RECORD)
    row = instance.records.update(table, sys_id, values)
    return _json({"result": _shown(instance.records, table, [row], request)[0]})


async def delete_row(instance: Instance, request: Request) -> Response:
    table = instance.records.tables.get(request.path_params["table"])
    if table is None or request.path_params["sys_id"] not in table.rows:
        return refuse(404, *NO_RECORD)
    instance.records.delete(table, request.path_params["sys_id"])
    return Response(status_code=204)


async def count_rows(instance: Instance, request: Request) -> Response:
    records = instance.records
    table = records.tables.get(request.path_params["table"])
    if table is None:
        return refuse(400, f"Invalid table {request.path_params['table']}", None)
    query = parse(request.query_params.get("sysparm_query", ""), records.reader(table))
    _, total = records.select(table, query, 0, 0, True)
    stats = {"count": str(total)} if _asked(request.query_params, "sysparm_count") else {}
    return _json({"result": {"stats": stats}})


def _shown(records: Records, table: Table, rows: list[Row], request: Request) -> list[dict[str, Any]]:
    """Rows as the caller wants to see them; unknown fields are dropped without a word."""
    params = request.query_params
    names = [name.strip() for name in params.get("sysparm_fields", "").split(",") if name.strip()]
    fields = {name: read for name in names or table.columns if (read := records.reader(table)(name)) is not None}
    display, bare = (
        params.get("sysparm_display_value", "false").lower(),
        _asked(params, "sysparm_exclude_reference_link"),
    )
    if display == "false" and bare:
        return [{name: read(row) for name, read in fields.items()} for row in rows]
    base, known = f"{request.url.scheme}://{request.url.netloc}/api/now/table", columns(table.name)

    def show(name: str, value: str) -> Any:
        kind = known[name].kind if name in known else "reference"
        target = records.where.get(value) if kind == "reference" and len(value) == 32 else None
        if target is None:
            return {"display_value": value, "value": value} if display == "all" else value
        link = {} if bare else {"link": f"{base}/{target.name}/{value}"}
        there = target.rows[value]
        label = there.get("name") or there.get("number") or value
        if display == "false":
            return {**link, "value": value}
        if display == "all":
            return {"display_value": label, "value": value, **link}
        return {"display_value": label, **link} if link else label

    return [{name: show(name, read(row)) for name, read in fields.items()} for row in rows]


def _links(request: Request, offset: int, limit: int, total: int) -> str:
    """first, prev, next, last, as far as there are such pages."""
    step = max(limit, 1)
    places = {"first": 0, "prev": offset - step, "next": offset + step, "last": max(total - 1, 0) // step * step}
    url = request.url.replace(query="")

    def link(rel: str, start: int) -> str:
        return f'<{url}?{urlencode({**request.query_params, "sysparm_offset": start})}>;rel="{rel}"'

    return ",".join(link(rel, start) for rel, start in places.items() if 0 <= start < max(total, 1))


def _asked(params: Params, name: str) -> bool:
    return params.get(name, "").lower() == "true"  # clients spell it "True" as well


def _whole(params: Params, name: str, default: int) -> int:
    text = params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else default


async def _body(request: Request) -> dict[str, Any] | None:
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def refuse(
    status: int, message: str, detail: str | None, headers: Mapping[str, str] | None = None,
    instance: Instance | None = None,
) -> Response:  # fmt: skip
    content = {"error": {"message": message, "detail": detail}, "status": "failure"}
    response = _json(content, status, headers)
    return _dated(response, instance) if instance else response


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def _dated(response: Response, instance: Instance) -> Response:
    """The instance's own clock, which is the one that its stamps come from."""
    response.headers["Date"] = format_datetime(instance.records.now, usegmt=True)
    return response
