"""How a no looks over HTTP: a status for every code, and one body: code, what, fix, requestId.

The command line and GraphQL use the same codes. A code without a line here is a bad request (400).
"""

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from engine.refusal import Code, Refused

STATUS: Mapping[Code, int] = {
    Code.ACCESS_DENIED: 403,
    Code.DATABASE_UNAVAILABLE: 503,
    Code.IDEMPOTENCY_CONFLICT: 409,
    Code.INPUT_TOO_LARGE: 413,
    Code.INTERNAL: 500,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.NO_ACTIVE_AGREEMENT: 409,
    Code.NOT_ACCEPTABLE: 406,
    Code.NOT_FOUND: 404,
    Code.RETENTION_HOLD: 409,
    Code.SOD_VIOLATION: 403,
    Code.STATE_CONFLICT: 409,
    Code.THROTTLED: 429,
    Code.TIMEOUT: 504,
    Code.UNAUTHENTICATED: 401,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.URL_TOO_LONG: 414,
}
HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"www-authenticate": 'Bearer error="invalid_token"'},
    429: {"retry-after": "1"},
    503: {"retry-after": "5"},
}


def status_of(code: Code) -> int:
    return STATUS.get(code, 400)


def answer(no: Refused, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    status = status_of(no.code)
    body = {"code": no.code.value, "what": no.what, "fix": no.fix, "requestId": request_id}
    return JSONResponse(body, status, headers={**HEADERS.get(status, {}), **(headers or {})})


def internal() -> Refused:
    return Refused(Code.INTERNAL, "Internal error.", "Try again; if it stays, report the requestId.")


def unavailable() -> Refused:
    return Refused(Code.DATABASE_UNAVAILABLE, "The database cannot be reached.", "Try again in some seconds.")
