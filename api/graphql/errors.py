"""What a caller reads when something went wrong.

Decides: which errors are the caller's (their message and a code) and which are ours (an id, and the place in the log).
Error texts carry no suggestions, no SQL and no stack.
"""

import logging
import re
import traceback
from typing import Any

from graphql import GraphQLError
from sqlalchemy.exc import DBAPIError

from api.graphql.bucket import Throttled
from engine.refusal import Code, Refused

# What the library adds for programmers: names that the caller did not ask for, and texts of Python.
SUGGESTION = re.compile(r" Did you mean .*|, but encountered error 'Exceeds the limit.*", re.DOTALL)
MESSAGE_MAX = 400
QUERY_CANCELED, LOCK_NOT_AVAILABLE = "57014", "55P03"

_log = logging.getLogger("evenhand.graphql")


def said(no: GraphQLError | Refused, request_id: str) -> dict[str, Any]:
    """The error as the caller sees it."""
    error = no if isinstance(no, GraphQLError) else GraphQLError(no.what, original_error=no)
    cause = error.original_error
    extensions: dict[str, Any] = {"code": Code.DOCUMENT_INVALID.value}
    message = SUGGESTION.sub("", error.message[:MESSAGE_MAX])
    if isinstance(cause, Refused):
        message, extensions = cause.what, {"code": cause.code.value, "fix": cause.fix}
        if isinstance(cause, Throttled):
            extensions["retryAfterSeconds"] = cause.after_seconds
    elif sqlstate(cause) in (QUERY_CANCELED, LOCK_NOT_AVAILABLE):
        message = "Reading took too long."
        extensions = {"code": Code.TIMEOUT.value, "fix": "Ask for smaller pages or fewer fields."}
    elif error.path and not (isinstance(cause, GraphQLError) and cause.nodes):  # that one is about the document
        _log.error("defect in request %s: %s", request_id, _place(cause or error))
        message, extensions = "Internal error", {"code": Code.INTERNAL.value}
    elif error.extensions and "code" in error.extensions:
        extensions = {"code": error.extensions["code"]}
    shown: dict[str, Any] = {"message": message}
    if error.locations:
        shown["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        shown["path"] = error.path
    return {**shown, "extensions": {**extensions, "requestId": request_id}}


def sqlstate(wrong: BaseException | None) -> str:
    """PostgreSQL's code of a failure, whichever driver tells it; empty for others."""
    return getattr(wrong.orig if isinstance(wrong, DBAPIError) else wrong, "sqlstate", None) or ""


def _place(wrong: BaseException) -> str:
    """Kind and place of a defect. Its message is left out: it may hold a value of somebody's."""
    frames = traceback.extract_tb(wrong.__traceback__)[-3:]
    return " ".join([type(wrong).__name__, *(f"{frame.name}:{frame.lineno}" for frame in frames)])
