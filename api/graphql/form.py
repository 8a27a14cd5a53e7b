"""The form in which an operation arrives: one JSON object in the body of a POST.

Refuses: other media types (415), bodies over 256 KiB (413), lists of operations, what is not JSON or not an object with
`query` (400).
"""

from typing import Any

import orjson
from starlette.requests import Request

from api.graphql import execution
from api.graphql.media import PLAIN
from engine.refusal import Code, Refused

BODY_MAX_BYTES = 256 * 1024


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
