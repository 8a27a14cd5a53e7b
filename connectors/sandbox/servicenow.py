"""ServiceNow's Table, Aggregate and Batch API and its token endpoint over the records of the sandbox.

Decides parameters, answers, headers and error bodies as documented: limit 10,000 by default, `X-Total-Count` and `Link`
unless they are suppressed, references as link objects unless excluded, v1 404 against v2 `[]` for no rows, unknown
fields dropped, Basic or Bearer, invalid parts of a query ignored unless the customer's property says otherwise. What an
account may not see comes with the request (servicenow_lens.py). Refuses without credentials. Source: ServiceNow REST
API reference, Table API, Aggregate API, Batch API.
"""

import base64
import binascii
import hmac
import re
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox.company_book import Row
from connectors.sandbox.servicenow_answers import as_json, asked, links, refuse, shown, whole
from connectors.sandbox.servicenow_batch import serve_item
from connectors.sandbox.servicenow_columns import DESCRIBED, columns
from connectors.sandbox.servicenow_lens import lens_of
from connectors.sandbox.servicenow_query import parse
from connectors.sandbox.servicenow_records import Records, Table

DEFAULT_LIMIT, TOKEN_SECONDS = 10_000, 1_799
NO_AUTH = ("User Not Authenticated", "Required to provide Auth information")
NO_RECORD = ("No Record found", "Record doesn't exist or ACL restricts the record retrieval")
NO_RIGHTS = ("User Not Authorized", "Failed API level ACL Validation")
INVALID_QUERY = "glide.invalid_query.returns_no_rows"
GENERATED = re.compile(r"javascript:gs\.dateGenerate\('(\d{4}-\d\d-\d\d)',\s*'(\d\d:\d\d:\d\d)'\)")
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
                return _dated(refuse(401, *NO_AUTH, {"WWW-Authenticate": 'BASIC realm="Service-now"'}), instance)
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
            Route(f"/api/now{version}/batch", bound(run_batch), methods=["POST"]),
        ]
    return found


# ---- who calls


async def give_token(instance: Instance, request: Request) -> Response:
    form = {name: values[-1] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
    login = instance.login
    given = f"{form.get('client_id', '')}\n{form.get('client_secret', '')}"
    if form.get("grant_type") != "client_credentials" or not _same(given, f"{login.client_id}\n{login.client_secret}"):
        return as_json({"error": "access_denied", "error_description": "access_denied"}, 401)
    token = secrets.token_urlsafe(32)
    instance.tokens[token] = instance.moment() + TOKEN_SECONDS
    content = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": "useraccount"}
    return as_json(content)


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
    params, records, lens = request.query_params, instance.records, lens_of(request.scope)
    table = records.tables.get(request.path_params["table"])
    if table is None:
        return refuse(400, f"Invalid table {request.path_params['table']}", None)
    if lens.closed:
        return _closed(lens.closed, "/v1/" in request.url.path)
    query = parse(_evaluated(params.get("sysparm_query", ""), lens.zone), records.reader(table))
    limit, offset = whole(params, "sysparm_limit", DEFAULT_LIMIT), whole(params, "sysparm_offset", 0)
    counted = not asked(params, "sysparm_no_count")
    nothing = bool(query.ignored) and _nothing_for_invalid(records)
    rows, total = records.select(table, query, offset, 0 if nothing else limit, counted, lens)
    total = 0 if nothing and counted else total
    headers = {}
    if total is not None:
        headers["X-Total-Count"] = str(total)
        if not asked(params, "sysparm_suppress_pagination_header"):
            headers["Link"] = links(request, offset, limit, total)
    if not rows and "/v1/" in request.url.path:
        return refuse(404, *NO_RECORD, headers)
    return as_json({"result": shown(records, table, rows, request)}, headers=headers)


def _nothing_for_invalid(records: Records) -> bool:
    """The customer's switch: an invalid part gives no rows instead of being ignored."""
    rows = records.tables["sys_properties"].rows.values()
    return any(row["name"] == INVALID_QUERY and row["value"] == "true" for row in rows)


def _evaluated(query: str, zone: str) -> str:
    """`javascript:gs.dateGenerate('2026-03-04','10:15:07')` is a moment in the zone of the account."""

    def moment(match: re.Match[str]) -> str:
        local = datetime.fromisoformat(f"{match[1]} {match[2]}").replace(tzinfo=ZoneInfo(zone or "UTC"))
        return local.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")

    return GENERATED.sub(moment, query)


def _closed(how: str, first_version: bool) -> Response:
    if how == "forbidden":
        return refuse(403, *NO_RIGHTS)
    if how == "missing" or first_version:
        return refuse(404, *NO_RECORD)
    return as_json({"result": []}, headers={"X-Total-Count": "0"})


def _row(instance: Instance, request: Request) -> tuple[Table, Row] | None:
    """The record of the path as this account sees it."""
    table, lens = instance.records.tables.get(request.path_params["table"]), lens_of(request.scope)
    row = table.rows.get(request.path_params["sys_id"]) if table else None
    if table is None or row is None or lens.closed or lens.hidden(row):
        return None
    seen = lens.shows(instance.records.clocks.shown(instance.records, row) if table.name == "task_sla" else row)
    return None if seen is None else (table, seen)


async def read_row(instance: Instance, request: Request) -> Response:
    found = _row(instance, request)
    if found is None:
        return refuse(404, *NO_RECORD)
    table, row = found
    return as_json({"result": shown(instance.records, table, [row], request)[0]})


async def create_row(instance: Instance, request: Request) -> Response:
    values = await _body(request)
    if values is None:
        return refuse(400, "Exception while reading request", "The payload is not valid JSON.")
    if lens_of(request.scope).closed:
        return refuse(403, *NO_RIGHTS)
    table = instance.records.table(request.path_params["table"])
    row = instance.records.insert(table, _known_fields(table, values))
    return as_json({"result": shown(instance.records, table, [row], request)[0]}, 201)


async def change_row(instance: Instance, request: Request) -> Response:
    values = await _body(request)
    if values is None:
        return refuse(400, "Exception while reading request", "The payload is not valid JSON.")
    found = _row(instance, request)
    if found is None:
        return refuse(404, *NO_RECORD)
    table, row = found
    kept = {n: v for n, v in _known_fields(table, values).items() if v != "" or not _is_choice(table, n)}
    row = instance.records.update(table, row["sys_id"], kept)
    return as_json({"result": shown(instance.records, table, [row], request)[0]})


def _known_fields(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Unknown fields are dropped; a table that the dictionary does not describe takes whatever comes."""
    described = table.name in DESCRIBED
    return {n: v for n, v in values.items() if not described or n in table.columns or n in columns(table.name)}


def _is_choice(table: Table, name: str) -> bool:
    """Choices cannot be cleared with an empty text."""
    column = columns(table.name).get(name)
    return column is not None and column.kind == "choice"


async def delete_row(instance: Instance, request: Request) -> Response:
    found = _row(instance, request)
    if found is None:
        return refuse(404, *NO_RECORD)
    instance.records.delete(found[0], found[1]["sys_id"])
    return Response(status_code=204)


async def count_rows(instance: Instance, request: Request) -> Response:
    """It honours read access to the table, not rules about rows."""
    records, params, closed = instance.records, request.query_params, lens_of(request.scope).closed
    table = records.tables.get(request.path_params["table"])
    if table is None:
        return refuse(400, f"Invalid table {request.path_params['table']}", None)
    if closed == "forbidden":
        return refuse(403, *NO_RIGHTS)
    query = parse(_evaluated(params.get("sysparm_query", ""), ""), records.reader(table))
    nothing = closed or (query.ignored and _nothing_for_invalid(records))
    rows = [] if nothing else records.select(table, query, 0, len(table.rows), False)[0]
    group = params.get("sysparm_group_by", "")
    if not group:
        stats = {"count": str(len(rows))} if asked(params, "sysparm_count") else {}
        return as_json({"result": {"stats": stats}})
    counts = Counter(row.get(group, "") for row in rows)
    groups = [
        {"stats": {"count": str(count)}, "groupby_fields": [{"field": group, "value": value}]}
        for value, count in sorted(counts.items())
    ]
    return as_json({"result": groups})


async def _body(request: Request) -> dict[str, Any] | None:
    try:
        content = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _dated(response: Response, instance: Instance) -> Response:
    """The instance's own clock, which is the one that its stamps come from."""
    response.headers["Date"] = format_datetime(instance.records.now, usegmt=True)
    return response


# ---- many requests in one


async def run_batch(instance: Instance, request: Request) -> Response:
    """Each item is a request of its own to this instance, under the caller's name; what did not run is listed."""
    order = await _body(request)
    items = order.get("rest_requests") if order else None
    if order is None or not isinstance(items, list):
        return refuse(400, "Exception while reading request", "The payload is not a batch.")
    ids = [str(item.get("id", "")) for item in items]
    choose = lens_of(request.scope).unserviced
    left = choose(ids) if choose else set()
    served = [await serve_item(request, item) for item in items if str(item.get("id", "")) not in left]
    content = {"batch_request_id": str(order.get("batch_request_id", "")), "serviced_requests": served}
    return as_json({**content, "unserviced_requests": [one for one in ids if one in left]})
