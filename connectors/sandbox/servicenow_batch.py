"""One item of a batch: a request to this instance that came inside another one.

Decides how an item becomes a request and its answer an item: bodies in base64, the caller's credentials for all of
them. An item may not be a batch. Source: SN Batch API.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.types import Message, Scope

STATUS_TEXTS = {200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 401: "Unauthorized",
                403: "Forbidden", 404: "Not Found"}  # fmt: skip


async def serve_item(outer: Request, item: Mapping[str, Any]) -> dict[str, Any]:
    status, headers, body = await _ask(outer, item)
    told = [] if item.get("exclude_response_headers") else [{"name": n, "value": v} for n, v in headers]
    return {
        "id": str(item.get("id", "")), "body": base64.b64encode(body).decode(), "status_code": status,
        "status_text": STATUS_TEXTS.get(status, ""), "headers": told, "execution_time": 1,
    }  # fmt: skip


async def _ask(outer: Request, item: Mapping[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    path, _, query = str(item.get("url", "")).partition("?")
    if path.endswith("/batch"):
        return 400, [], b""
    try:
        body = base64.b64decode(str(item.get("body", "")), validate=True)
    except binascii.Error:
        return 400, [], b""
    given = {str(h["name"]).lower(): str(h["value"]) for h in item.get("headers", ())}
    if "authorization" in outer.headers:
        given["authorization"] = outer.headers["authorization"]
    scope: Scope = {
        **{name: value for name, value in outer.scope.items() if name not in ("path_params", "endpoint", "route")},
        "method": str(item.get("method", "GET")).upper(), "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "headers": [(n.encode(), v.encode()) for n, v in given.items()],
    }  # fmt: skip
    status, headers, answer = 500, [], bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
        else:
            answer.extend(message.get("body", b""))

    await outer.app(scope, receive, send)
    return status, headers, bytes(answer)
