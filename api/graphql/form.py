"""The form in which an operation arrives: one JSON object in the body of a POST, or the query string of a GET.

Decides: which of its parts must stand there: the text (`query`) or the id of a registered document (`documentId`), and
`variables`, `operationName`, `extensions` beside it. In a query string the maps are JSON text.
Refuses: other media types and encodings (415), bodies over 256 KiB (413), query strings over 8 KiB (414), lists of
operations, what is not JSON, is nested more than 32 times or has parts of another kind (400).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from api.graphql import execution
from api.graphql.media import PLAIN
from engine.refusal import Code, Refused

BODY_MAX_BYTES = 256 * 1024
QUERY_STRING_MAX_BYTES = 8 * 1024
PARAMETERS_MAX = 16
NESTING_MAX = 32
ASKED_BY_URL = ("GET", "HEAD")
MAPS = ("variables", "extensions")


async def read(request: Request) -> execution.Request:
    """The operation that the request asks for; refuses every other form."""
    if len(request.scope["query_string"]) > QUERY_STRING_MAX_BYTES:
        raise Refused(Code.URL_TOO_LONG, "The query string is longer than 8 KiB.", "Ask by POST.")
    by_url = request.method in ASKED_BY_URL
    parts = _of_url(request) if by_url else await _of_body(request)
    return operation_of(parts, reads_only=by_url)


def operation_of(parts: Mapping[str, Any], *, reads_only: bool = False) -> execution.Request:
    """The operation that these parts say, whichever way they came."""
    query, document_id = parts.get("query"), parts.get("documentId")
    if (query is None) == (document_id is None):
        raise _bad("Neither or both of `query` and `documentId` are given.")
    if not isinstance(query, str | None) or "\0" in (query or ""):
        raise _bad("`query` is not text.")
    if not isinstance(document_id, str | None):
        raise _bad("`documentId` is not text.")
    for part in MAPS:
        if not isinstance(parts.get(part), dict | None):
            raise _bad(f"`{part}` is not an object.")
        if deeper(parts.get(part), NESTING_MAX):
            raise _bad(f"`{part}` is nested more than {NESTING_MAX} times.")
    if not isinstance(parts.get("operationName"), str | None):
        raise _bad("`operationName` is not text.")
    name = parts.get("operationName") or None
    return execution.Request(query, parts.get("variables") or {}, name, document_id, reads_only)


def _of_url(request: Request) -> Mapping[str, Any]:
    try:
        text = request.scope["query_string"].decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError:
        raise _bad("The query string is not UTF-8 in percent encoding, or has too many parameters.") from None
    parts: dict[str, Any] = dict(pairs)
    if len(parts) < len(pairs):
        raise _bad("A parameter stands twice in the query string.")
    for name in MAPS:
        if name in parts:
            parts[name] = _json(parts[name].encode(), f"`{name}` is not JSON.") if parts[name] else None
    return parts


async def _of_body(request: Request) -> Mapping[str, Any]:
    kind, _, parameters = ",".join(request.headers.getlist("content-type")).partition(";")
    charset = parameters.replace('"', "").strip().lower()
    if kind.strip().lower() != PLAIN or charset not in ("", "charset=utf-8"):
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The body is not application/json.", f"Send {PLAIN} in UTF-8.")
    if request.headers.getlist("content-encoding") not in ([], ["identity"]):
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The body is encoded.", "Send it as it is, without compression.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            raise Refused(Code.INPUT_TOO_LARGE, "The body is larger than 256 KiB.", "Ask for less at a time.")
    found = _json(bytes(body), "The body is not JSON.")
    if not isinstance(found, dict):
        raise _bad("The body is not one JSON object; lists of operations are not taken.")
    return found


def deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects stand in each other more often than that. What walks over values is never so deep."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return not levels or any(deeper(each, levels - 1) for each in value)


def _json(text: bytes, otherwise: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad(otherwise) from None


def _bad(what: str) -> Refused:
    return Refused(Code.BAD_INPUT, what, 'Send {"query": "…", "variables": {…}}.')
